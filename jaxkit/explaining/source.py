"""Where in the user's code a step comes from: his line, his words, his names."""

from __future__ import annotations

import ast
import linecache
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import islice, zip_longest
from pathlib import Path
from typing import Any

from jaxkit import tracing

LIBRARIES = {"site-packages", "dist-packages"}


@dataclass(frozen=True)
class Source:
    """A piece of code: from `line` and `column` to `end_line` and `end_column`."""

    file: str
    function: str
    line: int | None = None
    column: int | None = None
    end_line: int | None = None
    end_column: int | None = None

    @property
    def place(self) -> str:
        """`file.py:12`, without folders."""
        return f"{Path(self.file.replace(chr(92), '/')).name}:{self.line or '?'}"

    @property
    def text(self) -> str:
        """The line that it begins in; empty where there is no file to read."""
        return linecache.getline(self.file, self.line or 0).strip()

    @property
    def span(self) -> tuple[Any, ...]:
        return self.line, self.column, self.end_line, self.end_column

    @property
    def near(self) -> str:
        """`folder/file.py:12 (function)`, from the current folder on if it is in it."""
        path, place = Path(self.file), self.place
        if path.is_absolute() and path.is_relative_to(Path.cwd()):
            place = f"{path.relative_to(Path.cwd()).as_posix()}:{self.line or '?'}"
        return f"{place} ({self.function})"

    @property
    def whole_line(self) -> Source:
        """The same without columns, so that no name is assigned there."""
        return replace(self, column=None, end_line=None, end_column=None)

    def __str__(self):
        return f"{self.file}:{self.line} ({self.function})"


def belongs_to_none(file: str) -> bool:
    """Whether a file is of no library; a lesson is a user's, wherever it lies."""
    return LIBRARIES.isdisjoint(Path(file).parts) or tracing.is_lesson(file)


def of_this_step(outer: Source | None = None, outermost: Any = None) -> Source:
    """What runs now, in the innermost code that belongs to no library.

    Inside a box that is code which the code object `outermost` runs; where there is
    none of the user's it is `outer`, what the box is.
    """
    frames = list(tracing.user_frames(outermost if outer else None))
    own = [x for x in frames if belongs_to_none(x[0].co_filename)]
    if outer and not own:
        return outer
    code, last = (own or frames or [(None, 0)])[0]
    if code is None:
        return Source("an unknown file", "?")
    span = next(islice(code.co_positions(), last // 2, None), (None,) * 4)
    line, end_line, column, end_column = span
    return Source(
        code.co_filename, code.co_qualname, line, column, end_line, end_column
    )


def names(sources: Iterable[Source]) -> list[str]:
    """Of each step the variable that its value is assigned to, or an empty string.

    Of several steps of one expression, the last one's value is assigned.
    """
    sources = list(sources)
    found = []
    for source, then in zip_longest(sources, sources[1:]):
        where = assignments(source.file) if then != source else {}
        found.append(where.get(source.span, ""))
    return found


def assignments(file: str) -> dict[tuple[Any, ...], str]:
    """Where in a file something is assigned to a name, and to which."""
    return _assignments(tuple(linecache.getlines(file)))


@lru_cache(maxsize=64)
def _assignments(lines: Sequence[str]) -> dict[tuple[Any, ...], str]:
    try:
        tree = ast.parse("".join(lines))
    except SyntaxError:
        return {}
    found = {}
    for x in ast.walk(tree):
        if not isinstance(x, ast.Assign):
            continue
        v = x.value
        span = v.lineno, v.col_offset, v.end_lineno, v.end_col_offset
        found.update((span, y.id) for y in x.targets if isinstance(y, ast.Name))
    return found
