"""A loop that is reversed although it isn't known how long it runs until it has run.

It runs in blocks of steps.  What the derivatives of its steps read is left in rows, one
for each step of a block; the next block writes over them.  The state at the start of a
block may be kept, too, in one of a few slots.

    run     sweeps through the loop: it runs blocks, and keeps states
    pull    takes the blocks from the last to the first: for each it sweeps on from the
            nearest state that is kept, which leaves the rows of that block, and pulls
            cotangents back through them

A loop that fits into a block has all of its rows after the first sweep, and to pull no
step is run again.  Of a longer one those states are kept that `schedules` names.  To
push (a tangent, after the loop has run) all steps are run again, in their order.

Under `jax.vmap` the loops of all lanes run as one, for as long as one of them goes on,
so that they are all at the same step.  A lane that has ended stays as it is.  What is
decided for all, the number of the step and which states are kept, must not differ from
lane to lane: it is made of what `lanes` and `longest_lane` return.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import compress
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.custom_batching import custom_vmap

from jaxkit import tracing
from jaxkit.control.plans import hoist
from jaxkit.control.schedules import AT, SLOT, Kept, online, optimal
from jaxkit.keeping import BLOCKS, saying, with_nothing_said
from jaxkit.program import Code, LinearProgram
from jaxkit.rules.indexing import in_order
from jaxkit.tangents import carried, filled, full


class Steps:
    """The step of a loop, and what of it must be run again to have its rows.

    Attributes:
        before: equations that run once, before the loop.
        inside: those of a step, which reads `reads` of what is known before the loop,
            and the `carry`, and computes `outputs`, the next carry.
        rows: what the step's derivative reads, and what differs from step to step.
        state: the numbers of those in the carry on which rows depend.
        again: equations of a step that compute its rows and the next state; they, and
            the derivative, read `needs` of what is known before the loop.
    """

    def __init__(self, step, n_consts: int, outputs: Sequence[Any]):
        self.step, self.outputs = step, list(outputs)
        self.consts, self.carry = step.inputs[:n_consts], step.inputs[n_consts:]
        known = {*step.constants, *self.consts}
        self.before, self.inside, differ = hoist(step.equations, known, step.residuals)
        known.update(v for eqn in self.before for v in eqn.outvars)
        self.rows = list(dict.fromkeys(compress(step.residuals, differ)))
        fixed = [v for v in step.residuals if tracing.is_literal(v) or v in known]

        def before_loop(equations, variables):
            read = [v for eqn in equations for v in eqn.invars] + list(variables)
            found = dict.fromkeys(tracing.variables(read))
            return [v for v in found if v in known and v not in step.constants]

        have = known.union(self.carry)
        self.state: list[int] = []
        while True:  # the state depends on what the next one depends on
            wanted = [*self.rows, *(self.outputs[i] for i in self.state)]
            self.again = tracing.needed(self.inside, wanted, have)
            read = {v for eqn in self.again for v in tracing.variables(eqn.invars)}
            read.update(tracing.variables(wanted))
            state = [i for i, v in enumerate(self.carry) if v in read]
            if set(state) <= set(self.state):
                break
            self.state = sorted({*state, *self.state})
        self.reads = before_loop(self.inside, self.outputs)
        self.needs = before_loop(self.again, [*wanted, *fixed])

    @property
    def kept_of_carry(self) -> list[Any]:
        """The variables of the state."""
        return [self.carry[i] for i in self.state]

    def known_before(self, constants: Sequence[Any]) -> dict[Any, Any]:
        """The values of all that is known before the loop."""
        env = self._constants() | dict(zip(self.consts, constants, strict=True))
        tracing.run_equations(self.before, env)
        return env

    def _constants(self):
        return dict(zip(self.step.constants, self.step.forward.consts, strict=True))

    def run(self, reads, carry) -> tuple[list[Any], list[Any]]:
        """(the next carry, rows)"""
        env = self._constants() | dict(zip(self.reads, reads, strict=True))
        env |= zip(self.carry, carry, strict=True)
        tracing.run_in_order(self.inside, env, in_order)
        return tracing.read(env, self.outputs), tracing.read(env, self.rows)

    def run_again(self, needs, state) -> tuple[list[Any], list[Any]]:
        """(the next state, rows)"""
        env = self.environment(needs)
        env |= zip(self.kept_of_carry, state, strict=True)
        tracing.run_in_order(self.again, env, in_order)
        state = tracing.read(env, [self.outputs[i] for i in self.state])
        return state, tracing.read(env, self.rows)

    def environment(self, needs) -> dict[Any, Any]:
        """What a step's derivative, and what must run again, knows before the loop."""
        return self._constants() | dict(zip(self.needs, needs, strict=True))

    def residuals(self, needs, rows) -> list[Any]:
        """What the derivative of a step reads, given its rows."""
        env = self.environment(needs) | dict(zip(self.rows, rows, strict=True))
        return tracing.read(env, self.step.residuals)


