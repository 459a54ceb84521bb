"""How a loop is reversed: which of its states are kept, which are computed again.

The loop is x -> step(x, *params), `length` times over, and then a loss of the last x;
x and the params are pytrees of floats. Reverse mode wants its states from the last to
the first. Where memory is short, some are kept, and the others are computed again from
those (A. Griewank, A. Walther, Evaluating Derivatives, 2008, ch. 12).
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import comb, isqrt
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax


@dataclass(frozen=True)
class Scheme:
    """One way to a loop's derivative, and what it takes in theory.

    `derivative(ad)` is a function (x, *params) -> (loss, derivatives). `states` is how
    many states are kept at once, and `steps` how often the step is evaluated.
    """

    derivative: Callable[[Any], Callable]
    states: int
    steps: int


def schemes(step: Callable, loss: Callable, length: int, slots: int) -> dict:
    """By name, Schemes for a loop; the budgeted one holds at most `slots` states."""

    def gradient(loop):
        return lambda ad: pulled(ad, lambda *args: loss(loop(*args)))

    def directional(ad):
        def push(*args):
            ones = jax.tree.map(jnp.ones_like, args)
            return ad.jvp(lambda *args: loss(repeat(step, length)(*args)), args, ones)

        return push

    def by_blocks(size):
        loop = gradient(blocks(step, length, size))
        return Scheme(loop, -(-length // size) + size, 2 * length)

    def by_stack(snapshots):
        depth, code = min(snapshots + 1, length), list(instructions(length, snapshots))
        reverse = lambda ad: stacked(ad, step, loss, code, depth)  # noqa: E731
        return Scheme(reverse, depth, length + sum(code))

    return {
        "plain": Scheme(gradient(repeat(step, length)), length, length),
        "every other": by_blocks(2),
        "square root": by_blocks(isqrt(length)),
        "binomial": by_stack(length.bit_length() - 1),
        "budgeted": by_stack(slots - 1),
        "forward": Scheme(directional, 1, length),
    }


def repeat(step: Callable, times: int) -> Callable:
    """The function (x, *params) -> x after so many steps."""

    def loop(x, *params):
        return lax.scan(lambda x, _: (step(x, *params), None), x, length=times)[0]

    return loop


def pulled(ad, f: Callable) -> Callable:
    """f's value and its gradient in all arguments."""
    return lambda *args: ad.value_and_grad(f, argnums=tuple(range(len(args))))(*args)


def blocks(step: Callable, length: int, size: int) -> Callable:
    """`repeat` in blocks of `size` steps, each of which is run again to be reversed.

    So the states between blocks are kept, and those within one block at a time. Of
    all sizes the square root of the length keeps the fewest (T. Chen et al., Training
    deep nets with sublinear memory cost, arXiv:1604.06174, 2016).
    """
    many, rest = divmod(length, size)
    loop = repeat(jax.checkpoint(repeat(step, size)), many)
    last = jax.checkpoint(repeat(step, rest))
    return (lambda x, *params: last(loop(x, *params), *params)) if rest else loop


def instructions(length: int, snapshots: int) -> Iterator[int]:
    """Tell a stack of states how to reverse a loop in the fewest steps.

    The first state is on the stack. A number n > 0 says: push the state n steps after
    the top one. 0 says: pull the cotangent back through the one step from the top
    state, and drop that. On the stack is at most one state more than `snapshots`.

    That is A. Griewank's and A. Walther's schedule (Algorithm 799: revolve, ACM Trans.
    Math. Software 26, 2000). With s snapshots, and no step run more often than r times
    beforehand, a loop of up to C(s + r, s) steps can be reversed.
    """
    parts = [length]  # how many steps are to be reversed from each state on the stack
    while parts:
        if parts[-1] == 1:
            parts.pop()
            yield 0
        else:
            ahead = split(parts[-1], snapshots - len(parts) + 1)
            parts[-1:] = [ahead, parts[-1] - ahead]
            yield ahead


def split(length: int, snapshots: int) -> int:
    """After how many of these steps (two or more) the next snapshot is best taken.

    What comes before it can then have one run less, what comes after has one snapshot
    less: C(s + r, s) = C(s + r - 1, s) + C(s - 1 + r, s - 1).
    """
    runs = 1
    while comb(snapshots + runs, snapshots) < length:
        runs += 1
    before, after = comb(snapshots + runs - 1, snapshots), snapshots - 1
    return min(before, length - comb(after + runs - 1, after))


def stacked(ad, step: Callable, loss: Callable, code: list[int], depth: int):
    """A loop's gradient, by a stack that is told so and holds up to `depth` states.

    Only single steps are differentiated: to reverse the loop is a loop itself.
    """

    def run(x, *params):
        told = jnp.array(code, jnp.int32)

        def push(machine):
            now, at, stack = machine
            x = get(stack, at)
            x = lax.fori_loop(0, told[now], lambda _, x: step(x, *params), x)
            return now + 1, at + 1, put(stack, at + 1, x)

        def pushes(machine):
            return lax.while_loop(lambda machine: told[machine[0]] > 0, push, machine)

        def pop(carry, _):
            (now, at, stack), ct, params_ct = carry
            machine = _, at, stack = pushes((now + 1, at - 1, stack))
            ct, *more = ad.vjp(step, get(stack, at), *params)[1](ct)
            return (machine, ct, jax.tree.map(jnp.add, params_ct, more)), None

        empty = jax.tree.map(lambda x: jnp.zeros((depth, *x.shape), x.dtype), x)
        machine = _, at, stack = pushes((0, 0, put(empty, 0, x)))
        last = pulled(ad, lambda *args: loss(step(*args)))
        value, (ct, *params_ct) = last(get(stack, at), *params)
        carry = machine, ct, params_ct
        (_, ct, params_ct), _ = lax.scan(pop, carry, length=code.count(0) - 1)
        return value, (ct, *params_ct)

    return run


def get(stack, at):
    """The state at this place: each leaf of a stack has the states along axis 0."""
    return jax.tree.map(lambda x: lax.dynamic_index_in_dim(x, at, 0, False), stack)


def put(stack, at, x):
    """The stack with the state x at this place."""
    place = lax.dynamic_update_index_in_dim
    return jax.tree.map(lambda kept, new: place(kept, new, at, 0), stack, x)
