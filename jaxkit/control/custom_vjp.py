"""The derivative of a `jax.custom_vjp` function: known by its transpose.

The user's backward rule is linear in the cotangent, so it is a linear program too, from
cotangents to cotangents, and its transpose is the pushforward.  Forward mode therefore
passes through such a function, unless its rule isn't linear (clips the gradient, say).
"""

from __future__ import annotations

from jax.custom_derivatives import SymbolicZero

from jaxkit.arithmetic import record
from jaxkit.control.structure import Operator
from jaxkit.program import NotTransposable
from jaxkit.rules.table import NotLinear
from jaxkit.rules.verbs import general
from jaxkit.tangents import filled, given, moves, spread, zeros
from jaxkit.tracing import none_if_zero, typeof


@general("custom_vjp_call", alone=True)
def _(primitive, arithmetic, primals, tangents, params):
    fun, fwd, bwd = params["subfuns"]
    if any(x is None for x in primals):  # linear code is its own derivative
        outs, moved, _ = arithmetic.run(
            lambda values: (fun.call_wrapped(*values), []), primals, tangents
        )
        return outs, moved
    moving = tuple([dx is not None for dx in tangents])
    outs, residuals = _forward(fwd, params["out_trees"], primals, moving)
    avals = tuple([typeof(y) for y in outs])
    live = [moves(aval.dtype) for aval in avals]
    moved = arithmetic.bind(
        operator,
        [*residuals, *given(tangents)],
        [aval for aval, there in zip(avals, live, strict=True) if there],
        kept=len(residuals),
        name=getattr(getattr(fun, "debug_info", None), "func_name", "?"),
        bwd=bwd,
        moving=moving,
        avals=avals,
        symbolic_zeros=params["symbolic_zeros"],
    )
    return outs, spread(moved, live)


def _forward(fwd, out_trees, primals, moving):
    """Run the user's `fwd`; returns (outputs, residuals)."""
    flat = [x for pair in zip(primals, moving, strict=True) for x in pair]
    outs = fwd.call_wrapped(*flat)
    _, res_tree, forwarded = out_trees()
    # A residual that is an operand of the function isn't returned a second time.
    n_new = res_tree.num_leaves - sum(i is not None for i in forwarded)
    new, outs = iter(outs[:n_new]), outs[n_new:]
    return outs, [next(new) if i is None else primals[i] for i in forwarded]


# The linear operator, whose transpose is the user's `bwd`.  Its residuals are those
# that the user's `fwd` returned, its tangents those of the operands that are `moving`,
# and its outputs those that move, among all of which `avals` has the types.


def _transpose(residuals, cts, name, bwd, moving, avals, symbolic_zeros):
    def zero(aval):
        return SymbolicZero(aval) if symbolic_zeros else zeros(aval)

    cts = spread(cts, [moves(aval.dtype) for aval in avals])
    pairs = zip(cts, avals, strict=True)
    out = bwd.call_wrapped(
        *residuals, *(zero(aval) if ct is None else ct for ct, aval in pairs)
    )
    # JAX 0.10 returns the cotangents, later versions a pair with a log.
    if isinstance(out, tuple) and len(out) == 2 and isinstance(out[0], list):
        out = out[0]
    found = zip(map(none_if_zero, out), moving, strict=True)
    return [ct for ct, moved in found if moved]


def _apply(residuals, tangents, name, **params):
    def refusal(why: str) -> TypeError:
        return TypeError(
            f"forward mode can't pass through the jax.custom_vjp function '{name}', "
            f"for its backward rule {why} Use reverse mode (vjp, grad, jacrev), or "
            "give the function a jax.custom_jvp rule."
        )

    def pull_back(cts):
        return _transpose(residuals, cts, name, **params)

    avals = [aval for aval in params["avals"] if moves(aval.dtype)]
    try:
        program = record(pull_back, avals, [typeof(dx) for dx in tangents])
    except NotLinear as error:
        why = f"isn't linear in the cotangent: {error.fact}"
        raise refusal(why) from None
    try:
        return filled(program.transpose(tangents), avals)
    except NotTransposable as error:
        raise refusal(f"has no transpose: {error.fact}") from None


operator = Operator("custom_vjp", _apply, _transpose)
