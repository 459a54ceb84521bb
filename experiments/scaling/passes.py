"""Bars: what one pass costs beside f itself."""

from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from experiments.bench.record import Record
from experiments.bench.style import BLUE, GREY, INK, VERMILION, figure
from experiments.scaling.looks import LABELS
from experiments.scaling.theory import BOUND, one_pass, relative


def passes(record: Record):
    """Bars: one jvp and one vjp in units of f, below the bounds of theory."""
    groups = [(f, mode) for f in record.settings["functions"] for mode in BOUND]
    colours = {"jvp": BLUE, "vjp": VERMILION}
    drawing, axes = figure(1, 2, 4.6, 3.2)
    drawing.suptitle("One pass, which also gives f's value, in units of f")
    for ax, quantity in zip(axes[0], ("time", "flops"), strict=True):
        for i, (function, mode) in enumerate(groups):
            found = one_pass(record, function)
            colour = colours[mode]
            ax.hlines(BOUND[mode], i - 0.45, i + 0.45, color=INK, linestyle=":")
            for side, library in ((-0.2, "jaxkit"), (0.2, "jax")) if found else ():
                height = relative(found[f"{library} {mode}"], found["f"], quantity)
                fill = colour if library == "jaxkit" else "white"
                ax.bar(i + side, height, 0.34, color=fill, edgecolor=colour)
        ax.axhline(1, color=GREY, linewidth=1)
        ax.grid(visible=False, axis="x")
        ax.set_xticks(range(len(groups)), [f"{f}\n{mode}" for f, mode in groups])
        ax.set_ylabel(f"{LABELS[quantity][0]} / that of f")
    handles = [
        Patch(facecolor=GREY, edgecolor=GREY, label="jaxkit"),
        Patch(facecolor="white", edgecolor=GREY, label="JAX"),
        Line2D([], [], color=INK, linestyle=":", label="bound (Griewank and Walther)"),
    ]
    drawing.legend(handles=handles, loc="outside lower center", ncols=3)
    return drawing
