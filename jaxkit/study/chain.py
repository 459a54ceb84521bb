"""A chain of functions: in which order its partials are multiplied, and what is kept.

Of z = s_n(... s_2(s_1(x))) the chain rule gives a product of matrices,

    dz/dx = ds_n/ds_(n-1) ... ds_2/ds_1 ds_1/dx,

each to the left of what came before it.  It may be multiplied from the right, which is
forward mode (columns: as many as x has entries), or from the left, which is reverse
mode (rows: as many as z has); the result is the same, and the cost is not.

Reverse mode needs the values s_k in the opposite order of that in which they arise.
Either all are kept, or some: the others are computed again from the last one kept
before them (Griewank, "Achieving logarithmic growth of temporal and spatial complexity
in reverse automatic differentiation", 1992).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np


def forward_product(jacobians: Sequence[Any]) -> tuple[np.ndarray, int]:
    """(dz/dx, multiplications), multiplied in the order in which the chain runs.

    `jacobians`: those of s_1, s_2, ..., each of shape (outputs, inputs).
    """
    product, count = np.atleast_2d(jacobians[0]), 0
    for matrix in map(np.atleast_2d, jacobians[1:]):
        count += matrix.size * product.shape[1]
        product = matrix @ product
    return product, count


def reverse_product(jacobians: Sequence[Any]) -> tuple[np.ndarray, int]:
    """(dz/dx, multiplications), multiplied from the end of the chain."""
    product, count = np.atleast_2d(jacobians[-1]), 0
    for matrix in map(np.atleast_2d, reversed(jacobians[:-1])):
        count += product.shape[0] * matrix.size
        product = product @ matrix
    return product, count


class Reverse(NamedTuple):
    """What `reverse` found, and what it took."""

    value: Any
    derivative: Any
    kept: list[int]  # numbers k of the values s_k that were kept
    recomputed: list[int]  # of those computed again, in that order


def every_other(n: int) -> list[int]:
    """1, 3, 5, ...: half of n values, and none of the others is computed twice."""
    return list(range(1, n + 1, 2))


def reverse(
    functions: Sequence[Callable],
    derivatives: Sequence[Callable],
    x: Any,
    keep: Callable[[int], Sequence[int]] = lambda n: range(1, n + 1),
) -> Reverse:
    """Reverse mode through s_k = functions[k - 1](s_(k-1)), s_0 = x, numbers all.

    Args:
        functions: the chain, first to last.
        derivatives: that of each, as functions of its argument.
        x: where it starts; always known.
        keep: from the chain's length n, the numbers k of the values to be kept.

    Raises:
        ValueError: there are not as many derivatives as functions.

    Example:

        >>> reverse([np.sin, np.exp], [np.cos, np.exp], 0.0).derivative
        np.float64(1.0)
    """
    n = len(functions)
    if len(derivatives) != n:
        raise ValueError(f"{n} functions, but {len(derivatives)} derivatives")
    kept, value = {0: x}, x
    wanted = set(keep(n)) & set(range(1, n + 1))
    for k in range(1, n + 1):
        value = functions[k - 1](value)
        if k in wanted:
            kept[k] = value
    recomputed: list[int] = []
    adjoint: Any = 1.0
    have = dict(kept)
    for k in range(n, 0, -1):
        have.pop(k, None)  # the walk has passed it
        start = max(i for i in have if i < k)
        for i in range(start + 1, k):
            have[i] = functions[i - 1](have[i - 1])
            recomputed.append(i)
        adjoint = adjoint * derivatives[k - 1](have[k - 1])
    return Reverse(value, adjoint, sorted(wanted), recomputed)
