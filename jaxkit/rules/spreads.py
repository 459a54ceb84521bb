"""How linear operators spread: which outputs an entry of an operand reaches.

A linear operator is a matrix, and most of it is zero.  Where it isn't, is known from
the shapes, and from the values of its other operands where there are some:

    each      each element by itself               neg, mul, convert_element_type
    moves     elements go to other places          reshape, slice, gather
    sums      the transpose of one that moves      reduce_sum, scatter-add
    along     dense, or triangular, along axes     fft, cumsum, triangular_solve
    dense     every output reads every entry       what nobody said anything of

None says less than there is: an entry that is left out is zero at every input at which
the known values are what they are.  Said of all operators at the end; `spreads` says it
of others.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from jax.extend.core import primitives as p
from scipy.sparse import csr_array

from jaxkit.program.code import Var
from jaxkit.rules.table import RULES, replaced
from jaxkit.tracing import ShapedArray

Pattern = Any  # a csr_array of booleans; SciPy declares no types
Chain = tuple[Pattern, ...]  # a product of patterns, the last one acts first


class At(NamedTuple):
    """An operator, and the operand of it that carries a tangent, by its number.

    `operands` are values where they are known, else abstract types (so is what carries
    a tangent); `outputs` are abstract types.
    """

    operator: Any
    rule: Any
    operands: Sequence[Any]
    params: dict[str, Any]
    outputs: Sequence[Any]
    number: int

    @property
    def moving(self) -> Any:
        return self.operands[self.number]


def spreads(*primitives: Any, how: Callable[[At], list[Chain]]) -> None:
    """Declare how linear operators spread: `how(at)` gives a pattern for each output.

    Example: `spreads(my_shift_p, how=moves)`.
    """
    for primitive in primitives:
        if primitive in RULES or not isinstance(primitive, str):  # in this JAX
            replaced(primitive).spread = how


def is_known(x: Any) -> bool:
    return not isinstance(x, ShapedArray)


def size(x: Any) -> int:
    return math.prod(np.shape(x))


def numbers(shape: Sequence[int]) -> np.ndarray:
    """The numbers of an array's entries, from 1: 0 is for nothing."""
    return np.arange(1, math.prod(shape) + 1, dtype=np.int32).reshape(shape)


def moved(sources: Any, n: int) -> Pattern:
    """Outputs, each of which is one of n entries: that of this number (0: of none)."""
    flat = np.asarray(sources).ravel()
    there = flat > 0
    starts = np.concatenate([[0], np.cumsum(there)])
    found = flat[there] - 1
    return csr_array((np.ones(len(found), bool), found, starts), (len(flat), n))


def entries(rows: Any, columns: Any, shape: tuple[int, int]) -> Pattern:
    """The pattern with these entries, of which some may be given twice."""
    rows, columns = np.ravel(rows), np.ravel(columns)
    return csr_array((np.ones(len(rows), bool), (rows, columns)), shape)


def ones(n: int, m: int) -> Pattern:
    rows = np.arange(0, n * m + 1, m) if m else np.zeros(n + 1, int)
    return csr_array((np.ones(n * m, bool), np.tile(np.arange(m), n), rows), (n, m))


# --- The kinds ------------------------------------------------------------------------


def dense(at: At) -> list[Chain]:
    """Every output reads every entry."""
    return [(ones(size(y), 1), ones(1, size(at.moving))) for y in at.outputs]


def each(at: At) -> list[Chain]:
    """Output i reads entry i; of as many outputs as operands each reads its own.

    A number is read by all of an array's entries.
    """
    own = at.number if len(at.outputs) > 1 else 0
    return [
        _read(at, numbers(np.shape(at.moving)) if i == own else 0, y)
        for i, y in enumerate(at.outputs)
    ]


def _read(at: At, sources: Any, y: Any) -> Chain:
    return (moved(np.broadcast_to(sources, y.shape), size(at.moving)),)


def weighed(at: At) -> list[Chain]:
    """The same, times another operand: nothing where that is zero."""
    weight = at.operands[1 - at.number]
    if not is_known(weight):
        return each(at)
    sources = np.where(np.asarray(weight) != 0, numbers(np.shape(at.moving)), 0)
    return [_read(at, sources, at.outputs[0])]


def chosen(at: At) -> list[Chain]:
    """Of several cases the one that an operand of integers names."""
    which = at.operands[0]
    if not is_known(which):
        return each(at)
    taken = np.asarray(which) == at.number - 1
    sources = np.where(taken, numbers(np.shape(at.moving)), 0)
    return [_read(at, sources, at.outputs[0])]


