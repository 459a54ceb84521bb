"""The derivative of a `jax.custom_vjp` function: known by its transpose.

The user's backward rule is linear in the cotangent, so it is a linear program too, from
cotangents to cotangents, and its transpose is the pushforward.  Forward mode therefore
passes through such a function, unless its rule isn't linear (clips the gradient, say).
"""

from __future__ import annotations

from jax.custom_derivatives import SymbolicZero

from jaxkit.equations import NotTransposable
from jaxkit.recording import NotLinear, record
from jaxkit.rules.table import transposable
from jaxkit.tangents import moves, zeros
from jaxkit.tracing import typeof


class CustomPullback:
    """Linear operator whose transpose is the user's `bwd`.

    Operands: the residuals that the user's `fwd` returned, then the tangents of those
    operands of the function that move (`moving` has one truth value for each).
    """

    name = "custom_vjp"
    multiple_results = True

    def __repr__(self):
        return self.name

    def bind(self, *operands, rule, moving, avals):
        n = len(operands) - sum(moving)
        residuals, tangents = operands[:n], operands[n:]
        where = [i for i, aval in enumerate(avals) if moves(aval.dtype)]

        def pullback(cts):
            cts = dict(zip(where, cts, strict=True))
            cts = [cts.get(i) for i in range(len(avals))]
            return _pull_back(cts, residuals, rule, moving, avals)

        try:
            program = record(
                pullback,
                [avals[i] for i in where],
                [typeof(dx) for dx in tangents],
            )
        except NotLinear as error:
            why = f"isn't linear in the cotangent: {error.fact}"
            raise _no_pushforward(rule, why) from None
        try:
            moved = dict(zip(where, program.transpose(tangents), strict=True))
        except NotTransposable as error:
            raise _no_pushforward(rule, f"has no transpose: {error.fact}") from None
        return [
            moved[i] if moved.get(i) is not None else zeros(aval)
            for i, aval in enumerate(avals)
        ]


custom_pullback = CustomPullback()


def _no_pushforward(rule, why: str) -> TypeError:
    return TypeError(
        f"forward mode can't pass through the jax.custom_vjp function '{rule.name}', "
        f"for its backward rule {why} Use reverse mode (vjp, grad, jacrev), or give "
        "the function a jax.custom_jvp rule."
    )


def _pull_back(cts, residuals, rule, moving, avals):
    """Cotangents of the operands that move, by the user's rule."""

    def given(ct, aval):
        if ct is not None:
            return ct
        return SymbolicZero(aval) if rule.symbolic_zeros else zeros(aval)

    cts = [given(ct, aval) for ct, aval in zip(cts, avals, strict=True)]
    cts_in = rule.backward(residuals, cts)
    return [ct for ct, moved in zip(cts_in, moving, strict=True) if moved]


def _transpose(cts, *operands, rule, moving, avals):
    n = len(operands) - sum(moving)
    return [None] * n + _pull_back(cts, operands[:n], rule, moving, avals)


transposable(custom_pullback, _transpose, operands=None)
