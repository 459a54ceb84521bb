"""`jax.checkpoint`: residuals that are computed again instead of kept.

The forward jaxpr of what is checkpointed is cut in two.  What its policy allows is
saved (nothing, by default, but the operands), and from that the linear operator
recomputes the residuals when it is applied or transposed (Griewank & Walther 2008,
ch. 12).
"""

from __future__ import annotations

from itertools import compress
from typing import Any

import jax
from jax import lax
from jax.extend.core import primitives

from jaxkit import tracing
from jaxkit.control.policies import cut, run
from jaxkit.control.structure import (
    Derivative,
    OneOf,
    Operator,
    per_jaxpr,
    states,
    structure,
)
from jaxkit.program import LinearProgram, folded
from jaxkit.rules.verbs import structured


@structured(primitives.remat_p)
def _(primals, tangents, params):
    options = params["policy"], params["prevent_cse"]
    return _region(params["jaxpr"], *states(primals, tangents), *options)


@structured("RematTraced")
def _(primals, tangents, params):
    composed = params["_prim"]  # as `jax.checkpoint` is under `jax_remat3`
    options = composed.policy, getattr(composed, "prevent_cse", True)
    return _region(composed.jaxpr, *states(primals, tangents), *options)


@per_jaxpr
def _region(jaxpr, known, moving, policy, prevent_cse):
    # A policy is asked about single operations, so calls are run inline.
    body = Derivative(jaxpr, known, moving, inline=True)
    code = body.code_of(body.live)
    parts = cut(body.equations, policy)
    allowed = parts.saved
    have = {*body.constants, *body.inputs, *allowed}
    again = tracing.needed(parts.again, body.residuals, have)
    read = [v for eqn in again for v in eqn.invars] + list(body.residuals)
    # What is saved, and where in memory (None: where it is).
    saved = {v: allowed.get(v) for v in dict.fromkeys(tracing.variables(read))}
    saved = {v: to for v, to in saved.items() if v in have and v not in body.constants}
    # Which of these XLA must not take for what it has seen before.
    each = prevent_cse if isinstance(prevent_cse, tuple) else [prevent_cse] * len(known)
    given = dict(zip(body.inputs, compress(each, known), strict=True))
    hidden = [given.get(v, any(each)) for v in saved]
    wanted = [*body.outputs, *saved]
    inputs = {*body.constants, *body.inputs}
    first = tracing.needed(parts.first, wanted, inputs, effects=True)

    def forward(primals):
        env = tracing.environment(body.forward, primals)
        run(first, env)
        outs = tracing.read(env, body.outputs)
        return outs, [_moved(env[v], to and to.dst) for v, to in saved.items()]

    def program(residuals, values):
        """The linear program, computed again, and the values to run it with.

        What goes in passes a barrier, lest XLA find that it has seen all this before.
        """
        if any(hidden):
            passed, values = _barrier(list(compress(residuals, hidden)), values)
            rest = iter(passed)
            pairs = zip(residuals, hidden, strict=True)
            residuals = [next(rest) if there else r for r, there in pairs]
        env = dict(zip(body.constants, body.forward.consts, strict=True))
        for (v, to), x in zip(saved.items(), residuals, strict=True):
            env[v] = _moved(x, to and to.src)
        run(again, env)
        return LinearProgram(code, tracing.read(env, body.residuals)), values

    def jvp(primals, tangents):
        return body.jvp(code, primals, tangents)

    def apply(residuals, tangents):
        linear, tangents = program(residuals, tangents)
        return linear.apply(tangents)

    def transpose(residuals, cts):
        linear, cts = program(residuals, cts)
        return linear.transpose(cts)

    def remat(function):
        return jax.checkpoint(function, policy=policy, prevent_cse=any(each))

    parts = known, moving, body.known, body.live, forward, remat(jvp)

    def make(*residuals):
        env = dict(zip(body.constants, body.forward.consts, strict=True))
        env |= zip(saved, residuals, strict=True)
        run(again, env)
        return LinearProgram(code, tracing.read(env, body.residuals))

    region = remat(apply), remat(transpose), make
    return structure(*parts, body.refusals, operator, region=region, code=code)


def _barrier(*lists):
    """The lists behind a barrier; None stays None.

    One for each group of values that vary over the same axes of a mesh: until JAX 0.11,
    what passes a barrier together varies alike.
    """
    leaves, tree = jax.tree.flatten(lists)
    groups: dict[Any, list[int]] = {}
    for i, x in enumerate(leaves):
        groups.setdefault(tracing.typeof(x).manual_axis_type.varying, []).append(i)
    for places in groups.values():
        passed = lax.optimization_barrier([leaves[i] for i in places])
        for i, x in zip(places, passed, strict=True):
            leaves[i] = x
    return jax.tree.unflatten(tree, leaves)


def _moved(x, memory: str | None) -> Any:
    """x in the memory so named, the device's or the host's; where it is if None."""
    if memory is None:
        return x
    space = jax.memory.Space
    return jax.device_put(x, space.Device if memory == "device" else space.Host)


# The linear operator: a program whose residuals are computed again from those saved.


def _apply(residuals, tangents, region, code):
    return region[0](list(residuals), list(tangents))


def _transpose(residuals, cts, region, code):
    return region[1](list(residuals), cts)


# What is kept isn't what the program reads, but that from which it is computed.
operator = Operator(
    "checkpoint",
    _apply,
    _transpose,
    inside=lambda i, **params: [],
    opened=lambda residuals, _, region, code: OneOf([folded(region[2], residuals)]),
)
