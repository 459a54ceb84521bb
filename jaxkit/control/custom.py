"""Functions for which a user gave JAX a rule of their own.

A `jax.custom_jvp` rule is plain JAX code, linear in the tangents, and is run, or
recorded, as such.  `custom_vmap` and `linear_call` say other things of their code.
"""

from __future__ import annotations

from jax.custom_derivatives import SymbolicZero, linear_call

from jaxkit.control.jit import Options, call
from jaxkit.rules.verbs import general, linear, structured
from jaxkit.tangents import filled, zeros
from jaxkit.tracing import none_if_zero, open_jaxpr, run_jaxpr_here, typeof


@general("custom_jvp_call", alone=True)
def _(primitive, arithmetic, primals, tangents, params):
    fun, jvp = params["subfuns"]
    if any(x is None for x in primals):  # linear code is its own derivative
        outs, moved, _ = arithmetic.run(
            lambda values: (fun.call_wrapped(*values), []), primals, tangents
        )
        return outs, moved

    def zero(x):
        aval = typeof(x)
        return SymbolicZero(aval) if params["symbolic_zeros"] else zeros(aval)

    def rule(tangents):
        pairs = zip(primals, tangents, strict=True)
        given = [zero(x) if dx is None else dx for x, dx in pairs]
        outs = jvp.call_wrapped(*primals, *given)
        half = len(outs) // 2
        return outs[:half], [none_if_zero(dy) for dy in outs[half:]]

    return arithmetic.trace(rule, tangents)


@structured("custom_vmap_call")
def _(primals, tangents, params):
    # The rule says how to batch the code, and nothing of its derivative, which is
    # therefore batched as other code is.
    return call(params["call"], primals, tangents, Options("custom_vmap"))


@structured("remat_opt")
def _(primals, tangents, params):
    # What `fwd` of a custom_vjp function computes, where that says `optimize_remat`,
    # when JAX's own differentiation, or another level of this, has called it.
    return call(params["fwd_jaxpr"], primals, tangents, Options("remat_opt"))


def _linear_operands(n, *, num_callee_consts, num_res, **params):
    return range(num_callee_consts + num_res, n)


def _transpose(cts, *operands, callee, transpose_thunk, num_callee_consts, num_res):
    # It is a `linear_call` again, whose transpose is the function that was called.
    transpose, consts = transpose_thunk()
    n = num_callee_consts + num_res
    avals = [v.aval for v in open_jaxpr(transpose).invars[len(consts) + num_res :]]
    closed, residuals = operands[:num_callee_consts], operands[num_callee_consts:n]

    def back(given, cts):
        consts, _, residuals = given
        return run_jaxpr_here(transpose, [*consts, *residuals, *cts])

    def again(given, tangents):
        _, closed, residuals = given
        return run_jaxpr_here(callee, [*closed, *residuals, *tangents])

    given = list(consts), list(closed), list(residuals)
    return [None] * n + list(linear_call(back, again, given, filled(cts, avals)))


linear("linear_call", _transpose, operands=_linear_operands)
