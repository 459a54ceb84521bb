"""The tables: paired ratios against their bars; stages; first results."""

from collections.abc import Iterator

import numpy as np

from experiments.bench import units
from experiments.bench.costs import cost
from experiments.bench.record import Record
from experiments.bench.style import present
from experiments.bench.table import table
from experiments.bench.words import number
from experiments.overhead.ratios import (
    BARS,
    STAGES,
    TRANSFORMS,
    WAYS,
    deepest,
    flops,
    of_grad,
    over_f,
    seconds,
)


def tables(record: Record) -> Iterator[str]:
    """Those of what the record has."""
    pairs = [*record.results(kind="eager"), *record.results(kind="trace")]
    if pairs:
        yield uncompiled(pairs)
    if found := record.results(kind="compiled"):
        yield compiled(found)
    if record.results(kind="growth"):
        yield stages(record)
    if found := record.results(kind="first"):
        yield first(found)


def uncompiled(points: list) -> str:
    """Eager calls and tracing, beside f itself."""
    rows = []
    for key, result in points:
        programs = result["programs"]
        low, middle, high = of_grad(programs)
        row = [key["kind"], key["program"], *times(programs)]
        row += [f"{middle:.2f}", f"{low:.2f} to {high:.2f}"]
        rows.append([*row, verdict(middle, BARS[key["kind"]])])
    bars = f"bar {BARS['eager']:g}, {BARS['trace']:g}"
    head = ["kind", "program", "jaxkit", "JAX", "f itself", "ratio", "quartiles", bars]
    return table("grad without compiling: paired ratios jaxkit / JAX", head, rows)


def compiled(points: list) -> str:
    """Run time and FLOPs of compiled gradients, and their medians over programs."""
    rows, ran, counts = [], [], []
    for key, result in points:
        programs = result["programs"]
        low, middle, high = of_grad(programs)
        ran.append(middle)
        counts.append(flops(programs))
        row = [key["program"], *times(programs)]
        row += [f"{middle:.3f}", f"{low:.2f} to {high:.2f}"]
        rows.append(row + verdicts(middle, counts[-1]))
    for name, over in {"median": np.nanmedian, "largest": np.nanmax}.items():
        time, count = float(over(ran)), float(over(counts))
        rows.append([name, "", "", f"{time:.3f}", "", *verdicts(time, count)])
    head = ["program", "jaxkit", "JAX", "time ratio", "quartiles"]
    head += [f"bar {BARS['time']:g}", "FLOP ratio", f"bar {BARS['flops']:g}"]
    return table("jit(grad(f)) on real programs: paired ratios", head, rows)


def times(programs: dict) -> list[str]:
    """The median time of each program."""
    return [units.seconds(cost(program, "time")) for program in programs.values()]


def verdicts(time: float, count: float) -> list[str]:
    """The cells from the first bar on."""
    return [verdict(time, BARS["time"]), f"{count:.3f}", verdict(count, BARS["flops"])]


def verdict(value: float, bar: float) -> str:
    """Whether a ratio is within its bar."""
    return "ok" if value <= bar else "over"


def stages(record: Record) -> str:
    """Each stage of each transform at the largest depth, in seconds and units of f."""
    rows = []
    for (model, depth), programs in deepest(record).items():
        for what in TRANSFORMS:
            for library, title in present(record).items():
                row = [f"{model}, {depth}", what, title]
                for stage in STAGES:
                    text = units.seconds(seconds(programs, library, what, stage))
                    ratio = over_f(programs, library, what, stage)
                    known = what != "f" and np.isfinite(ratio)
                    row.append(f"{text} ({number(ratio)})" if known else text)
                if set(row[3:]) != {"-"}:
                    rows.append(row)
    head = ["model, depth", "transform", "library", *STAGES.values()]
    return table("Stages of each transform (in units of that stage of f)", head, rows)


def first(points: list) -> str:
    """From a new function to its first result, compiled and eager."""
    rows = []
    for key, result in points:
        for what in TRANSFORMS:
            found = [result["programs"].get(f"{way} {what}") for way in WAYS]
            row = [f"{key['model']}, {key['depth']}", what]
            for program in found:
                first_s, then_s = (cost(program, q) for q in ("first_s", "time"))
                row.append(f"{units.seconds(first_s)}, {units.seconds(then_s)}")
            rows.append(row)
    head = ["model, depth", "transform", *WAYS.values()]
    title = "From a new function to its first result; and a call after that"
    return table(title, head, rows)
