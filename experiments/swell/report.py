"""The table of sizes, and how they grow with depth."""

from pathlib import Path

from matplotlib.ticker import LogLocator

from experiments.bench import units
from experiments.bench.record import Record
from experiments.bench.style import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    VERMILION,
    figure,
    log_axes,
    save,
)
from experiments.bench.table import table
from experiments.swell import FUNCTIONS

LOOKS = [
    (GREY, "."),
    (VERMILION, "s"),
    (ORANGE, "D"),
    (GREEN, "^"),
    (BLUE, "o"),
    (BLUE, "v"),
]


def report(record: Record, out: Path) -> list[Path]:
    """Print the table and draw the figure; returns its paths."""
    print(sizes(record))
    return draw(record, out)


def found(record: Record, function: str) -> list[tuple[int, dict]]:
    """The depths of a function, with its sizes there."""
    points = [p for p in record.points if p["key"]["function"] == function]
    return sorted((p["key"]["depth"], p["result"]["sizes"]) for p in points)


def sizes(record: Record) -> str:
    """A row for each function and depth."""
    rows, names = [], []
    for function in record.settings["functions"]:
        for depth, counts in found(record, function):
            names = list(counts)
            amounts = [units.amount(count) for count in counts.values()]
            rows.append([function, str(depth), *amounts])
    title = "Nodes of expressions, and operations of traced programs"
    return table(title, ["function", "depth", *names], rows)


def draw(record: Record, out: Path) -> list[Path]:
    """Size against depth, a panel for each function."""
    functions = record.settings["functions"]
    drawing, axes = figure(1, len(functions), 4.6, 3.8)
    drawing.suptitle("Expression swell: sizes of derivatives against depth")
    for ax, function in zip(axes[0], functions, strict=True):
        points = found(record, function)
        depths = [depth for depth, _ in points]
        for name, (colour, marker) in zip(points[0][1], LOOKS, strict=True):
            counts = [counts[name] for _, counts in points]
            style = "--" if name == "traced, reverse mode" else "-"
            ax.plot(depths, counts, style, color=colour, marker=marker, label=name)
        log_axes(ax, depths, "")
        ax.yaxis.set_major_locator(LogLocator())  # of many decades, not each
        ax.set_title(FUNCTIONS[function])
        ax.set_xlabel("depth")
    axes[0][0].set_ylabel("nodes, or operations")
    handles, labels = axes[0][0].get_legend_handles_labels()
    drawing.legend(handles, labels, loc="outside lower center", ncols=3)
    return save(drawing, out, "swell")
