"""A linear program as a graph: vertices are numbers, edges are local partials.

    v2 = sin v0          edge v0 -> v2: cos v0
    v3 = v2 * v1         edges v2 -> v3: v1, and v1 -> v3: v2

A partial that is 1 or -1, whatever the inputs are, is known to be that.  A number that
is another one, unchanged, is the same vertex: so are slices, and by the nature of a
linear program what a constant is added to.

Source: A. Griewank, A. Walther, Evaluating Derivatives (2008), ch. 2.2 and 9.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from jaxkit.elimination.steps import Step, step, steps
from jaxkit.program import Equation, LinearProgram, Var
from jaxkit.program.cost import width
from jaxkit.sparse.patterns import split

MANY = 5000  # edges


class Value(NamedTuple):
    """The value of an edge: the local partial with this number, or its negative.

    Without a number it is a unit: 1, or -1.
    """

    sign: int
    number: int | None = None

    @property
    def is_unit(self) -> bool:
        return self.number is None


@dataclass(frozen=True)
class Graph:
    """The graph of a linear program.

    Attributes:
        inputs: how many there are; they are the vertices 0, 1, ...
        edges: of each vertex those that lead to it, {vertex: Value}, from vertices with
            lower numbers.
        outputs: the vertex of each output, None where that is zero.  Each vertex is one
            output at most, and no edge leads away from it.
        origins: of each vertex the equation that it comes from; None for an input, and
            for a copy.
    """

    inputs: int
    edges: Sequence[dict[int, Value]]
    outputs: Sequence[int | None]
    origins: Sequence[Equation | None] = ()

    @property
    def inner(self) -> list[int]:
        """The vertices that are neither inputs nor outputs: those to eliminate."""
        outputs = set(self.outputs)
        return [v for v in range(self.inputs, len(self.edges)) if v not in outputs]


class Partials(NamedTuple):
    """The local partials of a graph: of each step the entries that they are."""

    steps: Sequence[Step]
    which: Sequence[Sequence[int]]

    def __call__(self, residuals: Sequence[Any]) -> list[Any]:
        """What they are, given the program's residuals: scalars, by number."""
        pairs = zip(self.steps, self.which, strict=True)
        return [x for s, which in pairs if which for x in s.partials(residuals, which)]


def graph_of(name: str, program: LinearProgram) -> tuple[Graph, Partials]:
    """The graph of a program of which some residuals are known, or of types alone.

    Raises, for the transform of that name, ValueError if it has too many edges, and
    TypeError if there are complex numbers.
    """
    code = program.code
    found, made = _Sketch(code.inputs), []
    for part in steps(code):
        eqn, numbers = part.equations[0], (*part.inputs, *part.outputs)
        if any(v.aval.dtype.kind == "c" for v in numbers):
            raise TypeError(
                f"{name}: '{eqn.primitive}', {eqn.line}, is of complex numbers, by "
                "which a partial isn't one number. Use jaxkit.jacobian."
            )
        few = max(width(part.inputs), width(part.outputs)) <= MANY
        if few:
            made.append(step(part, program.residuals))
            found.add(len(made) - 1, made[-1])
        if not few or found.size > MANY:
            raise ValueError(
                f"{name}: at '{eqn.primitive}', {eqn.line}, the graph has more than "
                f"{MANY} edges; it has a vertex for each number, which is for code on "
                "scalars and small arrays. Use jaxkit.jacobian, or "
                "jaxkit.sparse_jacobian where most of the Jacobian is zero."
            )
    found.end(code.outputs)
    return found.finished(made)


class _Sketch:
    """A graph while it is made, step by step.

    Attributes:
        edges: as in `Graph`, but a partial is a pair yet: (step, entry).
        origins, outputs: as in `Graph`.
        where: of each variable, by its index, the vertices of its numbers.
        size: how many edges there are.
    """

    def __init__(self, inputs: Sequence[Var]):
        self.inputs = width(inputs)
        self.edges: list[dict[int, Any]] = [{} for _ in range(self.inputs)]
        self.origins: list[Equation | None] = [None] * self.inputs
        self.outputs: list[int | None] = []
        self.where: dict[int, list[int | None]] = {}
        self.size = 0
        self._note(inputs, list(range(self.inputs)))

    def _note(self, variables: Sequence[Any], vertices: Sequence[int | None]) -> None:
        for v, part in zip(variables, split(vertices, variables), strict=True):
            self.where[v.index] = part

    def vertex(self, edges: dict[int, Any], origin: Equation | None) -> int:
        self.edges.append(edges)
        self.origins.append(origin)
        self.size += len(edges)
        return len(self.edges) - 1

    def copy(self, vertex: int) -> int:
        return self.vertex({vertex: Value(1)}, None)

    def add(self, number: int, step: Step) -> None:
        """Add the numbers that a step leaves."""
        sources = [v for x in step.code.inputs for v in self.where[x.index]]
        rows: list[dict[int, Any]] = [{} for _ in range(width(step.code.outputs))]
        for e, (i, j) in enumerate(zip(*step.entries, strict=True)):
            source, known = sources[j], step.known and step.known[e]
            if source is None or known == 0:
                continue
            if source in rows[i]:  # two operands are the same number
                source = self.copy(source)
            rows[i][source] = Value(int(known)) if known in (1, -1) else (number, e)
        vertices: list[int | None] = []
        for edges in rows:
            if list(edges.values()) == [Value(1)]:
                vertices += edges  # the same number
            elif edges:
                vertices.append(self.vertex(edges, step.code.equations[0]))
            else:
                vertices.append(None)
        self._note(step.code.outputs, vertices)

    def end(self, outputs: Sequence[Any]) -> None:
        """Say which numbers are outputs."""
        for x in outputs:
            zeros = [None] * x.aval.size
            self.outputs += self.where[x.index] if type(x) is Var else zeros
        read, times = set().union(*self.edges), Counter(self.outputs)
        for i, v in enumerate(self.outputs):
            if v is not None and (v < self.inputs or v in read or times[v] > 1):
                self.outputs[i] = self.copy(v)

    def finished(self, made: Sequence[Step]) -> tuple[Graph, Partials]:
        """The graph, without what reaches no output, and its partials."""
        needed = {*range(self.inputs), *self.outputs}
        for v in reversed(range(len(self.edges))):
            if v in needed:
                needed.update(self.edges[v])
        kept = [v for v in range(len(self.edges)) if v in needed]
        new: dict[int | None, int | None] = {v: i for i, v in enumerate(kept)}
        new[None] = None
        which: list[list[int]] = [[] for _ in made]
        edges, number = [], 0
        for v in kept:
            edges.append({})
            for source, value in self.edges[v].items():
                if not isinstance(value, Value):
                    which[value[0]].append(value[1])
                    value, number = Value(1, number), number + 1
                edges[-1][new[source]] = value
        outputs, origins = (
            [new[v] for v in self.outputs],
            [self.origins[v] for v in kept],
        )
        return Graph(self.inputs, edges, outputs, origins), Partials(made, which)
