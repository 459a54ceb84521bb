"""On what each exercise is checked: a module for each, with its hints.

A module has `cases()`, the calls whose results are compared, the same ones each time;
`HINTS`, the first of which doesn't tell; and `compare`, where equal up to rounding isn't
what counts.  A case is a call, as text to be shown and as a function of the module that
is called.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxkit.exercises.values import show

MODULES = {"np": np, "jax": jax, "jnp": jnp}


@dataclass(frozen=True)
class Case:
    """One call of a learner's function.

    Attributes:
        text: the call, as it is shown.
        run: makes the call, in the module that it is given.
        expected: the result; None if it is the reference that says it.
    """

    text: str
    run: Callable[[Any], Any]
    expected: Any = None


def call(function: str, *operands: Any) -> Case:
    """The case that calls a function by name on these operands."""
    text = f"{function}({', '.join(map(show, operands))})"
    return Case(text, lambda module: getattr(module, function)(*operands))


def formula(text: str) -> Callable:
    """The function `lambda <text>`, which is shown as it was written."""
    function = eval(f"lambda {text}", MODULES)
    function.__name__ = f"lambda {text}"
    return function


class Random:
    """Seeded random numbers of few digits, so that they are shown as they are."""

    def __init__(self):
        self.rng = np.random.default_rng(0)

    def numbers(self, n: int) -> list[float]:
        return self.array(n).tolist()

    def array(self, *shape: int) -> np.ndarray:
        return np.round(self.rng.normal(size=shape), 2)

    def integers(self, low: int, high: int, n: int) -> list[int]:
        """n integers, from `low` up to but without `high`."""
        return self.rng.integers(low, high, n).tolist()
