"""What is shown: tables, figures, and what they say."""

from collections.abc import Iterator
from typing import Any

from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator

from experiments.bench import units
from experiments.bench.costs import slope
from experiments.bench.record import Record
from experiments.bench.style import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    VERMILION,
    figure,
    log_axes,
)
from experiments.bench.table import table
from experiments.bench.words import listed, power, span
from experiments.swell.sweep import COUNTS, FUNCTIONS, SHARED

# The shared graph and the traced programs lie on one another.
LOOKS: dict[str, dict[str, Any]] = dict(
    zip(
        COUNTS,
        (
            {"color": GREY, "marker": "."},
            {"color": VERMILION, "marker": "s"},
            {"color": ORANGE, "marker": "D"},
            {"color": GREEN, "linewidth": 8, "alpha": 0.5},
            {"color": BLUE, "marker": "o"},
            {
                "color": BLUE,
                "marker": "o",
                "linestyle": "--",
                "fillstyle": "none",
                "markersize": 10,
            },
        ),
        strict=True,
    )
)


def tables(record: Record) -> Iterator[str]:
    """A row for each function and depth."""
    rows = [
        [
            key["function"],
            str(key["depth"]),
            *map(units.amount, result["sizes"].values()),
        ]
        for key, result in record.results()
    ]
    title = "Nodes of expressions, and operations of traced programs"
    yield table(title, ["function", "depth", *LOOKS], rows)


def counts(record: Record, function: str, name: str) -> tuple[list, list]:
    """The depths of a function, and the sizes of one thing there."""
    found = record.results(function=function)
    return [k["depth"] for k, _ in found], [r["sizes"][name] for _, r in found]


def draw(record: Record) -> Iterator[tuple[str, Figure]]:
    """Size against depth, a panel for each function."""
    functions = record.settings["functions"]
    drawing, axes = figure(1, len(functions), 4.6, 3.8)
    drawing.suptitle("Expression swell: sizes of derivatives against depth")
    for ax, function in zip(axes[0], functions, strict=True):
        ax.set(title=FUNCTIONS[function][0], xlabel="depth")
        if not record.results(function=function):
            continue
        for name, look in LOOKS.items():
            ax.plot(*counts(record, function, name), label=name, **look)
        log_axes(ax, record.settings["depths"], "")
        ax.yaxis.set_major_locator(LogLocator())  # of many decades, not each
    axes[0][0].set_ylabel("nodes, or operations")
    handles, labels = axes[0][0].get_legend_handles_labels()
    drawing.legend(handles, labels, loc="outside lower center", ncols=3)
    yield "swell", drawing


def captions(record: Record) -> dict[str, str]:
    """What the figure shows."""
    last = {
        function: record.results(function=function)[-1]
        for function in record.settings["functions"]
        if record.results(function=function)
    }
    trees = listed(
        f"{units.amount(result['sizes']['derivative, pruned'])} nodes "
        f"({function}, depth {key['depth']})"
        for function, (key, result) in last.items()
    )
    graphs = span(result["sizes"][SHARED] for _, result in last.values())
    traced = span(
        result["sizes"][f"traced, {mode} mode"]
        for _, result in last.values()
        for mode in ("forward", "reverse")
    )
    shared, traced_modes = (
        span(exponents(record, name), power)
        for name in (SHARED, "traced, reverse mode")
    )
    text = (
        f"Written out as a tree, the pruned derivative has {trees}. With equal parts "
        f"made one it has {graphs} nodes, and the traced modes evaluate {traced} "
        f"operations for the value and the derivative. With depth, shared graphs grow "
        f"by exponents of {shared}, traced programs of {traced_modes}; where that is "
        "1, the swell is of the notation, not of the derivative."
    )
    return {"swell": text}


def exponents(record: Record, name: str) -> list[float]:
    """p in size ~ depth^p from depth 4 on, for each function."""
    functions = record.settings["functions"]
    return [slope(*counts(record, function, name), start=4) for function in functions]


def summary(record: Record) -> dict[str, str]:
    """None: sizes are the same on every device."""
    return {}
