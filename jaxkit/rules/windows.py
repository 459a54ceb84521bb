"""Sums and extremes over windows that slide along an array.

Along one axis, of input x and output z, window z[t] reads x at (s t + r k - l) / b, for
k < K: stride s, dilation r, l of padding before, and b - 1 gaps between any two
elements of x.  Reads between elements, or beyond them, count for nothing.
"""

from __future__ import annotations

import math
from functools import cache

import numpy as np
from jax import lax
from jax.extend.core import primitives as p

from jaxkit.rules.convolution import dilated, padding_for
from jaxkit.rules.shapes import automatic
from jaxkit.rules.verbs import custom, linear
from jaxkit.tracing import aval_of

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
# row-major order along the axes of the windows; a window without elements reads beyond
# the last, which is nothing.  Along the other axes, where windows are single elements,
# nothing is read from elsewhere: devices that divide these need not talk.


def _axes(window):
    """The axes along which windows aren't single elements; all, if there are none."""
    sizes = [window["window_dimensions"], window["window_strides"], window["padding"]]
    sizes.append(window.get("base_dilation") or [1] * len(sizes[0]))
    one = 1, 1, (0, 0), 1
    axes = [d for d, how in enumerate(zip(*sizes, strict=True)) if how != one]
    return axes or list(range(len(sizes[0])))


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
    axes = _axes(window)
    shape = [x.shape[d] for d in axes]
    n = math.prod(shape)
    number = lax.reshape(lax.iota(np.int32, n), shape)
    start = worst, np.int32(n)
    names = "base_dilation", "window_dilation"
    _, places = lax.reduce_window(
        (lax.stop_gradient(x), lax.broadcast_in_dim(number, x.shape, axes)),
        start,
        _first(prefers),
        window["window_dimensions"],
        window["window_strides"],
        window["padding"],
        **{name: window[name] for name in names if name in window},
    )
    return places


def _read(x, places, axes):
    """The elements of x at these places along `axes`."""
    others = [d for d in range(x.ndim) if d not in axes]
    n = len(others)
    numbers = lax.GatherDimensionNumbers(
        offset_dims=(),
        collapsed_slice_dims=(n,),
        start_index_map=(n,),
        operand_batching_dims=tuple(range(n)),
        start_indices_batching_dims=tuple(others),
    )
    moved = lax.transpose(x, [*others, *axes])
    return lax.gather(
        lax.reshape(moved, (*moved.shape[:n], math.prod(moved.shape[n:]))),
        lax.expand_dims(places, (places.ndim,)),
        numbers,
        slice_sizes=[1] * (n + 1),
        mode=lax.GatherScatterMode.FILL_OR_DROP,
        fill_value=0,
    )


def _write(y, places, axes, shape):
    """Zeros of this shape, and y added at these places along `axes`."""
    others = [d for d in range(len(shape)) if d not in axes]
    n, order = len(others), [*others, *axes]
    moved = [shape[d] for d in order]
    numbers = lax.ScatterDimensionNumbers(
        update_window_dims=(),
        inserted_window_dims=(n,),
        scatter_dims_to_operand_dims=(n,),
        operand_batching_dims=tuple(range(n)),
        scatter_indices_batching_dims=tuple(others),
    )
    flat = lax.scatter_add(
        lax.full((*moved[:n], math.prod(moved[n:])), 0, y.dtype),
        lax.expand_dims(places, (places.ndim,)),
        y,
        numbers,
        mode=lax.GatherScatterMode.FILL_OR_DROP,
    )
    return lax.transpose(lax.reshape(flat, moved), np.argsort(order))


def _read_extremes(x, of, prefers, window, like):
    """The elements of x where the windows' extremes of another array are."""

    def read(x, of):
        return _read(x, _places(of, prefers, window), _axes(window))

    return automatic(read, x, of, like=like)


def _extreme(primitive, prefers):
    @custom(primitive)
    def _(primals, tangents, **window):
        (x,), (dx,) = primals, tangents
        y = primitive.bind(x, **window)
        return y, _read_extremes(dx, x, prefers, window, like=aval_of(y))


_extreme(p.reduce_window_max_p, p.ge_p)
_extreme(p.reduce_window_min_p, p.le_p)

# Reading x where y is extreme, and its transpose, as JAX's own derivative has them.


def _gather_transpose(ct, x, y, *, select_prim, **window):
    def write(ct, y):
        places = _places(y, select_prim, window)
        return _write(ct, places, _axes(window), x.aval.shape)

    return automatic(write, ct, y, like=x.aval)


def _scatter_transpose(ct, x, y, *, select_prim, **window):
    return _read_extremes(ct, y, select_prim, window, like=x.aval)


linear(p.select_and_gather_add_p, _gather_transpose)
linear(p.select_and_scatter_add_p, _scatter_transpose)
