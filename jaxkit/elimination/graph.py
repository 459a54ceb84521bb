"""A linear program as a graph: vertices are numbers, edges are local partials.

    v2 = sin v0          edge v0 -> v2: cos v0
    v3 = v2 * v1         edges v2 -> v3: v1, and v1 -> v3: v2

A program is cut into steps, one for each primitive that ran.  A step is a small linear
program, and its matrix has the partials: where that isn't zero is known (`sparse`), and
so is which passes give its entries.  An entry that is 1 or -1, whatever the inputs are,
is kept as that.  A number that is another one, unchanged, is the same vertex: so are
slices, and what is added to a constant.

Source: A. Griewank, A. Walther, Evaluating Derivatives (2008), ch. 2.2 and 9.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from scipy.sparse import csr_array

from jaxkit.program import Code, Equation, LinearProgram, Var
from jaxkit.program.cost import width
from jaxkit.sparse.colouring import count
from jaxkit.sparse.patterns import pattern
from jaxkit.sparse.plan import Plan, Sparsity, jacobian_plan
from jaxkit.tracing import ShapedArray

MANY = 5000  # edges; each is an operation of what XLA compiles


class Value(NamedTuple):
    """The value of an edge: the partial with this number, or its negative.

    Without a number it is 1, or -1: a unit.
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
        edges: of each vertex those that lead to it, {vertex: Value}.  They come from
            vertices with lower numbers.
        outputs: the vertex of each output; None where that is zero.  No edge leads away
            from one, and each vertex is one output at most.
        origins: of each vertex behind the inputs the equation that it comes from; None
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


# --- Steps ----------------------------------------------------------------------------


def steps(code: Code) -> list[Code]:
    """The parts of a program that each come from one primitive."""
    parts = [list(eqns) for _, eqns in groupby(code.equations, lambda e: id(e.source))]
    last = {x.index: i for i, eqns in enumerate(parts) for x in _read(eqns)}
    last.update((x.index, len(parts)) for x in code.outputs if type(x) is Var)
    found = []
    for i, eqns in enumerate(parts):
        made = {v.index: v for eqn in eqns for v in eqn.outputs}
        reads = {x.index: x for x in _read(eqns) if x.index not in made}
        leaves = [v for v in made.values() if last.get(v.index, -1) > i]
        found.append(Code(reads.values(), leaves, eqns))
    return found


def _read(equations: Sequence[Equation]) -> list[Var]:
    return [x for eqn in equations for x in eqn.operands if type(x) is Var]


@dataclass(frozen=True, eq=False)
class Step:
    """A part of a program, and how the entries of its matrix are had.

    Attributes:
        code: its equations, between the variables that it reads and those it leaves.
        plan: by which passes.
        entries: row and column of each.
        known: what they are, if that doesn't depend on the inputs.
    """

    code: Code
    plan: Plan
    entries: tuple[np.ndarray, np.ndarray]
    known: list[Any] | None

    def partials(self, residuals: Sequence[Any], which: Sequence[int]) -> list[Any]:
        """The entries with these numbers, each a scalar."""
        program = LinearProgram(self.code, residuals)
        plan, code = self.plan, self.code
        columns = [
            _pushed(program.apply, seed, code.inputs) for seed in _seeds(plan.columns)
        ]
        rows = [
            _pushed(program.transpose, seed, code.outputs) for seed in _seeds(plan.rows)
        ]
        found = []
        for e in which:
            i, j = (int(place[e]) for place in self.entries)
            if plan.by_column[e]:
                found.append(_entry(columns[plan.columns[j]], code.outputs, i))
            else:
                found.append(_entry(rows[plan.rows[i]], code.inputs, j))
        return found


def _seeds(colours: np.ndarray) -> np.ndarray:
    """Of each colour which rows, or columns, have it."""
    return np.arange(count(colours))[:, None] == colours


def _pushed(run, seed: np.ndarray, variables: Sequence[Any]) -> list[Any]:
    """What comes of a seed; of a variable that it is zero for it is left out."""
    parts = _split(seed, variables)
    return run(
        [
            jnp.asarray(part.reshape(v.aval.shape), v.aval.dtype) if any(part) else None
            for part, v in zip(parts, variables, strict=True)
        ]
    )


def _entry(arrays: Sequence[Any], variables: Sequence[Any], number: int) -> Any:
    """The number with this number among those of several arrays."""
    for x, v in zip(arrays, variables, strict=True):
        if number < v.aval.size:
            place = np.unravel_index(number, v.aval.shape)
            return jnp.zeros((), v.aval.dtype) if x is None else x[place]
        number -= v.aval.size
    raise IndexError(number)


def step(code: Code, residuals: Sequence[Any]) -> Step:
    """A step of a program of which some residuals are known, and of others the type."""
    with jax.ensure_compile_time_eval():
        where = pattern(LinearProgram(code, residuals))
        where.sort_indices()
        parts = where.indices.tobytes(), where.indptr.tobytes()
        plan = _plan(where.shape, where.indices.dtype, *parts)
        found = Step(code, plan, plan.pattern.matrix.tocoo().coords, None)
        types = [residuals[x.index] for x in code.residuals]
        if any(isinstance(x, ShapedArray) for x in types):
            return found
        known = found.partials(residuals, range(where.nnz))
        return Step(code, plan, found.entries, [np.asarray(x) for x in known])


