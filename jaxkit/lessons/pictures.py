"""Pictures of lessons: files beside the page, the same in every run."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

from jaxkit.drawing import Graph, svg

FOLDER = Path("docs") / "lessons" / "figures"
made: list[Path] = []  # by the lesson that runs, in order


def picture(name: str, content: Any) -> Path:
    """Write a picture as SVG into `docs/lessons/figures`; returns its path.

    Args:
        name: the file's name, without suffix.
        content: an explanation, a graph to draw, a matplotlib figure, or SVG as text.

    Example:

        >>> picture("01-curve", figure)  # doctest: +SKIP
    """
    FOLDER.mkdir(parents=True, exist_ok=True)
    path = FOLDER / f"{name}.svg"
    if isinstance(content, str):
        text = content
    elif isinstance(content, Graph):
        text = svg(content, name)
    elif hasattr(content, "savefig"):
        text = _of_figure(content)
    else:
        text = content.svg()
    path.write_text(text, encoding="utf-8")
    made.append(path)
    return path


def _of_figure(figure) -> str:
    """A matplotlib figure as SVG without a date, and with names that don't change."""
    import matplotlib

    buffer = io.StringIO()
    with matplotlib.rc_context({"svg.hashsalt": "jaxkit", "svg.fonttype": "none"}):
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    return buffer.getvalue()
