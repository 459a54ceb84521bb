"""A run of a function as a graph: each value that arose, and the step it came from.

A step has the local linear map between the tangents of what went in and of what came
out.  All that `explain` shows is computed from these: tangents by applying the local
maps first to last, adjoints by transposing them last to first.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from jaxkit import tracing
from jaxkit.program import LinearProgram, Residual, Var
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

    def zero(self) -> Any:
        return zeros(self.aval)

    @property
    def aval(self) -> Any:
        return tracing.typeof(self.value)

    @property
    def moves(self) -> bool:
        return moves(self.aval.dtype)

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
    that move.  `inside` makes a function of the operands' values that runs what the
    step consists of; None if it is a single operation.
    """

    def __init__(self, name, params, operands, moving, line):
        self.name, self.params, self.line = name, params, line
        self.operands: list[Node] = operands
        self.moving: list[bool] = moving
        self.outputs: list[Node] = []
        self.local: LinearProgram
        self.inside: Callable | None = None

    @property
    def nodes(self) -> list[Node]:
        return [*self.operands, *self.outputs]

    def residuals(self) -> list[Any]:
        """What reverse mode keeps of this step, for the derivatives by the inputs."""
        moving = [x for x, m in zip(self.operands, self.moving, strict=True) if m]
        pairs = zip(self.local.code.inputs, moving, strict=True)
        reached = {v.index for v, x in pairs if x.kind != "const"}
        found = []
        for eqn in self.local.code.equations:
            if reached & {x.index for x in eqn.operands if type(x) is Var}:
                reached |= {v.index for v in eqn.outputs}
                places = [x.index for x in eqn.operands if type(x) is Residual]
                found += [self.local.residuals[i] for i in places]
        return found

    def push(self, tangents: Sequence[Any]) -> list[Any]:
        """Tangents of all outputs, given those of all operands; None is zero."""
        return self._each(self.outputs, self.local.apply(self._given(tangents)))

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

    def _given(self, tangents):
        pairs = zip(tangents, self.operands, self.moving, strict=True)
        return [x.zero() if dx is None else dx for dx, x, m in pairs if m]

    def _each(self, nodes, values):
        values = iter(values)
        return [next(values) if node.moves else None for node in nodes]
