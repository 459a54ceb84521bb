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

from collections.abc import Sequence
from typing import Any

import jax
from jax import lax

from jaxkit.equations import (
    Constant,
    Equation,
    Residual,
    Var,
    transpose_equation,
)
from jaxkit.tangents import Zero, zeros
from jaxkit.tracing import varying_like


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

    def __deepcopy__(self, memo):
        return self  # nothing in it changes, and primitives are known by identity

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

        def read(x, aval):
            if type(x) is Var:
                return env[x.index]
            if type(x) is Residual:
                return residuals[x.index]
            if type(x) is Constant:
                return varying_like(x.value, aval) if aval else x.value
            return zeros(x.aval)

        for operator, operands, params, outputs in self.code.equations:
            aval = None if operator.multiple_results else outputs[0].aval
            out = operator.bind(*[read(x, aval) for x in operands], **params)
            outs = out if operator.multiple_results else (out,)
            for var, value in zip(outputs, outs, strict=True):
                env[var.index] = value
        return [read(x, x.aval) for x in self.code.outputs]

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
        from jaxkit.recording import record  # which stands on this module

        outs = [x.aval for x in self.code.outputs]
        ins = [v.aval for v in self.code.inputs]
        return record(self.transpose, outs, ins).prune()

    def check_residuals(self) -> None:
        """Raise ValueError if they aren't of the shapes that the code was recorded for.

        So it is after `jax.vmap` or `jax.lax.scan` has stacked several programs.
        """
        for eqn in self.code.equations:
            for x in eqn.operands:
                if type(x) is Residual:
                    shape = self.residuals[x.index].shape
                    if shape != x.aval.shape:
                        raise ValueError(
                            f"these are several linear maps, stacked: {x} has shape "
                            f"{list(shape)}, in each of them {list(x.aval.shape)}. "
                            "Apply them under jax.vmap or jax.lax.scan: "
                            "jax.vmap(lambda f, x: f(x))(maps, xs)."
                        )

    def prune(self) -> LinearProgram:
        """Drop equations and residuals that reach no output, and number anew."""
        from jaxkit.recording import Recorder  # which stands on this module

        live = {x.index for x in self.code.outputs if type(x) is Var}
        kept = []
        for eqn in reversed(self.code.equations):
            if any(v.index in live for v in eqn.outputs):
                kept.append(eqn)
                live.update(x.index for x in eqn.operands if type(x) is Var)
        recorder = Recorder([v.aval for v in self.code.inputs])
        new = dict(zip(self.code.inputs, recorder.inputs, strict=True))

        def rename(x) -> Any:
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
