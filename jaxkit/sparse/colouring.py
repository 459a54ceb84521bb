"""Which columns, or rows, of a sparse matrix can be had by one pass.

A pass multiplies the matrix with the sum of some unit vectors.  If no two of these meet
in a row, each entry of the result is an entry of the matrix, and it is known which one.
So columns that meet must have different colours, and each colour takes a pass.

    columns     no two of a colour meet in a row                    forward mode
    rows        the same of the transpose                           reverse mode
    both        each entry is had from its column or from its row   both modes
    star        of a symmetric matrix: each entry is had from one of two columns
    acyclic     the same, or from what others leave of it, one after the other

The first is colouring a graph so that vertices at distance two differ (Curtis, Powell
and Reid 1974; Coleman and More 1983; Gebremedhin, Manne and Pothen 2005).  Of a
symmetric matrix the vertices are the columns, and an edge is an entry beside the
diagonal: neighbours differ, and of any path of four vertices (star), or any circle
(acyclic), at least three colours are seen (Gebremedhin, Tarafdar, Manne and Pothen
2007).  Both modes are a star colouring of the graph that has rows and columns for
vertices, and the entries for edges; whoever is needed for no entry needs no colour
(Montoison, Dalle and Gebremedhin 2025).

All are greedy: vertex by vertex, the first colour that is allowed.  How good that is,
depends on the order.  Several are tried, and then, from the best, orders in which
colours stay together: of those no colouring has more (Culberson 1992).  One that takes
as many as the best so far is given up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from itertools import chain
from typing import Any

import numpy as np
from scipy.sparse import block_array, csr_array

from jaxkit.passes import number_of as count
from jaxkit.rules.spreads import Pattern

Neighbours = Sequence[Sequence[int]]
Greedy = Callable[[Neighbours, Sequence[int], int], np.ndarray]  # fewer than so many
FEW = 2000  # entries of which all is tried
AGAIN = 12  # times that the best colouring is tried to be improved
NONE = -1  # the colour of what needs none


def columns(pattern: Pattern) -> np.ndarray:
    """The colour of each column, from 0: no two of a colour meet in a row."""
    fewest = most_in_a_row(pattern)
    if fewest == pattern.shape[1]:  # a full row
        return np.arange(fewest)
    return best(proper, graph_of(pattern.T @ pattern), fewest)


def most_in_a_row(pattern: Pattern) -> int:
    """How many columns meet in a row: so many colours they need at least."""
    return int(np.diff(pattern.indptr).max(initial=0))


def rows(pattern: Pattern) -> np.ndarray:
    return columns(pattern.T.tocsr())


def both(pattern: Pattern) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(colours of rows, of columns, for each entry whether it is had from its column)

    -1 is for rows and columns that aren't needed.  Entries are in the pattern's order.
    """
    usual, lengths = often(pattern), np.diff(pattern.indptr)
    found = _parted(pattern, np.repeat(lengths <= usual, lengths))
    if pattern.nnz > FEW and count(found[0]) + count(found[1]) <= usual:
        return found  # a few full rows, or columns, were all there is to it
    return min(found, _starred(pattern), key=lambda x: count(x[0]) + count(x[1]))


def often(pattern: Pattern) -> float:
    """How many entries a row, or column, has that has many."""
    return 3 * pattern.nnz / max(*pattern.shape, 1)


def _starred(pattern: Pattern) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """By a star colouring of the graph of rows and columns."""
    n = pattern.shape[0]
    whole = csr_array(block_array([[None, pattern], [pattern.T, None]], format="csr"))
    graph = graph_of(whole)
    row, column = pattern.tocoo().coords
    colours = best(star_colouring, graph)
    return _parted(pattern, hubs(graph, colours, row, column + n) >= n)


def _parted(pattern: Pattern, by_column: np.ndarray):
    """The colours, if it is known which entries are to be had from their column."""
    row, column = pattern.tocoo().coords
    by_rows = _apart(pattern.T.tocsr(), (column, row), ~by_column)
    return by_rows, _apart(pattern, (row, column), by_column), by_column


