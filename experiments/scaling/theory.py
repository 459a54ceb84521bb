"""What theory says of the cost, and how the measurements are held against it.

A. Griewank and A. Walther, Evaluating Derivatives, 2nd ed., SIAM 2008, chapters 3
and 4: in operations, weighted by their time, a tangent (jvp) costs at most 2.5 times
f; a gradient (vjp) at most 4 times f, or 5 in the usual, more careful statement of
the cheap gradient principle. They count scalar operations as written. XLA's count
differs: it fuses, recomputes, and expands functions such as tanh.
"""

import numpy as np

from experiments.bench.costs import cost, slope
from experiments.bench.record import Record

MODES = ("jacfwd", "jacrev")
BOUND = {"jvp": 2.5, "vjp": 5.0}
SLOPES = {
    ("jacfwd", "n"): 1,
    ("jacrev", "n"): 0,
    ("jacfwd", "m"): 0,
    ("jacrev", "m"): 1,
    ("jacfwd", "n=m"): 1,
    ("jacrev", "n=m"): 1,
}
# Below, the one evaluation of f within a Jacobian still shows beside the n or m others.
SLOPE_FROM = 4


def grid(record: Record, function: str, program: str, quantity: str) -> np.ndarray:
    """The cost over n (rows) and m (columns), nan where there is none."""
    sizes = record.settings["sizes"]

    def at(n, m):
        found = record.programs(function=function, kind="jacobian", n=n, m=m)
        return cost(found.get(program), quantity)

    return np.array([[at(n, m) for m in sizes] for n in sizes], float)


def along(costs: np.ndarray, sweep: str) -> np.ndarray:
    """The part of a grid along a sweep: `n` (m = 1), `m` (n = 1) or `n=m`."""
    return {"n": costs[:, 0], "m": costs[0], "n=m": np.diag(costs)}[sweep]


def exponents(record: Record, function: str, quantity: str, library="jaxkit") -> dict:
    """The fitted exponent along each sweep of each mode."""
    sizes = record.settings["sizes"]
    return {
        (mode, sweep): slope(
            sizes,
            along(grid(record, function, f"{library} {mode}", quantity), sweep),
            SLOPE_FROM,
        )
        for mode, sweep in SLOPES
    }


def departure(fitted: dict) -> float:
    """By how much exponents differ from those of theory, at most; nan if unknown."""
    return np.max([abs(fitted[key] - theory) for key, theory in SLOPES.items()])


def crossover(sizes, forward, reverse) -> float:
    """The size at which forward mode becomes the dearer one; nan if there is none.

    Between sizes, the ratio of the two is taken to be a power of the size.
    """
    x = np.log(np.asarray(sizes, float))
    forward, reverse = (
        np.where(np.asarray(costs, float) > 0, costs, np.nan)
        for costs in (forward, reverse)
    )
    y = np.log(forward / reverse)
    for i in range(len(x) - 1):
        if y[i] <= 0 <= y[i + 1] and y[i] < y[i + 1]:
            root = x[i] - y[i] * (x[i + 1] - x[i]) / (y[i + 1] - y[i])
            return float(np.exp(root))
    return np.nan


def crossovers(record: Record, function: str, library: str, quantity: str):
    """For each m, the n at which jacfwd and jacrev cost the same (nan if none)."""
    forward = grid(record, function, f"{library} jacfwd", quantity)
    reverse = grid(record, function, f"{library} jacrev", quantity)
    sizes = record.settings["sizes"]
    return np.array(
        [crossover(sizes, *pair) for pair in zip(forward.T, reverse.T, strict=True)]
    )


def crossing(record: Record, function: str, library: str, quantity: str) -> np.ndarray:
    """n / m where the modes cost the same, for each m where that was found."""
    found = crossovers(record, function, library, quantity)
    return (found / record.settings["sizes"])[np.isfinite(found)]


def one_pass(record: Record, function: str, library: str) -> dict:
    """What f, jvp and vjp of a function cost in a library; empty if not measured."""
    found = record.programs(function=function, kind="pass")
    names = {what: f"{library} {what}" for what in ("f", *BOUND)}
    return {what: found[name] for what, name in names.items() if name in found}


def relative(program: dict, unit: dict, quantity: str) -> float:
    """The cost of a program, in units of another's."""
    of_unit = cost(unit, quantity)
    return cost(program, quantity) / of_unit if of_unit else np.nan
