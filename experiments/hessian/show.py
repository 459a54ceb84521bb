"""The tables and the figures."""

from collections.abc import Iterator
from typing import Any

from matplotlib.figure import Figure

from experiments.bench import units
from experiments.bench.costs import COMPILED, cost
from experiments.bench.record import Record
from experiments.bench.style import (
    BLUE,
    GREEN,
    INK,
    LABELS,
    ORANGE,
    TITLES,
    VERMILION,
    figure,
    legend,
    log_axes,
    plot,
    present,
)
from experiments.bench.table import table
from experiments.functions import find

LOOKS: dict[str, dict[str, Any]] = {
    "f": {"color": INK, "marker": ""},
    "forward/forward": {"color": ORANGE, "marker": "D"},
    "forward/reverse": {"color": BLUE, "marker": "o"},
    "reverse/forward": {"color": GREEN, "marker": "^"},
    "reverse/reverse": {"color": VERMILION, "marker": "s"},
    "hvp": {"color": INK, "marker": "v"},
}

WRITE = {"flops": units.amount, "temporaries": units.size, "trace_s": units.seconds}
QUANTITIES = ("time", *WRITE)


def tables(record: Record) -> Iterator[str]:
    """All programs at each n: times of each library, and what XLA counts."""
    libraries = present(record)
    for function in record.settings["functions"]:
        rows = []
        for key, result in record.results(function=function):
            for what in LOOKS:
                found = [result["programs"].get(f"{k} {what}") for k in libraries]
                row = [str(key["n"]), what]
                row += [units.seconds(cost(p, "time")) for p in found]
                for quantity, write in WRITE.items():
                    pair = [write(cost(p, quantity)) for p in found[:2]]
                    row.append(" / ".join(pair))
                rows.append(row)
        head = ["n", "nesting", *libraries.values()]
        head += [f"{LABELS[q][0]} jaxkit / JAX" for q in WRITE]
        yield table(f"Hessians of {function}", head, rows)


def draw(record: Record) -> Iterator[tuple[str, Figure]]:
    """A figure for each function: panels of time, FLOPs, memory and tracing over n."""
    for function in record.settings["functions"]:
        drawing, axes = figure(1, len(QUANTITIES), 3.6, 3.4)
        title = find(function, record.settings).title
        drawing.suptitle(f"Hessians by nesting two modes, over n inputs: {title}")
        for ax, quantity in zip(axes[0], QUANTITIES, strict=True):
            log_axes(ax, record.settings["sizes"], LABELS[quantity][1])
            ax.set(title=LABELS[quantity][0], xlabel="inputs n")
            for library in COMPILED:
                for what, look in LOOKS.items():
                    program = f"{library} {what}"
                    plot(ax, record, "n", program, quantity, look, function=function)
        looks = {k: v | {"linestyle": "-"} for k, v in LOOKS.items()}
        both = {name: TITLES[name] for name in COMPILED}
        legend(drawing, looks, both)
        yield f"hessian-{function}", drawing
