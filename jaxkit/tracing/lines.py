"""The user's lines: where in their code the running operation was called.

Frames of jaxkit and of JAX aren't the user's: "the user's line" is the first outside.
"""

from __future__ import annotations

import os
import traceback
from collections.abc import Iterable, Iterator
from itertools import islice, takewhile
from typing import Any

import jax
from jax.extend import source_info_util

_config: Any = jax.config

_HERE = os.path.dirname(os.path.dirname(__file__)) + os.sep  # all of jaxkit
_KIT = _HERE, os.path.dirname(jax.__file__) + os.sep
_INTERNAL = *_KIT, os.path.dirname(os.__file__), "<frozen "
_LESSONS = os.path.join(_HERE, "lessons", "scripts") + os.sep  # a user's, to read
source_info_util.register_exclusion(_HERE)


def frames_are_hidden() -> bool:
    """Whether tracebacks are to be without the frames of JAX, and so of jaxkit."""
    return _config.jax_traceback_filtering != "off"


def is_internal(file: str, parts: tuple[str, ...] = _KIT) -> bool:
    """Whether a file is one of jaxkit's, or of JAX's."""
    return file.startswith(parts) and not is_lesson(file)


def is_lesson(file: str) -> bool:
    """Whether it is a lesson's script: the kit's, but its lines are to be read."""
    return file.startswith(_LESSONS)


here = source_info_util.current  # where the running operation was called


NO_LINE = "an unknown line"


def line_of(source: Any) -> str:
    """`file:line:column (function)` of the user's, given what `here()` returned.

    Empty where all of it was JAX's code.
    """
    for code, last in _frames(source):
        if not is_internal(code.co_filename, _INTERNAL):
            line, _, column, _ = next(islice(code.co_positions(), last // 2, None))
            place = f"{line}:{column}" if column else str(line)
            return f"{code.co_filename}:{place} ({code.co_qualname})"
    return ""


# A context in which operations are as if from where `here()` returned this: with
# `as_if_at(source.traceback)`.
as_if_at = source_info_util.user_context


def _frames(source: Any) -> Iterable[tuple[Any, int]]:
    """(code, the number of its last instruction) of what `here()` returned."""
    return zip(*source.traceback.raw_frames(), strict=True) if source.traceback else ()


def user_frames(outermost: Any = None) -> Iterator[tuple[Any, int]]:
    """(code, the number of its last instruction) of the user's that runs, inner first.

    `code.co_positions()` says where in a file that instruction comes from.  With
    `outermost`, a code object, of what that runs alone; there may be none.
    """
    frames = takewhile(lambda x: x[0] is not outermost, _frames(here()))
    found = [x for x in frames if not is_internal(x[0].co_filename, _INTERNAL)]
    if outermost:
        yield from found
        return
    stack = ((frame.f_code, frame.f_lasti) for frame, _ in traceback.walk_stack(None))
    yield from found or (
        x for x in stack if not is_internal(x[0].co_filename, _INTERNAL)
    )


def user_line() -> str:
    """`file:line (function)` of the user's code that is running now."""
    line = line_of(here())
    if line:
        return line
    # An operation of one of JAX's own functions: the line that called it.
    for frame, number in traceback.walk_stack(None):
        code = frame.f_code
        if not is_internal(code.co_filename, _INTERNAL):
            return f"{code.co_filename}:{number} ({code.co_qualname})"
    return NO_LINE
