"""A lesson's cells, what they print, and the page made of both."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import jax

from jaxkit.lessons import pictures


class Cell(NamedTuple):
    """A part of a lesson: markdown, or code with the line where it begins."""

    is_text: bool
    source: str
    line: int


class Ran(NamedTuple):
    """A cell, what it printed, and the pictures that it made."""

    cell: Cell
    output: str
    pictures: list[pictures.Picture]


def cells(source: str) -> list[Cell]:
    """The cells of a script in the percent format.

    Raises:
        ValueError: there is something before the first `# %%`.
    """
    found: list[Cell] = []
    lines = source.splitlines()
    starts = [i for i, line in enumerate(lines) if line.startswith("# %%")]
    if any(line.strip() for line in lines[: starts[0] if starts else len(lines)]):
        raise ValueError("a lesson begins with a cell: `# %%` or `# %% [markdown]`")
    for start, end in zip(starts, [*starts[1:], len(lines)], strict=True):
        is_text, body = "[markdown]" in lines[start], lines[start + 1 : end]
        if is_text:
            body = [line.removeprefix("#").removeprefix(" ") for line in body]
        found.append(Cell(is_text, "\n".join(body).strip("\n"), start + 2))
    return found


def run(path: Path) -> Iterator[Ran]:
    """Run a lesson cell by cell, in one namespace, yielding each with what it did."""
    namespace = {"__name__": "__main__", "__file__": str(path)}
    for cell in cells(path.read_text(encoding="utf-8")):
        if cell.is_text:
            yield Ran(cell, "", [])
            continue
        # Line numbers as in the file, for the kit shows the user's lines.
        code = compile("\n" * (cell.line - 1) + cell.source, str(path), "exec")
        pictures.made.clear()
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            exec(code, namespace)
        yield Ran(cell, printed.getvalue(), list(pictures.made))


def version() -> str:
    """What a page depends on: JAX prints its programs in each version's own way."""
    return f"JAX {jax.__version__}"


def page(path: Path) -> str:
    """The lesson as markdown: text, code, what it printed, and pictures."""
    parts = []
    for cell, output, figures in run(path):
        parts.append(cell.source if cell.is_text else f"```python\n{cell.source}\n```")
        if output.strip():
            lines = [line.rstrip() for line in output.rstrip().splitlines()]
            parts.append("```text\n" + "\n".join(lines) + "\n```")
        parts += [f"![{x.name}](figures/{x.name}.svg)" for x in figures]
    how = f"{path.name} with {version()}, by python -m jaxkit lesson --build"
    note = f"<!-- Made from {how} -->"
    return "\n\n".join([note, *filter(None, parts)]) + "\n"
