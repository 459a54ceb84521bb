"""JAX's composite ("high") primitives: known by the type of what is composed.

One that brings rules of its own, a user's or that of a function with a `custom_jvp` or
`custom_vjp` rule, is differentiated by these; one without any, as what it consists of.
From JAX 0.12 `custom_root` is one with a rule: where f(p, x) = 0, and only there,

    df/dx dx = -df/dp dp

so that the tangent of the root is one linear solve, by the user's `tangent_solve`.
"""

from __future__ import annotations

from typing import Any

import jax
from jax import lax
from jax.experimental.hijax import Zero

from jaxkit.control.custom_vjp import transpose_of_backward
from jaxkit.control.structure import Operator, Structure, runner, states
from jaxkit.rules.table import RULES, not_linear
from jaxkit.rules.verbs import general, taken_apart
from jaxkit.tangents import filled, moves, refusal, spread
from jaxkit.tracing import cotangent_of, is_jaxs, none_if_zero, typeof


@general("call_hi_primitive", alone=True)
def _(primitive, arithmetic, primals, tangents, params):
    composed = params["_prim"]
    alone = any([x is None for x in primals])
    rule = RULES.get(type(composed).__name__) if is_jaxs(type(composed)) else None
    if rule is not None:
        differentiate = rule.on_tangents if alone else rule.derivative
        return differentiate(primitive, arithmetic, primals, tangents, params)
    rules = rules_of(composed)
    if "remat" in rules:
        raise refusal(
            NotImplementedError,
            "the rules that jax.custom_remat gives a function are for JAX's own "
            "jax.checkpoint to call",
            "Give it rules by jax.custom_vjp.",
        )
    if rules and not alone:
        if "vjp_fwd" not in rules:
            return _by_jvp(composed, arithmetic, primals, tangents)
        structure = _by_rules(composed, rules, tangents)
        return taken_apart(structure, primitive, arithmetic, primals, tangents, params)
    if rules and "jvp" not in rules:
        raise not_linear(
            f"{type(composed).__name__} has a backward rule, which says nothing of its "
            "transpose where it is applied to linear inputs"
        )

    def flat(values):
        return jax.tree.leaves(composed.expand(*composed.in_tree.unflatten(values))), []

    outs, moved, _ = arithmetic.run(flat, primals, tangents)
    return outs, moved


# --- Rules that a composite primitive brings ------------------------------------------

# Of JAX's own, those that stand for functions with rules that a user gave.
BROUGHT = {
    "CustomVJPTraced": {"vjp_fwd"},
    "CustomJVPTraced": {"jvp"},
    "CustomRemat": {"remat"},  # of JAX 0.11
}


def _inner(composed: Any) -> Any:
    """What is batched, of a composite that batches another one."""
    kind = type(composed)
    batched = kind.__name__ == "VmapOf" and is_jaxs(kind)
    return _inner(composed.prim) if batched else composed


def rules_of(composed: Any) -> set[str]:
    """Which of `vjp_fwd` (with its backward rule), `lin`, `jvp` a user gave it."""
    composed = _inner(composed)
    if is_jaxs(type(composed)):
        return BROUGHT.get(type(composed).__name__, set())
    own = type(composed)
    found = {x for x in ("vjp_fwd", "lin", "jvp") if not is_jaxs(getattr(own, x))}
    if not found and not is_jaxs(own.transpose):
        raise refusal(
            NotImplementedError,
            f"{type(composed).__name__} has a transpose, but neither jvp nor vjp_fwd "
            "and vjp_bwd_retval",
            "Give it one of these.",
        )
    return found


def _by_jvp(composed, arithmetic, primals, tangents):
    """By the user's `jvp`, or `lin` and `linearized`, which are plain JAX code."""
    args = composed.in_tree.unflatten(primals)

    def rule(tangents):
        given = composed.in_tree.unflatten(filled(tangents, composed.in_avals_flat))
        if "jvp" in rules_of(composed):
            out, moved = composed.jvp(args, given)
        else:
            moving = composed.in_tree.unflatten([dx is not None for dx in tangents])
            out, residuals, *_ = composed.lin(moving, *args)
            moved = composed.linearized(residuals, *given)
        return jax.tree.leaves(out), _flat(composed.out_tree, moved)

    return arithmetic.trace(rule, tangents)


