"""What the figures show, in sentences with the numbers of a run."""

from collections.abc import Iterable

import numpy as np

from experiments.bench import units
from experiments.bench.costs import COMPILED, cost, fixed_and_rate
from experiments.bench.record import Record
from experiments.bench.style import TITLES, present
from experiments.bench.words import listed, power, span
from experiments.scaling.theory import (
    BOUND,
    MODES,
    along,
    crossing,
    departure,
    exponents,
    grid,
    one_pass,
    relative,
)


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


def at(record: Record, function: str, name: str, n: int, m: int) -> dict | None:
    """A program; n and m are places in the grid."""
    sizes = record.settings["sizes"]
    key = {"kind": "jacobian", "n": sizes[n], "m": sizes[m]}
    return record.programs(function=function, **key).get(name)


def costs(record: Record, function: str) -> str:
    """The growth of cost beside theory, and why time departs from it."""
    flops, time = (exponents(record, function, q) for q in ("flops", "time"))
    if not np.isfinite(flops["jacfwd", "n"] + time["jacfwd", "n"]):
        return "Too few sizes, or no FLOPs: there are no exponents to compare."
    of_f = cost(one_pass(record, function, "jaxkit").get("f"), "time")
    (fixed, speed, off), (fixed_m, speed_m, off_m) = (
        fixed_and_rate(
            *(
                along(grid(record, function, f"jaxkit {mode}", quantity), sweep)
                for quantity in ("flops", "time")
            )
        )
        for mode, sweep in zip(MODES, "nm", strict=True)
    )
    return (
        f"Over n, FLOPs of jacfwd grow with exponent {power(flops['jacfwd', 'n'])} and "
        f"those of jacrev with {power(flops['jacrev', 'n'])}; over m with "
        f"{power(flops['jacfwd', 'm'])} and {power(flops['jacrev', 'm'])} (theory: 1 "
        f"and 0, 0 and 1). Run times have {power(time['jacfwd', 'n'])} and "
        f"{power(time['jacrev', 'n'])}, {power(time['jacfwd', 'm'])} and "
        f"{power(time['jacrev', 'm'])}, for they are a fixed part and FLOPs at a rate: "
        f"{units.seconds(fixed)} and {units.amount(speed)}FLOP a second in jacfwd over "
        f"n, {units.seconds(fixed_m)} and {units.amount(speed_m)}FLOP in jacrev over m "
        f"fit all times within {max(off, off_m):.0%} (f itself takes "
        f"{units.seconds(of_f)}). Where the fixed part counts, time grows by less than "
        "FLOPs."
    )


def memory(record: Record, function: str) -> str:
    """Temporaries at the corners of the grid."""
    n, m = corner(record, function)
    sizes = record.settings["sizes"]

    def need(name: str, n: int, m: int) -> str:
        return units.size(cost(at(record, function, name, n, m), "temporaries"))

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
    times = {
        TITLES[library]: span(crossing(record, function, library, "time"))
        for library in COMPILED
    }
    measured = listed(f"{v} ({k})" for k, v in times.items() if v != "-")
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
