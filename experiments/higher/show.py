"""What is shown: tables, figures, and what they say."""

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from experiments.bench import units
from experiments.bench.costs import COMPILED, cost, curve, slope
from experiments.bench.record import Record
from experiments.bench.style import (
    BLUE,
    GREEN,
    LABELS,
    TITLES,
    VERMILION,
    figure,
    legend,
    log_axes,
    plot,
    present,
)
from experiments.bench.table import table
from experiments.bench.words import listed, span

LOOKS: dict[str, dict[str, Any]] = {
    "forward": {"color": BLUE, "marker": "o"},
    "reverse": {"color": VERMILION, "marker": "s"},
    "mixed": {"color": GREEN, "marker": "^"},
}
QUANTITIES = ("equations", "flops", "time", "trace_s")


def tables(record: Record) -> Iterator[str]:
    """Equations, FLOPs and times of each way at each order."""
    libraries = present(record)
    rows = []
    for key, result in record.results():
        for way in LOOKS:
            found = [result["programs"].get(f"{name} {way}") for name in libraries]
            row = [key["function"], str(key["k"]), way]
            for quantity in ("equations", "flops"):
                row.append(
                    " / ".join(units.amount(cost(p, quantity)) for p in found[:2])
                )
            rows.append(row + [units.seconds(cost(p, "time")) for p in found])
    head = ["function", "k", "nested", "equations jaxkit / JAX", "FLOPs jaxkit / JAX"]
    yield table("The k-th derivative", [*head, *libraries.values()], rows)


def draw(record: Record) -> Iterator[tuple[str, Figure]]:
    """Equations, FLOPs, run time and tracing over k; a row for each function."""
    functions = record.settings["functions"]
    drawing, axes = figure(len(functions), len(QUANTITIES), 3.6, 2.9)
    drawing.suptitle("The k-th derivative by nested modes")
    for row, function in zip(axes, functions, strict=True):
        for ax, quantity in zip(row, QUANTITIES, strict=True):
            label, unit = LABELS[quantity]
            log_axes(ax, record.settings["orders"], unit)
            ax.set(xscale="linear", xlabel="order k", title=f"{function}: {label}")
            ax.set_xticks(record.settings["orders"])
            for library in present(record):
                for way, look in LOOKS.items():
                    program = f"{library} {way}"
                    plot(ax, record, "k", program, quantity, look, function=function)
    legend(drawing, LOOKS, present(record))
    yield "higher", drawing


def growth(record: Record, function: str, program: str, quantity: str) -> float:
    """The factor by which a cost grows with each further order, as fitted to all."""
    orders, costs = curve(record, "k", program, quantity, function=function)
    return np.exp(slope(np.exp(orders), costs))  # cost ~ exp(k)^p


def captions(record: Record) -> dict[str, str]:
    """What the figure shows."""
    functions = record.settings["functions"]
    equations, flops, seconds = (
        listed(
            f"{span(growth(record, f, f'jaxkit {way}', q) for f in functions)} ({way})"
            for way in LOOKS
        )
        for q in ("equations", "flops", "trace_s")
    )
    totals = {
        q: {way: at_the_end(record, way, q) for way in LOOKS}
        for q in ("equations", "flops")
    }
    fewest, most = (min(found, key=lambda way: found[way]) for found in totals.values())
    peers = [name for name in present(record) if name not in COMPILED]
    run = f"a run takes {runs(record, COMPILED)} compiled (the call {calls(record)})"
    if peers:
        titles = listed(TITLES[name] for name in peers)
        run += f", and {runs(record, peers)} by {titles}, which carry out each equation"
    text = (
        f"On average one more order multiplies the equations by {equations}, and the "
        f"time to trace them by {seconds}. XLA computes equal ones once: FLOPs are "
        f"multiplied by {flops}. At the highest order {fewest} nesting has the fewest "
        f"equations and {most} nesting the fewest FLOPs; {run}."
    )
    return {"higher": text}


def calls(record: Record) -> str:
    """The time of a call of a compiled program that does nothing."""
    found = (cost(r["programs"].get("jax call"), "time") for _, r in record.results())
    return span(found, units.seconds)


def summary(record: Record) -> dict[str, str]:
    """The highest order: equations, FLOPs and time of each way."""
    k = highest(record)
    rows = {}
    for function in record.settings["functions"]:
        programs = record.programs(function=function, k=k)
        for way in LOOKS:
            found = programs.get(f"jaxkit {way}")
            rows[f"{function}, k = {k}, {way}: equations, FLOPs, time, jaxkit"] = (
                ", ".join(
                    write(cost(found, quantity))
                    for quantity, write in (
                        ("equations", units.amount),
                        ("flops", units.amount),
                        ("time", units.seconds),
                    )
                )
            )
    return rows


def runs(record: Record, names: Iterable[str]) -> str:
    """The range of some libraries' run times at the highest order."""
    programs = [r["programs"] for _, r in record.results(k=highest(record))]
    return span(
        (
            cost(p.get(f"{name} {way}"), "time")
            for p in programs
            for name in names
            for way in LOOKS
        ),
        units.seconds,
    )


def highest(record: Record) -> int:
    """The highest order that was measured."""
    return max(key["k"] for key, _ in record.results())


def at_the_end(record: Record, way: str, quantity: str) -> float:
    """A cost of jaxkit's at the highest order, summed over the functions."""
    found = record.results(k=highest(record))
    return sum(cost(r["programs"].get(f"jaxkit {way}"), quantity) for _, r in found)
