"""Linear programs: the derivative of a program at a point, as a value.

A linear program is a list of equations `outputs = operator(operands)`.  Among the
operands of an equation, variables carry tangents; residuals are arrays that the primal
computation left behind (a cosine, a weight matrix); in its variables each equation is
linear.  Nearly all operators are JAX primitives: `mul dx cos_x`, `reshape dx`.

    apply      runs the equations first to last: tangents in, tangents out
    transpose  runs them last to first, each one's adjoint on cotangents, and sums
               where a variable was used more than once (Griewank & Walther 2008, ch. 3)

So forward and reverse mode are two ways to run one program.  A linear program is a
pytree: residuals are its leaves, everything else is its static, hashable `Code`.  It
therefore crosses `jax.jit`, `jax.vmap` and `jax.lax.scan` like any other value.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from typing import Any, NamedTuple

import jax
import numpy as np
from jax import lax
from jax.extend.core import Primitive, primitives

from jaxkit import tracing
from jaxkit.tangents import Zero, zeros
from jaxkit.tracing import Trace, Tracer


class Atom:
    """An operand with a number: a `Var` (a tangent) or a `Residual` (an array)."""

    __slots__ = ("aval", "index")

    def __init__(self, index: int, aval: Any):
        self.index, self.aval = index, aval

    def __eq__(self, other):
        same = type(self) is type(other) and self.index == other.index
        return same and self.aval == other.aval

    def __hash__(self):
        return hash((type(self), self.index))

    def __repr__(self):
        return f"{self.letter}{self.index}"

    letter = "?"


class Var(Atom):
    __slots__ = ()
    letter = "t"


class Residual(Atom):
    __slots__ = ()
    letter = "r"


class Constant:
    """An operand that is a plain number, the same in every run of the program."""

    __slots__ = ("value",)

    def __init__(self, value: Any):
        self.value = value

    def _key(self):  # 1, 1.0 and np.float32(1) are equal, but not the same constant
        return type(self.value), repr(self.value)

    def __eq__(self, other):
        return isinstance(other, Constant) and self._key() == other._key()

    def __hash__(self):
        return hash(self._key())

    def __repr__(self):
        return str(self.value)


class Equation(NamedTuple):
    """`outputs = operator(*operands, **params)`, linear in the operands that are Vars.

    An operand is a Var, a Zero, a Residual, or a Constant.
    """

    operator: Any
    operands: tuple[Any, ...]
    params: dict[str, Any]
    outputs: tuple[Var, ...]


class LinearOperator(NamedTuple):
    """What is known of an operator: where it is linear, and its transpose.

    `transpose(ct, *operands, **params)` returns one cotangent for each operand, None
    for those that are not Vars.  `operands`: the positions in which it is linear;
    `jointly`: in all of them at once (add), or in each with the others fixed (mul).
    """

    transpose: Callable[..., Sequence[Any]]
    operands: Callable[[int], Sequence[int]]
    jointly: bool


OPERATORS: dict[Any, LinearOperator] = {}


def operator_info(operator: Any) -> LinearOperator | None:
    """Looks an operator up; a primitive that JAX doesn't export is known by name."""
    return OPERATORS.get(operator) or OPERATORS.get(operator.name)


def transpose_equation(operator, ct, operands, residuals, params) -> Sequence[Any]:
    """The cotangents of an equation's operands; see `LinearOperator.transpose`.

    Where everything is concrete, the transpose is one call of a compiled program.
    """
    arrays = [residuals[x.index] for x in operands if type(x) is Residual]
    if (
        not isinstance(operator, Primitive)
        or isinstance(ct, jax.core.Tracer)
        or any(isinstance(x, jax.core.Tracer) for x in arrays)
    ):
        return _transpose_with(operator, operands, params, ct, arrays)
    static = tuple(
        x.aval if type(x) is Var else None if type(x) is Residual else x
        for x in operands
    )
    return _compiled_transpose(operator, static, tuple(params.items()))(ct, arrays)