class Tape(NamedTuple):
    """What a sweep leaves.

    Attributes:
        kept: of which blocks the state at the start is kept (`Kept`).
        states: of each part of the state an array of all slots.
        rows: of each row an array of all steps of a block.

    Where only the first state is left (`Replay.leaves_start`) that is `states`, and the
    others are ().
    """

    kept: Any
    states: list[Any]
    rows: list[Any]


class Replay:
    """A loop that can be run again, and reversed.

    Attributes:
        steps, code: its step, and the linear program of that, from the tangents of
            `n_consts` constants and of the carry to those of the next carry.
        capacity, slots, nested: its `plan`: how many steps a block has, how many states
            are kept, and whether it is in another loop.  Then it leaves its first state
            alone, and all else is computed when it is reversed.
        test: whether the loop goes on, by what that reads of the constants, and the
            carry; `length`: how many steps it will make, of the same, if that is known.
    """

    def __init__(self, steps: Steps, code: Code, n_consts: int, plan, test, length):
        self.steps, self.code, self.n_consts = steps, code, n_consts
        self.capacity, self.slots, self.nested = plan
        self.test, self.length = test, length
        # Where that is all there is to be kept, or to be known.
        self.leaves_start = self.nested or not steps.rows

    @with_nothing_said
    def run(self, tested, reads, carry):
        """(how many steps it ran, how many of these are this lane's, the carry, tape)

        The loop, run once.
        """

        def goes_on(k, values):
            return lanes(self.test(tested, values[1]))[0]

        def step(k, values):
            idle, carry = values  # in so many steps; in none, of a loop by itself
            on = self.test(tested, carry)
            after, rows = self.steps.run(reads, in_lane(on, carry, able))
            return in_lane(on, (idle, after), (idle + 1, carry)), rows

        on = self.test(tested, carry)
        able = among(on, carry)
        zero = varying_like(jnp.int32(0), on)
        start, values = [carry[i] for i in self.steps.state], (zero, carry)
        if self.leaves_start:
            one = lambda x: (x[0] + 1, step(*x)[0])  # noqa: E731
            k, values = lax.while_loop(lambda x: goes_on(*x), one, (zero, values))
            tape = Tape((), start, [])
        else:
            if self.length is None:
                keep = online
            else:
                stop = self._blocks(longest_lane(self.length(tested, carry)))
                keep = partial(optimal, stop=stop)
            k, values, tape = self._sweep(
                (zero, values, self._blank(on)),
                goes_on,
                step,
                lambda values: [values[1][i] for i in self.steps.state],
                keep,
            )
        idle, carry = values
        return k, k - idle, carry, tape

    def _blocks(self, steps):
        return lax.div(steps + (self.capacity - 1), jnp.int32(self.capacity))

    def _blank(self, like) -> Tape:
        """A tape with nothing on it, whose values vary over a mesh as `like` does."""

        def blank(v, n):
            return varying_like(lax.broadcast(full(v.aval, 0), (n,)), like)

        kept = [varying_like(x, like) for x in Kept.none(self.slots)]
        states = [blank(v, self.slots) for v in self.steps.kept_of_carry]
        rows = [blank(v, self.capacity) for v in self.steps.rows]
        return Tape(Kept(*kept), states, rows)

    def _sweep(self, start, goes_on, step, state, keep):
        """Run on from the start of a block, for as long as it `goes_on`.

        `start`, and what is returned, is the number of the step, the carry and the
        tape.  step(k, carry) returns the next carry, and rows; state(carry) is what is
        kept, and keep(kept, block) says where, and at which block that is done again.
        """
        capacity = jnp.int32(self.capacity)

        def blocks(values):
            k, carry, (kept, states, rows) = values
            at = lax.div(k, capacity)
            kept, then = keep(kept, at)
            then = jnp.maximum(then, at + 1)  # it gets on, whatever `keep` says
            states = put(states, state(carry), kept.find(SLOT))

            def one(values):
                k, carry, rows = values
                carry, new = step(k, carry)
                return k + 1, carry, put(rows, new, lax.rem(k, capacity))

            def inside(values):
                k, carry, _ = values
                return (lax.div(k, capacity) < then) & goes_on(k, carry)

            k, carry, rows = lax.while_loop(inside, one, (k, carry, rows))
            return k, carry, Tape(kept, states, rows)

        return loop_of_blocks(lambda x: goes_on(*x[:2]), blocks, start)

    @with_nothing_said
    def push(self, needs, k, n, tape, tangents):
        """The loop's linear program: the tangents of the last carry."""
        consts, moved = tangents[: self.n_consts], tangents[self.n_consts :]

        able = among(n > 0, tape.states if self.leaves_start else take(tape.states, 0))

        def one(values):
            i, state, moved = values
            after, new = self.steps.run_again(needs, in_lane(i < n, state, able))
            program = LinearProgram(self.code, self.steps.residuals(needs, new))
            then = program.apply([*consts, *moved])
            return i + 1, *in_lane(i < n, (after, then), (state, moved))

        state = tape.states if self.leaves_start else take(tape.states, 0)
        start = 0 * k, state, moved
        return lax.while_loop(lambda x: x[0] < k, one, start)[2]

    @with_nothing_said
    def pull(self, needs, k, n, tape, cts, sums):
        """Its transpose: (sums of the constants' cotangents, those of the carry).

        Given are the first terms of the sums, and of the carry the last cotangents;
        None stays None.
        """
        # Of which block the rows are on the tape: of that which ends at this step.
        capacity, there = jnp.int32(self.capacity), k
        if self.nested and self.steps.rows:  # of none, and one state, the first
            none, state, tape = 0 * k, tape.states, self._blank(k)
            there, (kept, _) = none, optimal(tape.kept, step=none, stop=none)
            tape = Tape(kept, put(tape.states, state, none), tape.rows)

        able = among(n > 0, take(tape.states, 0)) if self.steps.rows else []

        def step(i, state):
            after, new = self.steps.run_again(needs, in_lane(i < n, state, able))
            return in_lane(i < n, after, state), new

        def fill(tape, at, stop):
            """The tape with the rows of this block, which ends at step `stop`."""
            kept = tape.kept.before(at + 1)
            first = jnp.where(stop == there, stop, kept.find(AT) * capacity)
            state = take(tape.states, kept.find(SLOT))
            start = first, state, tape._replace(kept=kept)
            return self._sweep(
                start,
                lambda i, _: i < stop,
                step,
                lambda state: state,
                partial(optimal, stop=at + 1),
            )[2]

        def block(values):
            stop, tape, duals = values
            at = lax.div(stop - 1, capacity)
            if self.steps.rows:
                tape = fill(tape, at, stop)

            def one(values):
                i, (cts, sums) = values[0] - 1, values[1]
                new = take(tape.rows, lax.rem(i, capacity))
                program = LinearProgram(self.code, self.steps.residuals(needs, new))
                found = program.transpose(cts, start=sums)
                more, then = found[: self.n_consts], found[self.n_consts :]
                types = self.code.cotangents[self.n_consts :]
                then = filled(then, types, [ct is not None for ct in cts])
                then = carried(then, cts)
                return i, in_lane(i < n, (then, more), (cts, sums))

            def inside(values):
                return (values[0] > 0) & (lax.div(values[0] - 1, capacity) == at)

            stop, duals = lax.while_loop(inside, one, (stop, duals))
            return stop, tape, duals

        values = k, tape, (cts, sums)
        _, _, (cts, sums) = loop_of_blocks(lambda x: x[0] > 0, block, values)
        return sums, cts


