"""A run of a function as a graph: each value that arose, and the step it came from.

`ExplainTrace` lets the function run as it is, and notes for each primitive what went
in, what came out, and the local linear map between their tangents, which the kit's own
rules give (`dual.linearize_flat`).  All that `explain` shows is computed from these:
tangents by applying the local maps first to last, adjoints by transposing them last to
first.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax.extend.core import primitives

from jaxkit import tracing
from jaxkit.dual import linearize_flat
from jaxkit.linear import LinearProgram
from jaxkit.tangents import moves
from jaxkit.tracing import Trace, Tracer


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
        self.tangents: list[Any] | None = None
        self.adjoints: list[Any] | None = None
        self.arrivals: list[Arrival] = []

    def zero(self) -> Any:
        return jnp.zeros(self.aval.shape, self.aval.dtype)

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
        return self.pull([jnp.ones((), self.outputs[0].aval.dtype)])[i]

    def _given(self, tangents):
        pairs = zip(tangents, self.operands, self.moving, strict=True)
        return [x.zero() if dx is None else dx for dx, x, m in pairs if m]

    def _each(self, nodes, values):
        values = iter(values)
        return [next(values) if node.moves else None for node in nodes]


class Value(Tracer):
    """What the function computes with: a value that has a node."""

    __slots__ = ("node",)

    def __init__(self, trace: ExplainTrace, node: Node):
        super().__init__(trace, tracing.aval_of(node.value))
        self.node = node

    def to_concrete_value(self):
        return tracing.concrete(self.node.value)

    def _short_repr(self):
        return f"{self.node.value}"


class ExplainTrace(Trace):
    """Notes the steps of a run; `steps`, `constants` are in the order they arose in."""

    tracer = Value

    def __init__(self, parent, numbers_too: bool = True):
        super().__init__(parent)
        self.numbers_too = numbers_too
        self.steps: list[Step] = []
        self.constants: dict[int, Node] = {}
        self.kept: list[Any] = []

    def node(self, x: Any) -> Node:
        """The node of a value; what isn't ours is a constant, each array one."""
        if self.owns(x):
            return x.node
        if id(x) not in self.constants:
            self.constants[id(x)] = Node("const", jnp.asarray(x))
            self.kept.append(x)  # lest its id be another's
        return self.constants[id(x)]

    def interpret(self, primitive, operands, params):
        convert = primitive is primitives.convert_element_type_p
        if convert and operands[0].aval.dtype == params["new_dtype"]:
            return operands[0]  # the same numbers: JAX notes a change of weak type

        def run(values):
            if primitive is primitives.while_p:  # here it is known how often it runs
                return _repeated(params, values), []
            out = primitive.bind(*values, **params)
            return (out if primitive.multiple_results else [out]), []

        name = params["name"] if primitive is primitives.jit_p else primitive.name
        outs = self.step(Step(name, params, *self._operands(operands)), run)
        self.steps[-1].inside = inside(primitive, params)
        return outs if primitive.multiple_results else outs[0]

    def custom_jvp(self, fun, jvp, operands, symbolic_zeros):
        def run(values):
            with tracing.current() as trace:
                return trace.custom_jvp(fun, jvp, values, symbolic_zeros), []

        name = getattr(fun, "__name__", "custom_jvp")
        outs = self.step(Step(name, {}, *self._operands(operands, False)), run)
        self.steps[-1].inside = _retraced(fun)
        return outs

    def custom_vjp(self, rule, operands):
        def run(values):
            with tracing.current() as trace:
                return trace.custom_vjp(rule, values), []

        outs = self.step(Step(rule.name, {}, *self._operands(operands, False)), run)
        self.steps[-1].inside = _retraced(rule.fun)
        return outs

    def _operands(
        self, operands, numbers_too=True
    ) -> tuple[list[Node], list[bool], str]:
        """(nodes, which of them the local map is about, the user's line)

        That are those that depend on the inputs, and (if `numbers_too`) constants that
        are numbers.
        """
        nodes = [self.node(x) for x in operands]
        numbers_too = numbers_too and self.numbers_too
        moving = [
            node.moves and (node.kind != "const" or (numbers_too and node.is_number))
            for node in nodes
        ]
        return nodes, moving, tracing.user_line()

    def step(self, step: Step, run: Callable) -> list[Value]:
        """Carry out a step: `run`, a flat function (see `dual.py`)."""
        values = [node.value for node in step.operands]
        try:
            outs, local, _ = linearize_flat(run, values, step.moving)
        except (NotImplementedError, ValueError):
            of_inputs = [
                m and node.kind != "const"
                for m, node in zip(step.moving, step.operands, strict=True)
            ]
            if of_inputs == step.moving:
                raise
            step.moving = of_inputs  # no derivative in a constant: a number of steps
            outs, local, _ = linearize_flat(run, values, step.moving)
        step.local = local.prune()
        step.outputs = [Node("operation", y, step) for y in outs]
        self.steps.append(step)
        return [Value(self, node) for node in step.outputs]


