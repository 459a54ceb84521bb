"""The table of paired ratios, each held against its bar."""

from pathlib import Path

import numpy as np

from experiments.bench import units
from experiments.bench.record import Record
from experiments.bench.table import median, spread, table
from experiments.overhead import BARS


def report(record: Record, out: Path) -> list[Path]:
    """Print the tables. There is nothing to draw."""
    points = [(p["key"], p["result"]["programs"]) for p in record.points]
    print(uncompiled([p for p in points if p[0]["kind"] != "compiled"]))
    found = [p for p in points if p[0]["kind"] == "compiled"]
    if found:
        print(compiled(found))
    return []


def uncompiled(points: list) -> str:
    """Eager calls and tracing, beside f itself."""
    rows = []
    for key, programs in points:
        low, middle, high = spread(ratios(programs))
        bar = BARS[key["kind"]]
        row = [key["kind"], key["program"]]
        row += [units.seconds(median(programs[k]["samples_s"])) for k in programs]
        row += [f"{middle:.2f}", f"{low:.2f} to {high:.2f}", verdict(middle, bar)]
        rows.append(row)
    bars = f"bar {BARS['eager']:g}, {BARS['trace']:g}"
    head = ["kind", "program", "jaxkit", "JAX", "f itself", "ratio", "quartiles", bars]
    return table("grad without compiling: paired ratios jaxkit / JAX", head, rows)


def compiled(points: list) -> str:
    """Run time and FLOPs of compiled gradients, and their medians over programs."""
    rows, times, counts = [], [], []
    for key, programs in points:
        low, middle, high = spread(ratios(programs))
        times.append(middle)
        counts.append(flops(programs))
        row = [key["program"]]
        row += [units.seconds(median(programs[k]["samples_s"])) for k in programs]
        row += [f"{middle:.3f}", f"{low:.2f} to {high:.2f}"]
        rows.append(row + verdicts(middle, counts[-1]))
    for name, over in {"median": np.median, "largest": np.max}.items():
        time, count = float(over(times)), float(over(counts))
        rows.append([name, "", "", f"{time:.3f}", "", *verdicts(time, count)])
    head = ["program", "jaxkit", "JAX", "time ratio", "quartiles"]
    head += [f"bar {BARS['time']:g}", "FLOP ratio", f"bar {BARS['flops']:g}"]
    return table("jit(grad(f)) on real programs: paired ratios", head, rows)


def verdicts(time: float, count: float) -> list[str]:
    """The cells from the first bar on."""
    return [verdict(time, BARS["time"]), f"{count:.3f}", verdict(count, BARS["flops"])]


def ratios(programs: dict) -> list[float]:
    """jaxkit / JAX, pair by pair."""
    pair = (np.array(programs[name]["samples_s"]) for name in ("jaxkit", "jax"))
    return np.divide(*pair).tolist()


def flops(programs: dict) -> float:
    """The ratio of FLOPs, 1 where neither has any."""
    ours, theirs = (programs[name]["flops"] for name in ("jaxkit", "jax"))
    return ours / theirs if theirs else 1.0 if ours == theirs else np.inf


def verdict(value: float, bar: float) -> str:
    """Whether a ratio is within its bar."""
    return "ok" if value <= bar else "over"
