"""Pictures of lessons: shown in notebooks, written where one asks for it."""

from __future__ import annotations

import io
from collections.abc import Callable
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


def picture(
    name: str, content: Any, size: tuple[float, float] = (5, 3.2)
) -> Picture | None:
    """Show a picture in a notebook; returns it, so that it can be saved.

    Args:
        name: what it is called, the file's name without suffix if it is saved.
        content: an explanation, a graph to draw, or a function that draws into the axes
            of matplotlib that it is given.
        size: of these axes' figure, in inches.

    Returns:
        The picture; None, and a line is printed, if it needs matplotlib, which isn't
        installed.

    Example:

        >>> picture("01-curve", lambda axes: axes.plot([1, 4, 9]))
        picture 01-curve
    """
    if isinstance(content, Graph):
        text = svg(content, name)
    elif hasattr(content, "svg"):
        text = content.svg()
    else:
        try:
            text = _drawn(content, size)
        except ModuleNotFoundError as error:
            print(f"(no picture {name}: {error}; pip install 'jaxkit[lessons]' has it)")
            return None
    found = Picture(name, text)
    made.append(found)
    if FOLDER is not None:
        found.save(FOLDER)
    return replace(found, shown=True) if displayed(found) else found


def _drawn(draw: Callable[[Any], Any], size: tuple[float, float]) -> str:
    """What is drawn, as SVG without a date, and with names that don't change."""
    import matplotlib
    from matplotlib.figure import Figure

    figure = Figure(size, layout="constrained")
    draw(figure.add_subplot())
    buffer = io.StringIO()
    with matplotlib.rc_context({"svg.hashsalt": "jaxkit", "svg.fonttype": "none"}):
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    return buffer.getvalue()
