"""The derivative of a loop is a loop of derivatives: `lax.scan` in both modes.

A step's linear program depends on residuals that the step leaves.  Forward mode runs
both in one loop.  For reverse mode a first loop leaves the residuals of all steps,
stacked, and a second one, in the opposite direction, pulls cotangents back through
them.  Of the residuals only those that differ from step to step are stacked: what is a
constant of the loop, or depends on constants alone, is computed and kept once.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import compress
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.extend.core import primitives

from jaxkit import tracing
from jaxkit.control.plans import hoist
from jaxkit.control.replay import put, take
from jaxkit.control.rewrites import in_place
from jaxkit.control.structure import (
    Operator,
    Repeated,
    per_jaxpr,
    reached_in_steps,
    settled,
    so_many,
    states,
    step_of,
    structure,
)
from jaxkit.fused import fused
from jaxkit.keeping import NOTHING_SAID, budget
from jaxkit.program import Code, LinearProgram
from jaxkit.rules.indexing import in_order
from jaxkit.rules.verbs import structured
from jaxkit.tangents import carried, filled, full, spread


@structured(primitives.scan_p)
def _(primals, tangents, params):
    body, n_consts, n_carry, options = tracing.scan_layout(params)
    body, carry = in_place(body), range(n_consts, n_consts + n_carry)
    said = budget()
    if said != NOTHING_SAID and (said.steps or 0) < dict(options)["length"]:
        return partial(_as_while, body, carry, dict(options))
    return _scan(body, *states(primals, tangents), carry, options)


def _as_while(body, carry, options, operands) -> list[Any]:
    """The scan as a while loop, of which as much is kept as there is room for.

    That carries a counter, what the scan carries, and its ys, into which it writes.
    """
    length, outs = options["length"], tracing.open_jaxpr(body).outvars[len(carry) :]
    consts, start, xs = (
        operands[: carry.start],
        operands[carry.start : carry.stop],
        operands[carry.stop :],
    )

    def step(values):
        i, values, ys = values
        at = np.uint32(length - 1) - i if options["reverse"] else i
        found = tracing.run_jaxpr_here(body, [*consts, *values, *take(xs, at)])
        return i + 1, found[: len(carry)], put(ys, found[len(carry) :], at)

    ys = [lax.broadcast(full(v.aval, 0), (length,)) for v in outs]
    values = jnp.uint32(0), list(start), ys  # from zero, as all unsigned counters
    _, last, ys = lax.while_loop(
        lambda values: values[0] < np.uint32(length), step, values
    )
    return [*last, *ys]


@per_jaxpr
def _scan(body, known, moving, carry, options):
    known, moving, refusals = settled(body(), known, moving, carry)
    step = step_of(body(), known, moving)
    where = slice(carry.start, carry.stop)
    has_primal = (*known[where], *step.known[len(carry) :])
    live = (*moving[where], *step.live[len(carry) :])
    # The forward jaxpr has inputs and outputs that are known, and no others.
    n_consts, n_carry = sum(known[: carry.start]), sum(known[where])
    slices = step.inputs[n_consts + n_carry :]
    outputs = spread(step.outputs, step.known)
    outputs = list(compress(outputs, has_primal))

    constants = {*step.constants, *step.inputs[:n_consts]}
    before, inside, stacked = hoist(step.equations, constants, step.residuals)
    # What the loop need not leave, since it is there, stacked, already.
    there = {*slices, *tracing.variables(outputs[n_carry:])}
    differ = compress(step.residuals, stacked)
    left = list(dict.fromkeys(v for v in differ if v not in there))

    def start(primals):
        """(variables known before the loop, the first carry, xs)"""
        env = tracing.environment(step.forward, primals)
        for v in step.inputs[n_consts:]:
            del env[v]  # known step by step
        tracing.run_equations(before, env)
        return (
            env,
            primals[n_consts : n_consts + n_carry],
            primals[n_consts + n_carry :],
        )

    def run(env, carry, xs):
        """(the next carry, ys, all variables) of one step"""
        env = env | dict(zip(step.inputs[n_consts:], [*carry, *xs], strict=True))
        tracing.run_in_order(inside, env, in_order)
        outs = tracing.read(env, outputs)
        return outs[:n_carry], outs[n_carry:], env

    @fused
    def forward(primals):
        env, carry, xs = start(primals)

        def one(carry, xs):
            carry, ys, values = run(env, carry, xs)
            return carry, (ys, [values[v] for v in left])

        found = env | dict(zip(slices, xs, strict=True))
        if not outputs and not left:  # all of the loop is about tangents
            return [], tracing.read(found, step.residuals)
        carry, (ys, leaves) = lax.scan(one, carry, xs, **dict(options))
        found |= dict(zip(left, leaves, strict=True))
        pairs = zip(outputs[n_carry:], ys, strict=True)
        found = {v: y for v, y in pairs if not tracing.is_literal(v)} | found
        return [*carry, *ys], tracing.read(found, step.residuals)

    @fused
    def jvp(primals, tangents):
        env, carry, xs = start(primals)
        d_consts, d_carry, d_xs = loop.split(tangents)

        def one(duals, slices):
            carry, ys, values = run(env, duals[0], slices[0])
            residuals = tracing.read(values, step.residuals)
            program = LinearProgram(loop.code, residuals)
            moved = program.apply([*d_consts, *duals[1], *slices[1]])
            return (carry, moved[: loop.n_carry]), (ys, moved[loop.n_carry :])

        (carry, d_carry), (ys, d_ys) = lax.scan(
            one, (carry, d_carry), (xs, d_xs), **dict(options)
        )
        return [*carry, *ys], [*d_carry, *d_ys]

    n_moving = moving[: carry.start].count(True), moving[where].count(True)
    loop = Loop(step.code_of(live), stacked, *n_moving, options)
    parts = known, moving, has_primal, live, forward, jvp, refusals
    return structure(*parts, operator, **loop._asdict())


class Loop(NamedTuple):
    """A scan of linear programs: the static part.

    `code` maps the tangents of constants, carry and slices to those of carry and ys;
    `stacked` says which of its residuals are different in each step.
    """

    code: Code
    stacked: tuple[bool, ...]
    n_consts: int
    n_carry: int
    options: tuple[tuple[str, Any], ...]

    def split(self, tangents: Sequence[Any]) -> tuple[list, list, list]:
        """The tangents of constants, of the carry, and of xs."""
        n, m = self.n_consts, self.n_consts + self.n_carry
        return list(tangents[:n]), list(tangents[n:m]), list(tangents[m:])

    def sort(self, residuals: Sequence[Any]) -> tuple[list[Any], list[Any]]:
        """(residuals that are the same in all steps, those that are stacked)"""
        kinds = list(zip(residuals, self.stacked, strict=True))
        return [x for x, s in kinds if not s], [x for x, s in kinds if s]

    def reached(self, there: Sequence[Any]) -> tuple[list, tuple[list, list, list]]:
        """(where cotangents of the carry may be in some step, where any arrive at last)

        Given is of which outputs there are some.
        """
        carry, ys = [x or None for x in there[: self.n_carry]], there[self.n_carry :]
        if not dict(self.options)["length"]:  # only the carry, which stays what it is
            sums, _, xs = self.split([None] * len(self.code.inputs))
            return carry, (sums, carry, xs)
        carry, arrives = reached_in_steps(self.code, self.n_consts, carry, ys)
        return carry, self.split(arrives)

    def program(self, fixed, slices) -> LinearProgram:
        """The linear program of the step with these slices of stacked residuals."""
        fixed, slices = iter(fixed), iter(slices)
        residuals = [next(slices if s else fixed) for s in self.stacked]
        return LinearProgram(self.code, residuals)


@fused
def _apply(residuals, tangents, **params):
    loop = Loop(**params)
    consts, carry, xs = loop.split(tangents)
    fixed, stacked = loop.sort(residuals)

    def one(carry, slices):
        program = loop.program(fixed, slices[0])
        outs = program.apply([*consts, *carry, *slices[1]])
        return outs[: loop.n_carry], outs[loop.n_carry :]

    carry, ys = lax.scan(one, carry, (stacked, xs), **dict(loop.options))
    return [*carry, *ys]


@fused
def _transpose(residuals, cts, **params):
    loop = Loop(**params)
    fixed, stacked = loop.sort(residuals)
    n_carry, options = loop.n_carry, dict(loop.options)
    # Where no cotangent arrives in any step there is none, and not one of zeros.
    inside, arrives = loop.reached([ct is not None for ct in cts])
    sum_there, first_there, xs_there = arrives
    if not options["length"]:
        return [*sum_there, *cts[:n_carry], *xs_there]
    consts, carry, _ = loop.split(loop.code.cotangents)
    start = filled([None] * loop.n_consts, consts, sum_there)
    last = filled(cts[:n_carry], carry, inside)

    def one(duals, slices):
        sums, ct_carry = duals
        program = loop.program(fixed, slices[0])
        cts = program.transpose([*ct_carry, *slices[1]], start=sums)
        sums, ct, ct_xs = loop.split(cts)
        return (sums, carried(filled(ct, carry, inside), ct_carry)), ct_xs

    options["reverse"] = not options["reverse"]
    (sums, ct_carry), ct_xs = lax.scan(
        one, (start, last), (stacked, cts[n_carry:]), **options
    )
    ct_carry = [ct if x else None for ct, x in zip(ct_carry, first_there, strict=True)]
    return [*sums, *ct_carry, *ct_xs]


def _reaches(there, **params):
    return [x for part in Loop(**params).reached(there)[1] for x in part]


def _entries(i, params) -> str:
    length = dict(params["options"])["length"]
    return so_many(length, "step") if params["stacked"][i] else ""


def _opened(residuals, tangents, **params):
    loop = Loop(**params)
    options = dict(loop.options)
    of_steps = loop.code, loop.n_consts, loop.n_carry, options["length"]
    return Repeated(*of_steps, residuals, loop.stacked, options["reverse"])


operator = Operator(
    "scan", _apply, _transpose, _reaches, entries=_entries, opened=_opened
)
