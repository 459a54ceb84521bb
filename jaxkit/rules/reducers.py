"""Reductions by code of the user's: `lax.reduce` and `lax.reduce_window`.

What these primitives compute can be written in operations on whole arrays, and their
derivative is that of this `equivalent` program.  A reduction's code is associative by
contract, so elements may be combined two neighbours at a time.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import reduce
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.extend.core import primitives as p

from jaxkit.rules.convolution import dilated
from jaxkit.rules.verbs import equivalent
from jaxkit.tracing import aval_of, run_jaxpr_here, sharding_of, varying_like


def on_elements(jaxpr: Any) -> Callable:
    """Code on scalars, for each element of arrays."""

    def op(*arrays):
        each = lambda *xs: run_jaxpr_here(jaxpr, xs)  # noqa: E731
        for _ in arrays[0].shape:
            each = jax.vmap(each)
        return each(*arrays)

    return op


# --- Reductions -----------------------------------------------------------------------

# Several arrays may be reduced together: code on one element of each and then another
# of each yields what stands for both.  `valid` says which elements there are, along the
# leading axes; it is known from shapes alone.


def _where(condition: np.ndarray, xs, ys):
    """xs where the condition on the leading axes holds, else ys."""
    if condition.all():
        return xs
    mask = lax.broadcast_in_dim(condition, xs[0].shape, range(condition.ndim))
    return [lax.select(mask, x, y) for x, y in zip(xs, ys, strict=True)]


def _fold(op, arrays, valid):
    """Reduces the first axis, two neighbours at a time; also what is valid then."""
    while (n := len(valid)) > 1:
        even, odd, rest = slice(0, n - n % 2, 2), slice(1, n, 2), slice(n - n % 2, n)
        left, right = [x[even] for x in arrays], [x[odd] for x in arrays]
        pairs = _where(valid[odd], op(*left, *right), left)
        pairs = _where(valid[even], pairs, right)
        valid = np.concatenate([valid[even] | valid[odd], valid[rest]])
        if n % 2:
            pairs = [
                lax.concatenate([pair, x[rest]], 0)
                for pair, x in zip(pairs, arrays, strict=True)
            ]
        arrays = pairs
    return [lax.squeeze(x, (0,)) for x in arrays], valid[0]


def _halves(operands):
    half = len(operands) // 2
    return operands[:half], operands[half:]


@equivalent(p.reduce_p)
def _(*operands, jaxpr, dimensions, **params):
    arrays, starts = _halves(operands)
    shape = arrays[0].shape
    op, axes = on_elements(jaxpr), sorted(dimensions)
    kept = [d for d in range(len(shape)) if d not in axes]
    n, rest = math.prod(shape[d] for d in axes), tuple(shape[d] for d in kept)
    like = aval_of(arrays[0])
    parts = sharding_of(like, kept)
    starts = [
        varying_like(lax.broadcast(x, rest, out_sharding=parts), like) for x in starts
    ]
    if n == 0:
        return starts
    parts = sharding_of(like, [None, *kept])
    arrays = [lax.transpose(x, [*axes, *kept]) for x in arrays]
    arrays = [lax.reshape(x, (n, *rest), out_sharding=parts) for x in arrays]
    totals, _ = _fold(op, arrays, np.full(n, True))
    return op(*starts, *totals)


def _reads(n, window, stride, padding, gaps, dilation):
    """Which element each window reads as its k-th, [k, t], and whether there is one."""
    before, after = padding
    length = dilated(n, gaps)
    count = (before + length + after - dilated(window, dilation)) // stride + 1
    k, t = np.ogrid[:window, : max(count, 0)]
    place = stride * t + dilation * k - before
    valid = (0 <= place) & (place < length) & (place % gaps == 0)
    return np.clip(place // gaps, 0, max(n - 1, 0)), valid


@equivalent(p.reduce_window_p)
def _(
    *operands, jaxpr, window_dimensions, window_strides, padding,
    base_dilation, window_dilation, **params,
):  # fmt: skip
    # One axis after the other, from the last, which becomes the first: then all are
    # in their order again.
    arrays, starts = _halves(operands)
    shape, op, like = arrays[0].shape, on_elements(jaxpr), aval_of(arrays[0])
    sizes = window_dimensions, window_strides, padding, base_dilation, window_dilation
    reads = [_reads(*axis) for axis in zip(shape, *sizes, strict=True)]
    counts = [place.shape[1] for place, _ in reads]
    starts = [varying_like(lax.broadcast(x, counts), like) for x in starts]
    if 0 in shape or 0 in starts[0].shape:
        return starts
    somewhere = []
    for place, valid in reversed(reads):
        windows = [jnp.moveaxis(x, -1, 0)[place] for x in arrays]
        arrays, valid = _fold(op, windows, valid)
        somewhere.insert(0, valid)
    exists = reduce(np.logical_and.outer, somewhere)
    return _where(exists, op(*starts, *arrays), starts)