def loop_of_blocks(goes_on, block, start) -> Any:
    with saying(BLOCKS):
        return lax.while_loop(goes_on, with_nothing_said(block), start)


# --- Arrays with a place for each step, and lanes -------------------------------------


def put(arrays, values, i) -> list[Any]:
    """Arrays with these values at place i."""
    return [
        lax.dynamic_update_slice(xs, jnp.asarray(x)[None], _at(i, xs))
        for xs, x in zip(arrays, values, strict=True)
    ]


def take(arrays, i) -> list[Any]:
    """The values at place i."""
    return [
        lax.dynamic_slice(xs, _at(i, xs), (1, *xs.shape[1:])).reshape(xs.shape[1:])
        for xs in arrays
    ]


def _at(i, xs):
    i = lax.convert_element_type(i, np.uint32)  # of which none is negative
    return (i, *[np.uint32(0)] * (xs.ndim - 1))


def varying_like(x, like) -> Any:
    """x, as a value that differs from device to device where another one may."""
    return tracing.varying_like(x, tracing.typeof(like))


def in_lane(on, xs, ys) -> Any:
    """xs, but ys in lanes in which `on` doesn't hold: two trees of arrays.

    A loop by itself has one lane, in which `on` holds as long as it runs: so it is xs,
    and nothing is selected.  That there are lanes is known when `jax.vmap` has come,
    which may be after this has been traced; then `lanes` says so, and not before.  On a
    mesh `on` may differ from device to device where what is carried doesn't: then there
    mustn't be lanes, which would need more than one of these (`one_lane`).
    """
    axes = tracing.varying_axes(on)
    if not all(axes <= tracing.varying_axes(x) for x in jax.tree.leaves(xs)):
        one_lane(on)
        return xs

    def chosen():
        return jax.tree.map(lambda x, y: lax.select(on, x, y), xs, ys)

    return lax.cond(lanes(on)[1], chosen, lambda: xs)


