"""`lax.while_loop`, and `fori_loop` with bounds that are computed.

The number of steps is known only when the loop has run, so there is no array in which
all residuals could be stacked: what is kept, and how the steps are had in the opposite
order, is `replay`'s.  In forward mode primal and tangent run together.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import compress
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.extend.core import primitives

from jaxkit import tracing
from jaxkit.control.plans import blocks_and_slots
from jaxkit.control.replay import Replay, Steps, Tape
from jaxkit.control.rewrites import in_place
from jaxkit.control.schedules import Kept
from jaxkit.control.structure import (
    Operator,
    Repeated,
    check_that_devices_meet,
    is_in_loop,
    per_jaxpr,
    reached_in_steps,
    settled,
    so_many,
    states,
    step_of,
    structure,
)
from jaxkit.fused import fused
from jaxkit.keeping import budget
from jaxkit.program import LinearProgram
from jaxkit.rules.table import not_linear
from jaxkit.rules.verbs import structured
from jaxkit.tangents import filled, spread


@structured(primitives.while_p)
def _(primals, tangents, params):
    if tracing.open_jaxpr(params["cond_jaxpr"]).outvars[0].aval.shape:
        return lambda operands: lax.while_loop(*one_loop(params, operands))
    counts = params["cond_nconsts"], params["body_nconsts"]
    body, condition = in_place(params["body_jaxpr"]), params["cond_jaxpr"]
    return _while(body, condition, *counts, *states(primals, tangents))


def one_loop(params, operands) -> tuple[Callable, Callable, list[Any]]:
    """(whether it goes on, its step, what it starts with), by what a loop carries.

    Under `jax.vmap` many loops are one, with as many truth values.  It goes on while
    one of them does, and those that don't keep what they carry.  Meanwhile their step
    is run with what it can be run with: their own start, or that of one that has run at
    all.  So nothing infinite arises, which a derivative would multiply by zero.
    """
    n, m = params["cond_nconsts"], params["cond_nconsts"] + params["body_nconsts"]
    tested, consts, start = operands[:n], operands[n:m], list(operands[m:])

    def tests(carry):
        return tracing.run_jaxpr_here(params["cond_jaxpr"], [*tested, *carry])[0]

    def step(carry):
        return tracing.run_jaxpr_here(params["body_jaxpr"], [*consts, *carry])

    def chosen(on, xs, ys):
        pairs = zip(xs, ys, strict=True)
        return [
            lax.select(lax.broadcast_in_dim(on, x.shape, range(on.ndim)), x, y)
            for x, y in pairs
        ]

    runs = tests(start)
    if not runs.shape:
        return tests, step, start
    first = jnp.argmax(runs)  # of all axes
    some = [
        lax.broadcast_in_dim(
            lax.reshape(x, (runs.size, *x.shape[runs.ndim :]))[first],
            x.shape,
            range(runs.ndim, x.ndim),
        )
        for x in start
    ]
    able = lax.stop_gradient(chosen(runs, start, some))

    def one(carry):
        on = tests(carry)
        return chosen(on, step(chosen(on, carry, able)), carry)

    return lambda carry: jnp.any(tests(carry)), one, start


def _counted(body, condition, n_test) -> tuple[Any, Any] | None:
    """Where a loop's counter starts, and where it stops, if it has one.

    Each is the number of an operand of the condition, or a literal.  The loop is one of
    `lax.fori_loop`, or is written alike: it goes on while i < n, and its body adds one
    to i and leaves n as it is.
    """
    test, step = tracing.open_jaxpr(condition), tracing.open_jaxpr(body)
    if len(test.eqns) != 1 or test.eqns[0].primitive is not primitives.lt_p:
        return None
    if test.outvars != test.eqns[0].outvars:
        return None
    n_carry = len(step.outvars)
    before = step.invars[len(step.invars) - n_carry :]

    def place(v):
        return v if tracing.is_literal(v) else test.invars.index(v)

    i, n = map(place, test.eqns[0].invars)
    if not jnp.issubdtype(test.eqns[0].invars[0].aval.dtype, np.integer):
        return None
    if tracing.is_literal(i) or i < n_test:
        return None
    if not tracing.is_literal(n) and n >= n_test:
        if step.outvars[n - n_test] is not before[n - n_test]:
            return None
    for eqn in step.eqns:
        if step.outvars[i - n_test] in eqn.outvars:
            one = eqn.primitive is primitives.add_p and eqn.invars[1]
            if one and tracing.is_literal(one) and one.val == 1:
                return (i, n) if eqn.invars[0] is before[i - n_test] else None
    return None


def _difference(start, stop) -> Any:
    """How many steps a counter makes from start to stop, as int32."""
    start, stop = map(jnp.asarray, (start, stop))
    wide = np.dtype(f"uint{8 * start.dtype.itemsize}")  # where nothing overflows
    steps = stop.astype(wide) - start.astype(wide)
    steps = jnp.where(start < stop, steps, 0).astype(np.promote_types(wide, np.uint32))
    return jnp.minimum(steps, 2**31 - 1).astype(np.int32)


def _longest(count) -> int | None:
    """The largest possible number of steps, if it is known."""
    stop = count[1]
    if tracing.is_literal(stop) and stop.aval.dtype.kind == "u":  # from zero at least
        return max(int(stop.val), 1)
    return None


ONE_BLOCK = 2**30, 1  # of a loop of which nothing is kept step by step


@per_jaxpr
def _while(body, condition, n_test, n_consts, known, moving):
    # Operands are what the condition closes over, what the body closes over, and what
    # is carried.
    n, m = n_test, n_test + n_consts
    moving = (*[False] * n, *moving[n:])  # the test is no number
    *rest, refusals = settled(
        body(), known[n:], moving[n:], range(n_consts, len(known) - n)
    )
    known, moving = (*known[:n], *rest[0]), (*moving[:n], *rest[1])
    there = (*known[:n], *known[m:])
    unknown = zip(tracing.open_jaxpr(condition).invars, there, strict=True)
    if not tracing.used(condition).isdisjoint(v for v, there in unknown if not there):
        raise not_linear("how often a while loop runs depends on the linear inputs")
    test, consts, carry = slice(n), slice(n, m), slice(m, None)
    step = step_of(body(), known[n:], moving[n:])
    code = step.code_of(moving[carry])
    outputs = compress(spread(step.outputs, step.known), known[carry])
    steps = Steps(step, sum(known[consts]), list(outputs))
    rows, state = ([v.aval for v in vs] for vs in (steps.rows, steps.kept_of_carry))
    count = _counted(body(), condition, n_test)
    most = _longest(count) if count else None
    plan = blocks_and_slots(budget(), rows, state, most) if rows else ONE_BLOCK

    def of_test(tested, values):
        return [*spread(tested, known[test]), *spread(values, known[carry])]

    def goes_on(tested, values):
        return tracing.run_jaxpr_here(condition, of_test(tested, values))[0]

    def length(tested, values):
        operands = of_test(tested, values)
        start, stop = (
            x.val if tracing.is_literal(x) else operands[x] for x in count or ()
        )
        return _difference(start, stop)

    n_moving, known_length = moving[consts].count(True), count and length
    replay = Replay(steps, code, n_moving, (*plan, is_in_loop()), goes_on, known_length)

    def cut(primals):
        """(what the test reads, what is known before the loop, the first carry)"""
        start, stop = sum(known[test]), sum(known[:m])
        known_before = steps.known_before(primals[start:stop])
        return primals[:start], known_before, primals[stop:]

    @fused
    def forward(primals):
        tested, env, start = cut(primals)
        reads = tracing.read(env, steps.reads)
        k, n, carry, (kept, states, rows) = replay.run(tested, reads, start)
        return carry, [*tracing.read(env, steps.needs), k, n, *kept, *states, *rows]

    @fused
    def jvp(primals, tangents):
        tested, env, start = cut(primals)
        reads, needs = tracing.read(env, steps.reads), tracing.read(env, steps.needs)

        def one(duals):
            values, moved = duals
            after, rows = steps.run(reads, values)
            program = LinearProgram(code, steps.residuals(needs, rows))
            return after, program.apply([*tangents[:n_moving], *moved])

        start = start, list(tangents[n_moving:])
        return lax.while_loop(lambda duals: goes_on(tested, duals[0]), one, start)

    parts = known, moving, known[carry], moving[carry], forward, jvp, refusals
    return structure(*parts, operator, loop=replay, code=code)


# The linear operator: of the residuals the first are what a step reads, then how many
# steps there were, and the tape.


def _arranged(residuals, loop):
    n, m = len(loop.steps.needs), len(loop.steps.state)
    needs, (k, own), rest = residuals[:n], residuals[n : n + 2], residuals[n + 2 :]
    kept = () if loop.leaves_start else Kept(*rest[:3])
    rest = rest[len(kept) :]
    return list(needs), k, own, Tape(kept, list(rest[:m]), list(rest[m:]))


@fused
def _apply(residuals, tangents, loop, code):
    return loop.push(*_arranged(residuals, loop), list(tangents))


@fused
def _transpose(residuals, cts, loop, code):
    needs, k, own, tape = _arranged(residuals, loop)
    where = _reaches([ct is not None for ct in cts], loop, code)
    moving = compress(code.cotangents, where)
    check_that_devices_meet(k, moving, "the while loop", "how often it runs")
    none = [None] * loop.n_consts
    duals = filled([*none, *cts], code.cotangents, where)
    sums, cts = duals[: loop.n_consts], duals[loop.n_consts :]
    sums, cts = loop.pull(needs, k, own, tape, cts, sums)
    return [*sums, *cts]


def _reaches(there, loop, code):
    """Where cotangents of the constants arrive, and those of the carry are."""
    n = loop.n_consts
    inside, arrives = reached_in_steps(code, n, [x or None for x in there])
    return [*arrives[:n], *inside]


def _tape(loop) -> int:
    """The number of the residual with which the states begin, and then the rows."""
    return len(loop.steps.needs) + 2 + (0 if loop.leaves_start else len(Kept._fields))


def _variable(i, loop) -> Any:
    """What a residual is in a step: a constant of the loop, a row, or neither."""
    steps, rows = loop.steps, i - _tape(loop) - len(loop.steps.state)
    if i < len(steps.needs):
        return steps.needs[i]
    return steps.rows[rows] if rows >= 0 else None


def _inside(i, loop, code):
    read = enumerate(loop.steps.step.residuals)
    return [(code, j) for j, v in read if v is _variable(i, loop)]


def _entries(i, params) -> str:
    loop = params["loop"]
    if i < len(loop.steps.needs):
        return ""
    if i < _tape(loop):
        return "bookkeeping"
    if _variable(i, loop):
        return so_many(loop.capacity, "step")
    return so_many(1 if loop.leaves_start else loop.slots, "state")


def _opened(residuals, tangents, loop, code):
    """Rows are known if the loop has run, and fits into a block."""
    needs, _, own, tape = _arranged(residuals, loop)
    known = not isinstance(own, tracing.ShapedArray)
    length = int(own) if known else None
    whole = known and not loop.leaves_start and length <= loop.capacity
    rows = {}
    for v, row in zip(loop.steps.rows, tape.rows or loop.steps.rows, strict=True):
        if whole and not isinstance(row, tracing.ShapedArray):
            rows[v] = row[:length]
        else:
            rows[v] = v.aval.update(shape=(1, *v.aval.shape))
    fixed = loop.steps.environment(needs)
    read = loop.steps.step.residuals
    stacked = [not tracing.is_literal(v) and v in rows for v in read]
    values = tracing.read(fixed | rows, read)
    return Repeated(code, loop.n_consts, len(code.outputs), length, values, stacked)


operator = Operator("while", _apply, _transpose, _reaches, _inside, _entries, _opened)