def _apart(pattern: Pattern, entries: Any, had: np.ndarray) -> np.ndarray:
    """Colours of the columns of which some entries are to be `had`; -1 for others.

    None of a column's colour may be in the row of such an entry.
    """
    i, j = entries
    own = csr_array((np.ones(had.sum(), bool), (i[had], j[had])), pattern.shape)
    needed = np.zeros(pattern.shape[1], bool)
    needed[j[had]] = True
    meets = own.T @ pattern
    colours = best(proper, graph_of(_among(meets + meets.T, needed)))
    return np.where(needed, colours, NONE)


def _among(graph: Pattern, chosen: np.ndarray) -> Pattern:
    """A graph without the edges to vertices that aren't chosen."""
    found = graph.tocoo()
    kept = chosen[found.coords[0]] & chosen[found.coords[1]]
    where = found.coords[0][kept], found.coords[1][kept]
    return csr_array((np.ones(kept.sum(), bool), where), graph.shape)


def star(pattern: Pattern) -> tuple[np.ndarray, np.ndarray]:
    """(the colours of a symmetric pattern's columns, the hub of each entry)

    An entry (i, j) is had from the pass of its hub's colour, at the other of the two.
    """
    graph = graph_of(pattern)
    colours = best(star_colouring, graph)
    row, column = pattern.tocoo().coords
    return colours, hubs(graph, colours, row, column)


def acyclic(pattern: Pattern) -> np.ndarray:
    """The colours of a symmetric pattern's columns; `recovery` says what follows."""
    return best(acyclic_colouring, graph_of(pattern))


# --- Orders ---------------------------------------------------------------------------


def best(greedy: Greedy, graph: Neighbours, fewest: int = 0) -> np.ndarray:
    """The colouring with the fewest colours, of several orders, and improved.

    With `fewest` one is content.
    """
    found = np.arange(len(graph))
    again = (_by_colour(found, np.random.default_rng(i)) for i in range(AGAIN))
    for order in chain(orders(graph), again):  # of what is `found` by then
        if count(found) <= max(fewest, 1):
            break
        with suppress(TooMany):
            found = greedy(graph, order, count(found))
    return found


class TooMany(Exception):
    """A greedy colouring takes as many colours as one that there is."""


def orders(graph: Neighbours) -> Iterator[Sequence[int]]:
    """The fewest neighbours last; the most first; as they are numbered."""
    degrees = np.array([len(near) for near in graph], int)
    yield smallest_last(graph)
    yield np.argsort(-degrees, kind="stable").tolist()
    yield range(len(graph))


def smallest_last(graph: Neighbours) -> list[int]:
    """Of those not yet taken the one with the fewest neighbours among them is last."""
    degrees = [len(near) for near in graph]
    buckets: list[set[int]] = [set() for _ in range(max(degrees, default=0) + 1)]
    for v, degree in enumerate(degrees):
        buckets[degree].add(v)
    found, taken, lowest = [], [False] * len(graph), 0
    while len(found) < len(graph):
        lowest = next(d for d in range(max(lowest - 1, 0), len(buckets)) if buckets[d])
        v = buckets[lowest].pop()
        found.append(v)
        taken[v] = True
        for w in graph[v]:
            if not taken[w]:
                buckets[degrees[w]].discard(w)
                degrees[w] -= 1
                buckets[degrees[w]].add(w)
    return found[::-1]


def _by_colour(colours: np.ndarray, rng: np.random.Generator) -> list[int]:
    """All of a colour one after the other, the colours in a random order."""
    rank = rng.permutation(int(colours.max(initial=0)) + 1)
    return np.argsort(rank[colours], kind="stable").tolist()


def graph_of(pattern: Pattern) -> Neighbours:
    """The neighbours of each column of a symmetric pattern, without itself."""
    pattern = csr_array(pattern)
    ends = zip(pattern.indptr, pattern.indptr[1:], strict=False)
    near = [pattern.indices[i:j].tolist() for i, j in ends]
    return [[w for w in ws if w != v] for v, ws in enumerate(near)]


# --- Greedy colourings ----------------------------------------------------------------


