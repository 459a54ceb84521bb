"""Code for which a user gave JAX a rule: `custom_vmap` and `linear_call`."""

from __future__ import annotations

from jaxkit.control.jit import Options, call_rule
from jaxkit.control.linearized import filled
from jaxkit.rules.table import linear, structured
from jaxkit.tracing import open_jaxpr, run_jaxpr_here


@structured("custom_vmap_call")
def _(primitive, arithmetic, primals, tangents, params):
    # The rule says how to batch the code, and nothing of its derivative, which is
    # therefore batched as other code is.
    options = Options("custom_vmap")
    return call_rule(arithmetic, primals, tangents, params["call"], options)


def _linear_operands(n, *, num_callee_consts, num_res, **params):
    return range(num_callee_consts + num_res, n)


def _transpose(cts, *operands, callee, transpose_thunk, num_callee_consts, num_res):
    transpose, consts = transpose_thunk()
    n = num_callee_consts + num_res
    avals = [v.aval for v in open_jaxpr(transpose).invars[len(consts) + num_res :]]
    residuals = operands[num_callee_consts:n]
    cts = run_jaxpr_here(transpose, [*consts, *residuals, *filled(cts, avals)])
    return [None] * n + cts


linear("linear_call", _transpose, operands=_linear_operands)
