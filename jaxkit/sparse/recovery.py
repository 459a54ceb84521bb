"""Entries of a sparse matrix, from the results of a few passes.

A pass gives the product with a seed, a sum of unit vectors of one colour.  Directly had
are entries that stand alone in it.  By substitution, others are had one after the
other: of the edges between two colours of an acyclic colouring, which are trees, a leaf
has one neighbour in the other colour, so that its entry stands alone; once it is taken
away from what its neighbour has, that may be a leaf (Coleman and Moré 1984;
Gebremedhin, Tarafdar, Manne and Pothen 2007).
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxkit.rules.spreads import Pattern
from jaxkit.sparse.colouring import count

LEVEL, EDGE = 1000, 60  # operations that a level takes, and an edge in it


class Direct(NamedTuple):
    """Each entry is one of the numbers that the passes returned: the one at `place`."""

    place: np.ndarray

    def __call__(self, passes: jax.Array) -> jax.Array:
        return passes.at[self.place].get(mode="promise_in_bounds")


def direct(pattern: Pattern, rows, columns, by_column) -> Direct:
    """Where entries are that are had from their column, or else from their row.

    The passes returned, for each colour of columns, all outputs, and then, for each
    colour of rows, all inputs.
    """
    n, m = pattern.shape
    row, column = pattern.tocoo().coords
    pushed, pulled = columns[column] * n + row, rows[row] * m + column
    return Direct(np.where(by_column, pushed, count(columns) * n + pulled))


def mirrored(pattern: Pattern, colours, hub) -> Direct:
    """The same of a symmetric matrix, where an entry is had at its hub's colour."""
    row, column = pattern.tocoo().coords
    other = np.where(hub == row, column, row)
    return Direct(colours[hub] * len(colours) + other)


class Substituted(NamedTuple):
    """Entries of a symmetric matrix, level by level.

    Attributes:
        leaf, other: arrays (levels, width): the entry (leaf, other) is what the leaf
            has left at the other's colour.  Where a level has fewer, both are n.
        number: of each entry the number of its edge among these; on the diagonal, that
            of the vertex behind all edges.
        colours: those of the columns.
    """

    leaf: np.ndarray
    other: np.ndarray
    number: np.ndarray
    colours: np.ndarray

    @property
    def cost(self) -> int:
        """In operations of a pass: levels wait for each other (measured)."""
        return LEVEL * len(self.leaf) + EDGE * self.leaf.size

    def __call__(self, passes: jax.Array) -> jax.Array:
        n, colours = len(self.colours), np.append(self.colours, 0)
        pushed = passes.reshape(len(passes) // max(n, 1), n)
        # Of each vertex what it has left; behind them one for those that aren't there.
        left = jnp.pad(pushed, ((0, 0), (0, 1)))

        def level(left, pair):
            leaf, other, of_leaf, of_other = pair
            value = jnp.where(leaf == n, 0, left[of_other, leaf])
            return left.at[of_leaf, other].add(-value), value

        pairs = self.leaf, self.other, colours[self.leaf], colours[self.other]
        _, values = lax.scan(level, left, pairs)
        own = pushed[self.colours, np.arange(n)]
        return jnp.concatenate([values.ravel(), own])[self.number]


def substitution(pattern: Pattern, colours: np.ndarray) -> Substituted:
    """In which order the entries are had, from an acyclic colouring."""
    n, of = pattern.shape[0], colours.tolist()
    row, column = pattern.tocoo().coords
    # How many neighbours of a colour a vertex has, whose entries aren't had yet.
    near: dict[tuple[int, int], set[int]] = {}
    for v, w in zip(row.tolist(), column.tolist(), strict=True):
        if v != w:
            near.setdefault((v, of[w]), set()).add(w)
    levels: list[list[tuple[int, int]]] = []
    ready = [key for key, others in near.items() if len(others) == 1]
    number: dict[tuple[int, int], tuple[int, int]] = {}
    while ready:
        level, after = [], []
        for v, colour in ready:
            if not near[v, colour]:
                continue  # its edge was had from the other end
            (w,) = near[v, colour]
            if (w, v) in number:
                continue
            number[v, w] = number[w, v] = len(levels), len(level)
            level.append((v, w))
        for v, w in level:
            near[v, of[w]].discard(w)
            near[w, of[v]].discard(v)
            if len(near[w, of[v]]) == 1:
                after.append((w, of[v]))
        if level:
            levels.append(level)
        ready = after
    width = max(map(len, levels), default=0)
    both = np.full((2, len(levels), width), n)
    for i, level in enumerate(levels):
        for j, (v, w) in enumerate(level):
            both[:, i, j] = v, w
    edges = len(levels) * width
    numbers = [
        edges + v if v == w else number[v, w][0] * width + number[v, w][1]
        for v, w in zip(row.tolist(), column.tolist(), strict=True)
    ]
    return Substituted(both[0], both[1], np.array(numbers, int), colours)
