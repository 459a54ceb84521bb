"""Reductions, cumulative sums, sorting, and products that sum over axes."""

from __future__ import annotations

import math

import jax.numpy as jnp
from jax import lax
from jax.extend.core import primitives as p

from jaxkit.rules.arith import cast, constant, eq, mul
from jaxkit.rules.extremes import mean_at_extreme, tangent_of_extreme
from jaxkit.rules.shapes import numbers, repeated
from jaxkit.rules.verbs import bilinear, custom, linear, zero
from jaxkit.tracing import aval_of, sharding_of

zero(p.argmax_p, p.argmin_p, why="a place doesn't move")
zero(p.reduce_and_p, p.reduce_or_p, p.reduce_xor_p, why="an integer doesn't move")

# --- Sums -----------------------------------------------------------------------------


linear(
    p.reduce_sum_p,
    lambda ct, x, *, axes, **params: repeated(ct, x.aval, axes),
)
linear(
    p.cumsum_p,
    lambda ct, x, *, axis, reverse: lax.cumsum(ct, axis=axis, reverse=not reverse),
)

# --- Other cumulative operations ------------------------------------------------------


def _cumulative(primitive, op, tangent):
    """Declare y_i = op(y_(i-1), x_i), by the tangent of an associative z = op(x, y).

    Dual numbers are combined as numbers are, so that they may be in any grouping: an
    associative scan (Blelloch 1990).
    """

    def combine(one, two):
        (x, dx), (y, dy) = one, two
        z = op(x, y)
        return z, tangent(z, x, y, dx, dy)

    @custom(primitive)
    def _(primals, tangents, *, axis, reverse):
        (x,), (dx,) = primals, tangents
        return lax.associative_scan(combine, (x, dx), reverse, axis)


def _share(x, total):
    """e^(x - total); of an infinite total, 1 for what is +inf, and 0 for all else."""
    return lax.exp(lax.sub(_finite(x, above=True), _finite(total)))


def _finite(x, above=False):
    """The nearest finite number; with `above`, -inf stays what it is."""
    if x.dtype.kind == "c":
        return lax.complex(_finite(lax.real(x), above), lax.imag(x))
    most = float(jnp.finfo(x.dtype).max)
    x = lax.min(x, constant(most, x.dtype))
    return x if above else lax.max(x, constant(-most, x.dtype))


def _product_rule(z, x, y, dx, dy):
    return lax.add(mul(y, dx), mul(x, dy))


def _shares(z, x, y, dx, dy):
    return lax.add(mul(_share(x, z), dx), mul(_share(y, z), dy))


_cumulative(p.cumprod_p, lax.mul, _product_rule)
_cumulative(p.cumlogsumexp_p, jnp.logaddexp, _shares)
_cumulative(p.cummax_p, lax.max, tangent_of_extreme)
_cumulative(p.cummin_p, lax.min, tangent_of_extreme)

# --- Products -------------------------------------------------------------------------


@custom(p.reduce_prod_p)
def _(primals, tangents, *, axes, **params):
    # d(a b) = a db + b da, for the two halves of the factors, until one is left: no
    # division, so that zeros among the factors are no special case.
    (x,), (dx,) = primals, tangents
    y = p.reduce_prod_p.bind(x, axes=axes, **params)
    kept = [d for d in range(x.ndim) if d not in axes]
    n = math.prod(x.shape[d] for d in axes)
    if n == 0:
        return y, None

    def factors_first(x):
        moved = lax.transpose(x, [*axes, *kept])
        shape, parts = moved.shape[len(axes) :], sharding_of(aval_of(x), [None, *kept])
        return lax.reshape(moved, (n, *shape), out_sharding=parts)

    a, da = factors_first(x), factors_first(dx)
    while n > 1:
        half = n // 2
        (left, right, rest), (d_left, d_right, d_rest) = _halves(a), _halves(da)
        products = lax.mul(left, right)
        d_products = lax.add(lax.mul(left, d_right), lax.mul(d_left, right))
        a, da = _join(products, rest), _join(d_products, d_rest)
        n -= half
    return y, lax.squeeze(da, (0,))


def _halves(x):
    """The first half, the second half, and what is left where the number is odd."""
    n, half = x.shape[0], x.shape[0] // 2
    return x[:half], x[half : 2 * half], x[2 * half : n]


def _join(x, rest):
    return lax.concatenate([x, rest], 0) if rest.shape[0] else x


# --- Extremes -------------------------------------------------------------------------


def _extreme(dx, y, x, *, axes, **params):
    attaining = eq(x, repeated(y, aval_of(x), axes))
    return mean_at_extreme(lambda x: lax.reduce_sum(x, axes), [dx], [attaining])


custom(p.reduce_max_p, _extreme)
custom(p.reduce_min_p, _extreme)

# --- Sorting --------------------------------------------------------------------------


@custom(p.sort_p)
def _(primals, tangents, *, dimension, **params):
    # Sorting permutes: the tangents move as their elements did.
    places = numbers(aval_of(primals[0]), dimension)
    *out, places = p.sort_p.bind(*primals, places, dimension=dimension, **params)
    moved = [None if dx is None else _take(dx, places, dimension) for dx in tangents]
    return out, moved


def _top(primitive, axis_name):
    @custom(primitive)
    def _(primals, tangents, **params):
        (x,), (dx,) = primals, tangents
        values, places = primitive.bind(x, **params)
        return [values, places], [_take(dx, places, params[axis_name] % x.ndim), None]


_top(p.top_k_p, "axis")
_top(p.approx_top_k_p, "reduction_dimension")


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
#     Y = Z x, summed over f of x, has axes (b, f of y, c in the order of x).


def _free(ndim, contracted, batch):
    return [d for d in range(ndim) if d not in contracted and d not in batch]


def _in_order_of(keys, values):
    return [v for _, v in sorted(zip(keys, values, strict=True))]


def _product(x, y, contracted, batch, axes, aval, params):
    """The product of x and y, whose axes are those numbered `axes` in an operand."""
    numbers = (tuple(map(tuple, contracted)), tuple(map(tuple, batch)))
    own = {"dimension_numbers": numbers, "out_sharding": sharding_of(aval, axes)}
    product = p.dot_general_p.bind(x, y, **params | own)
    if axes != sorted(axes):
        product = lax.transpose(product, sorted(range(len(axes)), key=axes.__getitem__))
    return cast(product, aval.dtype)


def _dot_left(ct, x, y, *, dimension_numbers, **params):
    (xc, yc), (xb, yb) = dimension_numbers
    y_free = _free(y.ndim, yc, yb)
    ct_free = range(ct.ndim - len(y_free), ct.ndim)
    numbers = (ct_free, y_free), (range(len(xb)), yb)
    axes = [*xb, *_free(x.aval.ndim, xc, xb), *_in_order_of(yc, xc)]
    return _product(ct, y, *numbers, axes, x.aval, params)


def _dot_right(ct, x, y, *, dimension_numbers, **params):
    (xc, yc), (xb, yb) = dimension_numbers
    x_free = _free(x.ndim, xc, xb)
    ct_free = range(len(xb), len(xb) + len(x_free))
    # Z x and not x Z, for XLA runs it faster where Z has one more axis, of a batch.
    numbers = (ct_free, x_free), (range(len(xb)), xb)
    axes = [*yb, *_free(y.aval.ndim, yc, yb), *_in_order_of(xc, yc)]
    return _product(ct, x, *numbers, axes, y.aval, params)


bilinear(p.dot_general_p, _dot_left, _dot_right)