def moves(at: At, axes: Sequence[int] = ()) -> list[Chain]:
    """Each output is an entry, or zero: found by moving the entries' numbers.

    Where among `axes` an entry comes from isn't known: it may be any along these.
    """
    group, united = _groups(np.shape(at.moving), axes)
    operands = [_still(x) for x in at.operands]
    operands[at.number] = group
    run = BY_NUMPY.get(at.operator, at.operator.bind)
    outs = run(*operands, **at.params)
    outs = outs if at.operator.multiple_results else [outs]
    return [(moved(y, united.shape[0]), united) for y in outs]


def _slice(x, *, start_indices, limit_indices, strides):
    ends = zip(start_indices, limit_indices, strides or [1] * x.ndim, strict=True)
    return x[tuple([slice(*end) for end in ends])]


def _broadcast(x, *, shape, broadcast_dimensions, **params):
    sizes = dict(zip(broadcast_dimensions, x.shape, strict=True))
    return np.broadcast_to(
        x.reshape([sizes.get(d, 1) for d in range(len(shape))]), shape
    )


def _reshape(x, *, new_sizes, dimensions, **params):
    return (x if dimensions is None else x.transpose(dimensions)).reshape(new_sizes)


# What needs no compiler to be moved.
BY_NUMPY = {
    p.slice_p: _slice,
    p.broadcast_in_dim_p: _broadcast,
    p.reshape_p: _reshape,
    p.squeeze_p: lambda x, *, dimensions: np.squeeze(x, dimensions),
    p.transpose_p: lambda x, *, permutation: np.transpose(x, permutation),
    p.rev_p: lambda x, *, dimensions: np.flip(x, dimensions),
    p.concatenate_p: lambda *xs, dimension: np.concatenate(xs, dimension),
}


def sums(at: At, axes: Sequence[int] = ()) -> list[Chain]:
    """The transpose moves: found by moving the outputs' numbers, backwards.

    Where among `axes` of the output an entry goes isn't known.
    """
    group, united = _groups(at.outputs[0].shape, axes)
    operands = [_still(x) for x in at.operands]
    operands[at.number] = Var(0, ShapedArray(np.shape(at.moving), np.dtype(np.int32)))
    cts = at.rule.transpose(group, *operands, **at.params)
    goes = moved(
        np.abs(cts[at.number]), united.shape[0]
    )  # what is subtracted goes, too
    return [(united.T.tocsr(), goes.T.tocsr())]


def _still(x: Any) -> Any:
    """A value, or zeros for what isn't known, or moves and isn't looked at."""
    dtype = np.asarray(x).dtype if is_known(x) else x.dtype
    if dtype.kind not in "biu":
        dtype = np.dtype(np.int32)
    elif is_known(x):
        return x
    return np.zeros(np.shape(x), dtype)


def _groups(shape: Sequence[int], axes: Sequence[int]) -> tuple[np.ndarray, Pattern]:
    """(of each entry the number of its group; which entries each group has)

    A group has those that differ in their place along `axes` alone.
    """
    kept = [1 if d in axes else n for d, n in enumerate(shape)]
    group = np.broadcast_to(numbers(kept), shape)
    found = moved(group, math.prod(kept))
    return group, found.T.tocsr()


def along(
    at: At, axes: Sequence[int], pattern: Callable[[int], np.ndarray] | None = None
) -> list[Chain]:
    """Dense between these axes of operand and output, each element of others by itself.

    `pattern(n)` is the pattern along an axis of n elements, if that isn't dense.
    """
    (y,) = at.outputs
    rows, columns = _last(y.shape, axes), _last(np.shape(at.moving), axes)
    batch, n = columns.shape
    if pattern is None:
        united = entries(
            np.repeat(np.arange(batch), n), columns - 1, (batch, size(at.moving))
        )
        source = np.empty(size(y), np.int64)
        source[rows - 1] = np.arange(1, batch + 1)[:, None]
        return [(moved(source, batch), united)]
    i, j = np.nonzero(pattern(n))
    shape = size(y), size(at.moving)
    return [(entries(rows[:, i] - 1, columns[:, j] - 1, shape),)]


def _last(shape: Sequence[int], axes: Sequence[int]) -> np.ndarray:
    """The numbers of entries, as (all other axes, these axes)."""
    axes = [d % len(shape) for d in axes]
    others = [d for d in range(len(shape)) if d not in axes]
    found = numbers(shape).transpose(*others, *axes)
    return found.reshape(math.prod(shape[d] for d in others), -1)


