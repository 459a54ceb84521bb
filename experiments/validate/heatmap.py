"""The figure: differences to JAX, of each function by each transform."""

from typing import Any

import numpy as np
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from experiments.bench.record import Record
from experiments.bench.style import BLUE, GREY, VERMILION, figure
from experiments.validate.tables import families
from experiments.validate.transforms import TRANSFORMS

LEAST = -8  # in powers of ten below the tolerance: this and all below look alike
PALE = "#eaf2f8"
PASSING = LinearSegmentedColormap.from_list("passing", [PALE, BLUE]).with_extremes(
    under=PALE, over=VERMILION, bad="white"
)
FAILED: dict[str, Any] = {"marker": "x", "color": "black", "linestyle": ""}
LEFT_OUT: dict[str, Any] = {
    "marker": ".", "color": GREY, "linestyle": "", "markersize": 3
}  # fmt: skip


def heatmap(record: Record) -> Figure:
    """Rows are functions, by family; columns transforms; panels dtypes.

    A cell's colour is the difference to JAX in powers of ten of the tolerance. One that
    failed has a colour of its own and a cross, one that was left out a dot.
    """
    groups = families(record)
    functions = [name for names in groups.values() for name in names]
    dtypes = record.settings["dtypes"]
    height = max(0.115 * len(functions), 1.5) + 0.9
    drawing, axes = figure(1, len(dtypes), 4, height, sharey=True)
    drawing.get_layout_engine().set(w_pad=0.2)  # type: ignore
    drawing.suptitle("Difference to JAX, relative to the tolerance")
    image: Any = None
    for ax, dtype in zip(axes[0], dtypes, strict=True):
        image = panel(ax, record, dtype, functions)
        ax.set_yticks(range(len(functions)), functions, fontsize=6)
        ax.set_xticks(range(len(TRANSFORMS)), TRANSFORMS, fontsize=7)
        ax.tick_params(length=0, top=True, labeltop=True)
        ax.set_title(dtype)
        ax.grid(visible=False)
    axes[0][0].invert_yaxis()
    end = 0
    for family, names in groups.items():
        start, end = end, end + len(names)
        for ax in axes[0]:
            ax.axhline(end - 0.5, color=GREY, linewidth=0.6)
        middle = (start + end - 1) / 2
        where = {"fontsize": 6, "va": "center", "style": "italic"}
        axes[0][-1].text(len(TRANSFORMS) - 0.3, middle, family, **where)
    ticks = range(LEAST, 1, 2)
    where = {"location": "bottom", "shrink": 0.7, "aspect": 40, "pad": 0.02}
    bar = drawing.colorbar(image, ax=axes, extend="both", ticks=ticks, **where)
    bar.ax.set_xticklabels([f"1e{k}" if k else "1" for k in ticks])
    handles = [Line2D([], [], label="failed", **FAILED)]
    handles += [Line2D([], [], label="left out: JAX has none", **LEFT_OUT)]
    drawing.legend(handles=handles, loc="outside lower center", ncols=2)
    return drawing


def panel(ax, record: Record, dtype: str, functions: list[str]):
    """The cells of one dtype."""
    cells = np.full((len(functions), len(TRANSFORMS)), np.nan)
    for key, result in record.results(dtype=dtype):
        row = functions.index(key["function"])
        for column, verdict in enumerate(result["transforms"].values()):
            if "left_out" in verdict:
                ax.plot(column, row, **LEFT_OUT)
                continue
            cells[row, column] = power(verdict)
            if not verdict["passed"]:
                ax.plot(column, row, markersize=4, **FAILED)
    places = (np.arange(size) for size in reversed(cells.shape))
    return ax.pcolormesh(
        *places, cells, shading="nearest", cmap=PASSING, vmin=LEAST, vmax=0
    )


def power(verdict: dict) -> float:
    """Of ten, the difference to JAX over the tolerance; 1 for what failed."""
    if not verdict["passed"]:
        return 1
    ratio = verdict["to_jax"] / verdict["tolerance"]
    return float(np.log10(max(ratio, 10.0 ** (LEAST - 1))))
