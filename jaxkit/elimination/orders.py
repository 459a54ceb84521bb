"""In which order vertices are eliminated: by a rule, or found by a search.

When a vertex v is eliminated, each pair of edges a -> v -> b gives an edge a -> b:
their product, added to what that was before.  When all inner vertices are gone, the
edges are the Jacobian.  The order decides how many products there are.  To find the
least number is NP-complete (Naumann 2008); rules give orders at once, mostly of fewer
products than forward or reverse.

    forward    first to last: what forward mode does, on sparse vectors
    reverse    last to first: what reverse mode does
    markowitz  next that with the fewest products (edges in times edges out)
    fill       next that which makes the fewest new edges; of these the last
    search     the best of these, of which vertices are moved to other places; what is
               better is kept, and at first, now and then, what isn't (annealing)

A product with a unit, 1 or -1, isn't a multiplication.  The rules count all products;
what is chosen, or searched for, is the order of the fewest multiplications.

Sets of vertices are integers, a bit for each, so that an order is tried in no time.

Source: A. Griewank, U. Naumann, Accumulating Jacobians as chained sparse matrix
products (2003); H. M. Markowitz (1957); annealing: U. Naumann, P. Gottschling (2003).
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from jaxkit.elimination.graph import Graph

RULES = "forward", "reverse", "markowitz", "fill"


class Counts(NamedTuple):
    """What an order takes: products, and those of them that are multiplications."""

    products: int
    multiplications: int


class Sets:
    """A graph that vertices are eliminated from, as sets: of each vertex a bit set.

    Attributes:
        before, behind: where its edges come from, and where they lead.
        units: those behind it to which its edge is a unit.
    """

    def __init__(self, graph: Graph):
        n = len(graph.edges)
        self.before, self.behind, self.units = [0] * n, [0] * n, [0] * n
        for v, edges in enumerate(graph.edges):
            for source, value in edges.items():
                self.before[v] |= 1 << source
                self.behind[source] |= 1 << v
                if value.is_unit:
                    self.units[source] |= 1 << v

    def products(self, v: int) -> int:
        return self.before[v].bit_count() * self.behind[v].bit_count()

    def fill(self, v: int) -> int:
        """How many edges there would be that weren't there before."""
        behind = self.behind[v]
        return sum(
            (behind & ~self.behind[a]).bit_count() for a in members(self.before[v])
        )

    def eliminate(self, v: int) -> int:
        """Do so; returns how many multiplications it takes."""
        before, behind, units = self.before[v], self.behind[v], self.units[v]
        others, count, rest = (behind & ~units).bit_count(), 0, ~(1 << v)
        x = before
        while x:  # as `members`, in place: most of the time goes here
            bit = x & -x
            x ^= bit
            a = bit.bit_length() - 1
            had, one = self.behind[a], self.units[a]
            if one >> v & 1:
                one = one & ~behind | units & ~had
            else:
                one &= ~behind
                count += others
            self.units[a] = one & rest
            self.behind[a] = (had | behind) & rest
        x = behind
        while x:
            bit = x & -x
            x ^= bit
            b = bit.bit_length() - 1
            self.before[b] = (self.before[b] | before) & rest
        return count

    def copy(self) -> Sets:
        new = object.__new__(Sets)
        new.before, new.behind = self.before[:], self.behind[:]
        new.units = self.units[:]
        return new


def members(x: int) -> Iterator[int]:
    """The numbers in a bit set."""
    while x:
        bit = x & -x
        yield bit.bit_length() - 1
        x ^= bit


def counted(graph: Graph, order: Sequence[int]) -> Counts:
    """What an order takes."""
    sets, products, multiplications = Sets(graph), 0, 0
    for v in order:
        products += sets.products(v)
        multiplications += sets.eliminate(v)
    return Counts(products, multiplications)


# --- Rules ----------------------------------------------------------------------------


def ordered(graph: Graph, rule: str) -> list[int]:
    """The order of the inner vertices by one of the `RULES`."""
    if rule in ("forward", "reverse"):
        return graph.inner if rule == "forward" else graph.inner[::-1]
    return _greedy(graph, Sets.products if rule == "markowitz" else Sets.fill)


def _greedy(graph: Graph, degree: Callable[[Sets, int], int]) -> list[int]:
    """Next the vertex of the least degree, of several the last."""
    sets, order = Sets(graph), []
    degrees = {v: (degree(sets, v), -v) for v in graph.inner}
    while degrees:
        v = min(degrees, key=degrees.__getitem__)
        del degrees[v]
        order.append(v)
        changed = sets.before[v] | sets.behind[v]
        sets.eliminate(v)
        for a in members(changed):  # and what has an edge from one that changed
            changed |= sets.behind[a]
        for w in members(changed):
            if w in degrees:
                degrees[w] = degree(sets, w), -w
    return order


def best(graph: Graph) -> list[int]:
    """The order by the rule that takes the fewest multiplications here."""

    def key(order):
        counts = counted(graph, order)
        return counts.multiplications, counts.products

    return min([ordered(graph, rule) for rule in RULES], key=key)


# --- The search -----------------------------------------------------------------------

HOT, COLD = 1.0, 0.1  # how many multiplications more are accepted, at first and at last


def search(graph: Graph, tries: int, seed: int = 0) -> list[int]:
    """An order of few multiplications, after so many others have been tried."""
    start, rng = Sets(graph), random.Random(seed)

    def cost(order):
        sets = start.copy()
        return sum(map(sets.eliminate, order))

    here = found = best(graph)
    n, now = len(here), cost(here)
    least = now
    for i in range(tries if n > 1 else 0):
        heat = HOT * (COLD / HOT) ** (i / tries)
        at, near = rng.randrange(n), 1 + int(rng.expovariate(0.25))
        to = rng.choice((rng.randrange(n), at + near, at - near))
        order = here[:at] + here[at + 1 :]
        order.insert(max(to, 0), here[at])
        then = cost(order)
        if then <= now or rng.random() < math.exp((now - then) / heat):
            here, now = order, then
            if now < least:
                found, least = here, now
    return found