def _transpose_with(operator, operands, params, ct, arrays):
    arrays = iter(arrays)

    def value(x):
        if type(x) is Residual:
            return next(arrays)
        return x.value if type(x) is Constant else x

    values = [value(x) for x in operands]
    return operator_info(operator).transpose(ct, *values, **params)


@lru_cache(maxsize=4096)
def _compiled_transpose(operator, static, params):
    operands = [
        Residual(0, None) if x is None else Var(0, x) if _is_aval(x) else x
        for x in static
    ]
    return jax.jit(partial(_transpose_with, operator, operands, dict(params)))


def _is_aval(x):
    return isinstance(x, tracing.ShapedArray)


class Code:
    """The static part of a linear program: everything but its residual arrays."""

    __slots__ = ("_hash", "equations", "inputs", "outputs")

    def __init__(self, inputs, outputs, equations):
        self.inputs: tuple[Var, ...] = tuple(inputs)
        self.outputs: tuple[Var | Zero, ...] = tuple(outputs)
        self.equations: tuple[Equation, ...] = tuple(equations)
        self._hash: int | None = None

    def __hash__(self):
        if self._hash is None:
            body = tuple((e.operator, e.operands, e.outputs) for e in self.equations)
            self._hash = hash((self.inputs, self.outputs, body))
        return self._hash

    def __eq__(self, other):
        return self is other or (
            isinstance(other, Code)
            and hash(self) == hash(other)
            and self.inputs == other.inputs
            and self.outputs == other.outputs
            and self.equations == other.equations
        )


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

    def apply(self, tangents: Sequence[Any]) -> list[Any]:
        """Push tangents forward: one array for each input gives one for each output."""
        env = dict(zip((v.index for v in self.code.inputs), tangents, strict=True))
        residuals = self.residuals

        def read(x):
            if type(x) is Var:
                return env[x.index]
            if type(x) is Residual:
                return residuals[x.index]
            return x.value if type(x) is Constant else zeros(x.aval)

        for operator, operands, params, outputs in self.code.equations:
            out = operator.bind(*map(read, operands), **params)
            outs = out if operator.multiple_results else (out,)
            for var, value in zip(outputs, outs, strict=True):
                env[var.index] = value
        return [read(x) for x in self.code.outputs]

    def transpose(self, cotangents: Sequence[Any]) -> list[Any]:
        """Pull cotangents back: one for each output (None: zero) gives one each input.

        An input that reaches no output, or only zeros, gets None.
        """
        env: dict[int, Any] = {}
        residuals = self.residuals

        def add(x, ct):
            if ct is not None and type(x) is Var:
                seen = env.get(x.index)
                env[x.index] = ct if seen is None else lax.add_p.bind(seen, ct)

        for x, ct in zip(self.code.outputs, cotangents, strict=True):
            add(x, ct)
        for operator, operands, params, outputs in reversed(self.code.equations):
            if operator.multiple_results:
                ct = [env.pop(var.index, None) for var in outputs]
                if all(c is None for c in ct):
                    continue
            else:
                ct = env.pop(outputs[0].index, None)
                if ct is None:
                    continue
            cts = transpose_equation(operator, ct, operands, residuals, params)
            for x, c in zip(operands, cts, strict=True):
                add(x, c)
        return [env.get(var.index) for var in self.code.inputs]

    @property
    def T(self) -> LinearProgram:
        """The transpose as a linear program: the backward pass, itself recorded."""
        outs = [x.aval for x in self.code.outputs]
        ins = [v.aval for v in self.code.inputs]
        return record(self.transpose, outs, ins).prune()

    def prune(self) -> LinearProgram:
        """Drop equations and residuals that reach no output, and number anew."""
        live = {x.index for x in self.code.outputs if type(x) is Var}
        kept = []
        for eqn in reversed(self.code.equations):
            if any(v.index in live for v in eqn.outputs):
                kept.append(eqn)
                live.update(x.index for x in eqn.operands if type(x) is Var)
        recorder = Recorder([v.aval for v in self.code.inputs])
        new = dict(zip(self.code.inputs, recorder.inputs, strict=True))

        def rename(x):
            if type(x) is Residual:
                return self.residuals[x.index]
            return x.value if type(x) is Constant else new.get(x, x)

        for operator, operands, params, outputs in reversed(kept):
            operands = [rename(x) for x in operands]
            avals = [v.aval for v in outputs]
            outs = recorder.record(operator, operands, avals, params)
            new.update(zip(outputs, outs, strict=True))
        return recorder.program([rename(x) for x in self.code.outputs])

    def __repr__(self):
        from jaxkit.printing import format_program

        return format_program(self)


