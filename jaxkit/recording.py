"""Recording linear programs: tangent arithmetic that is written down, not carried out.

A `Recorder` takes equations from derivative rules directly.  Where a rule is given as
plain JAX code (a user's `custom_jvp` rule, say), that code runs on tracers of tangents,
which have a shape and dtype but no value, and a `LinearTrace` records what it does.
The same trace turns a linear function into a program, for `linear_transpose`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
from jax.extend.core import Primitive, primitives

from jaxkit import tracing
from jaxkit.equations import (
    OPERATORS,
    STRUCTURES,
    Constant,
    Equation,
    Residual,
    Var,
    look_up,
)
from jaxkit.linear import Code, LinearProgram
from jaxkit.tangents import Zero, full, moves
from jaxkit.tracing import Trace, Tracer

SCALARS = (int, float, complex, np.generic)


class NotLinear(NotImplementedError):
    """Code that should be linear isn't; `fact` says where, the message what to do."""

    def __init__(self, fact: str, advice: str = ""):
        super().__init__(f"{fact} {advice}".strip())
        self.fact = fact


class Recorder:
    """Tangent arithmetic that writes equations down: a tangent is a `Var`."""

    linear = False

    def __init__(self, in_avals: Sequence[Any]):
        self.inputs = tuple(Var(i, aval) for i, aval in enumerate(in_avals))
        self.equations: list[Equation] = []
        self.residuals: list[Any] = []
        self._count = len(self.inputs)
        self._known: dict[int, Residual] = {}

    def bind(self, operator, operands, aval, **params) -> Any:
        """Record one equation; `aval` is that of its output (a list for several)."""
        if operator.multiple_results:
            return list(self.record(operator, operands, aval, params))
        return self.record(operator, operands, (aval,), params)[0]

    def record(self, operator, operands, avals, params) -> tuple[Var, ...]:
        count = self._count
        outputs = tuple(Var(count + i, aval) for i, aval in enumerate(avals))
        self._count = count + len(outputs)
        operands = tuple(map(self._operand, operands))
        self.equations.append(Equation(operator, operands, params, outputs))
        return outputs

    def _operand(self, x):
        if type(x) is Var or type(x) is Zero:
            return x
        if isinstance(x, SCALARS):
            return Constant(x)
        known = self._known.get(id(x))
        if known is None:
            known = self._known[id(x)] = Residual(
                len(self.residuals), tracing.aval_of(x)
            )
            self.residuals.append(x)
        return known

    def trace(self, rule: Callable, tangents: Sequence[Var | None]):
        """Run `rule(tangents)`, plain JAX code that is linear in them, recording it.

        `rule` returns (primal outputs, tangent outputs), both lists.
        """
        with tracing.running(LinearTrace, self) as trace:
            outs, tangents_out = rule(
                [None if t is None else LinearTracer(trace, t) for t in tangents]
            )
            if trace.owns_any(outs):
                raise TypeError(
                    "a derivative rule's primal output depends on its tangents; it "
                    "must be computed from the primals alone"
                )
            return outs, [t.tangent if trace.owns(t) else None for t in tangents_out]

    def run(self, fun: Callable, primals, tangents):
        """Run linear code, a flat function, on values of which some are tangents.

        Returns (outputs, their tangents, aux), as `dual.run_flat` does, but where there
        is a tangent there is no primal: zeros stand for it, and nothing reads them.
        """
        with tracing.running(LinearTrace, self) as trace:
            pairs = zip(primals, tangents, strict=True)
            outs, aux = fun(
                [x if t is None else LinearTracer(trace, t) for x, t in pairs]
            )
            moved = [y.tangent if trace.owns(y) else None for y in outs]
            pairs = zip(outs, moved, strict=True)
            return [y if t is None else full(t.aval, 0) for y, t in pairs], moved, aux

    def program(self, outputs: Sequence[Var | Zero]) -> LinearProgram:
        return LinearProgram(Code(self.inputs, outputs, self.equations), self.residuals)


