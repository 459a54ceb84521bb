"""The accumulated Jacobian as a program: what elimination does, line by line.

    eliminate v3:
      c4 = c0 * c2              the edge from v1 to v5 that comes of it
      c5 = c1 + c0 * c3         the one to v6, to which there was one before
    J[0, 1] = -c5

It is a straight line of numbers: local partials in, entries of the Jacobian out.  Signs
are carried along to the end, so that a product with a unit is no operation.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxkit.elimination.graph import Graph, Value
from jaxkit.elimination.orders import counted

MANY = 1000  # lines that are compiled one by one

Term = tuple[int, ...]  # a product: the numbers of its factors; of none it is 1


class Line(NamedTuple):
    """The value with this number: one term, or the sum or difference of two."""

    number: int
    first: Term
    operator: str = ""  # or "+", "-"
    second: Term = ()

    @property
    def multiplications(self) -> int:
        return (len(self.first) == 2) + (len(self.second) == 2)

    def __str__(self):
        text = f"c{self.number} = {_text(self.first)}"
        if not self.operator:
            return text
        return f"{text} {self.operator} {_text(self.second)}"


def _text(term: Term) -> str:
    return " * ".join(f"c{i}" for i in term) or "1"


class Elimination:
    """The Jacobian of a function, accumulated by elimination, as a program.

    It is a straight line of numbers, from the local partials c0, c1, ... to the entries
    of the Jacobian.  Printed, it is written out: whose each partial is, then what comes
    of each vertex that is eliminated, then the entries that aren't zero.

    Attributes:
        graph: the vertices and edges that it is about (`jaxkit.elimination.Graph`).
        order: the inner vertices as they are eliminated.
        shape: the Jacobian's, (numbers that come out, numbers that go in).
        partials: how many local partials there are, beside those that are 1 or -1.
        products: how many products of two edges are made: what the literature counts.
        multiplications: those of them in which no factor is 1 or -1.
        additions: how many sums, or differences.
    """

    def __init__(self, graph: Graph, order: Sequence[int]):
        self.graph, self.order = graph, tuple(order)
        self.shape = len(graph.outputs), graph.inputs
        named = [x for edges in graph.edges for x in edges.values() if not x.is_unit]
        self.partials = len(named)
        self.products = counted(graph, order).products
        self._vertices, self._entries = _accumulated(graph, order, self.partials)
        self.multiplications = sum(x.multiplications for x in self.lines)
        self.additions = sum(bool(x.operator) for x in self.lines)

    @property
    def lines(self) -> Iterator[Line]:
        for _, lines in self._vertices:
            yield from lines

    def run(self, partials: Sequence[Any]) -> jax.Array:
        """The Jacobian, given the local partials: real scalars, in order.

        Raises ValueError if there are more or fewer than `partials`.
        """
        if len(partials) != self.partials:
            raise ValueError(
                f"run: got {len(partials)} partials, but the program has "
                f"{self.partials}; pass what `partials` of the same function returned"
            )
        lines, dtype = list(self.lines), jnp.result_type(*partials, 1.0)
        found = jnp.zeros(self.shape, dtype)
        if not self._entries:
            return found
        signs, numbers = zip(*self._entries.values(), strict=True)
        evaluate = _by_levels if len(lines) > MANY else _one_by_one
        entries = evaluate(lines, partials, numbers).astype(dtype)
        rows, columns = zip(*self._entries, strict=True)
        return found.at[rows, columns].set(
            jnp.where(np.less(signs, 0), -entries, entries)
        )

    def __str__(self):
        n, m = self.shape
        text = [
            f"{n} x {m} Jacobian of {self.partials} partials; "
            f"multiplications: {self.multiplications}, additions: {self.additions}"
        ]
        for v, edges in enumerate(self.graph.edges):
            for source, value in edges.items():
                if value.number is not None:
                    line = f"  c{value.number} = d v{v} / d v{source}"
                    text.append(f"{line:26}{self._origin(v)}")
        for v, lines in self._vertices:
            text.append(f"  eliminate v{v}" + (":" if lines else ""))
            text += [f"    {line}" for line in lines]
        for (i, j), value in self._entries.items():
            sign = "-" if value.sign < 0 else ""
            name = "1" if value.number is None else f"c{value.number}"
            text.append(f"  J[{i}, {j}] = {sign}{name}")
        return "\n".join(text)

    __repr__ = __str__

    def _origin(self, v: int) -> str:
        eqn = self.graph.origins[v] if self.graph.origins else None
        return "" if eqn is None else f"{eqn.primitive}, {Path(eqn.line).name}"


def _one_by_one(
    lines: Sequence[Line], partials: Sequence[Any], wanted: Sequence[int | None]
) -> jax.Array:
    """The values with these numbers (None: 1), each line an operation of its own.

    These operations are the ones that are counted.
    """
    values = list(partials)

    def product(term: Term) -> Any:
        if len(term) == 2:
            return values[term[0]] * values[term[1]]
        return values[term[0]] if term else 1.0

    for line in lines:
        value = product(line.first)
        if line.operator:
            other = product(line.second)
            value = value + other if line.operator == "+" else value - other
        values.append(value)
    return _stacked([1.0 if i is None else values[i] for i in wanted])


def _by_levels(
    lines: Sequence[Line], partials: Sequence[Any], wanted: Sequence[int | None]
) -> jax.Array:
    """The same, all lines at once that wait for the same ones: `a * b + sign * c * d`.

    For XLA, of which the time to compile grows faster than a program's length.
    """
    count = len(partials)
    level = [0] * count
    for line in lines:
        level.append(1 + max([level[i] for i in line.first + line.second], default=0))
    order = sorted(range(len(level)), key=level.__getitem__)
    place: dict[int | None, int] = {number: i for i, number in enumerate(order)}
    place[None] = one = len(level)  # behind all others
    given = _stacked(partials)
    values = jnp.ones(one + 1, given.dtype).at[:count].set(given)
    for _, numbers in groupby(order[count:], level.__getitem__):
        group = [lines[number - count] for number in numbers]
        rows = [(*x.first, None, None)[:2] + (*x.second, None, None)[:2] for x in group]
        a, b, c, d = np.array([[place[i] for i in row] for row in rows]).T
        signs = np.array([{"+": 1.0, "-": -1.0, "": 0.0}[x.operator] for x in group])
        new = values[a] * values[b] + signs.astype(values.dtype) * values[c] * values[d]
        start = place[group[0].number]
        values = values.at[start : start + len(group)].set(new)
    return values[np.array([place[i] for i in wanted])]


def _stacked(values: Sequence[Any]) -> jax.Array:
    return jnp.stack([jnp.asarray(x) for x in values])


def _accumulated(graph: Graph, order: Sequence[int], count: int):
    """The lines of each vertex that is eliminated, and then the entries.

    `count`: how many partials there are; lines have the numbers that follow.
    """
    before = [dict(edges) for edges in graph.edges]
    behind: list[dict[int, Value]] = [{} for _ in before]
    for v, edges in enumerate(before):
        for source, value in edges.items():
            behind[source][v] = value
    vertices: list[tuple[int, list[Line]]] = []
    for v in order:
        lines: list[Line] = []
        for a, first in before[v].items():
            del behind[a][v]
            for b, second in behind[v].items():
                factors = first.number, second.number
                term = tuple([i for i in factors if i is not None])
                sign, had = first.sign * second.sign, behind[a].get(b)
                if had is None and len(term) < 2:
                    value = Value(sign, *term)
                else:
                    line, sign = _line(count, sign, term, had)
                    lines.append(line)
                    value, count = Value(sign, count), count + 1
                behind[a][b] = before[b][a] = value
        for b in behind[v]:
            del before[b][v]
        before[v], behind[v] = {}, {}
        vertices.append((v, lines))
    entries = {
        (i, j): before[v][j]
        for i, v in enumerate(graph.outputs)
        if v is not None
        for j in sorted(before[v])
    }
    return vertices, entries


def _line(number: int, sign: int, term: Term, had: Value | None) -> tuple[Line, int]:
    """What an edge had, and a term of this sign: as a line, and the sign of that."""
    if had is None:
        return Line(number, term), sign
    other = () if had.number is None else (had.number,)
    if had.sign == sign:
        return Line(number, other, "+", term), sign
    first, second = (other, term) if sign < 0 else (term, other)
    return Line(number, first, "-", second), 1
