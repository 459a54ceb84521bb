"""The two arithmetics of tangents, and so the two modes: evaluate, or record.

What is done with them, of flat functions from lists of values to a pair of lists (see
`dual.Arithmetic.run`):

    jvp_flat         forward mode: run, with tangents evaluated
    linearize_flat   run, with tangents recorded: gives the derivative as a program
    run_recording    the same while the program isn't finished: gives its recorder
    record_linear    a function that is linear already, as a program
    transposed       the backward pass of a program, as a program
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from jaxkit import tracing
from jaxkit.dual import Arithmetic, Dual, DualTrace
from jaxkit.fused import fused
from jaxkit.program import LinearProgram, Recorder, Zero, added, backward
from jaxkit.rules.table import RULES
from jaxkit.tangents import (
    SCALARS,
    Refused,
    checked,
    full,
    marked,
    moves,
    spread,
    zeros,
)


class Evaluate(Arithmetic):
    """Tangent arithmetic that happens at once: a tangent is an array."""

    def bind(self, operator, operands, aval, **params) -> Any:
        several = operator.multiple_results
        values = []
        for x in operands:
            if type(x) is Refused:
                return _refused(x.error, aval)
            if type(x) is Zero:
                if operator in tracing.JAX_PRIMITIVES:
                    return _bind_beside_zeros(operator, operands, aval, params)
                x = zeros(x.aval)
            elif not several and isinstance(x, SCALARS):
                x = tracing.varying_like(x, aval)
            values.append(x)
        return operator.bind(*values, **params)

    def trace(self, code, tangents):
        if not any([type(t) is Refused for t in tangents]):
            return code(tangents)
        # Arrays may run as they are.  One that is refused, which is no array, is traced
        # as a tangent alone, so that what depends on it comes out refused.
        with tracing.running(DualTrace, self) as trace:
            outs, moved = code(
                [Dual(trace, None, t) if type(t) is Refused else t for t in tangents]
            )
            trace.check_primals(outs)
            return outs, [t.tangent if trace.owns(t) else t for t in moved]

    def differentiate(self, structure, primals, tangents, types):
        arrays = [zeros(t.aval) if type(t) is Zero else t for t in tangents]
        return structure.jvp(primals, arrays)


class Record(Arithmetic):
    """Tangent arithmetic that is written down: a tangent is a `Var`."""

    def __init__(self, in_avals: Sequence[Any]):
        self.recorder = Recorder(in_avals)

    def bind(self, operator, operands, aval, **params) -> Any:
        several = operator.multiple_results
        for x in operands:
            if type(x) is Refused:
                return _refused(x.error, aval)
        avals, rule = aval if several else (aval,), RULES[operator]
        outs = self.recorder.record(
            operator, operands, avals, params, rule, self.source
        )
        return list(outs) if several else outs[0]

    def trace(self, code, tangents):
        with tracing.running(DualTrace, self) as trace:
            outs, moved = code(
                [None if t is None else Dual(trace, None, t) for t in tangents]
            )
            trace.check_primals(outs)
            return outs, trace.split(moved)[1]

    def differentiate(self, structure, primals, tangents, types):
        outs, residuals = structure.forward(primals)
        live, params = structure.parameters()
        if not any(live):
            return outs, [None] * len(outs)
        alone = any([y is None for y in outs])
        avals = types() if alone else [tracing.typeof(y) for y in outs]
        moved = self.bind(
            structure.operator,
            [*residuals, *tangents],
            [aval for aval, there in zip(avals, live, strict=True) if there],
            kept=len(residuals),
            **params,
        )
        return outs, spread(moved, live)


def _bind_beside_zeros(operator, operands, aval, params) -> Any:
    """An operator of which some operands are zero, without making arrays of these."""
    for x in operands:
        if type(x) is Refused:
            return _refused(x.error, aval)
    zeros = tuple([x if type(x) is Zero else None for x in operands])
    arrays = [x for x in operands if type(x) is not Zero]
    params = tuple(params.items())
    return _filled_in(*arrays, operator=operator, zeros=zeros, params=params)


@fused
def _filled_in(*arrays, operator, zeros, params):
    rest = iter(arrays)
    operands = [next(rest) if x is None else full(x.aval, 0.0) for x in zeros]
    return operator.bind(*operands, **dict(params))


def _refused(error, aval) -> Any:
    """What an operator makes of a tangent that is refused, of this abstract type."""
    several = isinstance(aval, list)
    return [Refused(a, error) for a in aval] if several else Refused(aval, error)


def jvp_flat(fun: Callable, primals, tangents) -> tuple[list, list, list]:
    """Forward mode: (outputs, their tangents, aux); None is a zero tangent."""
    outs, moved, aux = Evaluate().run(fun, primals, tangents)
    return outs, list(checked(moved)), aux


def linearize_flat(
    fun: Callable, primals: Sequence[Any], moving: Sequence[bool] | None = None
) -> tuple[list, LinearProgram, list]:
    """Run `fun` once: (outputs, its derivative as a linear program, aux).

    `moving` says which primals the derivative is with respect to (None: all whose
    dtype `moves`).  The program's inputs are the tangents of those, and its outputs
    the tangents of the outputs that move.
    """
    avals = [tracing.typeof(x) for x in primals]
    if moving is None:
        moving = [moves(aval.dtype) for aval in avals]
    outs, tangents, recorder, aux = run_recording(fun, primals, moving, avals)
    outputs = []
    for y, dy in zip(outs, checked(tangents), strict=True):
        if dy is not None:
            outputs.append(dy)
        elif moves((aval := tracing.typeof(y)).dtype):
            outputs.append(Zero(aval))
    return outs, recorder.program(outputs), aux


def run_recording(
    fun: Callable, primals, moving, avals
) -> tuple[list, list, Recorder, list]:
    """Run `fun` once, and record: (outputs, their tangents, recorder, aux).

    The tangent of a primal, of type `avals`, is a Var where it is `moving`, refused
    where that is None, and zero where it is False.  A primal is None where there is a
    tangent alone, and so is an output.
    """
    arithmetic = Record([aval for aval, m in zip(avals, moving, strict=True) if m])
    tangents = marked(arithmetic.recorder.inputs, moving, avals)
    outs, tangents, aux = arithmetic.run(fun, primals, tangents)
    return outs, tangents, arithmetic.recorder, aux


def record_linear(fun: Callable, in_avals, out_avals) -> LinearProgram:
    """Record a flat linear function, given as plain JAX code, as a linear program.

    `fun` maps a list of arrays to a list of arrays, or None where an output is zero.
    An output that doesn't depend on the inputs is linear only if it is zero.
    """
    return _record(lambda _, tangents: fun(tangents), in_avals, out_avals)


def transposed(program: LinearProgram) -> LinearProgram:
    """The transpose of a linear program as one: the backward pass, itself recorded.

    The source of an equation is that of the equation that it transposes.
    """

    def pull_back(arithmetic, cts):
        def do(eqn, cts):
            arithmetic.source = eqn.source
            return program.pull(eqn, cts)

        return backward(program.code, cts, do, added)

    cts = [tracing.cotangent_of(x.aval) for x in program.code.outputs]
    return _record(pull_back, cts, program.code.cotangents).prune()


def _record(fun: Callable, in_avals, out_avals) -> LinearProgram:
    """The program of `fun(arithmetic, tangents)`."""
    arithmetic = Record(in_avals)

    def code(tangents):
        return [], fun(arithmetic, tangents)

    _, outs = arithmetic.trace(code, arithmetic.recorder.inputs)
    pairs = zip(checked(outs), out_avals, strict=True)
    outputs = [Zero(aval) if var is None else var for var, aval in pairs]
    return arithmetic.recorder.program(outputs)
