"""How much of a loop is kept for reverse mode, said from outside: `keeping`.

What is said is noted beside each operation that runs meanwhile, as what is noted for
XLA is, so that it isn't forgotten where a function is traced before it is
differentiated: `grad(jax.jit(keeping(f, bytes=1_000_000)))`.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import wraps
from typing import Any, NamedTuple

from jaxkit import tracing
from jaxkit.border.arguments import check_callable

NOTE = "jaxkit_keeping"


class Budget(NamedTuple):
    """What may be kept of each loop; None where nothing is said of it.

    Attributes:
        steps: of so many steps at once, all that their derivatives read.
        checkpoints: so many states from which steps are computed again.
        bytes: both within so many.
    """

    steps: int | None = None
    checkpoints: int | None = None
    bytes: int | None = None

    def __str__(self):
        said = [f"{k}={v}" for k, v in self._asdict().items() if v is not None]
        return ",".join(said)


NOTHING_SAID = Budget()
# Of a loop over blocks of steps, where that is itself reversed: what it carries is all
# that is kept of the loop that it makes up.
BLOCKS = Budget(steps=1, checkpoints=4)


def keeping(
    fun: Callable,
    *,
    steps: int | None = None,
    checkpoints: int | None = None,
    bytes: int | None = None,
) -> Callable:
    """`fun`, of whose loops no more than this is kept when they are differentiated.

    A loop that is reversed needs its steps from the last to the first.  Those that
    aren't kept are computed again from the nearest state that is.  That holds for each
    `lax.while_loop`, `lax.scan` and `lax.fori_loop` in `fun`, by itself; of such a loop
    in a loop nothing is kept between the outer one's steps.  What is said last, nearest
    to the loop, counts.  Where nothing is said, a scan keeps all of its steps, and a
    loop whose length is known at run time alone up to 512 steps and 64 states, each
    within 64 MiB.  In the loops that a derivative consists of, where that is reversed
    in turn, as by `grad(grad(f))`, nothing is said.

    A scan so becomes a while loop, of which JAX has no reverse mode: `jax.grad` can't
    pass through `grad(keeping(f))`, but `grad` can.

    Args:
        fun: any function; what it computes stays the same.
        steps: how many steps are kept at once: all that their derivatives read.
        checkpoints: how many states are kept, that before the first step included; up
            to 1,024.  Unless `steps` is given, one step at a time is computed again.
        bytes: how many bytes both take, with what is noted of them (12 for each state,
            16 for the loop); how they are divided is chosen.

    Returns:
        A function like `fun`, to be differentiated, or one that differentiates.

    Raises:
        TypeError: nothing is said, `bytes` beside another, or no integer.
        ValueError: a number is less than one, or too large; or, where a loop is
            differentiated, fewer bytes than a state and a step of it take.

    Example:

        >>> grad(keeping(loss, checkpoints=8))(x)
        >>> keeping(grad(loss), bytes=1_000_000)(x)

    Source: A. Griewank, A. Walther, Evaluating Derivatives (2008), ch. 12; see
    `control.schedules`.
    """
    check_callable("keeping", fun, "keeping(f, checkpoints=8)")
    said = Budget(*_checked(steps, checkpoints, bytes))

    @wraps(fun)
    def kept(*args, **kwargs) -> Any:
        with saying(said):
            return fun(*args, **kwargs)

    return kept


MOST = 1024  # checkpoints: of more the schedule would be a table of megabytes


def _checked(steps, checkpoints, bytes):
    said = Budget(steps, checkpoints, bytes)._asdict()
    for name, value in said.items():
        if value is None:
            continue
        if (
            isinstance(value, bool)
            or not hasattr(value, "__index__")
            or tracing.is_traced(value)
        ):
            raise TypeError(f"keeping: {name} is {value!r}; pass a Python integer")
        if value < 1:
            raise ValueError(f"keeping: {name} is {value}; pass 1 or more")
    if (checkpoints or 0) > MOST:
        raise ValueError(
            f"keeping: checkpoints is {checkpoints}; pass {MOST} or fewer, or steps= "
            "as well: so many are kept from each checkpoint on"
        )
    if all(value is None for value in said.values()):
        raise TypeError("keeping: pass steps=, checkpoints= or bytes=")
    if bytes is not None and (steps is not None or checkpoints is not None):
        raise TypeError("keeping: pass bytes=, or steps= and checkpoints=, not both")
    return [None if value is None else value.__index__() for value in said.values()]


def with_nothing_said(function: Callable) -> Callable:
    """A function whose own loops keep what they do where nothing is said."""

    @wraps(function)
    def run(*args, **kwargs) -> Any:
        with saying(NOTHING_SAID):
            return function(*args, **kwargs)

    return run


def saying(said: Budget) -> AbstractContextManager:
    """A context in which this is noted of loops."""
    if budget() == said:
        return nullcontext()
    return tracing.noting(**{NOTE: str(said)})


def budget() -> Budget:
    """What is said of loops where this is called."""
    text = tracing.noted.get().get(NOTE)
    if not text:
        return NOTHING_SAID
    pairs = (pair.split("=") for pair in text.split(","))
    return Budget(**{name: int(value) for name, value in pairs})
