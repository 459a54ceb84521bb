"""The derivative of a `jax.custom_vjp` function: known by its transpose.

The user's backward rule is linear in the cotangent, so it is a linear program too, from
cotangents to cotangents, and its transpose is the pushforward.  Forward mode therefore
passes through such a function, unless its rule isn't linear (clips the gradient, say).
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jax.custom_derivatives import SymbolicZero

from jaxkit.arithmetic import record_linear
from jaxkit.control.structure import OneOf, Operator
from jaxkit.program import UNTRACED, NotTransposable, folded
from jaxkit.rules.table import NotLinear, not_linear
from jaxkit.rules.verbs import general, transposable
from jaxkit.tangents import Refused, filled, given, moves, refusal, spread, zeros
from jaxkit.tracing import (
    aval_of,
    cotangent_of,
    environment,
    needed,
    none_if_zero,
    open_jaxpr,
    read,
    run_equations,
    run_jaxpr_here,
    typeof,
    variables,
)


@general("custom_vjp_call", alone=True)
def _(primitive, arithmetic, primals, tangents, params):
    fun, fwd, bwd = params["subfuns"]
    moving = tuple([dx is not None for dx in tangents])
    rule = {
        "name": getattr(getattr(fun, "debug_info", None), "func_name", "?"),
        "bwd": bwd,
        "moving": moving,
        "symbolic_zeros": params["symbolic_zeros"],
    }

    def forward(values):
        return _forward(fwd, params["out_trees"], values, moving)

    if any([x is None for x in primals]):
        return _on_tangents(forward, arithmetic, primals, tangents, rule)
    outs, residuals = forward(primals)
    avals = tuple([typeof(y) for y in outs])
    live = [moves(aval.dtype) for aval in avals]
    moved = arithmetic.bind(
        operator,
        [*residuals, *given(tangents)],
        [aval for aval, there in zip(avals, live, strict=True) if there],
        kept=len(residuals),
        avals=avals,
        **rule,
    )
    return outs, spread(moved, live)


def _on_tangents(forward, arithmetic, primals, tangents, rule):
    """The function where operands are tangents alone: linear, it is its own tangent.

    Its transpose is what the user says, if `fwd` leaves what doesn't depend on these.
    """
    n = 0

    def run(*operands):
        nonlocal n
        outs, residuals = forward(operands)
        n = len(outs)
        return [*outs, *residuals]

    pairs = zip(primals, tangents, strict=True)
    operands = [dx if x is None else x for x, dx in pairs]
    jaxpr = jax.make_jaxpr(run)(*map(aval_of, operands))
    inside, env = open_jaxpr(jaxpr), environment(jaxpr, primals)
    outs, residuals = inside.outvars[:n], inside.outvars[n:]
    unknown = {v for v, x in zip(inside.invars, primals, strict=True) if x is None}
    equations = needed(inside.eqns, residuals, env.keys())
    read_by = [residuals, *(eqn.invars for eqn in equations)]
    avals = tuple([v.aval for v in outs])
    live = [moves(aval.dtype) for aval in avals]
    if not unknown.isdisjoint(v for vs in read_by for v in variables(vs)):
        error = not_linear(
            f"the residuals of the jax.custom_vjp function '{rule['name']}', which is "
            "applied to linear inputs, depend on them"
        )
        return [None] * n, [Refused(aval, error) for aval in avals]
    run_equations(equations, env)
    kept = [*given(primals), *read(env, residuals)]
    moved = arithmetic.bind(
        on_tangents,
        [*kept, *given(tangents)],
        [aval for aval, there in zip(avals, live, strict=True) if there],
        kept=len(kept),
        avals=avals,
        jaxpr=jaxpr,
        known=tuple([x is not None for x in primals]),
        **rule,
    )
    return [None] * n, spread(moved, live)


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
    cts = spread(cts, [moves(aval.dtype) for aval in avals])
    return _backward(bwd, residuals, cts, avals, moving, symbolic_zeros)


def _backward(bwd, residuals, cts, avals, moving, symbolic_zeros) -> list[Any]:
    """The cotangents of the operands that are `moving`, by the user's `bwd`."""

    def zero(aval):
        aval = cotangent_of(aval)
        return SymbolicZero(aval) if symbolic_zeros else zeros(aval)

    pairs = zip(cts, avals, strict=True)
    out = bwd.call_wrapped(
        *residuals, *(zero(aval) if ct is None else ct for ct, aval in pairs)
    )
    # JAX 0.10 returns the cotangents, later versions a pair with a log.
    if isinstance(out, tuple) and len(out) == 2 and isinstance(out[0], list):
        out = out[0]
    found = [ct for ct, moved in zip(out, moving, strict=True) if moved]
    # None is an array of zeros, as in JAX: another user's rule may count its calls.
    return [zeros(ct.aval) if none_if_zero(ct) is None else ct for ct in found]


