"""The figures of the scaling experiment; here, the sweeps."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.lines import Line2D

from experiments.bench.record import Record
from experiments.bench.style import GREY, figure, log_axes, save
from experiments.scaling import FUNCTIONS
from experiments.scaling.looks import LABELS, LIBRARIES, LOOKS, MODES, STAR
from experiments.scaling.passes import passes
from experiments.scaling.theory import along, crossover, grid, one_pass, relative
from experiments.scaling.winners import winners


def draw(record: Record, out: Path) -> list[Path]:
    """Draw what the record has; returns the paths of the PNG and SVG files."""
    paths = []
    for function in record.settings["functions"]:
        cost = sweeps(record, function, ("time", "flops"))
        memory = sweeps(record, function, ("bytes", "temporaries"))
        paths += save(cost, out, f"scaling-{function}-cost")
        paths += save(memory, out, f"scaling-{function}-memory")
        paths += save(winners(record, function), out, f"scaling-{function}-winner")
    return paths + save(passes(record), out, "scaling-passes")


def sweeps(record: Record, function: str, quantities: tuple[str, ...]):
    """Cost against n, m and n = m, and against n at a middle m, where modes cross."""
    sizes = record.settings["sizes"]
    middle = len(sizes) // 2
    columns = {
        "inputs n   (m = 1)": lambda costs: along(costs, "n"),
        "outputs m   (n = 1)": lambda costs: along(costs, "m"),
        "inputs and outputs, n = m": lambda costs: along(costs, "n=m"),
        f"inputs n   (m = {sizes[middle]})": lambda costs: costs[:, middle],
    }
    drawing, axes = figure(len(quantities), 4, 3.5, 3.1, sharex=True, sharey="row")
    subject = rf"Jacobian of $f: \mathbb{{R}}^n \to \mathbb{{R}}^m$, {function}"
    drawing.suptitle(f"{subject}: {FUNCTIONS[function]}")
    for row, quantity in zip(axes, quantities, strict=True):
        for ax, (label, part) in zip(row, columns.items(), strict=True):
            log_axes(ax, sizes, LABELS[quantity][1])
            guides(ax, record, function, quantity)
            for library in LIBRARIES:
                curves(ax, record, function, library, quantity, part)
            if label.startswith("inputs n "):
                crossing(ax, record, function, quantity, part)
        row[0].set_ylabel(LABELS[quantity][0])
    for ax, label in zip(axes[-1], columns, strict=True):
        ax.set_xlabel(label)
    drawing.legend(handles=legend(quantities), loc="outside lower center", ncols=7)
    return drawing


def curves(ax, record, function, library, quantity, part: Callable) -> None:
    """Both modes of one library; times with a band between their quartiles."""
    sizes = record.settings["sizes"]

    def costs(mode, quantity):
        return part(grid(record, function, f"{library} {mode}", quantity))

    for mode, (colour, marker) in MODES.items():
        look = LOOKS[library] | {"color": colour, "marker": marker}
        ax.plot(sizes, costs(mode, quantity), **look)
        if quantity == "time":
            ends = costs(mode, "time low"), costs(mode, "time high")
            ax.fill_between(sizes, *ends, color=colour, alpha=0.15, linewidth=0)


def crossing(ax, record, function, quantity, part: Callable) -> None:
    """A star where jaxkit's two modes cost the same."""
    sizes = record.settings["sizes"]
    forward, reverse = (
        part(grid(record, function, f"jaxkit {mode}", quantity)) for mode in MODES
    )
    at = crossover(sizes, forward, reverse)
    if sizes[0] <= at <= sizes[-1]:
        height = np.interp(np.log(at), np.log(sizes), np.log(reverse))
        ax.plot(at, np.exp(height), zorder=5, **STAR)


def guides(ax, record, function, quantity) -> None:
    """Theory, for time and FLOPs: the cost of f, and size times that."""
    found = one_pass(record, function)
    if found and quantity in ("time", "flops"):
        sizes = np.array(record.settings["sizes"], float)
        unit = relative(found["f"], None, quantity)
        ax.plot(sizes, unit + 0 * sizes, color=GREY, linestyle=":", linewidth=1.3)
        ax.plot(sizes, unit * sizes, color=GREY, linestyle="-.", linewidth=1.3)


def legend(quantities) -> list[Line2D]:
    """What colours, markers and lines mean."""
    handles = [
        Line2D([], [], color=colour, marker=marker, label=f"{mode}, {name}", **look)
        for mode, (colour, marker) in MODES.items()
        for (look, name) in zip(LOOKS.values(), LIBRARIES.values(), strict=True)
    ]
    handles.append(Line2D([], [], label="jaxkit's modes cost the same", **STAR))
    if "time" in quantities:
        guide: dict[str, Any] = {"color": GREY, "linewidth": 1.3}
        handles.append(Line2D([], [], label="cost of f", linestyle=":", **guide))
        handles.append(Line2D([], [], label="size x f", linestyle="-.", **guide))
    return handles
