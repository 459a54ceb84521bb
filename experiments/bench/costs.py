"""Numbers out of a record: the cost of a program, a curve of costs, its slope."""

import numpy as np

from experiments.bench.record import Record
from experiments.bench.table import spread

COMPILED = ("jaxkit", "jax")  # whose programs XLA compiles, and counts
TIMES = ("time low", "time", "time high")


def cost(program: dict | None, quantity: str) -> float:
    """One number for a program: nan if it has none, or was skipped.

    `time` is the median in seconds, `time low` and `time high` are the quartiles;
    `flops`, `bytes` and `temporaries` are XLA's.
    """
    if not program or (quantity in TIMES and "skipped" in program):
        return np.nan
    if quantity in TIMES:
        return spread(program["samples_s"])[TIMES.index(quantity)]
    return program.get(quantity, np.nan)


def rate(program: dict | None) -> float:
    """FLOPs in a second."""
    return cost(program, "flops") / cost(program, "time")


def fixed_and_rate(flops, times) -> tuple[float, float, float]:
    """a and r of time = a + flops / r, by least squares on relative errors.

    Also how far off that is at most, as a fraction; nan if there are fewer than three
    times, or a or r isn't positive.
    """
    flops, times = np.asarray(flops, float), np.asarray(times, float)
    used = np.isfinite(times) & (flops > 0)
    if used.sum() < 3:
        return np.nan, np.nan, np.nan
    terms = np.stack([1 / times[used], flops[used] / times[used]], axis=1)
    a, slowness = np.linalg.lstsq(terms, np.ones(used.sum()))[0]
    if a <= 0 or slowness <= 0:
        return np.nan, np.nan, np.nan
    return a, 1 / slowness, abs(terms @ (a, slowness) - 1).max()


def curve(record: Record, x: str, program: str, quantity: str, **key):
    """Sizes, that is, values of `x` in the points' keys, and the program's cost there.

    Of the points with the entries `key`; two arrays, by increasing size.
    """
    found = [
        (point[x], cost(result["programs"].get(program), quantity))
        for point, result in record.results(**key)
        if x in point
    ]
    return np.array(sorted(found), float).reshape(-1, 2).T


def slope(sizes, costs, start: float = 0) -> float:
    """The exponent p in cost ~ size^p from `start` on, by least squares on logarithms.

    nan if there are fewer than two positive costs.
    """
    sizes, costs = np.asarray(sizes, float), np.asarray(costs, float)
    used = (sizes >= start) & np.isfinite(costs) & (costs > 0)
    if used.sum() < 2:
        return np.nan
    return float(np.polyfit(np.log(sizes[used]), np.log(costs[used]), 1)[0])


def ratios(ours: dict, theirs: dict) -> tuple[float, float, float]:
    """Quartiles and median of two programs' ratio of times, sample by sample."""
    if "samples_s" not in ours or "samples_s" not in theirs:
        return np.nan, np.nan, np.nan
    return spread(np.divide(ours["samples_s"], theirs["samples_s"]).tolist())


def paired(ours: dict, theirs: dict) -> float:
    """The median of these."""
    return ratios(ours, theirs)[1]
