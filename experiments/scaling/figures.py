"""The figures of the scaling experiment; here, the sweeps."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from experiments.bench.costs import cost
from experiments.bench.record import Record
from experiments.bench.style import (
    BLUE,
    GREY,
    INK,
    LABELS,
    LIBRARIES,
    VERMILION,
    figure,
    legend,
    line,
    log_axes,
    present,
)
from experiments.functions import find
from experiments.scaling.passes import passes
from experiments.scaling.theory import along, crossover, grid, one_pass
from experiments.scaling.winners import winners

LOOKS: dict[str, dict[str, Any]] = {
    "jacfwd": {"color": BLUE, "marker": "o"},
    "jacrev": {"color": VERMILION, "marker": "s"},
}
STAR: dict[str, Any] = {"color": INK, "marker": "*", "linestyle": "", "markersize": 12}


def draw(record: Record) -> Iterator[tuple[str, Figure]]:
    """The figures of what the record has."""
    for function in record.settings["functions"]:
        yield f"scaling-{function}-cost", sweeps(record, function, ("time", "flops"))
        memory = sweeps(record, function, ("bytes", "temporaries"))
        yield f"scaling-{function}-memory", memory
        yield f"scaling-{function}-winner", winners(record, function)
    yield "scaling-passes", passes(record)


def sweeps(record: Record, function: str, quantities: tuple[str, ...]) -> Figure:
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
    subject = r"Jacobian of $f: \mathbb{R}^n \to \mathbb{R}^m$"
    drawing.suptitle(f"{subject}, {find(function, record.settings).title}")
    libraries = present(record)
    for row, quantity in zip(axes, quantities, strict=True):
        for ax, (label, part) in zip(row, columns.items(), strict=True):
            log_axes(ax, sizes, LABELS[quantity][1])
            guides(ax, record, function, quantity)
            for library in libraries:
                curves(ax, record, function, library, quantity, part)
            if label.startswith("inputs n "):
                crossing(ax, record, function, quantity, part)
        row[0].set_ylabel(LABELS[quantity][0])
    for ax, label in zip(axes[-1], columns, strict=True):
        ax.set_xlabel(label)
    more = [Line2D([], [], label="jaxkit's modes cost the same", **STAR)]
    if "time" in quantities:
        guide: dict[str, Any] = {"color": GREY, "linewidth": 1.3}
        more.append(Line2D([], [], label="cost of f", linestyle=":", **guide))
        more.append(Line2D([], [], label="size x f", linestyle="-.", **guide))
    else:
        libraries = {k: v for k, v in libraries.items() if k in ("jaxkit", "jax")}
    legend(drawing, LOOKS, libraries, *more)
    return drawing


def curves(ax, record, function, library, quantity, part: Callable) -> None:
    """Both modes of one library."""
    sizes = record.settings["sizes"]
    for mode, look in LOOKS.items():

        def costs(quantity, program=f"{library} {mode}"):
            return part(grid(record, function, program, quantity))

        line(ax, sizes, costs, quantity, LIBRARIES[library] | look)


def crossing(ax, record, function, quantity, part: Callable) -> None:
    """A star where jaxkit's two modes cost the same."""
    sizes = record.settings["sizes"]
    forward, reverse = (
        part(grid(record, function, f"jaxkit {mode}", quantity)) for mode in LOOKS
    )
    at = crossover(sizes, forward, reverse)
    if sizes[0] <= at <= sizes[-1]:
        height = np.interp(np.log(at), np.log(sizes), np.log(reverse))
        ax.plot(at, np.exp(height), zorder=5, **STAR)


def guides(ax, record, function, quantity) -> None:
    """Theory, for time and FLOPs: the cost of f, and size times that."""
    found = one_pass(record, function, "jax")
    if found and quantity in ("time", "flops"):
        sizes = np.array(record.settings["sizes"], float)
        unit = cost(found["f"], quantity)
        ax.plot(sizes, unit + 0 * sizes, color=GREY, linestyle=":", linewidth=1.3)
        ax.plot(sizes, unit * sizes, color=GREY, linestyle="-.", linewidth=1.3)
