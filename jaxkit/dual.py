"""Dual numbers over programs: a primal and its tangent travel together.

One tracer serves both modes, because what differs is only the arithmetic of tangents
(`arithmetic.py`):

    Evaluate   a tangent is an array, and arithmetic happens at once: forward mode
    Record     a tangent is a variable, and arithmetic is written down as a linear
               program, to be run forward or transposed later: linearize and vjp

A derivative rule is written against this arithmetic (see `rules/table.py`) and can't
tell which one it serves, so forward and reverse mode can't disagree.  (A user's rule in
code could: where it isn't linear in its tangents, Record refuses it, and Evaluate has
no way to notice.)

An operand of a program is still, or moves (a primal and a tangent), or is a tangent
alone, without a primal: so it is where code acts on tangents, in a rule that is plain
JAX code, or in a function that is linear already.

A rule that has no derivative to give raises, but that is no error yet, since nothing
may need it: the primitive is computed all the same, and the tangents of its outputs are
`Refused` (`tangents.py`).  These carry the exception on, through operators and
structures, and it is raised where a result depends on one (`tangents.checked`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax.numpy as jnp

from jaxkit import tracing
from jaxkit.rules.table import RULES
from jaxkit.tangents import Refused, moves
from jaxkit.tracing import Trace, Tracer


class Arithmetic:
    """What can be done with tangents; a zero one is None, and one may be Refused.

    Attributes:
        source: of the primitive whose rule is at work, itself and where it was called.
    """

    source: tuple[Any, Any] | None = None

    def bind(self, operator: Any, operands: Sequence[Any], aval: Any, **params) -> Any:
        """Apply a linear operator to operands some of which are tangents, or Zeros.

        `aval` is the abstract type of its output; for several, a list.
        """
        raise NotImplementedError

    def trace(self, code: Callable, tangents: Sequence[Any]) -> tuple[list, list]:
        """`code(tangents)`, plain JAX code that is linear in them.

        It returns two lists, of primals that don't depend on them, and of tangents.
        """
        raise NotImplementedError

    def differentiate(
        self, structure: Any, primals, tangents, types
    ) -> tuple[list, list]:
        """The derivative of code that is taken apart (see `control.structure`).

        Given the primals that are taken, and tangents for the operands that move;
        returns the outputs and their tangents.  `types()`: of the outputs.
        """
        raise NotImplementedError

    def run(self, fun: Callable, primals, tangents) -> tuple[list, list, list]:
        """Run a flat function on duals: (outputs, their tangents, aux without them).

        It maps a list of values to a pair of lists: the outputs, and auxiliary values,
        of any type, that aren't differentiated.  A primal is None where there is a
        tangent alone.
        """
        with tracing.running(DualTrace, self) as trace:
            wide = any([getattr(x, "dtype", None) in tracing.WIDE for x in primals])
            if wide and tracing.x64_is_off():
                # Rules run where there are 64 bits, and `fun` where there are none.
                trace.interpret = tracing.with_64_bits(trace.interpret)
            duals = [
                x if dx is None else Dual(trace, x, dx)
                for x, dx in zip(primals, tangents, strict=True)
            ]
            outs, aux = fun(duals)
            if any(map(trace.made, outs)):
                raise TypeError(
                    "the function that is differentiated returns a reference "
                    "(jax.new_ref) that it made; return what that holds, r[...]"
                )
            return *trace.split(outs), trace.split(aux)[0]


class Dual(Tracer):
    """A value that moves: its primal (None: a tangent alone), and its tangent."""

    __slots__ = ("primal", "tangent")

    def __init__(self, trace: DualTrace, primal: Any, tangent: Any):
        aval = getattr(tangent if primal is None else primal, "aval", None)
        if aval is None:  # a number, or NumPy's array, of a user's rule or primitive
            primal = jnp.asarray(primal)
            aval = primal.aval
        super().__init__(trace, aval)
        self.primal = primal
        self.tangent = tangent

    def to_concrete_value(self):
        return tracing.concrete(self.primal)

    def _contents(self):
        # What it holds, as far as JAX looks; that it moves is all that counts.
        return [("primal", self.primal), ("tangent", tracing.MAY_MOVE)]

    def _origin_msg(self):
        # What JAX adds to the message where Python or NumPy want its value.
        if self.primal is None:
            return (
                "\nIt is a tangent, which is written down here, and not computed: "
                "what a derivative rule does must not depend on its value."
            )
        below = self.primal._origin_msg() if tracing.is_traced(self.primal) else ""
        if type(self.primal) is Dual:
            return below
        return (
            f"{below}\nIt is differentiated by jaxkit: compute with jax.numpy and "
            "jax.lax in place of NumPy and Python's functions."
        )

    def _short_repr(self):
        if self.primal is None:
            return f"Tangent<{self.tangent}>"
        return f"Dual(primal={self.primal}, tangent={self.tangent})"


class DualTrace(Trace):
    """Carries tangents through a program, by the given tangent arithmetic."""

    tracer = Dual

    def __init__(self, parent, arithmetic: Arithmetic):
        super().__init__(parent)
        self.arithmetic = arithmetic

    def split(self, values: Sequence[Any]) -> tuple[list[Any], list[Any]]:
        """Primals and tangents of values; None for one that doesn't move."""
        primals, tangents = [], []
        for x in values:
            mine = type(x) is Dual and x._trace is self
            primals.append(x.primal if mine else x)
            tangents.append(x.tangent if mine else None)
        return primals, tangents

    def check_primals(self, outs) -> None:
        """Raise ValueError if what code on tangents alone returned as primals isn't."""
        if any(map(self.owns, outs)):
            primitive, source = self.arithmetic.source  # pyright: ignore
            line = tracing.line_of(source) or tracing.user_line()
            raise ValueError(
                f"the derivative rule of '{primitive}', called at {line}, returned a "
                "primal output that depends on its tangents; compute it from the "
                "primals alone"
            )

    def interpret(self, primitive, operands, params):
        primals, tangents, alone = [], [], False
        for x in operands:  # as `split`, in place
            if type(x) is Dual and x._trace is self:
                primals.append(x.primal)
                tangents.append(x.tangent)
                alone = alone or x.primal is None
            else:
                primals.append(x)
                tangents.append(None)
        rule, arithmetic = RULES[primitive], self.arithmetic
        derive = rule.on_tangents if alone else rule.derivative
        before = arithmetic.source  # not None inside the rule of another primitive
        arithmetic.source = before or (primitive, tracing.here())
        try:
            out, moved = derive(primitive, arithmetic, primals, tangents, params)
        except Exception as error:
            if not getattr(error, "refuses", False):
                raise
            out, moved = _computed_alone(error, primitive, primals, tangents, params)
        finally:
            arithmetic.source = before
        if not primitive.multiple_results:
            return out if moved is None else Dual(self, out, moved)
        return [
            y if dy is None else Dual(self, y, dy)
            for y, dy in zip(out, moved, strict=True)
        ]


def _computed_alone(error, primitive, primals, tangents, params) -> Any:
    """(outputs, their tangents) of a primitive whose rule raised: these are refused."""
    several = primitive.multiple_results
    if all(x is not None for x in primals):
        outs = tracing.bind(primitive, primals, params)
        outs = outs if several else [outs]
        avals = [tracing.aval_of(y) for y in outs]
        moved = [Refused(aval, error) if moves(aval.dtype) else None for aval in avals]
    else:
        avals = [
            tracing.aval_of(dx if x is None else x)
            for x, dx in zip(primals, tangents, strict=True)
        ]
        avals = tracing.output_avals(primitive, avals, params)
        outs = [None] * len(avals)
        moved = [Refused(aval, error) for aval in avals]
    return (outs, moved) if several else (outs[0], moved[0])
