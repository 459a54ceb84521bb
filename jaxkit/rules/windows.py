"""Sums and extremes over windows that slide along an array.

Along one axis, of input x and output z, window z[t] reads x at (s t + r k - l) / b, for
k < K: stride s, dilation r, l of padding before, and b - 1 gaps between any two
elements of x.  Reads between elements, or beyond them, count for nothing.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from jax import lax
from jax.extend.core import primitives as p

from jaxkit.rules.convolution import dilated, padding_for
from jaxkit.rules.verbs import custom, linear

# --- Sums -----------------------------------------------------------------------------


def _sum_transpose(
    ct, x, *, window_dimensions, window_strides, padding, base_dilation, window_dilation
):
    # X[i] = sum over k of Z[(b i + l - r k) / s]: windows again, on the dilated Z.
    pads = []
    for n, m, k, s, (before, _), b, r in zip(
        x.aval.shape,
        ct.shape,
        window_dimensions,
        window_strides,
        padding,
        base_dilation,
        window_dilation,
        strict=True,
    ):
        window = dilated(k, r)
        pad = padding_for(dilated(m, s), window - 1 - before, window, n, b)
        pads.append((*pad, s - 1))
    return p.reduce_window_sum_p.bind(
        lax.pad(ct, np.zeros((), ct.dtype), pads),
        window_dimensions=window_dimensions,
        window_strides=base_dilation,
        padding=((0, 0),) * len(pads),
        base_dilation=(1,) * len(pads),
        window_dilation=window_dilation,
    )


linear(p.reduce_window_sum_p, _sum_transpose)

# --- Extremes -------------------------------------------------------------------------

# An extreme is read at one place, the first that attains it.  Places are numbered in
# row-major order; a window without elements reads beyond the last, which is nothing.


@cache
def _first(prefers):
    """The reduction of pairs (value, place) to the preferred one, ge or le."""

    def choose(a, b):
        (x, i), (y, j) = a, b
        # Of equals the first place, whatever order the reduction takes.
        keep = prefers.bind(x, y) & (lax.ne(x, y) | lax.lt(i, j))
        return lax.select(keep, x, y), lax.select(keep, i, j)

    return choose


def _places(x, prefers, window):
    """The number of the place that each window reads."""
    worst = np.array(-np.inf if prefers is p.ge_p else np.inf, x.dtype)
    number = lax.reshape(lax.iota(np.int32, x.size), x.shape)
    start = worst, np.int32(x.size)
    names = "base_dilation", "window_dilation"
    _, places = lax.reduce_window(
        (lax.stop_gradient(x), number),
        start,
        _first(prefers),
        window["window_dimensions"],
        window["window_strides"],
        window["padding"],
        **{name: window[name] for name in names if name in window},
    )
    return places


ELEMENTS = lax.GatherDimensionNumbers(
    offset_dims=(), collapsed_slice_dims=(0,), start_index_map=(0,)
)


def _read(x, places):
    """The elements of x at these places."""
    return lax.gather(
        lax.reshape(x, (x.size,)),
        lax.expand_dims(places, (places.ndim,)),
        ELEMENTS,
        slice_sizes=(1,),
        mode=lax.GatherScatterMode.FILL_OR_DROP,
        fill_value=0,
    )


def _write(y, places, shape):
    """Zeros of this shape, and y added at these places."""
    flat = lax.scatter_add(
        lax.full((int(np.prod(shape)),), 0, y.dtype),
        lax.expand_dims(places, (places.ndim,)),
        y,
        lax.ScatterDimensionNumbers(
            update_window_dims=(),
            inserted_window_dims=(0,),
            scatter_dims_to_operand_dims=(0,),
        ),
        mode=lax.GatherScatterMode.FILL_OR_DROP,
    )
    return lax.reshape(flat, shape)


def _extreme(primitive, prefers):
    @custom(primitive)
    def _(primals, tangents, **window):
        (x,), (dx,) = primals, tangents
        y = primitive.bind(x, **window)
        return y, _read(dx, _places(x, prefers, window))


_extreme(p.reduce_window_max_p, p.ge_p)
_extreme(p.reduce_window_min_p, p.le_p)

# Reading x where y is extreme, and its transpose, as JAX's own derivative has them.
linear(
    p.select_and_gather_add_p,
    lambda ct, x, y, *, select_prim, **window: _write(
        ct, _places(y, select_prim, window), x.aval.shape
    ),
)
linear(
    p.select_and_scatter_add_p,
    lambda ct, x, y, *, select_prim, **window: _read(
        ct, _places(y, select_prim, window)
    ),
)
