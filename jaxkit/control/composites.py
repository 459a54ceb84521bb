"""JAX's composite ("high") primitives: known by the type of what is composed.

One without a rule of its own is differentiated as what it consists of.  From JAX 0.12
`custom_root` is one with a rule: where f(p, x) = 0, and only there,

    df/dx dx = -df/dp dp

so that the tangent of the root is one linear solve, by the user's `tangent_solve`.
"""

from __future__ import annotations

import jax
from jax import lax

from jaxkit.control.structure import runner
from jaxkit.rules.table import RULES
from jaxkit.rules.verbs import general
from jaxkit.tangents import filled
from jaxkit.tracing import typeof


@general("call_hi_primitive", alone=True)
def _(primitive, arithmetic, primals, tangents, params):
    composed = params["_prim"]
    rule = RULES.get(type(composed).__name__)
    if rule is not None:
        alone = any(x is None for x in primals)
        differentiate = rule.on_tangents if alone else rule.derivative
        return differentiate(primitive, arithmetic, primals, tangents, params)

    def flat(values):
        return jax.tree.leaves(composed.expand(*composed.in_tree.unflatten(values))), []

    outs, moved, _ = arithmetic.run(flat, primals, tangents)
    return outs, moved


@general("eval_jaxpr", alone=True)
def _(primitive, arithmetic, primals, tangents, params):
    # Code that such a primitive holds: from JAX 0.12 under another name.
    jaxpr = params["call_jaxpr"] if "call_jaxpr" in params else params["jaxpr"]
    outs, moved, _ = arithmetic.run(runner(lambda: jaxpr), primals, tangents)
    return outs, moved


@general("CustomRoot")
def _(primitive, arithmetic, primals, tangents, params):
    composed = params["_prim"]
    outs = primitive.bind(*primals, **params)
    _, _, known, tangent_known = composed.in_tree.unflatten(primals)
    _, _, moving, _ = composed.in_tree.unflatten(tangents)
    result = composed.out_tree.unflatten(outs)
    root = result[0] if composed.has_aux else result
    leaves, tree = jax.tree.flatten(known)

    def residue(values):
        return jax.tree.leaves(composed.f(tree.unflatten(values), root)), []

    _, right, _ = arithmetic.run(residue, leaves, tree.flatten_up_to(moving))
    if all(d is None for d in right):
        return outs, [None] * len(outs)
    roots, root_tree = jax.tree.flatten(root)

    def solve(right):
        right = root_tree.unflatten(filled(right, [typeof(x) for x in roots]))
        dx = composed.tangent_solve(tangent_known, root, right)
        return [], [lax.neg(d) for d in jax.tree.leaves(dx)]

    _, moved = arithmetic.trace(solve, right)
    return outs, [*moved, *[None] * (len(outs) - len(moved))]
