"""Maxima and minima: the tangent of what attains them, or the mean of several tangents.

What attains an extreme is told by equality alone: complex numbers have an order here,
but no comparison.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from jax import lax

from jaxkit.rules.arith import cast, div, eq, mul


def share_of_extreme(z, x, y):
    """Of a maximum or minimum z of two: 1 if x attains it, 1/2 at a tie, else 0."""
    one, half, none = (lax.full_like(z, c) for c in (1, 0.5, 0))
    return lax.select(eq(x, z), lax.select(eq(x, y), half, one), none)


# The partials of such an extreme.
SHARES = share_of_extreme, lambda z, x, y: share_of_extreme(z, y, x)


def attains(x: Any, extreme: Any) -> Any:
    """1 where x equals the extreme at its place, else 0."""
    return cast(eq(x, extreme), x.dtype)


def mean_at_extreme(total: Callable, tangents, attaining) -> Any:
    """The mean tangent of what attains an extreme.

    `total(*arrays)` sums, of arrays like the operands, the entries that belong to one
    extreme; one is None where its operand doesn't move.
    """
    pairs = zip(tangents, attaining, strict=True)
    moved = total(*(None if dx is None else mul(dx, at) for dx, at in pairs))
    return div(moved, total(*attaining))
