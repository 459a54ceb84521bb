"""Reductions, cumulative sums, sorting, and products that sum over axes."""

from __future__ import annotations

import numpy as np
from jax import lax
from jax.extend.core import primitives as p

from jaxkit.rules.arith import eq
from jaxkit.rules.table import bilinear, custom, linear, zero

zero(p.argmax_p, p.argmin_p, p.reduce_and_p, p.reduce_or_p, p.reduce_xor_p)

# --- Sums -----------------------------------------------------------------------------


def _spread(y, shape, axes):
    """y, which lacks `axes`, repeated along them to `shape`."""
    kept = [d for d in range(len(shape)) if d not in axes]
    return lax.broadcast_in_dim(y, shape, kept)


linear(
    p.reduce_sum_p,
    lambda ct, x, *, axes, **params: _spread(ct, x.aval.shape, axes),
)
linear(
    p.cumsum_p,
    lambda ct, x, *, axis, reverse: lax.cumsum(ct, axis=axis, reverse=not reverse),
)

# --- Products -------------------------------------------------------------------------


@custom(p.reduce_prod_p)
def _(primals, tangents, *, axes, **params):
    # dy = sum_i dx_i prod_(j != i) x_j, with the product of the others from the
    # products of those before and those after, so that zeros among the x are no case.
    (x,), (dx,) = primals, tangents
    y = p.reduce_prod_p.bind(x, axes=axes, **params)
    kept = [d for d in range(x.ndim) if d not in axes]
    shape = [x.shape[d] for d in kept]
    flat = lax.reshape(lax.transpose(x, [*kept, *axes]), [*shape, -1])
    axis, n = len(kept), int(np.prod([x.shape[d] for d in axes]))
    if n == 0:
        return y, None
    flat = lax.reshape(flat, [*shape, n])
    one = lax.full((*shape, 1), 1, x.dtype)

    def exclusive(reverse):
        inner = (
            lax.slice_in_dim(flat, 1, n, axis=axis)
            if reverse
            else lax.slice_in_dim(flat, 0, n - 1, axis=axis)
        )
        product = lax.cumprod(inner, axis=axis, reverse=reverse)
        return lax.concatenate([product, one] if reverse else [one, product], axis)

    others = lax.mul(exclusive(False), exclusive(True))
    moved = lax.reshape(lax.transpose(dx, [*kept, *axes]), [*shape, n])
    return y, lax.reduce_sum(lax.mul(moved, others), [axis])


# --- Extremes -------------------------------------------------------------------------


def _extreme(primitive):
    """Maximum or minimum: the mean tangent of the elements that attain it."""

    @custom(primitive)
    def _(primals, tangents, *, axes, **params):
        (x,), (dx,) = primals, tangents
        y = primitive.bind(x, axes=axes, **params)
        attains = lax.convert_element_type(eq(x, _spread(y, x.shape, axes)), x.dtype)
        total = lax.reduce_sum(lax.mul(dx, attains), axes)
        return y, lax.div(total, lax.reduce_sum(attains, axes))


_extreme(p.reduce_max_p)
_extreme(p.reduce_min_p)

# --- Sorting --------------------------------------------------------------------------


@custom(p.sort_p)
def _(primals, tangents, *, dimension, **params):
    # Sorting permutes: the tangents move as their elements did.
    shape = primals[0].shape
    places = lax.broadcasted_iota(np.int32, shape, dimension)
    *out, places = p.sort_p.bind(*primals, places, dimension=dimension, **params)
    moved = [None if dx is None else _take(dx, places, dimension) for dx in tangents]
    return out, moved


def _take(x, places, axis):
    """x[..., places, ...] along one axis; all other axes are matched one to one."""
    others = tuple(d for d in range(x.ndim) if d != axis)
    numbers = lax.GatherDimensionNumbers(
        offset_dims=(),
        collapsed_slice_dims=(axis,),
        start_index_map=(axis,),
        operand_batching_dims=others,
        start_indices_batching_dims=others,
    )
    return lax.gather(
        x,
        lax.expand_dims(places, (places.ndim,)),
        numbers,
        slice_sizes=(1,) * x.ndim,
        unique_indices=True,
        mode=lax.GatherScatterMode.PROMISE_IN_BOUNDS,
    )


# --- Matrix products ------------------------------------------------------------------


# Let z = x y, summed over the contracted axes c; f are the free axes, b the batch ones.
#     z has axes (b, f of x, f of y), so that for a cotangent Z of z
#     X = Z y, summed over f of y, has axes (b, f of x, c in the order of y), and
#     Y = x Z, summed over f of x, has axes (b, c in the order of x, f of y).


def _free(ndim, contracted, batch):
    return [d for d in range(ndim) if d not in contracted and d not in batch]


def _product(x, y, contracted, batch, axes, aval, params):
    """A dot product whose axes are those numbered `axes` in an operand, as the operand.

    `axes` names the product's axes by the operand's, `aval` is the operand's.
    """
    numbers = (tuple(map(tuple, contracted)), tuple(map(tuple, batch)))
    product = p.dot_general_p.bind(x, y, **dict(params, dimension_numbers=numbers))
    if axes != sorted(axes):
        product = lax.transpose(product, sorted(range(len(axes)), key=axes.__getitem__))
    return lax.convert_element_type(product, aval.dtype)


def _dot_left(ct, x, y, *, dimension_numbers, **params):
    (xc, yc), (xb, yb) = dimension_numbers
    y_free = _free(y.ndim, yc, yb)
    ct_y_free = range(ct.ndim - len(y_free), ct.ndim)
    in_order_of_y = [c for _, c in sorted(zip(yc, xc, strict=True))]
    axes = [*xb, *_free(x.aval.ndim, xc, xb), *in_order_of_y]
    batch = range(len(xb)), yb
    return _product(ct, y, (ct_y_free, y_free), batch, axes, x.aval, params)


def _dot_right(ct, x, y, *, dimension_numbers, **params):
    (xc, yc), (xb, yb) = dimension_numbers
    x_free = _free(x.ndim, xc, xb)
    ct_x_free = range(len(xb), len(xb) + len(x_free))
    in_order_of_x = [c for _, c in sorted(zip(xc, yc, strict=True))]
    axes = [*yb, *in_order_of_x, *_free(y.aval.ndim, yc, yb)]
    batch = xb, range(len(xb))
    return _product(x, ct, (x_free, ct_x_free), batch, axes, y.aval, params)


bilinear(p.dot_general_p, _dot_left, _dot_right)
