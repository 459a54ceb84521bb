"""One look for all figures: legible, colour-blind-safe, on a solid background.

The colours are those of M. Okabe and K. Ito, Color Universal Design (2008). Meaning
is never in colour alone: the mode has its marker too, the library its line style.
"""

import io
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import seaborn as sns
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import EngFormatter, FixedLocator, LogLocator, NullLocator
from PIL import Image

from experiments.bench.tidy import TITLES, Table, libraries

BLUE, VERMILION, GREEN, ORANGE = "#0072B2", "#D55E00", "#009E73", "#E69F00"
SKY, PURPLE, INK, GREY = "#56B4E9", "#CC79A7", "#1a1a1a", "#6b6b6b"
DIVERGING = LinearSegmentedColormap.from_list("modes", [BLUE, "#ffffff", VERMILION])

Looks = dict[str, dict[str, Any]]
Tables = dict[str, Table]
Figures = Iterator[tuple[str, Figure]]
# A library is a line style. jaxkit is a dot on a line and JAX a ring around it: both
# show where they coincide.
LIBRARIES: Looks = {
    "jaxkit": {"linestyle": "-", "markersize": 4.5},
    "jax": {"linestyle": "--", "markersize": 9, "markerfacecolor": "none"},
    "torch": {"linestyle": ":", "markersize": 3, "linewidth": 1.3},
    "autograd": {"linestyle": "-.", "markersize": 3, "linewidth": 1},
    "equinox": {"linestyle": "-.", "markersize": 3, "linewidth": 1.3},
    "asdex": {"linestyle": ":", "markersize": 3, "linewidth": 1.3},
}
COLOURS = [BLUE, VERMILION, GREEN, ORANGE, PURPLE, SKY, INK]
QUANTITIES = {
    "time": ("run time", "s"), "flops": ("FLOPs", ""), "equations": ("equations", ""),
    "bytes": ("bytes accessed", "B"), "temporaries": ("peak temporaries", "B"),
    "needs": ("memory with the result", "B"),
    "trace_s": ("time to trace", "s"), "compile_s": ("time to compile", "s"),
}  # fmt: skip
STYLE: dict[str, Any] = {
    "text.color": INK, "axes.labelcolor": INK, "axes.edgecolor": GREY, "font.size": 10,
    "axes.titlesize": 11, "figure.titlesize": 13, "grid.color": "#e3e3e3",
    "axes.spines.top": False, "axes.spines.right": False, "legend.frameon": False,
    "lines.linewidth": 1.8, "lines.markersize": 6,
    "svg.hashsalt": "jaxkit",  # the same figure gives the same file
}  # fmt: skip


def looks(markers: dict[str, str], **more) -> Looks:
    """Looks with these markers, each in a colour of its own."""
    pairs = zip(markers.items(), COLOURS, strict=False)
    return {k: {"color": colour, "marker": m} | more for (k, m), colour in pairs}


def figure(rows: int, columns: int, width: Any, height: Any, **options):
    """A figure and its 2-D array of axes; width and height of one panel in inches."""
    sns.set_theme(context="notebook", style="whitegrid", font_scale=0.85, rc=STYLE)
    size = columns * width, rows * height + 0.9
    options |= {"figsize": size, "squeeze": False, "layout": "constrained"}
    return plt.subplots(rows, columns, **options)


def save(drawing: Figure, path: Path) -> Path:
    """Write the figure as PNG and SVG, and close it; returns the PNG's path."""
    # Arrange once, not once for each file: it takes most of the time.
    drawing.draw_without_rendering()
    drawing.set_layout_engine("none")
    drawing.savefig(pixels := io.BytesIO(), dpi=100)
    # A palette: a third of the size, and no eye sees it.
    few = Image.open(pixels).convert("RGB").quantize(256, Image.Quantize.MAXCOVERAGE)
    few.save(path, optimize=True)
    drawing.savefig(path.with_suffix(".svg"), metadata={"Date": None})
    plt.close(drawing)
    return path


def lines(ax, table: Table, x: str, y: str, looks: Looks, by="program") -> None:
    """y over x, a line for each look and library; times with bands, their quartiles."""
    table = table[table[y] > 0].sort_values(x) if y in table else table[:0]
    for library in libraries(table) or [""]:
        drawn = table[table["library"] == library] if library else table
        for what, look in looks.items():
            look = LIBRARIES.get(library, {}) | look
            if len(found := drawn[drawn[by] == what]):
                ax.plot(found[x], found[y], **look)
            if y == "time":
                ends = found["time_low"], found["time_high"]
                ax.fill_between(found[x], *ends, color=look["color"], alpha=0.15, lw=0)


Cell = tuple[str, Table, str]  # a panel: its title, and y of a table


def panels(title: str, cells: list[list[Cell]], x: str, looks: Looks, by="program",
           size=(3.5, 2.9), **shared):  # fmt: skip
    """A figure of lines over x, and its axes; the first of a row says what is drawn."""
    drawing, axes = figure(len(cells), len(cells[0]), *size, **shared)
    drawing.suptitle(title)
    for row, drawn in zip(axes, cells, strict=True):
        for ax, (name, table, y) in zip(row, drawn, strict=True):
            quantity, unit = QUANTITIES.get(y, (y, ""))
            log_axes(ax, sorted(set(table[x])), unit)
            lines(ax, table, x, y, looks, by)
            ax.set_title(name)
            if ax is row[0] and quantity not in name:
                ax.set_ylabel(quantity)
    for ax in axes[-1]:
        ax.set_xlabel(x)
    return drawing, axes


def legend(drawing: Figure, looks: Looks, libraries: Iterable[str] = ()) -> None:
    """Below the figure: what colours and markers mean, and what line styles do."""
    named = {TITLES[x]: {"color": INK, "marker": "o"} | LIBRARIES[x] for x in libraries}
    all_looks = {**looks, **named}.items()
    handles = [Line2D([], [], label=label, **look) for label, look in all_looks]
    where = {"loc": "outside lower center", "ncols": min(len(handles), 7)}
    drawing.legend(handles=handles, **where)


def log_axes(ax, sizes, unit: str = "") -> None:
    """Logarithmic axes: x with a tick at each size, y with ticks at 1, 3, 10, 30."""
    ax.set(xscale="log", yscale="log")
    ax.xaxis.set_major_locator(FixedLocator(sizes))
    ax.xaxis.set_major_formatter(lambda x, _: f"{x:g}")
    ax.yaxis.set_major_locator(LogLocator(subs=(1, 3)))
    ax.yaxis.set_major_formatter(EngFormatter(unit))
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_minor_locator(NullLocator())
