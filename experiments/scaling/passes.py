"""Bars: what one pass costs beside f itself."""

from matplotlib.artist import Artist
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from experiments.bench.record import Record
from experiments.bench.style import (
    BLUE,
    GREY,
    INK,
    LABELS,
    VERMILION,
    figure,
    present,
)
from experiments.scaling.theory import BOUND, one_pass, relative

COLOURS = {"jvp": BLUE, "vjp": VERMILION}
FILLS = {"jaxkit": 1.0, "jax": 0.0, "torch": 0.55, "autograd": 0.25}  # opacity


def passes(record: Record) -> Figure:
    """One jvp and one vjp in units of f in the same library, and theory's bounds."""
    groups = [(f, mode) for f in record.settings["functions"] for mode in BOUND]
    libraries = present(record)
    width = 0.85 / len(libraries)
    drawing, axes = figure(1, 2, 5.2, 3.2)
    drawing.suptitle("One pass, which also gives f's value, in units of f")
    for ax, quantity in zip(axes[0], ("time", "flops"), strict=True):
        for i, (function, mode) in enumerate(groups):
            ax.hlines(BOUND[mode], i - 0.45, i + 0.45, color=INK, linestyle=":")
            for place, library in enumerate(libraries):
                if found := one_pass(record, function, library):
                    height = relative(found[mode], found["f"], quantity)
                    at = i + width * (place - (len(libraries) - 1) / 2)
                    fill = (COLOURS[mode], FILLS[library])
                    edge = COLOURS[mode]
                    ax.bar(at, height, 0.9 * width, facecolor=fill, edgecolor=edge)
        ax.axhline(1, color=GREY, linewidth=1)
        ax.grid(visible=False, axis="x")
        ax.set_xticks(range(len(groups)), [f"{f}\n{mode}" for f, mode in groups])
        ax.set_ylabel(f"{LABELS[quantity][0]} / that of f")
    handles: list[Artist] = [
        Patch(facecolor=(GREY, FILLS[name]), edgecolor=GREY, label=title)
        for name, title in libraries.items()
    ]
    label = "bound of theory"
    handles.append(Line2D([], [], color=INK, linestyle=":", label=label))
    drawing.legend(handles=handles, loc="outside lower center", ncols=len(handles))
    return drawing
