"""What a misuse is, and the table of them, by chapters of the page.

The misuses stand in the other files. Each is a function of the module that it misuses,
jaxkit or JAX. Where the fault is in a function that is transformed, its line ends in
`# HERE`: the message has to name it, or it is the last line of the user's in the
traceback.
"""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from jax import numpy as jnp

MARK = "# HERE"


@dataclass(frozen=True)
class Misuse:
    """A misuse, and what the message must have (None where it doesn't apply).

    Attributes:
        title: what is wrong.
        run: does it with the module that it is given.
        do: what to do instead.
        where: the argument, leaf, operand or function that is meant.
        got: the type, shape or dtype that came.
        foreign: whether Python, NumPy or JAX raises the exception, in the user's code
            or of a user's rule, so that what to do may be missing.
        only: whether JAX has no such function.
    """

    title: str
    run: Callable[[Any], Any]
    do: str | None = None
    where: str | None = None
    got: str | None = None
    foreign: bool = False
    only: bool = False

    @property
    def claims(self) -> list[str]:
        """What the message must have."""
        return [text for text in (self.where, self.got, self.do) if text]

    @property
    def file(self) -> str:
        return self.run.__code__.co_filename

    @cached_property
    def first(self) -> int:
        """The line of the file where the code begins, below the decorator and def."""
        lines, start = inspect.getsourcelines(self.run)
        heads = [i for i, line in enumerate(lines) if line.lstrip().startswith("def ")]
        return start + heads[0] + 1

    @property
    def code(self) -> str:
        lines, start = inspect.getsourcelines(self.run)
        return textwrap.dedent("".join(lines[self.first - start :])).rstrip()

    @property
    def marked(self) -> int | None:
        """The line of the file that is wrong, if one is marked."""
        lines = self.code.splitlines()
        found = [i for i, line in enumerate(lines) if line.endswith(MARK)]
        return self.first + found[0] if found else None


CHAPTERS: dict[str, list[Misuse]] = {}


def chapter(title: str) -> Callable[..., Callable]:
    """The decorator that declares misuses in a chapter of the page."""
    found = CHAPTERS.setdefault(title, [])

    def misuse(title: str, **claims) -> Callable:
        return lambda run: found.append(Misuse(title, run, **claims))

    return misuse


# --- What the programs share ----------------------------------------------------------

X = np.ones(3)


def square(x):
    return x * x


def total(x):
    return jnp.sum(x * x)


def pair(x):
    return {"a": x, "b": x[0]}