def _apply(residuals, tangents, name, **params):
    def pull_back(cts):
        return _transpose(residuals, cts, name, **params)

    avals = [aval for aval in params["avals"] if moves(aval.dtype)]
    return transpose_of_backward(
        pull_back, avals, tangents, f"the jax.custom_vjp function '{name}'"
    )


def transpose_of_backward(pull_back, avals, tangents, what: str) -> list[Any]:
    """The tangents, of types `avals`, of what has a backward rule only: `what`."""

    def no_forward(why: str) -> TypeError:
        return TypeError(
            f"forward mode can't pass through {what}, for its backward rule {why} Use "
            "reverse mode (vjp, grad, jacrev), or give it a rule for forward mode "
            "(jax.custom_jvp)."
        )

    try:
        program = record_linear(pull_back, avals, [typeof(dx) for dx in tangents])
    except NotLinear as error:
        why = f"isn't linear in the cotangent: {error.fact}"
        raise no_forward(why) from None
    try:
        return filled(program.transpose(tangents), avals)
    except NotTransposable as error:
        raise no_forward(f"has no transpose: {error.fact}") from None


def _reaches(there, moving, **params):
    return [True] * sum(moving)


def _opened(residuals, tangents, name, avals, **params):
    """Its backward rule is recorded, and transposed."""

    def make(*residuals):
        def pull_back(cts):
            return _transpose(residuals, cts, name, avals=avals, **params)

        return record_linear(pull_back, [x for x in avals if moves(x.dtype)], tangents)

    try:
        return OneOf([folded(make, residuals)], transposed=True)
    except (NotLinear, *UNTRACED):
        return None


operator = Operator("custom_vjp", _apply, _transpose, _reaches, opened=_opened)

# The same on tangents alone: it is applied by what `fwd` returns.


def _apply_alone(residuals, tangents, jaxpr, known, moving, avals, **rule):
    primals = spread(residuals[: sum(known)], known)
    pairs = zip(primals, spread(tangents, moving), strict=True)
    operands = [jnp.asarray(dx) if x is None else x for x, dx in pairs]
    outs = run_jaxpr_here(jaxpr, operands)
    return [y for y, aval in zip(outs, avals, strict=False) if moves(aval.dtype)]


def _transpose_alone(residuals, cts, jaxpr, known, **rule):
    return _transpose(residuals[sum(known) :], cts, **rule)


on_tangents = Operator("custom_vjp", _apply_alone, _transpose_alone, _reaches)


# What JAX's own transforms leave of such a function in what they linearize: the same
# operator, for which JAX has a transpose, and nothing else.


@general("custom_lin")
def _(primitive, arithmetic, primals, tangents, params):
    raise refusal(
        TypeError,
        "can't apply forward-mode differentiation (jvp) to a custom_vjp function that "
        "JAX has linearized",
        "Use reverse mode, or linearize it with jaxkit.",
    )


def _lin_transpose(
    cts, *operands, num_res, bwd, out_avals, symbolic_zeros, in_zeros, **params
):
    moving = [not zero for zero in in_zeros]
    residuals = operands[:num_res]
    moved = _backward(bwd, residuals, cts, out_avals, moving, symbolic_zeros)
    return [None] * num_res + moved


transposable(
    "custom_lin",
    _lin_transpose,
    operands=lambda n, num_res, **params: range(num_res, n),
)
