"""The tables of the scaling experiment."""

from collections.abc import Iterator

import numpy as np

from experiments.bench import units
from experiments.bench.costs import COMPILED
from experiments.bench.record import Record
from experiments.bench.style import TITLES, present
from experiments.bench.table import spread, table
from experiments.bench.words import power
from experiments.functions import find
from experiments.scaling.theory import (
    BOUND,
    MODES,
    SLOPE_FROM,
    SLOPES,
    crossovers,
    exponents,
    one_pass,
    relative,
)


def tables(record: Record) -> Iterator[str]:
    """All tables, one after the other."""
    for function in record.settings["functions"]:
        yield sweeps(record, function)
    yield slopes(record)
    yield crossings(record)
    yield passes(record)
    yield skipped(record)


def sweeps(record: Record, function: str) -> str:
    """What was measured on the grid's edges and diagonal, all libraries in a row."""
    libraries = present(record)
    rows = []
    for key, result in record.results(function=function, kind="jacobian"):
        n, m, found = key["n"], key["m"], result["programs"]
        for mode in MODES if n == 1 or m == 1 or n == m else ():
            row = [f"{n} x {m}", mode]
            row += [timing(found.get(f"{library} {mode}")) for library in libraries]
            for quantity in ("flops", "bytes", "temporaries"):
                write = units.amount if quantity == "flops" else units.size
                pair = [found[f"{library} {mode}"][quantity] for library in COMPILED]
                row.append(" / ".join(map(write, pair)))
            rows.append(row)
    head = ["n x m", "mode", *libraries.values()]
    head += [f"{what} jaxkit / JAX" for what in ("FLOPs", "bytes", "temporaries")]
    title = f"{function}: {find(function, record.settings).title}"
    return table(f"{title} (median time \u00b1 half its quartile range)", head, rows)


def timing(program: dict | None) -> str:
    """Median of the time of one call, and half the range between its quartiles."""
    if not program or "skipped" in program:
        return "skipped" if program else "-"
    low, middle, high = spread(program["samples_s"])
    return f"{units.seconds(middle)} \u00b1{50 * (high - low) / middle:.0f}%"


def columns(record: Record) -> dict[tuple[str, str], str]:
    """Pairs of a quantity and a library, with the heads of their columns."""
    libraries = present(record)
    pairs = [("flops", library) for library in COMPILED if library in libraries]
    pairs += [("time", library) for library in libraries]
    names = {"flops": "FLOPs", "time": "time"}
    return {(q, library): f"{names[q]} {TITLES[library]}" for q, library in pairs}


def slopes(record: Record) -> str:
    """Fitted exponents of cost beside those of theory."""
    rows = []
    for function in record.settings["functions"]:
        found = [exponents(record, function, *column) for column in columns(record)]
        for (mode, sweep), theory in SLOPES.items():
            fitted = (power(each[mode, sweep]) for each in found)
            rows.append([function, mode, sweep, str(theory), *fitted])
    head = ["function", "mode", "over", "theory", *columns(record).values()]
    return table(f"Slopes: p in cost ~ size^p, from size {SLOPE_FROM} on", head, rows)


def crossings(record: Record) -> str:
    """For each m, the n from which on reverse mode is the cheaper one."""
    rows = []
    for function in record.settings["functions"]:
        found = [
            crossovers(record, function, library, quantity)
            for quantity, library in columns(record)
        ]
        for m, *each in zip(record.settings["sizes"], *found, strict=True):
            rows.append([function, str(m), *map(power, each)])
    head = ["function", "m", *columns(record).values()]
    title = "Crossover: the n at which jacfwd and jacrev cost the same (theory: near m)"
    return table(title, head, rows)


def passes(record: Record) -> str:
    """One pushforward and one pullback, in units of f in the same library."""
    rows = []
    for function in record.settings["functions"]:
        for mode, bound in BOUND.items():
            row = [function, mode, f"{bound:g}"]
            for quantity, library in columns(record):
                found = one_pass(record, function, library)
                ratio = relative(found[mode], found["f"], quantity) if found else np.nan
                row.append(power(ratio))
            rows.append(row)
    head = ["function", "pass", "bound", *columns(record).values()]
    return table("One pass with f's value, in units of f", head, rows)


def skipped(record: Record) -> str:
    """Which programs were not run: they need too much memory, or time."""
    lines = [
        f"  {point['key']['function']} {point['key']['kind']} "
        f"{point['key']['n']} x {point['key']['m']} {name}: {program['skipped']}"
        for point in record.points
        for name, program in point["result"]["programs"].items()
        if "skipped" in program
    ]
    if not lines:
        return "\nNothing was skipped."
    return "\n".join([f"\nSkipped ({len(lines)}):", *lines])
