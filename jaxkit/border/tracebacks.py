"""What leaves the kit as an exception shows the lines of the user, and none of the kit.

As JAX does where one calls its functions, and for the same reason: of twenty frames
between two lines of the user none says more than the message.  JAX's switch serves both
(`jax.config.jax_traceback_filtering`, or JAX_TRACEBACK_FILTERING; "off" shows all).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial, wraps
from traceback import walk_tb
from types import TracebackType
from typing import Any, TypeVar

from jaxkit.tracing import frames_are_hidden, is_internal

NOTE = (
    "(The frames of jaxkit and JAX aren't in this traceback. Set "
    "JAX_TRACEBACK_FILTERING=off to see them.)"
)
C = TypeVar("C", bound=Callable)


def entry(function: C, like: Callable | None = None) -> C:
    """Decorator of what users call: it raises without the frames of the kit.

    What is returned has the name, documentation and signature of `like`, by default of
    `function` itself.
    """

    of: Any = like or function

    @wraps(of)
    def call(*args, **kwargs):
        try:
            return function(*args, **kwargs)
        except Exception as error:
            if frames_are_hidden():
                error.__traceback__ = of_user(error.__traceback__)
                if NOTE not in getattr(error, "__notes__", ()):
                    error.add_note(NOTE)
            raise  # by itself this adds no frame

    while isinstance(of, partial):
        of = of.func
    call.__name__ = getattr(of, "__name__", "<unnamed function>")
    return call  # pyright: ignore[reportReturnType]


def of_user(tb: Any) -> TracebackType | None:
    """A traceback with those of its frames that aren't of jaxkit or of JAX."""
    kept = None
    for frame, line in reversed(list(walk_tb(tb))):
        if not is_internal(frame.f_code.co_filename):
            kept = TracebackType(kept, frame, frame.f_lasti, line)
    return kept