# --- Products, and windows ------------------------------------------------------------


def contracts(at: At) -> list[Chain]:
    """A product of matrices: sums, of what the other factor isn't zero for."""
    axes, i = at.params["dimension_numbers"], at.number  # contracted ones, and batches
    factor = at.operands[1 - i]
    t = _arranged(np.shape(at.moving), *[pair[i] for pair in axes])
    weights = _arranged(np.shape(factor), *[pair[1 - i] for pair in axes])
    (batch, free, n), count = t.shape, weights.shape[1]
    rows = np.arange(size(at.outputs[0])).reshape(
        (batch, free, count) if i == 0 else (batch, count, free)
    )
    if i == 1:
        rows = rows.transpose(0, 2, 1)  # (batch, own free axes, the other's)
    known = is_known(factor) and np.asarray(factor).ravel()[weights - 1] != 0
    if known is False or np.all(known):
        united = entries(
            np.repeat(np.arange(batch * free), n), t - 1, (batch * free, t.size)
        )
        source = np.empty(rows.size, np.int64)
        source[rows] = np.arange(1, batch * free + 1).reshape(batch, free, 1)
        return [(moved(source, batch * free), united)]
    b, g, k = np.nonzero(known)
    return [(entries(rows[b, :, g], t[b, :, k] - 1, (rows.size, t.size)),)]


def _arranged(shape, contracted, batches) -> np.ndarray:
    """The numbers of a factor's entries, as (batch, free, contracted axes)."""
    free = [d for d in range(len(shape)) if d not in (*contracted, *batches)]
    sizes = [math.prod(shape[d] for d in axes) for axes in (batches, free, contracted)]
    return numbers(shape).transpose(*batches, *free, *contracted).reshape(sizes)


def convolves(at: At) -> list[Chain]:
    """A convolution: windows, dense between the features of a group."""
    params, (y,) = at.params, at.outputs
    if params["batch_group_count"] != 1:
        return dense(at)
    numbers_ = params["dimension_numbers"]
    lhs, rhs = at.operands[:2]
    out = numbers(y.shape).transpose(numbers_.out_spec)
    groups, (count, features) = params["feature_group_count"], out.shape[:2]
    of_group = np.arange(features) * groups // features
    out = out.reshape(count, features, math.prod(out.shape[2:]))
    shape = size(y), size(at.moving)
    if at.number == 1:  # each feature of the output reads its part of the kernel
        w = numbers(np.shape(rhs)).transpose(numbers_.rhs_spec)
        w = w.reshape(features, math.prod(w.shape[1:]))
        united = entries(
            np.repeat(np.arange(features), w.shape[1]), w - 1, (features, shape[1])
        )
        source = np.empty(shape[0], np.int64)
        source[out - 1] = np.arange(1, features + 1)[:, None]
        return [(moved(source, features), united)]
    x = numbers(np.shape(lhs)).transpose(numbers_.lhs_spec)
    x = x.reshape(count, groups, -1, math.prod(x.shape[2:]))
    spatial = [np.shape(lhs)[d] for d in numbers_.lhs_spec[2:]]
    reads = windows(
        spatial,
        [np.shape(rhs)[d] for d in numbers_.rhs_spec[2:]],
        params["window_strides"],
        params["padding"],
        params["lhs_dilation"],
        params["rhs_dilation"],
    )
    if is_known(rhs):  # where the whole kernel is zero nothing is read
        kernel = np.asarray(rhs).transpose(numbers_.rhs_spec) != 0
        reads = np.where(kernel.reshape(*kernel.shape[:2], -1).any((0, 1)), reads, 0)
    at_y, at_k = np.nonzero(reads)
    columns = x[..., reads[at_y, at_k] - 1]  # (count, groups, features of one, reads)
    rows = np.arange(count * groups * len(reads)).reshape(count, groups, 1, -1)
    rows = np.broadcast_to(rows[..., at_y], columns.shape)
    united = entries(rows, columns - 1, (count * groups * len(reads), shape[1]))
    source = np.arange(1, united.shape[0] + 1).reshape(count, groups, -1)
    found = np.empty(shape[0], np.int64)
    found[out - 1] = source[:, of_group]
    return [(moved(found, united.shape[0]), united)]


