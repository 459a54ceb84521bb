"""Lessons as notebooks: made from the scripts, without outputs.

The scripts stay the source; a notebook has the same cells (jupytext reads the percent
format), and numbers for them that don't change from run to run.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}


def notebook(path: Path) -> Any:
    """The notebook of a lesson's script, as `nbformat` has it."""
    import jupytext

    found = jupytext.reads(path.read_text(encoding="utf-8"), fmt="py:percent")
    found.metadata = {"kernelspec": KERNEL}
    for i, cell in enumerate(found.cells):
        cell.id, cell.metadata = f"cell-{i}", {}
    found.nbformat, found.nbformat_minor = 4, 5
    return found


def text(path: Path) -> str:
    """The same as the text of an `.ipynb` file."""
    import nbformat

    return nbformat.writes(notebook(path)) + "\n"
