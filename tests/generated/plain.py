"""The commonest primitives in NumPy, which has nothing to compile for a new shape.

Their operands are NumPy's arrays too: NumPy hands JAX's back to JAX.
"""

from __future__ import annotations

import numpy as np


def binary(f):
    return lambda x, y, **_: f(x, y)


def unary(f):
    return lambda x, **_: f(x)


def broadcast_in_dim(x, *, shape, broadcast_dimensions, **_):
    own = [1] * len(shape)
    for axis, size in zip(broadcast_dimensions, x.shape, strict=True):
        own[axis] = size
    return np.broadcast_to(np.reshape(x, own), shape)


def convert_element_type(x, *, new_dtype, **_):
    return x.astype(new_dtype)


def reshape(x, *, new_sizes, dimensions, **_):
    x = x if dimensions is None else np.transpose(x, dimensions)
    return np.reshape(x, new_sizes)


def slices(x, *, start_indices, limit_indices, strides):
    steps = strides or (1,) * x.ndim
    parts = zip(start_indices, limit_indices, steps, strict=True)
    return x[tuple(slice(*part) for part in parts)]


def pad(x, value, *, padding_config):
    axes = zip(x.shape, padding_config, strict=True)
    gaps = [size + max(size - 1, 0) * gap for size, (_, _, gap) in axes]
    low, high = ([max(c[i], 0) for c in padding_config] for i in (0, 1))
    sizes = [a + n + b for a, n, b in zip(low, gaps, high, strict=True)]
    whole = np.full(sizes, value, x.dtype)
    inner = zip(low, gaps, padding_config, strict=True)
    whole[tuple(slice(a, a + n, c[2] + 1) for a, n, c in inner)] = x
    cuts = zip(padding_config, sizes, strict=True)
    return whole[tuple(slice(max(-c[0], 0), n - max(-c[1], 0)) for c, n in cuts)]


def dot_general(x, y, *, dimension_numbers, preferred_element_type, **_):
    (cx, cy), (bx, by) = dimension_numbers
    at_x, at_y = list(range(x.ndim)), list(range(50, 50 + y.ndim))
    for i, j in [*zip(cx, cy, strict=True), *zip(bx, by, strict=True)]:
        at_y[j] = at_x[i]
    batch = [at_x[i] for i in bx]
    out = batch + [a for a in at_x if a not in batch and a not in at_y]
    out += [a for a in at_y if a not in at_x]
    dtype = preferred_element_type or x.dtype
    letters = {a: n for n, a in enumerate(dict.fromkeys(at_x + at_y))}
    wide = np.promote_types(dtype, np.float32)  # NumPy can't sum products of bfloat16
    x, y = x.astype(wide), y.astype(wide)
    places = [[letters[a] for a in at] for at in (at_x, at_y, out)]
    return np.einsum(x, places[0], y, places[1], places[2]).astype(dtype)


def div(x, y):
    if not np.issubdtype(x.dtype, np.integer):
        return np.divide(x, y)
    y_or_1 = np.where(y == 0, np.ones_like(y), y)
    towards_0 = (x - np.fmod(x, y_or_1)) // y_or_1
    return np.where(y == 0, ~np.zeros_like(y), towards_0)


def complex_(x, y):
    z = np.empty(np.broadcast_shapes(x.shape, y.shape), np.result_type(x, np.complex64))
    z.real, z.imag = x, y
    return z


def split(x, *, sizes, axis):
    return np.split(x, np.cumsum(sizes)[:-1], axis)


def select_n(which, *cases):
    if which.dtype == bool:
        return np.where(which, cases[1], cases[0])
    return np.choose(which, cases) if which.ndim else cases[int(which)]


def iota(*, dtype, shape, dimension, **_):
    own = [-1 if axis == dimension else 1 for axis in range(len(shape))]
    return np.broadcast_to(np.arange(shape[dimension], dtype=dtype).reshape(own), shape)


PLAIN = {
    "add": binary(np.add),
    "add_any": binary(np.add),
    "sub": binary(np.subtract),
    "mul": binary(np.multiply),
    "max": binary(np.maximum),
    "min": binary(np.minimum),
    "eq": binary(np.equal),
    "ne": binary(np.not_equal),
    "lt": binary(np.less),
    "gt": binary(np.greater),
    "le": binary(np.less_equal),
    "ge": binary(np.greater_equal),
    "and": binary(np.bitwise_and),
    "or": binary(np.bitwise_or),
    "div": div,
    "integer_pow": lambda x, *, y: x ** np.asarray(y, x.dtype),
    "neg": unary(np.negative),
    "sin": unary(np.sin),
    "cos": unary(np.cos),
    "abs": unary(np.abs),
    "complex": complex_,
    "copy": unary(np.array),
    "exp": unary(np.exp),
    "optimization_barrier": lambda *xs: xs,
    "real": unary(np.real),
    "imag": unary(np.imag),
    "conj": unary(np.conj),
    "broadcast_in_dim": broadcast_in_dim,
    "convert_element_type": convert_element_type,
    "reshape": reshape,
    "squeeze": lambda x, *, dimensions: np.squeeze(x, tuple(dimensions)),
    "transpose": lambda x, *, permutation: np.transpose(x, permutation),
    "rev": lambda x, *, dimensions: np.flip(x, dimensions),
    "tile": lambda x, *, reps: np.tile(x, reps),
    "stack": lambda *xs, axis: np.stack(xs, axis),
    "split": split,
    "concatenate": lambda *xs, dimension: np.concatenate(xs, dimension),
    "reduce_sum": lambda x, *, axes, **_: np.sum(x, axes, x.dtype),
    "slice": slices,
    "pad": pad,
    "dot_general": dot_general,
    "select_n": select_n,
    "iota": iota,
}