def _flat(tree, values) -> list[Any]:
    """The leaves, of what has this structure; JAX's zeros are None."""
    leaves = tree.flatten_up_to(values)
    return [None if x is None else none_if_zero(x) for x in leaves]


def _by_rules(composed, rules, tangents) -> Structure:
    """By the user's `jvp` (if any) in forward mode, and `vjp_fwd` for reverse mode."""
    known, moving = states([True] * len(tangents), tangents)
    live = tuple([moves(aval.dtype) for aval in composed.out_avals_flat])
    linear: dict[str, Any] = {"composed": composed, "moving": moving}

    def forward(primals):
        args = composed.in_tree.unflatten(primals)
        flags = composed.in_tree.unflatten([bool(m) for m in moving])
        out, residuals, *rest = composed.vjp_fwd(flags, *args)
        if len(rest) > 1:
            raise NotImplementedError(
                f"vjp_fwd of {type(composed).__name__} returns structured residuals, "
                "of which jaxkit knows nothing; return them with the others"
            )
        leaves, linear["tree"] = jax.tree.flatten(residuals)
        kept = primals if "jvp" in rules else []
        linear["n_primals"] = len(kept)
        return jax.tree.leaves(out), [*kept, *leaves]

    def jvp(primals, tangents):
        if "jvp" not in rules:
            outs, residuals = forward(primals)
            return outs, spread(_apply(residuals, tangents, **linear), live)
        args = composed.in_tree.unflatten(primals)
        given = filled(spread(tangents, moving), composed.in_avals_flat)
        out, moved = composed.jvp(args, composed.in_tree.unflatten(given))
        return jax.tree.leaves(out), _flat(composed.out_tree, moved)

    refusals: dict[int, Exception | None] = {}
    if None in moving:
        refusals = {i: None for i, there in enumerate(live) if there}
        live = tuple([None if there else False for there in live])
    return Structure(
        known, moving, jvp, forward, operator, lambda: (live, linear), refusals
    )


def _outputs(composed):
    return [aval for aval in composed.out_avals_flat if moves(aval.dtype)]


def _apply(residuals, tangents, composed, moving, tree, n_primals):
    avals = _outputs(composed)
    if n_primals:
        args = composed.in_tree.unflatten(residuals[:n_primals])
        given = filled(spread(tangents, moving), composed.in_avals_flat)
        _, moved = composed.jvp(args, composed.in_tree.unflatten(given))
        moved = _flat(composed.out_tree, moved)
        pairs = zip(moved, composed.out_avals_flat, strict=True)
        return filled([dy for dy, aval in pairs if moves(aval.dtype)], avals)

    def pull_back(cts):
        return _transpose(residuals, cts, composed, moving, tree, n_primals)

    return transpose_of_backward(pull_back, avals, tangents, type(composed).__name__)


def _transpose(residuals, cts, composed, moving, tree, n_primals):
    avals = composed.out_avals_flat
    cts = spread(cts, [moves(aval.dtype) for aval in avals])
    if is_jaxs(type(_inner(composed))):  # what a user sees of a zero is its business
        pairs = zip(cts, avals, strict=True)
        cts = [Zero(cotangent_of(aval)) if ct is None else ct for ct, aval in pairs]
    cts = filled(cts, avals)
    kept, ct = tree.unflatten(residuals[n_primals:]), composed.out_tree.unflatten(cts)
    if hasattr(composed, "vjp_bwd_retval_logs"):  # JAX 0.12 on
        moved, _ = composed.vjp_bwd_retval_logs(kept, ct)
    else:
        moved = composed.vjp_bwd_retval(kept, ct)
    pairs = zip(_flat(composed.in_tree, moved), moving, strict=True)
    return [x for x, there in pairs if there]


def _reaches(there, moving, **params):
    return [True] * moving.count(True)


operator = Operator("call_hi_primitive", _apply, _transpose, _reaches)


# --- JAX's ----------------------------------------------------------------------------


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
