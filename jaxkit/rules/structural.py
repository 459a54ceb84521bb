"""Structural primitives: they move, repeat, select or retype elements.

All are linear, so each is its own derivative; what is stated here is the transpose.
The transpose of reading from a place is adding to that place, of repeating it is
summing, and of a permutation its inverse.
"""

from __future__ import annotations

from functools import partial
from itertools import accumulate, compress

import jax
import numpy as np
from jax import lax
from jax.experimental.layout import with_layout_constraint
from jax.extend.core import primitives as p

from jaxkit.program import Var
from jaxkit.rules.arith import eq
from jaxkit.rules.shapes import reshaped, summed
from jaxkit.rules.verbs import adding, general, linear, transposable
from jaxkit.tangents import Refused, full, given, spread
from jaxkit.tracing import aval_of, sharding_of, typeof

linear(p.copy_p, lambda ct, x: ct)
linear(
    p.reduce_precision_p,
    lambda ct, x, **params: p.reduce_precision_p.bind(ct, **params),
)

linear(p.name_p, lambda ct, x, *, name: ct)


@general("optimization_barrier", alone=True)
@general(p.device_put_p, alone=True)
def _(primitive, arithmetic, primals, tangents, params):
    """An output, and one of each of the parameters, belongs to each operand."""
    known = [x is not None for x in primals]
    there = {name: tuple(compress(params[name], known)) for name in params}
    outs = spread(primitive.bind(*given(primals), **there) if any(known) else [], known)
    avals = [
        typeof(y) if dx is None or y is not None else aval_of(dx)
        for y, dx in zip(outs, tangents, strict=True)
    ]
    return outs, _each(primitive, arithmetic, tangents, avals, params)


def _each(primitive, arithmetic, tangents, avals, params) -> list:
    """The tangents of outputs, of types `avals`, one of which belongs to each operand.

    So does one of each of the parameters.
    """
    moving = [dx is not None and type(dx) is not Refused for dx in tangents]
    params = {name: tuple(compress(params[name], moving)) for name in params}
    moved = compress(tangents, moving), compress(avals, moving)
    if not any(moving):
        return list(tangents)
    rest = iter(arithmetic.bind(primitive, *map(list, moved), **params))
    pairs = zip(tangents, moving, strict=True)
    return [next(rest) if there else dx for dx, there in pairs]


def _barrier_transpose(cts, *xs):
    moved = lax.optimization_barrier(given(cts))
    return spread(moved, [ct is not None for ct in cts])


transposable("optimization_barrier", _barrier_transpose, operands=None)

# --- Where an array is ---------------------------------------------------------------


def _device_put_transpose(cts, *xs, devices, srcs, copy_semantics):
    """Back to where it came from; if that's a memory, the type says which."""

    def back(ct, x, device, source):
        if source is None and typeof(ct).memory_space != x.aval.memory_space:
            source = x.aval.memory_space
        return jax.device_put(ct, source, src=device)

    places = zip(cts, xs, devices, srcs, strict=True)
    return [None if place[0] is None else back(*place) for place in places]


transposable(p.device_put_p, _device_put_transpose, operands=None)
linear(
    p.sharding_constraint_p,
    lambda ct, x, **params: p.sharding_constraint_p.bind(ct, **params),
)
linear("layout_constraint", lambda ct, x, *, layout: with_layout_constraint(ct, layout))


def _reshard_transpose(ct, x, **params):
    sharding = x.aval.sharding
    return ct if sharding.mesh.empty else jax.sharding.reshard(ct, sharding)


linear("reshard", _reshard_transpose)

# --- Dtypes ---------------------------------------------------------------------------


def _convert_transpose(ct, x, **params):
    if getattr(ct.dtype, "kind", "") == "c" != x.aval.dtype.kind:
        ct = lax.real(ct)
    params |= {"new_dtype": x.aval.dtype, "weak_type": x.aval.weak_type}
    return p.convert_element_type_p.bind(ct, **params)


linear(p.convert_element_type_p, _convert_transpose)
for name in "to_edtype", "from_edtype":  # an extended dtype, and what represents it
    linear(name, lambda ct, x, **_: lax.convert_element_type(ct, x.aval.dtype))

# --- Shapes and places ----------------------------------------------------------------


def _like(ct, x, **params):
    return reshaped(ct, x.aval)


def _reshape_transpose(ct, x, *, dimensions, **params):
    if dimensions is None:
        return _like(ct, x)
    # The operand's axes were read in the order `dimensions`.
    shape = [x.aval.shape[d] for d in dimensions]
    read = lax.reshape(ct, shape, out_sharding=sharding_of(x.aval, dimensions))
    return lax.transpose(read, np.argsort(dimensions))


linear(p.reshape_p, _reshape_transpose)
linear(p.squeeze_p, _like)
linear(p.rev_p, lambda ct, x, *, dimensions: lax.rev(ct, dimensions))
linear(
    p.transpose_p,
    lambda ct, x, *, permutation: lax.transpose(ct, np.argsort(permutation)),
)