def _retraced(fun) -> Callable:
    """What JAX hands a trace as a function, and which may run once, to run often."""
    jaxpr: Any = None

    def run(*values):
        nonlocal jaxpr
        if jaxpr is None:
            avals = map(tracing.typeof, values)
            jaxpr = jax.make_jaxpr(lambda *xs: fun.call_wrapped(*xs))(*avals)
        return tracing.run_jaxpr_here(jaxpr, values)

    return run


def inside(primitive, params) -> Callable | None:
    """A function that runs what a primitive consists of, step by step."""
    if primitive is primitives.jit_p or primitive is primitives.remat_p:
        return lambda *values: tracing.run_jaxpr_here(params["jaxpr"], values)
    if primitive is primitives.cond_p:
        return lambda which, *values: tracing.run_jaxpr_here(
            params["branches"][int(which)], values
        )
    if primitive is primitives.scan_p:
        return lambda *values: _unrolled(tracing.scan_layout(params), values)
    if primitive is primitives.while_p:
        return lambda *values: _repeated(params, values)
    return None


def _call(name: str, jaxpr, values) -> list[Any]:
    """A jaxpr, as a call that can itself be opened."""

    def step(*values):
        return tracing.run_jaxpr_here(jaxpr, values)

    step.__name__ = name
    return jax.jit(step)(*values)


def _unrolled(scan: tracing.Scan, values) -> list[Any]:
    """A scan as a sequence of calls, one for each step."""
    n, m = scan.n_consts, scan.n_consts + scan.n_carry
    consts, carry, xs = values[:n], list(values[n:m]), values[m:]
    options = dict(scan.options)
    order = range(options["length"])
    ys: dict[int, list[Any]] = {}
    for i in reversed(order) if options["reverse"] else order:
        slices = [x[i] for x in xs]
        outs = _call(f"step_{i}", scan.body, [*consts, *carry, *slices])
        carry, ys[i] = outs[: scan.n_carry], outs[scan.n_carry :]
    n_ys = len(tracing.open_jaxpr(scan.body).outvars) - scan.n_carry
    if not ys:
        avals = [v.aval for v in tracing.open_jaxpr(scan.body).outvars[scan.n_carry :]]
        return [*carry, *(jnp.zeros((0, *a.shape), a.dtype) for a in avals)]
    return [*carry, *(jnp.stack([ys[i][k] for i in order]) for k in range(n_ys))]


def _repeated(params, values) -> list[Any]:
    """A while loop as a sequence of calls, as many as it takes."""
    n, m = params["cond_nconsts"], params["body_nconsts"]
    test, consts, carry = values[:n], values[n : n + m], list(values[n + m :])
    count = 0
    while tracing.run_jaxpr_here(params["cond_jaxpr"], [*test, *carry])[0]:
        carry = _call(f"step_{count}", params["body_jaxpr"], [*consts, *carry])
        count += 1
    return carry


def run(
    fun: Callable, inputs: list[Any], constants: bool = True
) -> tuple[list[Node], list[Node], list[Step]]:
    """Run a flat function of arrays to a list of arrays, and note it.

    Returns (all nodes, the output nodes, steps).  Nodes are numbered: inputs,
    constants, then the outputs of steps in the order in which they ran.  `constants`:
    whether those that are numbers have derivatives too.
    """
    with tracing.running(ExplainTrace, constants) as trace:
        nodes = [Node("input", x) for x in inputs]
        outs = fun(*[Value(trace, node) for node in nodes])
        outputs = [trace.node(y) for y in outs]
        nodes += trace.constants.values()
        nodes += [y for step in trace.steps for y in step.outputs]
        for number, node in enumerate(nodes, 1):
            node.number = number
        return nodes, outputs, trace.steps
