"""`lax.while_loop`, and `fori_loop` with bounds that are computed: forward mode.

The number of steps is known only when the loop has run, so there is no array in which
residuals could be stacked, and no transpose.  As a linear operator the loop keeps its
operands alone and runs once more, primal and tangent together.
"""

from __future__ import annotations

from itertools import compress

import jax
import jax.numpy as jnp
from jax import lax
from jax.extend.core import primitives

from jaxkit import tracing
from jaxkit.control.structure import (
    Operator,
    derivative_of,
    per_jaxpr,
    settled,
    states,
    structure,
)
from jaxkit.fused import fused
from jaxkit.program import LinearProgram, NotTransposable
from jaxkit.rules.table import not_linear
from jaxkit.rules.verbs import structured
from jaxkit.tangents import spread


@structured(primitives.while_p)
def _(primals, tangents, params):
    counts = params["cond_nconsts"], params["body_nconsts"]
    body, condition, first = one_test(
        params["body_jaxpr"], params["cond_jaxpr"], *counts
    )
    return _while(body, condition, first, *counts, *states(primals, tangents))


def one_test(body, condition, n_test, n_consts):
    """(body, condition, number of the first operand that the body takes) of a loop.

    Under `jax.vmap` many loops are one, with as many truth values.  It goes on while
    one of them does, and those that don't keep what they carry.
    """
    (test,) = tracing.open_jaxpr(condition).outvars
    if not test.aval.shape:
        return body, condition, n_test
    return *_one_of_many(body, condition, n_test, n_test + n_consts), 0


@per_jaxpr
def _one_of_many(body, condition, n, m):
    def tests(*operands):
        return tracing.run_jaxpr_here(condition, operands)[0]

    def step(*operands):
        carry = operands[m:]
        after = tracing.run_jaxpr_here(body(), operands[n:])
        on = tests(*operands[:n], *carry)
        return [
            lax.select(lax.broadcast_in_dim(on, x.shape, range(on.ndim)), y, x)
            for x, y in zip(carry, after, strict=True)
        ]

    tested, avals = (
        [v.aval for v in tracing.open_jaxpr(x).invars] for x in (condition, body())
    )
    closed = jax.make_jaxpr(step)(*tested[:n], *avals)
    return closed, jax.make_jaxpr(lambda *xs: jnp.any(tests(*xs)))(*tested)


@per_jaxpr
def _while(body, condition, first, n_test, n_consts, known, moving):
    # Operands are what the condition closes over, what the body closes over, and what
    # is carried.
    n, m = n_test, n_test + n_consts
    moving = (*[False] * n, *moving[n:])  # the test is no number
    places = range(m - first, len(known) - first)
    *rest, refusals = settled(body(), known[first:], moving[first:], places)
    known, moving = (*known[:first], *rest[0]), (*moving[:first], *rest[1])
    there = (*known[:n], *known[m:])
    unknown = zip(tracing.open_jaxpr(condition).invars, there, strict=True)
    if not tracing.used(condition).isdisjoint(v for v, there in unknown if not there):
        raise not_linear("how often a while loop runs depends on the linear inputs")
    test, consts, carry = slice(n), slice(first, m), slice(m, None)
    step = derivative_of(body(), known[first:], moving[first:])
    code = step.code_of(moving[carry])
    outputs = list(compress(spread(step.outputs, step.known), known[carry]))
    inputs = {*step.constants, *step.inputs}
    equations = tracing.needed(step.equations, outputs, inputs, effects=True)

    def cut(primals):
        """(a test of the carry, the body's constants, the first carry)"""
        tested = spread(primals[: sum(known[test])], known[test])
        start, stop = sum(known[:first]), sum(known[:m])

        def goes_on(values):
            operands = [*tested, *spread(values, known[carry])]
            return tracing.run_jaxpr_here(condition, operands)[0]

        return goes_on, primals[start:stop], primals[stop:]

    @fused
    def forward(primals):
        goes_on, constants, start = cut(primals)

        def one(values):
            env = tracing.environment(step.forward, [*constants, *values])
            tracing.run_equations(equations, env)
            return tracing.read(env, outputs)

        return lax.while_loop(goes_on, one, start), primals

    @fused
    def jvp(primals, tangents):
        goes_on, constants, start = cut(primals)
        n = moving[consts].count(True)

        def one(duals):
            values, moved = duals
            env = tracing.environment(step.forward, [*constants, *values])
            tracing.run_equations(step.equations, env)
            residuals = tracing.read(env, step.residuals)
            program = LinearProgram(code, residuals)
            return tracing.read(env, outputs), program.apply([*tangents[:n], *moved])

        start = start, list(tangents[n:])
        return lax.while_loop(lambda duals: goes_on(duals[0]), one, start)

    parts = known, moving, known[carry], moving[carry], forward, jvp, refusals
    return structure(*parts, operator, loop=jvp, code=code)


def _apply(residuals, tangents, loop, code):
    return loop(list(residuals), list(tangents))[1]


def _transpose(residuals, cts, loop, code):
    raise NotTransposable(
        "reverse mode can't pass through the while loop",
        "how often it runs, and so how much it would have to remember, is known only "
        "at run time.",
        "Use forward mode (jvp, jacfwd), lax.scan, or lax.fori_loop with bounds that "
        "are Python integers.",
    )


def _reaches(there, code, **params):
    return [True] * len(code.inputs)


operator = Operator("while", _apply, _transpose, _reaches)