def _broadcast_transpose(ct, x, *dynamic_shape, broadcast_dimensions, **params):
    sizes = zip(broadcast_dimensions, x.aval.shape, strict=True)
    kept = {d for d, n in sizes if n == ct.shape[d]}
    axes = [d for d, n in enumerate(ct.shape) if d not in kept and n != 1]
    return summed(ct, axes, x.aval, broadcast_dimensions)


linear(p.broadcast_in_dim_p, _broadcast_transpose)


def _slice_transpose(ct, x, *, start_indices, limit_indices, strides):
    strides = strides or (1,) * ct.ndim

    def pad(size, n, start, stride):
        end = start + (n - 1) * stride + 1 if n else start
        return start, size - end, stride - 1

    config = map(pad, x.aval.shape, ct.shape, start_indices, strides)
    return lax.pad(ct, np.zeros((), ct.dtype), list(config))


linear(p.slice_p, _slice_transpose)


@partial(adding, p.slice_p)
def _(total, ct, x, *, start_indices, limit_indices, strides):
    read = p.slice_p.bind(
        total,
        start_indices=start_indices,
        limit_indices=limit_indices,
        strides=strides,
    )
    places = map(slice, start_indices, limit_indices, strides or (None,) * ct.ndim)
    return total.at[tuple(places)].set(read + ct)


def _pad_transpose(ct, x, value, *, padding_config):
    # Cut off (or, where it was negative, put back) the border, then skip the gaps.
    border = [(-low, -high, 0) for low, high, _ in padding_config]
    inner = lax.pad(ct, np.zeros((), ct.dtype), border)
    strides = [interior + 1 for _, _, interior in padding_config]
    ct_x = lax.slice(inner, [0] * ct.ndim, inner.shape, strides)
    if type(value) is not Var:
        return ct_x, None
    axes = range(ct.ndim)
    return ct_x, lax.sub(lax.reduce_sum(ct, axes), lax.reduce_sum(ct_x, axes))


linear(p.pad_p, _pad_transpose, operands=(0, 1))

# --- Taking apart and putting together ------------------------------------------------


def _concatenate_transpose(ct, *operands, dimension):
    sizes = [x.aval.shape[dimension] for x in operands]
    return [
        lax.slice_in_dim(ct, end - size, end, axis=dimension)
        if type(x) is Var
        else None
        for x, size, end in zip(operands, sizes, accumulate(sizes), strict=True)
    ]


linear(p.concatenate_p, _concatenate_transpose, operands=None)


def _filled(cts, shape_of):
    """Cotangents of several outputs, with zeros in place of None."""
    aval = next(aval_of(ct) for ct in cts if ct is not None)
    return [
        full(aval.update(shape=shape_of(i)), 0) if ct is None else ct
        for i, ct in enumerate(cts)
    ]


def _split_transpose(cts, x, *, sizes, axis):
    def shape(i):
        return (*x.aval.shape[:axis], int(sizes[i]), *x.aval.shape[axis + 1 :])

    return lax.concatenate(_filled(cts, shape), axis)


linear("split", _split_transpose)


def _unstack(ct, axis):
    return [
        lax.index_in_dim(ct, i, axis, keepdims=False) for i in range(ct.shape[axis])
    ]


def _stack(cts, axis):
    return lax.concatenate([lax.expand_dims(ct, (axis,)) for ct in cts], axis)


def _unstack_transpose(cts, x, *, axis):
    shape = (*x.aval.shape[:axis], *x.aval.shape[axis + 1 :])
    return _stack(_filled(cts, lambda i: shape), axis)


linear("stack", lambda ct, *xs, axis: _unstack(ct, axis), operands=None)
linear("unstack", _unstack_transpose)


def _tile_transpose(ct, x, *, reps):
    # Each axis of length r n is r blocks of length n; the blocks are summed.
    shape = [k for pair in zip(reps, x.aval.shape, strict=True) for k in pair]
    places = range(1, len(shape), 2)
    parts = [d // 2 if d in places else None for d in range(len(shape))]
    ct = lax.reshape(ct, shape, out_sharding=sharding_of(x.aval, parts))
    return summed(ct, range(0, len(shape), 2), x.aval, places)


linear("tile", _tile_transpose)


def _select_transpose(ct, which, *cases):
    zero = lax.full_like(ct, 0)

    def case(i, x):
        if type(x) is not Var:
            return None
        if which.dtype == bool:
            return lax.select_n(which, *((ct, zero) if i == 0 else (zero, ct)))
        taken = eq(which, i)
        return lax.select_n(taken, zero, ct)

    return [None, *(case(i, x) for i, x in enumerate(cases))]


linear(p.select_n_p, _select_transpose, operands=lambda n, **params: range(1, n))