class LinearCode:
    """A recorder's arithmetic, for rules that are asked about code on tangents alone.

    Such code is its own derivative, if it is linear, and there are no primals to take
    a derivative at.
    """

    linear = True

    def __init__(self, recorder: Recorder):
        self.bind, self.trace, self.run = recorder.bind, recorder.trace, recorder.run


class LinearTracer(Tracer):
    """A tangent without a primal: it has a shape and dtype, and a `Var`."""

    __slots__ = ("tangent",)

    def __init__(self, trace: LinearTrace, var: Var):
        super().__init__(trace, var.aval)
        self.tangent = var

    def _short_repr(self):
        return f"Tangent<{self.tangent}:{self.aval.str_short(short_dtypes=True)}>"


class LinearTrace(Trace):
    """Records plain JAX code on tangents, and refuses what isn't linear in them."""

    tracer = LinearTracer

    def __init__(self, parent, recorder: Recorder):
        super().__init__(parent)
        self.recorder = recorder

    def interpret(self, primitive: Primitive, operands, params):
        if primitive is primitives.jit_p:
            return tracing.run_jaxpr(self, params["jaxpr"], operands)
        structure = look_up(STRUCTURES, primitive)
        if structure:
            return self._run_code(structure, primitive, operands, params)
        self._check_linear(primitive, operands, params)
        aval = tracing.output_aval(primitive, operands, params)
        if not primitive.multiple_results and not moves(aval.dtype):
            raise NotLinear(f"'{primitive}' to {aval.dtype} is not linear. {_at()}")
        operands = [x.tangent if self.owns(x) else x for x in operands]
        out = self.recorder.bind(primitive, operands, aval, **params)
        wrap = partial(LinearTracer, self)
        return list(map(wrap, out)) if primitive.multiple_results else wrap(out)

    def _run_code(self, rule, primitive, operands, params):
        """Record a loop or the like, by the rule of its derivative."""
        mine = [self.owns(x) for x in operands]
        pairs = list(zip(operands, mine, strict=True))
        primals = [full(x.aval, 0) if own else x for x, own in pairs]
        tangents = [x.tangent if own else None for x, own in pairs]
        arithmetic = LinearCode(self.recorder)
        outs, moved = rule(primitive, arithmetic, primals, tangents, params)
        return [
            y if dy is None else LinearTracer(self, dy)
            for y, dy in zip(outs, moved, strict=True)
        ]

    def _check_linear(self, primitive, operands, params):
        where = [i for i, x in enumerate(operands) if self.owns(x)]
        info = look_up(OPERATORS, primitive)
        if info is None:
            raise NotLinear(
                f"'{primitive}' is not linear, or no transpose of it is known. {_at()}",
                "Only linear operations may act on a tangent: in a function given to "
                "linear_transpose, or in a JVP rule on its tangents. If it is linear, "
                "add its transpose with jaxkit.rules.transposable.",
            )
        if not set(where) <= set(info.operands(len(operands), **params)):
            raise NotLinear(
                f"'{primitive}' is not linear in operand {where[0]}, which depends on "
                f"the linear inputs. {_at()}"
            )
        if len(where) > 1 and not info.jointly:
            raise NotLinear(
                f"'{primitive}' of two values that both depend on the linear inputs is "
                f"not linear in them. {_at()}"
            )

    def custom_jvp(self, fun, jvp, operands, symbolic_zeros):
        with tracing.set_current_trace(self):
            return fun.call_wrapped(*operands)

    def custom_vjp(self, rule, operands):
        with tracing.set_current_trace(self):
            return rule.fun.call_wrapped(*operands)


def _at() -> str:
    return f"At {tracing.user_line()}."


def record(fun: Callable, in_avals, out_avals) -> LinearProgram:
    """Record a flat linear function, given as plain JAX code, as a linear program.

    `fun` maps a list of arrays to a list of arrays, or None where an output is zero.
    An output that doesn't depend on the inputs is linear only if it is zero.
    """
    recorder = Recorder(in_avals)
    _, outs = recorder.trace(lambda tangents: ([], fun(tangents)), recorder.inputs)
    return recorder.program(
        [
            Zero(aval) if var is None else var
            for var, aval in zip(outs, out_avals, strict=True)
        ]
    )
