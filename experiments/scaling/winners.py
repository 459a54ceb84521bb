"""Heatmaps over (n, m): which mode makes the Jacobian cheaper."""

from typing import Any

import numpy as np
from matplotlib.lines import Line2D

from experiments.bench.costs import COMPILED
from experiments.bench.record import Record
from experiments.bench.style import (
    DIVERGING,
    GREEN,
    INK,
    LABELS,
    TITLES,
    figure,
    halo,
)
from experiments.scaling.theory import MODES, crossovers, grid

THEORY: dict[str, Any] = {"color": GREEN, "linewidth": 7, "alpha": 0.35}
MEASURED: dict[str, Any] = {
    "color": INK, "marker": "*", "linestyle": "-", "markersize": 12, "linewidth": 1.3
}  # fmt: skip


def winners(record: Record, function: str):
    """Heatmaps over (n, m) of the ratio jacfwd / jacrev, and where it is 1."""
    sizes = record.settings["sizes"]
    places = np.arange(len(sizes))
    limit = np.log2(sizes[-1])
    drawing, axes = figure(2, 2, 4.4, 3.7, sharex=True, sharey=True)
    drawing.suptitle(f"{function}: which mode makes the Jacobian cheaper?")
    image: Any = None
    for row, quantity in zip(axes, ("time", "flops"), strict=True):
        for ax, library in zip(row, COMPILED, strict=True):
            forward, reverse = (
                grid(record, function, f"{library} {mode}", quantity) for mode in MODES
            )
            ratio = np.log2(forward / reverse)
            look = {"cmap": DIVERGING, "vmin": -limit, "vmax": limit}
            image = ax.imshow(ratio.T, origin="lower", aspect="auto", **look)
            write_ratios(ax, ratio, limit)
            ax.plot(places, places, **THEORY)
            equal = crossovers(record, function, library, quantity)
            at = np.interp(np.log(equal), np.log(sizes), places)
            ax.plot(at, places, **MEASURED)
            ax.set_title(f"{LABELS[quantity][0]}, {TITLES[library]}")
            ax.grid(visible=False)
            ax.set_xticks(places, sizes)
            ax.set_yticks(places, sizes)
    for bottom, left in zip(axes[-1], axes[:, 0], strict=True):
        bottom.set_xlabel("inputs n")
        left.set_ylabel("outputs m")
    bar = drawing.colorbar(image, ax=axes, shrink=0.8, ticks=[-limit, 0, limit])
    times = f"{sizes[-1]} times\ncheaper"
    bar.ax.set_yticklabels([f"jacfwd\n{times}", "equal", f"jacrev\n{times}"])
    theory = Line2D([], [], label="n = m (theory)", **THEORY)
    measured = Line2D([], [], label="equal cost, measured", **MEASURED)
    cell = Line2D([], [], linestyle="", label="in cells: jacfwd / jacrev")
    handles = [theory, measured, cell]
    drawing.legend(handles=handles, loc="outside lower center", ncols=3)
    return drawing


def write_ratios(ax, ratio: np.ndarray, limit: float) -> None:
    """Write jacfwd / jacrev in a corner of each cell; a dash where one was skipped."""
    for (i, j), value in np.ndenumerate(ratio):
        text = f"{2**value:.2g}" if np.isfinite(value) else "-"
        colour = "white" if abs(value) > 0.6 * limit else INK
        where = {"ha": "right", "va": "bottom", "fontsize": 8}
        edge = [] if colour == "white" else halo("white")
        ax.text(i + 0.46, j - 0.46, text, color=colour, path_effects=edge, **where)
