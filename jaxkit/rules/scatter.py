"""Scatter: writing to many places that a program computes.

Writing is linear in the array and in what is written; its transpose reads from those
places.  Where several updates go to one place they are added, multiplied, compared,
or one of them wins.
"""

from __future__ import annotations

import math

import numpy as np
from jax import lax
from jax.extend.core import primitives as p

from jaxkit.program import Var
from jaxkit.rules.arith import add, eq, kept, lt, mul
from jaxkit.rules.extremes import mean_at_extreme
from jaxkit.rules.indexing import in_order, settled
from jaxkit.rules.reducers import on_elements
from jaxkit.rules.shapes import automatic, numbers
from jaxkit.rules.verbs import (
    by_code,
    custom,
    general,
    linear,
    stands_for,
    transposable,
)
from jaxkit.tangents import full, full_like
from jaxkit.tracing import aval_of

# --- Reading what is written, and adding ----------------------------------------------


def _gather_numbers(numbers: lax.ScatterDimensionNumbers):
    return lax.GatherDimensionNumbers(
        offset_dims=tuple(numbers.update_window_dims),
        collapsed_slice_dims=tuple(numbers.inserted_window_dims),
        start_index_map=tuple(numbers.scatter_dims_to_operand_dims),
        operand_batching_dims=tuple(numbers.operand_batching_dims),
        start_indices_batching_dims=tuple(numbers.scatter_indices_batching_dims),
    )


def read_back(
    x, indices, update, *, dimension_numbers, indices_are_sorted, unique_indices, mode,
    **_,
):  # fmt: skip
    """Reads from x what a scatter with these parameters would write to."""
    one = (*dimension_numbers.inserted_window_dims,
           *dimension_numbers.operand_batching_dims)  # fmt: skip
    window = (update.shape[d] for d in dimension_numbers.update_window_dims)
    return lax.gather(
        x,
        indices,
        _gather_numbers(dimension_numbers),
        slice_sizes=[1 if d in one else next(window) for d in range(x.ndim)],
        indices_are_sorted=indices_are_sorted,
        unique_indices=unique_indices,
        mode=mode,
        fill_value=0,
    )


def add_at(
    x, indices, update, *, dimension_numbers, indices_are_sorted, unique_indices, mode,
    **_,
):  # fmt: skip
    """Adds to x where a scatter with these parameters would write."""
    return lax.scatter_add(
        x,
        indices,
        update,
        dimension_numbers,
        indices_are_sorted=indices_are_sorted,
        unique_indices=unique_indices,
        mode=mode,
    )


def _scatter_add_transpose(ct, x, indices, update, **params):
    ct_update = None
    if type(update) is Var:
        ct = settled(ct)
        ct_update = read_back(ct, indices, update.aval, **params)
    if type(x) is not Var:
        return None, None, ct_update
    if ct_update is not None:
        ct_update, ct = in_order(ct_update, ct)
    return ct, None, ct_update


def _scatter_sub_transpose(ct, x, indices, update, **params):
    ct_x, _, ct_update = _scatter_add_transpose(ct, x, indices, update, **params)
    return ct_x, None, None if ct_update is None else lax.neg(ct_update)


linear(p.scatter_add_p, _scatter_add_transpose, operands=(0, 2))
linear("scatter-sub", _scatter_sub_transpose, operands=(0, 2))


# --- Extremes of what is there and what is written ------------------------------------


def _extreme(primitive):
    @custom(primitive)
    def _(primals, tangents, **params):
        (x, indices, update), (dx, _, du) = primals, tangents
        y = primitive.bind(x, indices, update, **params)

        def total(x_part, update_part):
            x_part = full_like(x, 0) if x_part is None else x_part
            if update_part is None:
                return x_part
            return add_at(x_part, indices, update_part, **params)

        wins = eq(update, read_back(y, indices, update, **params))
        # Nothing attains NaN, and so nothing moves there.
        return y, mean_at_extreme(total, (dx, du), (eq(x, y), wins), least=1)


_extreme(p.scatter_max_p)
_extreme(p.scatter_min_p)

# --- Products -------------------------------------------------------------------------


@custom(p.scatter_mul_p)
def _(primals, tangents, **params):
    # y = x u1 u2 ..., for the updates of a place; of each, the product of the others.
    (x, indices, update), (dx, _, du) = primals, tangents
    y = p.scatter_mul_p.bind(x, indices, update, **params)
    total = None if dx is None else p.scatter_mul_p.bind(dx, indices, update, **params)
    if du is not None:
        others = read_back(x, indices, update, **params)
        if not params["unique_indices"]:
            places = _places(x, indices, update, **params)
            like = aval_of(update)
            rest = automatic(_product_of_others, update, places, like=like)
            others = mul(others, rest)
        total = full_like(x, 0) if total is None else total
        total = add_at(total, indices, mul(du, others), **params)
    return y, total