@custom_vmap
def lanes(on):
    """(whether `on` holds in one of the lanes, whether it is of more than one lane)

    The second is False as it stands here, and True once `jax.vmap` has used its rule.
    """
    return on, False


@lanes.def_vmap
def _(size, batched, on):
    return (lanes(jnp.any(on, 0))[0], True), (False, False)


@custom_vmap
def longest_lane(steps):
    """The largest number of all lanes over which it is batched."""
    return steps


@longest_lane.def_vmap
def _(size, batched, steps):
    return longest_lane(jnp.max(steps, 0)), False


def among(on, xs) -> Any:
    """xs; in lanes in which `on` doesn't hold, those of one in which it does.

    With these a step can be run in a lane that has ended, of which the outcome doesn't
    count: with what the lane has come to it may be infinite, and zero times that, in a
    derivative, no number.
    """
    return _among(on, lax.stop_gradient(xs))


@custom_vmap
def _among(on, xs):
    return xs


@_among.def_vmap
def _(size, batched, on, xs):
    if not batched[0]:
        return _among(on, xs), batched[1]

    def chosen(x):
        lanes = lax.broadcast_in_dim(on, x.shape, (0,))
        return lax.select(lanes, x, jnp.broadcast_to(x[first], x.shape))

    first = jnp.argmax(on)
    xs = jax.tree.map(lambda x, b: chosen(x) if b else x, xs, batched[1])
    return _among(jnp.any(on), xs), batched[1]


@custom_vmap
def one_lane(on):
    return on


@one_lane.def_vmap
def _(size, batched, on):
    raise NotImplementedError(
        "jax.vmap of a loop whose length differs from device to device, though not all "
        "that it carries does: pass what it starts with through "
        "jax.lax.pcast(x, axis_name, to='varying')"
    )
