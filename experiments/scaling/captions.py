"""What the figures show, in sentences with the numbers of a run."""

from collections.abc import Iterable

import numpy as np

from experiments.bench import units
from experiments.bench.costs import COMPILED, fixed_and_rate
from experiments.bench.record import Record
from experiments.bench.style import TITLES, present
from experiments.bench.words import listed, power, span
from experiments.scaling.theory import (
    BOUND,
    MODES,
    SLOPE_FROM,
    along,
    crossing,
    departure,
    exponents,
    grid,
    one_pass,
    relative,
)

TOLERATED = 0.5  # of a fit to times, for it to be told


def captions(record: Record) -> dict[str, str]:
    """For each figure what it shows."""
    found = {}
    for function in record.settings["functions"]:
        found[f"scaling-{function}-cost"] = costs(record, function)
        found[f"scaling-{function}-memory"] = memory(record, function)
        found[f"scaling-{function}-winner"] = winner(record, function)
    return found | {"scaling-passes": passes(record)}


def corner(record: Record, function: str) -> tuple[int, int]:
    """The places, among the sizes, of the largest n and the largest m measured."""
    keys = [key for key, _ in record.results(function=function, kind="jacobian")]
    place = record.settings["sizes"].index
    n, m = (max((place(key[x]) for key in keys), default=0) for x in "nm")
    return n, m


def costs(record: Record, function: str) -> str:
    """The growth of cost beside theory, and what times are made up of."""
    flops, time = (exponents(record, function, q) for q in ("flops", "time"))
    if not np.isfinite([*flops.values(), *time.values()]).any():
        return "Too few sizes, or no FLOPs: there are no exponents to compare."
    over_n, over_m = (
        [power(found[mode, sweep]) for found in (flops, time) for mode in MODES]
        for sweep in "nm"
    )
    text = (
        f"From size {SLOPE_FROM} on, FLOPs of jacfwd and jacrev grow over n with "
        f"exponents {over_n[0]} and {over_n[1]}, over m with {over_m[0]} and "
        f"{over_m[1]} (theory: 1 and 0, 0 and 1), and run times with {over_n[2]} and "
        f"{over_n[3]}, {over_m[2]} and {over_m[3]}."
    )
    return text + "".join(
        made_up(record, function, mode, sweep)
        for mode, sweep in zip(MODES, "nm", strict=True)
    )


def made_up(record: Record, function: str, mode: str, sweep: str) -> str:
    """The time of a mode along a sweep as a fixed part and a rate, if that fits it."""
    sizes = np.array(record.settings["sizes"])
    flops, times = (
        along(grid(record, function, f"jaxkit {mode}", q), sweep)[sizes >= SLOPE_FROM]
        for q in ("flops", "time")
    )
    fixed, speed, off = fixed_and_rate(flops, times)
    if not off < TOLERATED:
        return ""
    return (
        f" {mode}'s time over {sweep} grows by less than FLOPs, for within {off:.0%} "
        f"it is a fixed {units.seconds(fixed)} ({fixed / times[0]:.0%} of it at "
        f"{sweep} = {SLOPE_FROM}) and FLOPs at {units.amount(speed)}FLOP a second."
    )


def memory(record: Record, function: str) -> str:
    """Temporaries at the corners of the grid."""
    n, m = corner(record, function)
    sizes = record.settings["sizes"]

    def need(name: str, n: int, m: int) -> str:
        return units.size(grid(record, function, name, "temporaries")[n, m])

    ours, theirs = (
        listed(f"{need(f'{library} {mode}', n, m)} in {mode}" for mode in MODES)
        for library in COMPILED
    )
    return (
        f"With one input and one output, jacfwd needs {need('jaxkit jacfwd', 0, 0)} of "
        f"temporaries and jacrev {need('jaxkit jacrev', 0, 0)}; jacfwd with {sizes[n]} "
        f"inputs {need('jaxkit jacfwd', n, 0)}, jacrev with {sizes[m]} outputs "
        f"{need('jaxkit jacrev', 0, m)}. With both it is {ours} (JAX: {theirs})."
    )


def winner(record: Record, function: str) -> str:
    """Where the two modes cost the same."""
    flops = crossing(record, function, "jaxkit", "flops")
    tried = len(record.settings["sizes"])
    times = {name: crossing(record, function, name, "time") for name in COMPILED}
    measured = listed(
        f"{span(found)} ({TITLES[name]}, for {len(found)} of {tried} m)"
        for name, found in times.items()
    )
    forward, reverse = (diagonal(record, function, mode) for mode in MODES)
    return (
        "Above the line forward mode is cheaper, below it reverse mode; theory puts it "
        f"at n = m. In FLOPs the two cost the same at n / m = {span(flops)}; in time, "
        f"at {measured}. At n = m, jaxkit's jacfwd takes "
        f"{span(forward / reverse)} of its jacrev's time."
    )


def diagonal(record: Record, function: str, mode: str) -> np.ndarray:
    """The times of one of jaxkit's modes where n = m."""
    return along(grid(record, function, f"jaxkit {mode}", "time"), "n=m")


def passes(record: Record) -> str:
    """One pass in units of f, and the bounds of theory."""

    def spans(quantity: str, libraries: Iterable[str]) -> str:
        return " and ".join(
            f"{span(ratios(record, mode, quantity, libraries))} for one {mode}"
            for mode in BOUND
        )

    peers = [name for name in present(record) if name not in COMPILED]
    text = (
        f"In FLOPs, jaxkit takes {spans('flops', ['jaxkit'])} (theory: at most "
        f"{BOUND['jvp']:g} and {BOUND['vjp']:g}), in time {spans('time', ['jaxkit'])}; "
        f"JAX in time {spans('time', ['jax'])}."
    )
    if peers:
        text += (
            f" Of {listed(TITLES[name] for name in peers)}, uncompiled, in units of "
            f"their own f: {spans('time', peers)}."
        )
    return text


def ratios(record: Record, mode: str, quantity: str, libraries) -> list[float]:
    """The cost of a pass over that of f, for each function and library."""
    return [
        relative(found[mode], found["f"], quantity)
        for function in record.settings["functions"]
        for library in libraries
        if (found := one_pass(record, function, library))
    ]


def summary(record: Record) -> dict[str, str]:
    """Exponents' distance from theory, crossovers, and the cost of one pass."""
    rows = {}
    for function in record.settings["functions"]:
        for quantity, label in (("flops", "FLOPs"), ("time", "time")):
            fitted = exponents(record, function, quantity)
            about = f"{function}: exponents of {label} over n, m and n = m"
            rows[f"{about}, off theory by"] = power(departure(fitted))
            rows[f"{function}: crossover n / m in {label}"] = span(
                crossing(record, function, "jaxkit", quantity)
            )
        n, m = corner(record, function)
        where = "n = {}, m = {}".format(*(record.settings["sizes"][i] for i in (n, m)))
        for library, title in present(record).items():
            times = grid(record, function, f"{library} jacrev", "time")
            rows[f"{function}: jacrev at {where}, {title}"] = units.seconds(times[n, m])
    for mode in BOUND:
        label = f"one {mode} / f in time, jaxkit"
        rows[label] = span(ratios(record, mode, "time", ["jaxkit"]))
    return rows
