"""The tables of the scaling experiment, and then its figures."""

from pathlib import Path

import numpy as np

from experiments.bench import units
from experiments.bench.record import Record
from experiments.bench.table import spread, table
from experiments.scaling import FUNCTIONS, figures
from experiments.scaling.theory import (
    BOUND,
    SLOPE_FROM,
    SLOPES,
    along,
    crossovers,
    grid,
    one_pass,
    programs,
    relative,
    slope,
)

LIBRARIES = ("jaxkit", "jax")
MODES = ("jacfwd", "jacrev")


def report(record: Record, out: Path) -> list[Path]:
    """Print the tables and draw the figures; returns the figures' paths."""
    for function in record.settings["functions"]:
        print(sweeps(record, function))
    print(slopes(record))
    print(crossings(record))
    print(passes(record))
    print(skipped(record))
    return figures.draw(record, out)


def sweeps(record: Record, function: str) -> str:
    """What was measured on the grid's edges and diagonal, both libraries in a row."""
    sizes = record.settings["sizes"]
    places = dict.fromkeys(
        [(n, 1) for n in sizes] + [(1, m) for m in sizes] + [(n, n) for n in sizes]
    )
    rows = []
    for n, m in places:
        found = programs(record, function=function, kind="jacobian", n=n, m=m)
        for mode in MODES if found else ():
            pair = [found[f"{library} {mode}"] for library in LIBRARIES]
            row = [f"{n} x {m}", mode]
            row += [timing(program) for program in pair]
            for quantity in ("flops", "bytes", "temporaries"):
                write = units.amount if quantity == "flops" else units.size
                row.append(" / ".join(write(p[quantity]) for p in pair))
            rows.append(row)
    head = ["n x m", "mode", "jaxkit time", "JAX time"]
    head += [f"{what} jaxkit / JAX" for what in ("FLOPs", "bytes", "temporaries")]
    title = f"{function}: {FUNCTIONS[function]}"
    return table(f"{title} (median time \u00b1 half its quartile range)", head, rows)


def timing(program: dict) -> str:
    """Median of the time of one call, and half the range between its quartiles."""
    if "skipped" in program:
        return "skipped"
    low, middle, high = spread(program["samples_s"])
    return f"{units.seconds(middle)} \u00b1{50 * (high - low) / middle:.0f}%"


def slopes(record: Record) -> str:
    """Fitted exponents of cost beside those of theory."""
    rows = []
    for function in record.settings["functions"]:
        for (mode, sweep), theory in SLOPES.items():
            row = [function, mode, sweep, str(theory)]
            for quantity in ("flops", "time"):
                for library in LIBRARIES:
                    costs = grid(record, function, f"{library} {mode}", quantity)
                    fit = slope(record.settings["sizes"], along(costs, sweep))
                    row.append(number(fit))
            rows.append(row)
    head = ["function", "mode", "over", "theory", "FLOPs jaxkit", "FLOPs JAX"]
    head += ["time jaxkit", "time JAX"]
    return table(f"Slopes: p in cost ~ size^p, from size {SLOPE_FROM} on", head, rows)


def crossings(record: Record) -> str:
    """For each m, the measured n from which on reverse mode is the cheaper one."""
    rows = []
    for function in record.settings["functions"]:
        columns = [
            crossovers(record, function, library, quantity)
            for quantity in ("flops", "time")
            for library in LIBRARIES
        ]
        for m, *found in zip(record.settings["sizes"], *columns, strict=True):
            rows.append([function, str(m), *map(number, found)])
    head = ["function", "m", "FLOPs jaxkit", "FLOPs JAX", "time jaxkit", "time JAX"]
    title = "Crossover: the n at which jacfwd and jacrev cost the same (theory: near m)"
    return table(title, head, rows)


def passes(record: Record) -> str:
    """One pushforward and one pullback, in units of f itself."""
    rows = []
    for function in record.settings["functions"]:
        found = one_pass(record, function)
        for mode, bound in BOUND.items() if found else ():
            row = [function, mode, f"{bound:g}"]
            for quantity in ("flops", "time"):
                for library in LIBRARIES:
                    program = found[f"{library} {mode}"]
                    row.append(number(relative(program, found["f"], quantity)))
            rows.append(row)
    head = ["function", "pass", "bound", "FLOPs jaxkit", "FLOPs JAX"]
    head += ["time jaxkit", "time JAX"]
    return table("One pass with f's value, in units of f", head, rows)


def skipped(record: Record) -> str:
    """Which programs were not run for want of memory."""
    lines = [
        f"  {point['key']['function']} {point['key']['kind']} "
        f"{point['key']['n']} x {point['key']['m']} {name}: {program['skipped']}"
        for point in record.points
        for name, program in point["result"]["programs"].items()
        if "skipped" in program
    ]
    if not lines:
        return "\nNothing was skipped: all programs fitted in memory."
    return "\n".join([f"\nSkipped, not enough memory ({len(lines)}):", *lines])


def number(x: float) -> str:
    """Two decimals, or a dash where there is no number."""
    return f"{x:.2f}" if np.isfinite(x) else "-"