def first_allowed(forbidden: set[int], most: int) -> int:
    """The first colour that isn't forbidden, of one less than `most`."""
    for colour in range(most - 1):
        if colour not in forbidden:
            return colour
    raise TooMany


def proper(graph: Neighbours, order: Sequence[int], most: int) -> np.ndarray:
    """Neighbours differ."""
    colours = [NONE] * len(graph)
    for v in order:
        colours[v] = first_allowed({colours[w] for w in graph[v]}, most)
    return np.array(colours, int)


def star_colouring(graph: Neighbours, order: Sequence[int], most: int) -> np.ndarray:
    """Neighbours differ, and no path of four vertices has two colours only.

    So the edges between any two colours are stars, with a hub each if they have two
    edges or more (algorithm 4.1 of Gebremedhin and others, 2007).
    """
    colours = [NONE] * len(graph)
    near: list[dict[int, int]] = [{} for _ in graph]  # a neighbour of each colour
    leaf: list[set[int]] = [set() for _ in graph]  # of stars whose hub has this colour
    for v in order:
        forbidden: set[int] = set()
        first: dict[int, int] = {}
        beside = [w for w in graph[v] if colours[w] != NONE]
        for w in beside:
            forbidden.add(colours[w])
            other = first.setdefault(colours[w], w)
            forbidden |= leaf[w]
            if other != w:  # v is to be the hub of these two
                forbidden.update(near[w], near[other])
        colour = colours[v] = first_allowed(forbidden, most)
        for w in beside:
            other, of = near[w].get(colour), colours[w]
            if other is not None:  # w is the hub
                leaf[v].add(of)
                leaf[other].add(of)
            elif first[of] != w:  # v is
                leaf[w].add(colour)
                leaf[first[of]].add(colour)
            near[w].setdefault(colour, v)
            near[v].setdefault(of, w)
    return np.array(colours, int)


def hubs(graph: Neighbours, colours: np.ndarray, row, column) -> np.ndarray:
    """Of each entry (row, column) the hub of its star: it has others of that colour.

    Of a star of one edge it is one that is a hub of others, if one is.
    """
    seen = [
        dict(zip(*np.unique(colours[near], return_counts=True), strict=True))
        if len(near)
        else {}
        for near in graph
    ]
    found = np.full(len(row), NONE)
    for k, (v, w) in enumerate(zip(row.tolist(), column.tolist(), strict=True)):
        if v == w:
            found[k] = v
        elif seen[v][colours[w]] > 1:
            found[k] = v
        elif seen[w][colours[v]] > 1:
            found[k] = w
    are = set(found.tolist())
    for k in np.nonzero(found == NONE)[0]:
        found[k] = row[k] if row[k] in are and column[k] not in are else column[k]
        are.add(found[k])
    return found


def acyclic_colouring(graph: Neighbours, order: Sequence[int], most: int) -> np.ndarray:
    """Neighbours differ, and no circle has two colours only.

    So the edges between any two colours are trees (algorithm 3.1 of Gebremedhin and
    others, 2007).  A vertex is in one tree for each colour of its neighbours; trees
    have numbers, and of those that are united, one is the root.
    """
    colours = [NONE] * len(graph)
    trees: list[dict[int, int]] = [{} for _ in graph]  # by the neighbours' colour
    parent: list[int] = []

    def root(tree):
        while parent[tree] != tree:
            parent[tree] = tree = parent[parent[tree]]
        return tree

    for v in order:
        beside = [w for w in graph[v] if colours[w] != NONE]
        forbidden, visited = {colours[w] for w in beside}, {}
        for w in beside:
            for colour, tree in trees[w].items():
                # A tree that v would meet at two vertices would be a circle.
                if visited.setdefault(root(tree), w) != w:
                    forbidden.add(colour)
        colour = colours[v] = first_allowed(forbidden, most)
        for w in beside:
            tree = trees[w].setdefault(colour, len(parent))
            if tree == len(parent):
                parent.append(tree)
            parent[root(tree)] = root(trees[v].setdefault(colours[w], tree))
    return np.array(colours, int)
