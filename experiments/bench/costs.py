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


def paired(ours: dict, theirs: dict) -> float:
    """The median of the ratio of two programs' times, sample by sample, as taken."""
    if "skipped" in ours or "skipped" in theirs:
        return np.nan
    return float(np.median(np.divide(ours["samples_s"], theirs["samples_s"])))
