"""Linear programs, and how they are written down.

A linear program is a pytree: residuals are its leaves, everything else is its static,
hashable `Code`.  It therefore crosses `jax.jit`, `jax.vmap` and `jax.lax.scan` like any
other value.  Forward and reverse mode are two ways to run one program:

    apply      runs the equations first to last: tangents in, tangents out
    transpose  runs them last to first, each one's adjoint on cotangents, and sums
               where a variable was used more than once (Griewank & Walther 2008, ch. 3)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from itertools import compress, count
from typing import Any

import jax
import numpy as np
from jax import lax

from jaxkit import tracing
from jaxkit.program import text
from jaxkit.program.code import (
    Code,
    Constant,
    Equation,
    Operand,
    Residual,
    Var,
    Zero,
)
from jaxkit.program.walk import backward, forward
from jaxkit.tangents import SCALARS, zeros


class NotTransposable(ValueError):
    """An operator without a transpose: what can't be done, why, and what to do.

    `fact` says the first two, and where in the user's code that is.
    """

    def __init__(self, what: str, why: str, advice: str, line: str = ""):
        self.parts, self.line = (what, why, advice), line
        self.fact = f"{what} at {line}: {why}" if line else f"{what}: {why}"
        super().__init__(f"{self.fact} {advice}")

    def at(self, line: str) -> NotTransposable:
        """The same of the equation from that line, unless one is known."""
        return NotTransposable(*self.parts, self.line or line)


def either(x: Any, y: Any) -> Any:
    """The sum of two marks, where what is pulled back is True: "this is needed"."""
    return x or y


Observer = Callable[[Equation, Sequence[Any]], None]


def added(x: Any, y: Any) -> Any:
    """x + y, on the mesh on which they were computed."""
    if not isinstance(x.dtype, np.dtype):  # an extended one
        return x.dtype._rules.add(x.dtype, x, y)
    if not tracing.mesh_here().axis_names:
        return lax.add_p.bind(x, y)
    with tracing.on_mesh_of([x, y]):
        return lax.add_p.bind(x, y)


@jax.tree_util.register_pytree_node_class
class LinearProgram:
    """Flat linear program: a list of tangents in, a list of tangents out."""

    __slots__ = ("code", "residuals")

    def __init__(self, code: Code, residuals: Sequence[Any]):
        self.code, self.residuals = code, residuals

    def tree_flatten(self):
        return tuple(self.residuals), self.code

    @classmethod
    def tree_unflatten(cls, code, residuals):
        return cls(code, residuals)

    def apply(
        self, tangents: Sequence[Any], observe: Observer | None = None
    ) -> list[Any]:
        """Push tangents forward: one array for each input gives one for each output.

        A tangent may be None, which is zero; so is that of what only such ones reach.
        `observe` is told of each equation, and of the tangents that it computed.
        """
        residuals = self.residuals

        def read(x, eqn):
            if type(x) is Residual:
                return residuals[x.index]
            if type(x) is Zero:
                return zeros(x.aval)
            if eqn.operator.multiple_results:
                return x.value
            return tracing.varying_like(x.value, eqn.outputs[0].aval)

        gaps = any([x is None for x in tangents])
        return forward(self.code, tangents, _pushed if gaps else _bind, read, observe)

    def transpose(
        self,
        cotangents: Sequence[Any],
        observe: Observer | None = None,
        start: Sequence[Any] | None = None,
    ) -> list[Any]:
        """Pull cotangents back: one for each output (None: zero) gives one each input.

        An input that reaches no output, or only zeros, gets None.  `observe` is told of
        each equation, and of the cotangents of its outputs.

        Given `start`, sums that begin with the first input, what arrives there is added
        to these, and what is mostly zeros is added to an array in place (`pull_into`).
        That is for a step of a loop; in other code, many small operations may be fused
        to one.
        """
        into = None if start is None else self.pull_into
        start = start or ()
        return backward(self.code, cotangents, self.pull, added, observe, into, start)

    def pull_into(self, eqn: Equation, cts: Sequence[Any], total: Any) -> Any:
        """The sum of `total`, which arrived at the first operand, and its cotangent.

        None if that isn't quicker than to sum arrays.
        """
        if eqn.rule.add is None:
            return None
        operands = [
            self.residuals[x.index] if type(x) is Residual else x for x in eqn.operands
        ]
        with tracing.as_if_at(eqn.source[1].traceback):
            return eqn.rule.pull_into(total, cts[0], operands, eqn.params)

    def pull(self, eqn: Equation, cts: Sequence[Any]) -> Sequence[Any]:
        """The cotangents of an equation's operands, given those of its outputs."""
        residuals = self.residuals
        operands = [
            residuals[x.index] if type(x) is Residual else x for x in eqn.operands
        ]
        ct = cts if eqn.operator.multiple_results else cts[0]
        source, on_mesh = eqn.source[1], tracing.STAY
        if tracing.mesh_here().axis_names:
            on_mesh = tracing.on_mesh_of(eqn.operands)
        try:
            with tracing.as_if_at(source.traceback), on_mesh:
                return eqn.rule.pull(eqn.operator, ct, operands, eqn.params)
        except NotTransposable as error:
            line = tracing.line_of(source) or tracing.user_line()
            raise error.at(line) from None

    def prune(self) -> LinearProgram:
        """Drop equations and residuals that reach no output, and number anew."""
        needed: list[Equation] = []

        def do(eqn, _):
            needed.append(eqn)
            return [True] * len(eqn.operands)

        backward(self.code, [True] * len(self.code.outputs), do, either)
        if len(needed) == len(self.code.equations):
            return self
        recorder = Recorder([v.aval for v in self.code.inputs])
        code = Code(self.code.inputs, self.code.outputs, reversed(needed))
        outputs = forward(code, recorder.inputs, recorder.again, self.value)
        return recorder.program(outputs)

    def reaching(self, wanted: Sequence[bool]) -> LinearProgram:
        """Drop the equations that none of these inputs reaches."""
        reach = {v.index for v in compress(self.code.inputs, wanted)}
        needed: list[Equation] = []
        for eqn in self.code.equations:
            if any(type(x) is Var and x.index in reach for x in eqn.operands):
                needed.append(eqn)
                reach.update(v.index for v in eqn.outputs)
        code = Code(self.code.inputs, self.code.outputs, needed)
        return LinearProgram(code, self.residuals)

    def with_inputs(self, avals: Sequence[Any], there: Sequence[bool]) -> LinearProgram:
        """The same with inputs of these types; those that it has are `there`."""
        code = self.code
        outputs = [v for eqn in code.equations for v in eqn.outputs]
        free = count(1 + max([v.index for v in (*code.inputs, *outputs)], default=0))
        given = iter(code.inputs)
        inputs = [
            next(given) if known else Var(next(free), aval)
            for known, aval in zip(there, avals, strict=True)
        ]
        return LinearProgram(Code(inputs, code.outputs, code.equations), self.residuals)

    def value(self, x: Operand, eqn: Equation | None = None) -> Any:
        """An operand as it was given to the recorder: an array, a number, a Zero."""
        if type(x) is Residual:
            return self.residuals[x.index]
        return x.value if type(x) is Constant else x

    def check_residuals(self) -> None:
        """Raise ValueError if they aren't of the shapes that the code was recorded for.

        So it is after `jax.vmap` or `jax.lax.scan` has stacked several programs.
        """
        for x in self.code.residuals:
            shape = self.residuals[x.index].shape
            if shape != x.aval.shape:
                raise ValueError(
                    f"these are several linear maps, stacked: {x} has shape "
                    f"{list(shape)}, in each of them {list(x.aval.shape)}. "
                    "Apply them under jax.vmap or jax.lax.scan: "
                    "jax.vmap(lambda f, x: f(x))(maps, xs)."
                )

    def __repr__(self):
        return text.format_code(self.code)


