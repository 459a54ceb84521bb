"""How a run is noted: the trace under which a function is explained.

`ExplainTrace` lets the function run as it is.  For each primitive it notes what went in
and what came out, and the local linear map, which the kit's own rules give
(`arithmetic.linearize_flat` of that primitive alone).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax.extend.core import primitives

from jaxkit import tracing
from jaxkit.arithmetic import linearize_flat
from jaxkit.control.loops import one_loop
from jaxkit.explaining.nodes import Node, Step
from jaxkit.explaining.source import Source, of_this_step
from jaxkit.rules import RULES
from jaxkit.tracing import Trace, Tracer


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

    def __init__(self, parent, constants_too=True, outer: Source | None = None):
        super().__init__(parent)
        self.constants_too = constants_too
        self.outer = outer  # where in the user's code the box is that this is inside of
        self.steps: list[Step] = []
        self.constants: dict[int, Node] = {}
        self.kept: list[Any] = []

    def below(self, x: Any) -> Any:
        return x.node.value if self.owns(x) else x

    def node(self, x: Any) -> Node:
        """The node of a value; what isn't ours is a constant, each array one."""
        if self.owns(x):
            return x.node
        if tracing.is_traced(x):
            raise TypeError(
                "explain: the function uses a value that a transform around this call "
                f"traces, {x}; explain shows values, so call it outside"
            )
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
                outs, step.times = _repeated(params, values)
                return outs, []
            out = tracing.bind(primitive, values, params)
            return (list(out) if primitive.multiple_results else [out]), []

        user = params.get("subfuns")  # of a function with a rule of its own
        nodes = self._operands(operands, constants_too=not user)
        step = Step(name(primitive, params), params, *nodes)
        outs = self.step(step, run)
        step.rule = RULES[primitive]
        if primitive is primitives.scan_p:
            step.times = dict(tracing.scan_layout(params)[3])["length"]
        if primitive is primitives.cond_p:
            taken = int(step.operands[0].value)
            step.not_taken = [i for i in range(len(params["branches"])) if i != taken]
        step.inside = _retraced(user[0]) if user else inside(primitive, params)
        return outs if primitive.multiple_results else outs[0]

    def _operands(
        self, operands, constants_too=True
    ) -> tuple[list[Node], list[bool], Source]:
        """(nodes, which of them the local map is about, where in the user's code)

        That are those that may depend on the inputs, and constants (if
        `constants_too`).
        """
        nodes = [self.node(x) for x in operands]
        constants_too = constants_too and self.constants_too
        moving = [
            node.moves and (node.kind != "const" or constants_too) for node in nodes
        ]
        return nodes, moving, of_this_step(self.outer, run.__code__)

    def step(self, step: Step, run: Callable) -> list[Value]:
        """Carry out a step: `run`, a flat function (see `dual.py`)."""
        values = [node.value for node in step.operands]
        outs = self._linearize(step, run, values)
        step.outputs = [Node("operation", y, step) for y in outs]
        self.steps.append(step)
        return [Value(self, node) for node in step.outputs]

    def _linearize(self, step: Step, run: Callable, values: list[Any]) -> list[Any]:
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
        return outs


def name(primitive, params: dict[str, Any]) -> str:
    """What a step is called: by the name of the function that it runs, if any."""
    if primitive is primitives.jit_p:
        return params["name"]
    if "subfuns" not in params:
        return primitive.name
    fun = params["subfuns"][0]
    named = getattr(getattr(fun, "debug_info", None), "func_name", None)
    return getattr(fun, "__name__", None) or named or primitive.name


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
        return lambda *values: _unrolled(params, values)
    if primitive is primitives.while_p:
        return lambda *values: _repeated(params, values)[0]
    return None


def _steps(function: Callable) -> Callable:
    """A loop's step as calls that can themselves be opened: `call(number, values)`.

    It is one function, so that it is compiled once; only then has each call its name.
    """

    @jax.jit
    def step(*values):
        return function(values)

    def call(number: int, values: Sequence[Any]) -> list[Any]:
        outs = step(*values)
        for y in outs:  # no Values where this runs under another trace than ours
            noted = y.node.step if isinstance(y, Value) else None
            if noted and noted.name == "step":
                noted.name = f"step_{number}"
        return outs

    return call


def _unrolled(params, values) -> list[Any]:
    """A scan as a sequence of calls, one for each step."""
    body, n_consts, n_carry, options = tracing.scan_layout(params)
    n, m = n_consts, n_consts + n_carry
    consts, carry, xs = values[:n], list(values[n:m]), values[m:]
    options = dict(options)
    order = range(options["length"])
    ys: dict[int, list[Any]] = {}
    step = _steps(partial(tracing.run_jaxpr_here, body))
    for i in reversed(order) if options["reverse"] else order:
        slices = [x[i] for x in xs]
        outs = step(i, [*consts, *carry, *slices])
        carry, ys[i] = outs[:n_carry], outs[n_carry:]
    avals = [v.aval for v in tracing.open_jaxpr(body).outvars[n_carry:]]
    if not ys:
        return [*carry, *(jnp.zeros((0, *a.shape), a.dtype) for a in avals)]
    stacked = [jnp.stack([ys[i][k] for i in order]) for k in range(len(avals))]
    return [*carry, *stacked]


def _repeated(params, values) -> tuple[list[Any], int]:
    """A while loop as a sequence of calls, as many as it takes, and their number."""
    goes_on, step, carry = one_loop(params, values)
    step, count = _steps(step), 0
    while goes_on(carry):
        carry = step(count, carry)
        count += 1
    return carry, count


def run(
    fun: Callable,
    inputs: list[Any],
    constants: bool = True,
    outer: Source | None = None,
) -> tuple[list[Node], list[Node], list[Step]]:
    """Run a flat function of arrays to a list of arrays, and note it.

    Returns (all nodes, the output nodes, steps).  Nodes are numbered: inputs,
    constants, then the outputs of steps in the order in which they ran.  `constants`:
    whether these have derivatives too; `outer`: where the box is that it is inside of.
    """
    with tracing.running(ExplainTrace, constants, outer) as trace:
        nodes = [Node("input", x) for x in inputs]
        outs = fun(*[Value(trace, node) for node in nodes])
        outputs = [trace.node(y) for y in outs]
        nodes += trace.constants.values()
        nodes += [y for step in trace.steps for y in step.outputs]
        for number, node in enumerate(nodes, 1):
            node.number = number
        return nodes, outputs, trace.steps