@lru_cache(maxsize=1024)
def _plan(shape, dtype, indices: bytes, indptr: bytes) -> Plan:
    columns, starts = (np.frombuffer(x, dtype) for x in (indices, indptr))
    matrix = csr_array((np.ones(len(columns), bool), columns, starts), shape)
    return jacobian_plan(Sparsity(matrix, "global"), "auto", 8)


# --- The graph ------------------------------------------------------------------------


class Partials(NamedTuple):
    """The local partials of a graph, in the order of their numbers: who has them.

    Attributes:
        steps: the steps of the program.
        which: of each step those of its entries that are partials of the graph.
        ends: of each partial the vertices (to, from).
    """

    steps: Sequence[Step]
    which: Sequence[Sequence[int]]
    ends: Sequence[tuple[int, int]]

    def __call__(self, residuals: Sequence[Any]) -> list[Any]:
        """What they are, given the program's residuals: scalars."""
        return [
            x
            for step, which in zip(self.steps, self.which, strict=True)
            for x in (step.partials(residuals, which) if which else [])
        ]


def graph_of(name: str, program: LinearProgram) -> tuple[Graph, Partials]:
    """The graph of a program of which some residuals are known, or of types alone.

    Raises ValueError, for the transform of that name, if it has too many edges.
    """
    code, found = program.code, _Growing(width(program.code.inputs))
    vertices = np.arange(found.count)
    for v, part in zip(code.inputs, _split(vertices, code.inputs), strict=True):
        found.where[v.index] = part.tolist()
    parts = steps(code)
    made = []
    for number, part in enumerate(parts):
        if max(width(part.inputs), width(part.outputs)) > MANY:
            raise _too_many(name, part)
        made.append(step(part, program.residuals))
        found.add(number, made[-1])
        if found.size > MANY:
            raise _too_many(name, part)
    outputs = [
        vertex
        for x in code.outputs
        for vertex in (found.where[x.index] if type(x) is Var else [None] * x.aval.size)
    ]
    return found.finish(outputs, made)


def _too_many(name: str, part: Code) -> ValueError:
    eqn = part.equations[0]
    return ValueError(
        f"{name}: at '{eqn.primitive}' at {eqn.line} the graph has more than {MANY} "
        "edges; it has a vertex for each number, which is for code on scalars and small "
        "arrays. Use jaxkit.jacobian, or jaxkit.sparse_jacobian where most of the "
        "Jacobian is zero."
    )


def _split(x: np.ndarray, variables: Sequence[Any]) -> list[np.ndarray]:
    return np.split(x, np.cumsum([v.aval.size for v in variables])[:-1])


class _Growing:
    """A graph as it is made, step by step.

    `where` has the vertices of each variable's numbers, by the variable's index.
    """

    def __init__(self, inputs: int):
        self.inputs = inputs
        # {vertex: a unit, or (step, entry)}, as in `Graph`
        self.edges: list[dict[int, Any]] = [{} for _ in range(inputs)]
        self.origins: list[Equation | None] = [None] * inputs
        self.where: dict[int, list[int | None]] = {}
        self.size = 0

    @property
    def count(self) -> int:
        return len(self.edges)

    def vertex(self, edges: dict[int, Any], origin: Equation | None) -> int:
        self.edges.append(edges)
        self.origins.append(origin)
        self.size += len(edges)
        return self.count - 1

    def copy(self, vertex: int) -> int:
        return self.vertex({vertex: Value(1)}, None)

    def add(self, number: int, step: Step) -> None:
        code = step.code
        sources = [v for x in code.inputs for v in self.where[x.index]]
        rows: list[dict[int, Any]] = [{} for _ in range(width(code.outputs))]
        for e, (i, j) in enumerate(zip(*map(np.ndarray.tolist, step.entries))):
            known = None if step.known is None else step.known[e]
            source = sources[j]
            if source is None or (known is not None and known == 0):
                continue
            if source in rows[i]:  # two operands are the same number
                source = self.copy(source)
            unit = known is not None and abs(known) == 1
            rows[i][source] = Value(int(known)) if unit else (number, e)
        vertices: list[int | None] = []
        for edges in rows:
            if list(edges.values()) == [Value(1)]:
                vertices += edges
            else:
                new = self.vertex(edges, code.equations[0]) if edges else None
                vertices.append(new)
        for x in code.outputs:
            self.where[x.index] = vertices[: x.aval.size]
            vertices = vertices[x.aval.size :]

    def finish(self, outputs: list[int | None], made: list[Step]):
        """The graph without what reaches no output, and its partials."""
        read = {v for edges in self.edges for v in edges}
        times = Counter(outputs)
        for i, v in enumerate(outputs):
            if v is not None and (v < self.inputs or v in read or times[v] > 1):
                outputs[i] = self.copy(v)
        needed = set(outputs)
        for v in reversed(range(self.count)):
            if v in needed:
                needed.update(self.edges[v])
        kept = [v for v in range(self.count) if v < self.inputs or v in needed]
        new = {v: i for i, v in enumerate(kept)}
        which: list[list[int]] = [[] for _ in made]
        edges, ends = [], []
        for v in kept:
            values = {}
            for source, value in self.edges[v].items():
                if not isinstance(value, Value):
                    which[value[0]].append(value[1])
                    value = Value(1, len(ends))
                    ends.append((new[v], new[source]))
                values[new[source]] = value
            edges.append(values)
        graph = Graph(
            self.inputs,
            edges,
            [None if v is None else new[v] for v in outputs],
            [self.origins[v] for v in kept],
        )
        return graph, Partials(made, which, ends)