SCALARS = (int, float, complex, np.generic)


class Recorder:
    """Tangent arithmetic that writes equations down: a tangent is a `Var`."""

    def __init__(self, in_avals: Sequence[Any]):
        self.inputs = tuple(Var(i, aval) for i, aval in enumerate(in_avals))
        self.equations: list[Equation] = []
        self.residuals: list[Any] = []
        self._count = len(self.inputs)
        self._known: dict[int, Residual] = {}

    def bind(self, operator, operands, aval, **params):
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
                len(self.residuals), tracing.typeof(x)
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
            return outs, [t.var if trace.owns(t) else None for t in tangents_out]

    def program(self, outputs: Sequence[Var | Zero]) -> LinearProgram:
        return LinearProgram(Code(self.inputs, outputs, self.equations), self.residuals)


class LinearTracer(Tracer):
    """A tangent without a primal: it has a shape and dtype, and a `Var`."""

    __slots__ = ("var",)

    def __init__(self, trace: LinearTrace, var: Var):
        super().__init__(trace, var.aval)
        self.var = var

    def _short_repr(self):
        return f"Tangent<{self.var}:{self.aval.str_short(short_dtypes=True)}>"


class LinearTrace(Trace):
    """Records plain JAX code on tangents, and refuses what isn't linear in them."""

    def __init__(self, parent, recorder: Recorder):
        super().__init__(parent)
        self.recorder = recorder

    def interpret(self, primitive: Primitive, operands, params):
        if primitive is primitives.jit_p:
            return tracing.run_jaxpr(self, params["jaxpr"], operands)
        self._check_linear(primitive, operands)
        aval = tracing.output_aval(primitive, operands, params)
        operands = [x.var if self.owns(x) else x for x in operands]
        out = self.recorder.bind(primitive, operands, aval, **params)
        wrap = partial(LinearTracer, self)
        return list(map(wrap, out)) if primitive.multiple_results else wrap(out)

    def _check_linear(self, primitive, operands):
        where = [i for i, x in enumerate(operands) if self.owns(x)]
        info = operator_info(primitive)
        if info is None or not set(where) <= set(info.operands(len(operands))):
            which = "an operand" if info is None else f"operand {where[0]}"
            raise NotImplementedError(
                f"'{primitive}' is not linear in {which}, so it has no transpose; only "
                "linear operations may act on a tangent (in a function given to "
                "linear_transpose, or in a JVP rule on its tangents). "
                f"At {tracing.user_line()}."
            )
        if len(where) > 1 and not info.jointly:
            raise NotImplementedError(
                f"'{primitive}' of two values that both depend on the linear inputs is "
                f"not linear in them. At {tracing.user_line()}."
            )

    def custom_jvp(self, fun, jvp, operands, symbolic_zeros):
        with tracing.set_current_trace(self):
            return fun.call_wrapped(*operands)

    def custom_vjp(self, rule, operands):
        with tracing.set_current_trace(self):
            return rule.fun.call_wrapped(*operands)


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
