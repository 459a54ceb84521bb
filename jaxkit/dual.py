"""Dual numbers over programs: a primal and its tangent travel together.

One tracer serves both modes, because what differs is only the arithmetic of tangents:

    Evaluate   a tangent is an array, and arithmetic happens at once: forward mode
    Recorder   a tangent is a variable, and arithmetic is written down as a linear
               program, to be run forward or transposed later: linearize and vjp

A derivative rule is written against this arithmetic (see `rules/table.py`) and can't
tell which one it serves, so forward and reverse mode can't disagree.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from jax.custom_derivatives import SymbolicZero

from jaxkit import tracing
from jaxkit.recording import SCALARS, LinearCode, Recorder
from jaxkit.rules.custom_vjp import custom_pullback
from jaxkit.rules.table import derivative_rule
from jaxkit.tangents import Zero, moves, zeros
from jaxkit.tracing import Trace, Tracer, none_if_zero


class Evaluate:
    """Tangent arithmetic that happens at once: a tangent is an array."""

    linear = False

    def bind(self, operator, operands, aval, **params):
        def value(x):
            if type(x) is Zero:
                return zeros(x.aval)
            if isinstance(x, SCALARS) and not operator.multiple_results:
                return tracing.varying_like(x, aval)
            return x

        return operator.bind(*map(value, operands), **params)

    def trace(self, rule, tangents):
        return rule(tangents)


class Dual(Tracer):
    """A value that moves: its primal, and its tangent (an array or a `Var`)."""

    __slots__ = ("primal", "tangent")

    def __init__(self, trace: DualTrace, primal: Any, tangent: Any):
        super().__init__(trace, tracing.aval_of(primal))
        self.primal = primal
        self.tangent = tangent

    def to_concrete_value(self):
        return tracing.concrete(self.primal)

    def _short_repr(self):
        return f"Dual(primal={self.primal}, tangent={self.tangent})"


class DualTrace(Trace):
    """Carries tangents through a program, by the given tangent arithmetic."""

    tracer = Dual

    def __init__(self, parent, arithmetic: Evaluate | Recorder):
        super().__init__(parent)
        self.arithmetic = arithmetic

    def dual(self, primal, tangent) -> Any:
        return primal if tangent is None else Dual(self, primal, tangent)

    def split(self, values: Sequence[Any]) -> tuple[list[Any], list[Any]]:
        """Primals and tangents of values; None for one that doesn't move."""
        primals, tangents = [], []
        for x in values:
            mine = self.owns(x)
            primals.append(x.primal if mine else x)
            tangents.append(x.tangent if mine else None)
        return primals, tangents

    def interpret(self, primitive, operands, params):
        primals, tangents = self.split(operands)
        rule = derivative_rule(primitive, params)
        out, tangent = rule(primitive, self.arithmetic, primals, tangents, params)
        if primitive.multiple_results:
            return [self.dual(y, dy) for y, dy in zip(out, tangent, strict=True)]
        return self.dual(out, tangent)

    def custom_jvp(self, fun, jvp, operands, symbolic_zeros):
        primals, tangents = self.split(operands)

        def zero(x):
            aval = tracing.typeof(x)
            return SymbolicZero(aval) if symbolic_zeros else zeros(aval)

        def rule(tangents):
            pairs = zip(primals, tangents, strict=True)
            given = [zero(x) if t is None else t for x, t in pairs]
            outs = jvp.call_wrapped(*primals, *given)
            half = len(outs) // 2
            return outs[:half], [none_if_zero(t) for t in outs[half:]]

        outs, tangents_out = self.arithmetic.trace(rule, tangents)
        return [self.dual(y, dy) for y, dy in zip(outs, tangents_out, strict=True)]

    def custom_vjp(self, rule, operands):
        primals, tangents = self.split(operands)
        moving = [t is not None for t in tangents]
        outs, residuals = rule.forward(primals, moving)
        avals = [tracing.typeof(y) for y in outs]
        given = [t for t in tangents if t is not None]
        tangents_out = self.arithmetic.bind(
            custom_pullback,
            [*residuals, *given],
            avals,
            rule=rule,
            moving=tuple(moving),
            avals=tuple(avals),
        )
        return [
            self.dual(y, dy if moves(aval.dtype) else None)
            for y, dy, aval in zip(outs, tangents_out, avals, strict=True)
        ]


def run_flat(fun: Callable, arithmetic, primals, tangents):
    """Run `fun` on duals; returns (output primals, output tangents, aux primals)."""
    if arithmetic.linear:
        return arithmetic.run(fun, primals, tangents)
    with tracing.running(DualTrace, arithmetic) as trace:
        duals = [trace.dual(x, t) for x, t in zip(primals, tangents, strict=True)]
        outs, aux = fun(duals)
        return *trace.split(outs), trace.split(aux)[0]


# A flat function maps a list of values to a pair of lists: the outputs, and auxiliary
# values, of any type, that are not differentiated.


def jvp_flat(fun: Callable, primals, tangents):
    """Forward mode: (outputs, their tangents, aux); None is a zero tangent."""
    return run_flat(fun, Evaluate(), primals, tangents)


def linearize_flat(
    fun: Callable, primals, moving: Sequence[bool] | None = None, linear: bool = False
):
    """Run `fun` once: (outputs, its derivative as a linear program, aux).

    `moving` says which primals the derivative is with respect to (None: all whose
    dtype `moves`).  The program's inputs are the tangents of those, and its outputs
    the tangents of the outputs that move.  If `fun` is `linear` in what moves, the
    program is `fun` itself (see `Recorder.run`).
    """
    avals = [tracing.typeof(x) for x in primals]
    if moving is None:
        moving = [moves(aval.dtype) for aval in avals]
    recorder = Recorder([aval for aval, m in zip(avals, moving, strict=True) if m])
    inputs = iter(recorder.inputs)
    tangents = [next(inputs) if m else None for m in moving]
    arithmetic = LinearCode(recorder) if linear else recorder
    outs, tangents_out, aux = run_flat(fun, arithmetic, primals, tangents)
    outputs = []
    for y, t in zip(outs, tangents_out, strict=True):
        aval = tracing.typeof(y)
        if moves(aval.dtype):
            outputs.append(Zero(aval) if t is None else t)
    return outs, recorder.program(outputs), aux
