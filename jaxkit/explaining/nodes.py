"""A run of a function as a graph: each value that arose, and the step it came from.

A step has the local linear map between the tangents of what went in and of what came
out.  With steps for operators, a run is a linear program (`code_of`), and all that
`explain` shows is computed by the walks through it: tangents by applying the local maps
first to last, adjoints by transposing them last to first.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from jaxkit import tracing
from jaxkit.explaining.source import Source
from jaxkit.program import (
    Code,
    Equation,
    LinearProgram,
    Residual,
    Var,
    forward,
)
from jaxkit.rules import Rule
from jaxkit.rules.terms import add_arrays
from jaxkit.tangents import moves, ones, zeros


class Node:
    """A value: an input, a constant, or an output of a step.

    `tangents` has one entry for each direction, `adjoints` one for each output that is
    explained; both are None as long as they aren't computed.
    """

    def __init__(self, kind: str, value: Any, step: Step | None = None):
        self.kind, self.value, self.step = kind, value, step
        self.number = 0
        self.forget()

    def forget(self) -> None:
        """Back to where nothing is computed."""
        self.known = False
        self.incomplete = False  # a step that uses it has no derivative by it
        self.tangents: list[Any] | None = None
        self.adjoints: list[Any] | None = None
        self.arrivals: list[Arrival] = []

    def arrive(self, adjoints: list[Any] | None) -> None:
        """Add a part of the adjoints."""
        if adjoints is not None:
            seen = self.adjoints
            self.adjoints = adjoints if seen is None else added(seen, adjoints)

    def zero(self) -> Any:
        return zeros(self.aval)

    @property
    def aval(self) -> Any:
        return tracing.typeof(self.value)

    @property
    def moves(self) -> bool:
        return moves(self.aval.dtype)

    @property
    def rule(self) -> Rule | None:
        """What the table of rules says of the primitive that made the value.

        None for inputs and constants.
        """
        return self.step and self.step.rule

    @property
    def is_number(self) -> bool:
        return self.aval.shape == ()

    def __repr__(self):
        return f"n{self.number}"


class Arrival:
    """A part of an adjoint: the step it comes from, as one of its operands.

    `partial` is the derivative of the step's output where both are numbers.
    """

    def __init__(self, step: Step, cotangents: list[Any], partial: Any):
        self.step, self.cotangents, self.partial = step, cotangents, partial

    @property
    def cotangent(self) -> Any:
        """The adjoint of the step's output, in the first column."""
        adjoints = self.step.outputs[0].adjoints
        return adjoints and adjoints[0]

    @property
    def is_one(self) -> bool:
        return self.partial is not None and bool(self.partial == 1)


class Step:
    """An operation that ran: operands in, outputs out, and the local linear map.

    `local` maps the tangents of the operands that are `moving` to those of the outputs
    that move, and `rule` is what the table says of the primitive (None of code without
    one).  `inside` makes a function of the operands' values that runs what the step
    consists of; None if it is a single operation.  `times` is how often a loop ran its
    body, and `not_taken` are the branches that a conditional didn't run.
    """

    def __init__(self, name, params, operands, moving, source, rule=None):
        self.name, self.params, self.rule = name, params, rule
        self.source: Source = source  # where in the user's code it is
        self.operands: list[Node] = operands
        self.moving: list[bool] = moving
        self.outputs: list[Node] = []
        self.local: LinearProgram
        self.inside: Callable | None = None
        self.times: int | None = None
        self.not_taken: list[int] = []

    @property
    def nodes(self) -> list[Node]:
        return [*self.operands, *self.outputs]

    def residuals(self) -> list[Any]:
        """What reverse mode keeps of this step, for the derivatives by the inputs."""
        moving = [x for x, m in zip(self.operands, self.moving, strict=True) if m]
        found = []

        def do(eqn, reached):
            if any(reached):
                places = [x.index for x in eqn.operands if type(x) is Residual]
                found.extend(self.local.residuals[i] for i in places)
            return [any(reached)] * len(eqn.outputs)

        inputs = [x.kind != "const" for x in moving]
        forward(self.local.code, inputs, do, lambda x, eqn: False)
        return found

    def push(self, tangents: Sequence[Any]) -> list[Any]:
        """Tangents of all outputs, given those of all operands; None is zero."""
        given = [dx for dx, m in zip(tangents, self.moving, strict=True) if m]
        return self._each(self.outputs, self.local.apply(given))

    def pull(self, cotangents: Sequence[Any]) -> list[Any]:
        """Contributions to the operands' adjoints; None where there is none."""
        cts = [ct for ct, y in zip(cotangents, self.outputs, strict=True) if y.moves]
        if all(ct is None for ct in cts):
            return [None] * len(self.operands)
        moved = iter(self.local.transpose(cts))
        return [next(moved) if m else None for m in self.moving]

    def partial(self, i: int) -> Any:
        """The derivative of the output by operand i, if both are real numbers."""
        numbers = [*self.outputs, self.operands[i]]
        if len(self.outputs) > 1 or not all(x.is_number and x.moves for x in numbers):
            return None
        if any(x.aval.dtype.kind == "c" for x in numbers):
            return None
        return self.pull([ones(self.outputs[0].aval)])[i]

    def _each(self, nodes, values):
        values = iter(values)
        return [next(values) if node.moves else None for node in nodes]


def added(xs: Sequence[Any], ys: Sequence[Any]) -> list[Any]:
    """Sums, column by column, of arrays either of which may be None."""
    return [add_arrays(x, y) for x, y in zip(xs, ys, strict=True)]


def gathered(columns: Sequence[Any]) -> list[Any] | None:
    """Columns as one value of a walk, None if there is nothing in any of them."""
    return None if all(x is None for x in columns) else list(columns)


def code_of(nodes: Sequence[Node], outputs: Sequence[Node], steps: Sequence[Step]):
    """A run as the code of a linear program: nodes are variables, steps operators."""
    variables = {node: Var(node.number, node.aval) for node in nodes}

    def of(nodes):
        return tuple(variables[node] for node in nodes)

    equations = [
        Equation(step, of(step.operands), {}, of(step.outputs), step.rule, (step, None))
        for step in steps
    ]
    return Code(of(x for x in nodes if x.step is None), of(outputs), equations)
