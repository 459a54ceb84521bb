"""Pictures of lessons: shown in notebooks, written where one asks for it."""

from __future__ import annotations

import io
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from jaxkit.drawing import Graph, displayed, svg

FOLDER: Path | None = None  # where pictures are written; nowhere if None
made: list[Picture] = []  # by the lesson that runs, in order


@dataclass(frozen=True)
class Picture:
    """A picture as SVG; a notebook shows it, once."""

    name: str
    svg: str
    shown: bool = False

    def save(self, folder: str | Path) -> Path:
        """Write it into a folder as `NAME.svg`; returns the path."""
        path = Path(folder) / f"{self.name}.svg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(self.svg, encoding="utf-8")
        return path

    def _repr_svg_(self):
        return None if self.shown else self.svg

    def __repr__(self):
        return f"picture {self.name}"


def picture(name: str, content: Any) -> Picture:
    """Show a picture in a notebook; returns it, so that it can be saved.

    Args:
        name: what it is called, the file's name without suffix if it is saved.
        content: an explanation, a graph to draw, a matplotlib figure, or SVG as text.

    Example:

        >>> picture("01-curve", figure).save("figures")  # doctest: +SKIP
    """
    if isinstance(content, str):
        text = content
    elif isinstance(content, Graph):
        text = svg(content, name)
    elif hasattr(content, "savefig"):
        text = _of_figure(content)
    else:
        text = content.svg()
    found = Picture(name, text)
    made.append(found)
    if FOLDER is not None:
        found.save(FOLDER)
    return replace(found, shown=True) if displayed(found) else found


def _of_figure(figure) -> str:
    """A matplotlib figure as SVG without a date, and with names that don't change."""
    import matplotlib

    buffer = io.StringIO()
    with matplotlib.rc_context({"svg.hashsalt": "jaxkit", "svg.fonttype": "none"}):
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    return buffer.getvalue()