def windows(spatial, window, strides, padding, base, dilation) -> np.ndarray:
    """(places, window): the numbers of the entries that the window reads at each."""
    reads, there = np.zeros((1, 1), np.int64), np.ones((1, 1), bool)
    sizes = [spatial, window, strides, padding, base, dilation]
    for n, k, s, (before, after), b, r in zip(*sizes, strict=True):
        wide = (n - 1) * b + 1 if n else 0  # with the gaps between entries
        places = max((wide + before + after - ((k - 1) * r + 1)) // s + 1, 0)
        at = np.arange(places)[:, None] * s + np.arange(k) * r - before
        inside = (at >= 0) & (at < wide) & (at % b == 0)
        count = len(reads) * places, reads.shape[1] * k
        reads = (reads[:, None, :, None] * n + (at // b)[:, None, :]).reshape(count)
        there = (there[:, None, :, None] & inside[:, None, :]).reshape(count)
    return np.where(there, reads + 1, 0)


def window_sums(at: At) -> list[Chain]:
    params = at.params
    reads = windows(
        np.shape(at.moving),
        params["window_dimensions"],
        params["window_strides"],
        params["padding"],
        params["base_dilation"],
        params["window_dilation"],
    )
    at_y, at_k = np.nonzero(reads)
    shape = size(at.outputs[0]), size(at.moving)
    return [(entries(at_y, reads[at_y, at_k] - 1, shape),)]


# --- What is said of the operators ----------------------------------------------------


def _gathers(at: At) -> list[Chain]:
    unknown = not is_known(at.operands[1])
    return moves(at, at.params["dimension_numbers"].start_index_map if unknown else ())


def _unknown_starts(starts: Sequence[Any]) -> list[int]:
    return [d for d, start in enumerate(starts) if not is_known(start)]


def _slices(at: At) -> list[Chain]:
    return moves(at, _unknown_starts(at.operands[1:]))


def _updates(at: At) -> list[Chain]:
    axes = _unknown_starts(at.operands[2:])
    if at.number == 1:
        return sums(at, axes)
    return each(at) if axes else moves(at)


def _scatters(at: At) -> list[Chain]:
    if at.number == 0:
        return each(at)
    numbers_, unknown = at.params["dimension_numbers"], not is_known(at.operands[1])
    return sums(at, numbers_.scatter_dims_to_operand_dims if unknown else ())


def _adds_up(at: At) -> list[Chain]:
    (y,), shape = at.outputs, np.shape(at.moving)
    goes = np.expand_dims(numbers(y.shape), at.params["axes"])
    return [(moved(np.broadcast_to(goes, shape), size(y)).T.tocsr(),)]


def _cumulates(at: At) -> list[Chain]:
    triangle = np.triu if at.params["reverse"] else np.tril
    return along(at, [at.params["axis"]], lambda n: triangle(np.ones((n, n), bool)))


def _transforms(at: At) -> list[Chain]:
    return along(at, range(-len(at.params["fft_lengths"]), 0))


def _solves(at: At) -> list[Chain]:
    if at.number != 1:
        return dense(at)
    return along(at, [-2 if at.params["left_side"] else -1])


spreads(
    *(p.add_p, "add_any", p.sub_p, p.neg_p, p.div_p, p.real_p, p.imag_p, p.complex_p),
    *(p.conj_p, p.copy_p, p.reduce_precision_p, p.name_p, p.convert_element_type_p),
    *(p.sharding_constraint_p, "layout_constraint", "reshard", p.device_put_p),
    "optimization_barrier",
    how=each,
)
spreads(p.mul_p, how=weighed)
spreads(p.select_n_p, how=chosen)
spreads(
    *(p.reshape_p, p.squeeze_p, p.rev_p, p.transpose_p, p.broadcast_in_dim_p),
    *(p.slice_p, p.pad_p, p.concatenate_p, "split", "stack", "unstack", "tile"),
    how=moves,
)
spreads(p.gather_p, how=_gathers)
spreads(p.dynamic_slice_p, how=_slices)
spreads(p.dynamic_update_slice_p, how=_updates)
spreads(*(p.scatter_p, p.scatter_add_p, p.scatter_mul_p, "scatter-sub"), how=_scatters)
spreads(p.reduce_sum_p, how=_adds_up)
spreads(p.cumsum_p, how=_cumulates)
spreads(p.fft_p, how=_transforms)
spreads(p.triangular_solve_p, how=_solves)
spreads(p.tridiagonal_solve_p, how=lambda at: along(at, [-2]))
spreads(p.dot_general_p, how=contracts)
spreads(p.conv_general_dilated_p, how=convolves)
spreads(p.reduce_window_sum_p, how=window_sums)
