"""One look for all figures: legible, colour-blind-safe, on a solid background.

The colours are those of M. Okabe and K. Ito, Color Universal Design (2008). Meaning
is never in colour alone: the mode has its marker too, the library its line style.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patheffects import withStroke
from matplotlib.ticker import (
    EngFormatter,
    FixedLocator,
    LogLocator,
    NullLocator,
)

from experiments.bench.costs import TIMES, curve
from experiments.bench.record import Record

BLUE, VERMILION, GREEN, ORANGE = "#0072B2", "#D55E00", "#009E73", "#E69F00"
SKY, PURPLE = "#56B4E9", "#CC79A7"
INK, GREY = "#1a1a1a", "#6b6b6b"

# A library is a line style. jaxkit is a dot on a line and JAX a ring around it: both
# show where they coincide.
LIBRARIES: dict[str, dict[str, Any]] = {
    "jaxkit": {"linestyle": "-", "markersize": 4.5},
    "jax": {"linestyle": "--", "markersize": 9, "markerfacecolor": "none"},
    "torch": {"linestyle": ":", "markersize": 3, "linewidth": 1.3},
    "autograd": {"linestyle": "-.", "markersize": 3, "linewidth": 1},
}
TITLES = {"jaxkit": "jaxkit", "jax": "JAX", "torch": "PyTorch", "autograd": "autograd"}
LABELS = {
    "time": ("run time", "s"),
    "flops": ("FLOPs", ""),
    "bytes": ("bytes accessed", "B"),
    "temporaries": ("peak temporaries", "B"),
    "equations": ("equations", ""),
    "trace_s": ("time to trace", "s"),
    "lower_s": ("time to lower", "s"),
    "compile_s": ("time to compile", "s"),
}

DIVERGING = LinearSegmentedColormap.from_list(
    "forward to reverse", [BLUE, "#ffffff", VERMILION]
)

STYLE: dict[Any, Any] = {
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "axes.facecolor": "white",
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": GREY,
    "xtick.color": INK,
    "ytick.color": INK,
    "font.size": 10,
    "axes.titlesize": 11,
    "figure.titlesize": 13,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e3e3e3",
    "legend.frameon": False,
    "lines.linewidth": 1.8,
    "lines.markersize": 6,
    # The same figure gives the same file.
    "svg.hashsalt": "jaxkit",
}


def figure(rows: int, columns: int, width: float, height: float, **options):
    """A figure and its 2-D array of axes; width and height of one panel in inches."""
    plt.rcParams.update(STYLE)
    return plt.subplots(
        rows,
        columns,
        figsize=(columns * width, rows * height + 0.9),
        squeeze=False,
        layout="constrained",
        **options,
    )


def save(drawing: Figure, out: Path, name: str) -> list[Path]:
    """Write the figure as PNG and SVG, and close it; returns the paths."""
    paths = [out / f"{name}.png", out / f"{name}.svg"]
    # Arrange once, not once for each file: it takes most of the time.
    drawing.draw_without_rendering()
    drawing.set_layout_engine("none")
    drawing.savefig(paths[0], dpi=150)
    drawing.savefig(paths[1], metadata={"Date": None})
    plt.close(drawing)
    return paths


def present(record: Record) -> dict[str, str]:
    """The titles of the libraries that a record has programs of, by their names."""
    programs = {
        name for _, result in record.results() for name in result.get("programs", {})
    }
    found = {name.partition(" ")[0] for name in programs}
    return {name: title for name, title in TITLES.items() if name in found}


def plot(ax, record: Record, x: str, program: str, quantity: str, look: dict, **key):
    """The cost of a program over `x`; times with a band between their quartiles.

    `program` is named "LIBRARY WHAT"; the look adds colour and marker to the library's.
    """
    sizes, _ = curve(record, x, program, quantity, **key)

    def costs(quantity: str):
        return curve(record, x, program, quantity, **key)[1]

    line(ax, sizes, costs, quantity, LIBRARIES[program.partition(" ")[0]] | look)


def line(ax, sizes, costs: Callable, quantity: str, look: dict) -> None:
    """`costs(quantity)` over sizes; times with a band between their quartiles."""
    found = costs(quantity)
    seen = np.where(found > 0, found, np.nan)
    if not np.isfinite(seen).any():  # nothing that logarithmic axes can show
        return
    ax.plot(sizes, seen, **look)
    if quantity == "time":
        ends = (costs(time) for time in TIMES[::2])
        ax.fill_between(sizes, *ends, color=look["color"], alpha=0.15, linewidth=0)


def legend(drawing: Figure, looks: dict[str, dict], libraries: dict[str, str], *more):
    """Below the figure: what colours and markers mean, and what line styles do."""
    handles = [Line2D([], [], label=label, **look) for label, look in looks.items()]
    handles += [
        Line2D([], [], color=INK, marker="o", label=title, **LIBRARIES[name])
        for name, title in libraries.items()
    ]
    handles += more
    drawing.legend(
        handles=handles, loc="outside lower center", ncols=min(len(handles), 7)
    )


def halo(colour: str) -> list:
    """Path effects that keep text legible where a line crosses it."""
    return [withStroke(linewidth=1.5, foreground=colour, alpha=0.7)]


def widen(ax, factor: float = 10) -> None:
    """Let a logarithmic y axis reach over a factor, so that it has ticks."""
    low, high = ax.get_ylim()
    more = max(1, np.sqrt(factor * low / high))
    ax.set_ylim(low / more, high * more)


def log_axes(ax, sizes, unit: str) -> None:
    """Logarithmic axes: x with a tick at each size, y with ticks at 1, 3, 10, 30."""
    ax.set(xscale="log", yscale="log")
    ax.xaxis.set_major_locator(FixedLocator(sizes))
    ax.xaxis.set_major_formatter(lambda x, _: f"{x:g}")
    ax.yaxis.set_major_locator(LogLocator(subs=(1, 3)))
    ax.yaxis.set_major_formatter(EngFormatter(unit))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.yaxis.set_minor_locator(NullLocator())
