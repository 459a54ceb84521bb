"""The derivative of a `jax.custom_vjp` function: known by its transpose alone."""

from __future__ import annotations

from jax.custom_derivatives import SymbolicZero

from jaxkit.rules.table import transposable
from jaxkit.tangents import zeros


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
        raise TypeError(
            f"forward mode can't pass through the jax.custom_vjp function "
            f"'{rule.name}': its rule says how to pull cotangents back, not how to "
            "push tangents forward. Use reverse mode (vjp, grad, jacrev), or give the "
            "function a jax.custom_jvp rule."
        )


custom_pullback = CustomPullback()


def _transpose(cts, *operands, rule, moving, avals):
    def given(ct, aval):
        if ct is not None:
            return ct
        return SymbolicZero(aval) if rule.symbolic_zeros else zeros(aval)

    n_residuals = len(operands) - sum(moving)
    cts = [given(ct, aval) for ct, aval in zip(cts, avals, strict=True)]
    cts_in = rule.backward(operands[:n_residuals], cts)
    moved = [ct for ct, moves in zip(cts_in, moving, strict=True) if moves]
    return [None] * n_residuals + moved


transposable(custom_pullback, _transpose, operands=None)
