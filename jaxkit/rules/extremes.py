"""Maxima and minima: the tangent of what attains them, or the mean of several tangents.

What attains an extreme is told by equality alone: complex numbers have an order here,
but no comparison.
"""

from __future__ import annotations

from collections.abc import Callable

from jax import lax

from jaxkit.rules.arith import cast, div, eq, kept, mul
from jaxkit.rules.terms import Factor, only


def share_of_extreme(z, x, y) -> Factor:
    """Of a maximum or minimum z of two: 1 if x attains it, 1/2 at a tie, else 0."""
    one, half = (lax.full_like(z, c) for c in (1, 0.5))
    return only(eq(x, z), lax.select(eq(x, y), half, one))


# The partials of such an extreme.
SHARES = share_of_extreme, lambda z, x, y: share_of_extreme(z, y, x)


def tangent_of_extreme(z, x, y, dx, dy):
    """The same in code: the tangent of a maximum or minimum z of two."""
    one = lax.select(eq(x, z), dx, kept(dy, eq(y, z)))
    return lax.select(eq(x, y), mul(0.5, lax.add(dx, dy)), one)


def mean_at_extreme(total: Callable, tangents, attaining, least: int | None = None):
    """The mean tangent of what attains an extreme, as truth values say.

    `total(*arrays)` sums, of arrays like the operands, the entries that belong to one
    extreme; one is None where its operand doesn't move.  `least`: the least number to
    divide by, where it may be that nothing attains the extreme.
    """
    pairs = list(zip(tangents, attaining, strict=True))
    moved = total(*(None if dx is None else kept(dx, at) for dx, at in pairs))
    count = total(*(cast(at, moved.dtype) for at in attaining))
    if least is not None:
        count = lax.max(count, lax.full_like(count, least))
    return div(moved, count)