@lru_cache(maxsize=4096)
def reached(code: Code, there: tuple[bool | None, ...]) -> list[bool | None]:
    """Which inputs get a cotangent if it is `there` for these outputs, else None.

    Known from the code alone, and so for all steps, or devices, before one has run.
    """

    def do(eqn, arrived):
        if eqn.rule.reaches is None:
            return [True] * len(eqn.operands)
        return eqn.rule.reaches(tuple(arrived), eqn.params)

    return backward(code, [x or None for x in there], do, either)


def _bind(eqn: Equation, operands: Sequence[Any]) -> Sequence[Any]:
    with tracing.on_mesh_of(eqn.outputs):
        out = eqn.operator.bind(*operands, **eqn.params)
    return out if eqn.operator.multiple_results else (out,)


def _pushed(eqn: Equation, operands: Sequence[Any]) -> Sequence[Any]:
    """The same of tangents of which some may be None.

    No zeros are made where all are: an infinite residual would make NaNs of them.
    """
    pairs = list(zip(eqn.operands, operands, strict=True))
    if all([x is None for v, x in pairs if type(v) is Var]):
        return [None] * len(eqn.outputs)
    return _bind(
        eqn, [zeros(v.aval) if type(v) is Var and x is None else x for v, x in pairs]
    )


class Recorder:
    """Writes a linear program down, equation by equation."""

    def __init__(self, in_avals: Sequence[Any]):
        self.inputs = tuple([Var(i, aval) for i, aval in enumerate(in_avals)])
        self.equations: list[Equation] = []
        self.residuals: list[Any] = []
        self._count = len(self.inputs)
        self._known: dict[int, Residual] = {}  # an array is one residual

    def record(
        self, operator, operands, avals, params, rule, source
    ) -> tuple[Var, ...]:
        """Record an equation; returns its outputs, of the abstract types `avals`.

        Operands are Vars, Zeros, arrays and numbers; the rest is as in `Equation`.
        """
        found: list[Operand] = []
        for x in operands:
            if type(x) is Var or type(x) is Zero:
                found.append(x)
            elif isinstance(x, SCALARS):
                # A truth value of Python has no dtype that a transpose could ask for;
                # a user's rule may want it as it is.
                given = isinstance(x, bool) and not operator.multiple_results
                found.append(Constant(np.bool_(x) if given else x))
            elif id(x) in self._known:
                found.append(self._known[id(x)])
            else:
                aval = getattr(x, "aval", None) or tracing.typeof(x)
                residual = Residual(len(self.residuals), aval)
                self._known[id(x)] = residual
                self.residuals.append(x)  # which also keeps its id from being another's
                found.append(residual)
        outputs = tuple([Var(self._count + i, aval) for i, aval in enumerate(avals)])
        self._count += len(outputs)
        eqn = Equation(operator, tuple(found), params, outputs, rule, source)
        self.equations.append(eqn)
        return outputs

    def again(
        self, eqn: Equation, operands: Sequence[Any], source: Any = None
    ) -> tuple[Var, ...]:
        """Record an equation of another program, on these operands."""
        avals = [v.aval for v in eqn.outputs]
        return self.record(
            eqn.operator, operands, avals, eqn.params, eqn.rule, source or eqn.source
        )

    def program(self, outputs: Sequence[Var | Zero]) -> LinearProgram:
        return LinearProgram(Code(self.inputs, outputs, self.equations), self.residuals)