transposable(
    p.scatter_mul_p,
    lambda ct, x, indices, update, **params: p.scatter_mul_p.bind(
        ct, indices, update, **params
    ),
)


def _numbers(x):
    """The numbers from 1, in the shape of x."""
    return add(numbers(aval_of(x)), 1)


def _places(x, indices, update, **params):
    """The number of the place that each update goes to, and 0 if to none."""
    return read_back(_numbers(x), indices, update, **params)


def _product_of_others(x, groups):
    """For each element, the product of the others with the same group number.

    Sorted by group, it is that of those before times that of those after: no division,
    so that zeros are no special case.
    """
    count = x.size
    flat = lax.reshape(x, (count,))
    position = lax.iota(np.int32, count)
    groups, order = lax.sort(
        [lax.reshape(groups, (count,)), position], num_keys=1, is_stable=False
    )
    changes = lax.ne(groups[1:], groups[:-1])
    edge = lax.full((min(count, 1),), True)
    first, last = (
        lax.concatenate(parts, 0) for parts in ([edge, changes], [changes, edge])
    )
    flat = flat[order]
    one = full_like(edge, 1, x.dtype)

    def product(starts, previous, reverse):
        # An associative scan of (is first of its group, product so far).
        factors = lax.select(starts, full_like(previous, 1), previous)
        return lax.associative_scan(_within_group, (starts, factors), reverse)[1]

    before = product(first, lax.concatenate([one, flat[:-1]], 0), False)
    after = product(last, lax.concatenate([flat[1:], one], 0), True)
    _, back = lax.sort([order, position], num_keys=1)
    return lax.reshape(mul(before, after)[back], x.shape)


def _within_group(a, b):
    (starts_a, x), (starts_b, y) = a, b
    return lax.bitwise_or(starts_a, starts_b), lax.select(starts_b, y, mul(x, y))


# --- Setting, and applying a function -------------------------------------------------


@general(p.scatter_p)
def _(primitive, arithmetic, primals, tangents, params):
    rule = _set if params["update_jaxpr"] is None else _apply
    return rule(primitive, arithmetic, primals, tangents, params)


@by_code
def _set(primals, tangents, **params):
    # Where several updates go to one place, one of them wins.  Number them, see which
    # number stays, and let the tangents of the others be zero.
    x, indices, update = primals
    dx, _, du = tangents
    y = p.scatter_p.bind(x, indices, update, **params)
    if params["unique_indices"]:
        dx = full_like(x, 0) if dx is None else dx
        du = full_like(update, 0) if du is None else du
        return y, p.scatter_p.bind(dx, indices, du, **params)
    number = _numbers(update)
    winner = p.scatter_p.bind(full_like(x, 0, np.int32), indices, number, **params)
    if dx is None:
        dx = full_like(x, 0)
    else:
        dx = kept(dx, eq(winner, 0))
    if du is None:
        return y, dx
    wins = eq(read_back(winner, indices, update, **params), number)
    du = kept(du, wins)
    return y, add_at(dx, indices, du, **params)


def _linear_in(n, *, unique_indices, update_jaxpr, **params):
    # Which of several updates stays isn't known from the types of tangents.
    if update_jaxpr is not None:
        return ()
    return (0, 2) if unique_indices else (0,)


def _scatter_transpose(ct, x, indices, update, **params):
    ct_x = ct_update = None
    if type(update) is Var:
        ct = settled(ct)
        ct_update = read_back(ct, indices, update.aval, **params)
    if type(x) is Var:
        if ct_update is not None:
            ct_update, ct = in_order(ct_update, ct)
        ct_x = p.scatter_p.bind(ct, indices, full(update.aval, 0), **params)
    return ct_x, None, ct_update


transposable(p.scatter_p, _scatter_transpose, operands=_linear_in)


@stands_for
def _apply(x, indices, update, *, update_jaxpr, **params):
    # A place that is named n times becomes f(f(... f(x))): as many times.
    before = read_back(x, indices, update, **params)

    def f(y):
        return on_elements(update_jaxpr)(y, update)[0]

    if params["unique_indices"]:
        after = f(before)
    else:
        ones = full_like(update, 1, np.int32)
        count = add_at(full_like(x, 0, np.int32), indices, ones, **params)
        count = read_back(count, indices, update, **params)

        def again(y, i):
            # Where it is done, f of what it was first applied to: that is defined.
            active = lt(i, count)
            return lax.select(active, f(lax.select(active, y, before)), y), None

        most = math.prod(indices.shape[:-1])
        after, _ = lax.scan(again, before, np.arange(most, dtype=np.int32))
    return [p.scatter_p.bind(x, indices, after, update_jaxpr=None, **params)]
