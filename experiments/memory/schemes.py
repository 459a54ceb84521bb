"""How a loop is reversed: which of its states are kept, which are computed again.

The loop is x -> step(x, *params), `length` times over, and then a loss of the last x;
x and the params are pytrees of floats. Reverse mode wants its states from the last to
the first. Where memory is short, some are kept, and the others are computed again from
those (A. Griewank, A. Walther, Evaluating Derivatives, 2008, ch. 12).
"""

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from math import isqrt
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

import jaxkit
from jaxkit.control.schedules import fewest, unforeseen


@dataclass(frozen=True)
class Scheme:
    """One way to a loop's derivative, and what it takes in theory.

    `derivatives` has, by library, functions (x, *params) -> (loss, derivatives).
    `states` is how many states are kept at once, and `steps` how often the step is
    evaluated.
    """

    derivatives: dict[str, Callable]
    states: int
    steps: int


def schemes(step: Callable, loss: Callable, length: int, slots: int) -> dict:
    """By name, Schemes for a loop; the budgeted one holds at most `slots` states."""
    few, slots = min(length.bit_length(), length), min(slots, length)

    def gradients(**loops):
        return {name: pulled(name, loss, loop) for name, loop in loops.items()}

    def by_blocks(size):
        loop = blocks(step, length, size)
        found = gradients(jaxkit=loop, jax=loop)
        return Scheme(found, -(-length // size) + size, 2 * length)

    def by_schedule(slots):
        loop = jaxkit.keeping(repeat(step, length), checkpoints=slots)
        return Scheme(gradients(jaxkit=loop), slots, length + fewest(length, slots))

    def push(ad):
        whole = lambda *args: loss(repeat(step, length)(*args))  # noqa: E731
        return lambda *args: ad.jvp(whole, args, jax.tree.map(jnp.ones_like, args))

    plain, ads = repeat(step, length), {"jaxkit": jaxkit, "jax": jax}
    found = {"jaxkit": jaxkit.keeping(unforeseen_loop(step, length), checkpoints=few)}
    if importlib.util.find_spec("equinox"):
        found["equinox"] = unforeseen_loop(step, length, few)
    return {
        "plain": Scheme(gradients(jaxkit=plain, jax=plain), length, length),
        "every other": by_blocks(2),
        "square root": by_blocks(isqrt(length)),
        "binomial": by_schedule(few),
        "unforeseen": Scheme(gradients(**found), few, length + unforeseen(length, few)),
        "budgeted": by_schedule(slots),
        "forward": Scheme({name: push(ad) for name, ad in ads.items()}, 1, length),
    }


def pulled(name: str, loss: Callable, loop: Callable) -> Callable:
    """The value and the gradient, in all arguments, of a loop's loss."""
    ad: Any = jaxkit if name == "jaxkit" else jax
    f = lambda *args: loss(loop(*args))  # noqa: E731
    return lambda *args: ad.value_and_grad(f, argnums=tuple(range(len(args))))(*args)


def repeat(step: Callable, times: int) -> Callable:
    """The function (x, *params) -> x after so many steps."""

    def loop(x, *params):
        return lax.scan(lambda x, _: (step(x, *params), None), x, length=times)[0]

    return loop


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


def unforeseen_loop(step: Callable, length: int, checkpoints: int = 0) -> Callable:
    """`repeat`, as a loop of which only running it tells how often it runs.

    With `checkpoints` it is equinox's (P. Kidger, C. Garcia, Equinox, 2021), which
    keeps so many states.
    """

    def loop(x, *params):
        def goes_on(values):
            return values[0] != length  # no bound that a counter has to stay below

        def one(values):
            return values[0] + 1, step(values[1], *params)

        if not checkpoints:
            return lax.while_loop(goes_on, one, (0, x))[1]
        from equinox.internal import while_loop

        options = {"max_steps": length, "checkpoints": checkpoints}
        return while_loop(goes_on, one, (0, x), kind="checkpointed", **options)[1]

    return loop
