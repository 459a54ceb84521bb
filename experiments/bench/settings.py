"""Settings: a dataclass for each experiment, of which the options are made.

@dataclass(frozen=True)
class Settings(Timed, OfFunction):
    sizes: list[int] = option([1, 2, 4, 8], quick=[1, 8], help="the values of n")
"""

import copy
from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from functools import partial
from typing import Any

from experiments.bench import units

Points = Iterator[dict]


def option(full: Any, quick: Any = None, help: str = "", read: Any = None) -> Any:
    """A field: its value in a whole run and in a quick one; `read` makes it of text."""
    numbers: dict = {k: partial(units.positive, kind=k) for k in (int, float)}
    listed = units.like(full) if isinstance(full, list) and full else str
    read = read or numbers.get(type(full), listed)
    about = {"quick": full if quick is None else quick, "help": help, "read": read}
    return field(default_factory=lambda: copy.copy(full), metadata=about)


@dataclass(frozen=True)
class Timed:
    """Settings of what measures times; `bench.measure` reads them."""

    samples: int = option(15, 5, "timed samples of each program")
    min_time: float = option(0.01, 0.002, "least seconds of calls in a sample")
    memory_limit: float = option(0.0, None, "skip what needs more bytes, e.g. 4G")


@dataclass(frozen=True)
class OfFunction:
    """Settings of what can measure the user's own function, in place of ours."""

    function: str = option("", None, "yours: file.py:name, module:name, 'lambda ...'")
    inputs: list[str] = option([], None, "its arguments: 'f32[100]', 3.0, 'ones(5)'")


def quickly(settings: type) -> Any:
    """The settings of a quick run."""
    return settings(**{f.name: f.metadata["quick"] for f in fields(settings)})
