"""What a module says to a misuse, and what jaxkit's message lacks."""

from __future__ import annotations

import re
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType

import jax

import jaxkit as jk
from tests.messages.cases import Misuse

INTERNAL = tuple(f"{Path(m.__file__ or '').parent}/" for m in (jax, jk))
# What one may catch: an exception counts as the first of these that it is.
KINDS = (
    jax.errors.JAXTypeError,
    jax.errors.JAXIndexError,
    NotImplementedError,
    TypeError,
    ValueError,
    AttributeError,
    LookupError,
    Exception,
)


@dataclass(frozen=True)
class Said:
    """What is said: an exception, or nothing.

    Attributes:
        raised: the exception's class, None if there is none.
        message: its message; or what was returned.
        cause: the message of the exception that it comes from, if there is one.
        frames: its traceback, from what the misuse calls on: files and lines.
    """

    raised: type[Exception] | None
    message: str
    cause: str = ""
    frames: tuple[tuple[str, int], ...] = ()

    @property
    def kind(self) -> type[Exception]:
        assert self.raised is not None
        return next(kind for kind in KINDS if issubclass(self.raised, kind))

    @property
    def internal(self) -> int:
        """How many frames are inside JAX, or jaxkit."""
        return sum(file.startswith(INTERNAL) for file, _ in self.frames)

    @property
    def last(self) -> tuple[str, int] | None:
        """The last frame that is the user's."""
        own = [at for at in self.frames if not at[0].startswith(INTERNAL)]
        return own[-1] if own else None


@cache
def said(misuse: Misuse, module: ModuleType) -> Said:
    """What a module says to a misuse."""
    try:
        result = misuse.run(module)
    except Exception as error:
        walk = list(traceback.walk_tb(error.__traceback__))[1:]
        frames = [(frame.f_code.co_filename, line) for frame, line in walk]
        return Said(type(error), str(error), f"{error.__cause__ or ''}", tuple(frames))
    return Said(None, repr(result))


def both(misuse: Misuse) -> tuple[Said, Said | None]:
    """What jaxkit says, and what JAX does (None: it has no such function)."""
    return said(misuse, jk), None if misuse.only else said(misuse, jax)


def faults(misuse: Misuse) -> Iterator[str]:
    """What is wrong with jaxkit's message to a misuse, given JAX's."""
    ours, jaxs = both(misuse)
    if ours.raised is None:
        yield "it says nothing"
        return
    text = f"{ours.raised.__name__}: {ours.message}\n{ours.cause}"
    yield from (f"it lacks {claim!r}" for claim in misuse.claims if claim not in text)
    place = misuse.file, misuse.marked
    named = f"{Path(misuse.file).name}:{misuse.marked}" in text
    if misuse.marked and not named and place != ours.last:
        yield "neither the message nor the traceback has the user's line"
    if jaxs is None or jaxs.raised is None:
        # There is nothing to compare with; where a rule is declared, or looked up, the
        # function that does it remains.
        allowed = 1
    else:
        allowed = jaxs.internal
        if not issubclass(ours.raised, jaxs.kind):
            yield f"it is no {jaxs.kind.__name__}"
    if ours.internal > allowed:
        yield f"{ours.internal} frames inside jaxkit and JAX, but JAX has {allowed}"


LONGEST = 1000  # characters of a message in the page


def legible(misuse: Misuse, it: Said) -> str:
    """As the page has it: without what differs from machine to machine."""

    def place(found):  # lines are counted from the first that is shown
        line, last = int(found[2]) - misuse.first + 1, len(misuse.code.splitlines())
        inside = misuse.file.endswith(found[1]) and 0 < line <= last
        return f"program.py:{line}" if inside else Path(found[1]).name

    head = f"{it.raised.__name__}:" if it.raised else "nothing, and it returns"
    text = f"{head} {it.message.strip()}"
    text = re.sub(r"([\w./-]+\.py):(\d+)(?::\d+)?", place, text)
    text = re.sub(r"\b0x[0-9a-f]+", "0x...", text)
    text = re.sub(r"(tests\.messages\.\w+\.)?\b_\.<locals>\.", "", text)
    return text if len(text) <= LONGEST else f"{text[:LONGEST].rstrip()} [...]"
