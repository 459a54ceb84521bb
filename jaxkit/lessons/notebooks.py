"""Lessons as notebooks: made from the scripts, without outputs.

The scripts stay the source; a notebook has the same cells (jupytext reads the percent
format), and numbers for them that don't change from run to run.  At its end stands its
exercise: the task, a cell to be filled in, and one that checks what is in it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jaxkit.exercises import find

KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}


def notebook(path: Path) -> Any:
    """The notebook of a lesson's script, as `nbformat` has it."""
    import jupytext

    found = jupytext.reads(path.read_text(encoding="utf-8"), fmt="py:percent")
    found.metadata = {"kernelspec": KERNEL}
    found.cells += exercise(path.name[:2])
    for i, cell in enumerate(found.cells):
        cell.id, cell.metadata = f"cell-{i}", {}
    found.nbformat, found.nbformat_minor = 4, 5
    return found


def exercise(number: str) -> list[Any]:
    """The cells of this lesson's exercise; none if it has none."""
    from nbformat.v4 import new_code_cell, new_markdown_cell

    if not number.isdecimal():
        return []
    found = find(number)
    source = found.task.read_text(encoding="utf-8")
    docstring, code = source.removeprefix('"""').split('"""\n', 1)
    names = ", ".join(found.functions)
    check = f"from jaxkit.exercises import check\n\ncheck({found.number}, {names})"
    return [
        new_markdown_cell(f"### Exercise {docstring.strip()}"),
        new_code_cell(code.strip()),
        new_code_cell(check),
    ]


def text(path: Path) -> str:
    """The same as the text of an `.ipynb` file."""
    import nbformat

    return nbformat.writes(notebook(path)) + "\n"
