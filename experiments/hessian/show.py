"""What is shown: tables, figures, and what they say."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from experiments.bench import units
from experiments.bench.costs import COMPILED, cost, curve, paired, rate, slope
from experiments.bench.record import Record
from experiments.bench.style import (
    BLUE,
    GREEN,
    INK,
    LABELS,
    ORANGE,
    TITLES,
    VERMILION,
    figure,
    legend,
    log_axes,
    plot,
    present,
)
from experiments.bench.table import table
from experiments.bench.words import listed, number, power
from experiments.functions import find
from experiments.hessian.sweep import NESTINGS

LOOKS: dict[str, dict[str, Any]] = {
    "f": {"color": INK, "marker": ""},
    "forward/forward": {"color": ORANGE, "marker": "D"},
    "forward/reverse": {"color": BLUE, "marker": "o"},
    "reverse/forward": {"color": GREEN, "marker": "^"},
    "reverse/reverse": {"color": VERMILION, "marker": "s"},
    "hvp": {"color": INK, "marker": "v"},
}


TOLERATED = 1e-3  # relative difference of Hessians, in float32
QUANTITIES = ("time", "flops", "temporaries", "trace_s")


def tables(record: Record) -> Iterator[str]:
    """All programs at each n: times of each library, and what XLA counts."""
    libraries = present(record)
    for function in record.settings["functions"]:
        rows = []
        for key, result in record.results(function=function):
            for what in LOOKS:
                found = [result["programs"].get(f"{k} {what}") for k in libraries]
                row = [str(key["n"]), what]
                row += [units.seconds(cost(p, "time")) for p in found]
                for quantity in QUANTITIES[1:]:
                    write = WRITE[quantity]
                    pair = [write(cost(p, quantity)) for p in found[:2]]
                    row.append(" / ".join(pair))
                rows.append(row)
        head = ["n", "nesting", *libraries.values()]
        head += [f"{LABELS[q][0]} jaxkit / JAX" for q in QUANTITIES[1:]]
        yield table(f"Hessians of {function}", head, rows)


WRITE = {"flops": units.amount, "temporaries": units.size, "trace_s": units.seconds}


def draw(record: Record) -> Iterator[tuple[str, Figure]]:
    """A figure for each function: panels of time, FLOPs, memory and tracing over n."""
    for function in record.settings["functions"]:
        drawing, axes = figure(1, len(QUANTITIES), 3.6, 3.4)
        title = find(function, record.settings).title
        drawing.suptitle(f"Hessians by nesting two modes, over n inputs: {title}")
        for ax, quantity in zip(axes[0], QUANTITIES, strict=True):
            log_axes(ax, record.settings["sizes"], LABELS[quantity][1])
            ax.set(title=LABELS[quantity][0], xlabel="inputs n")
            for library in COMPILED:
                for what, look in LOOKS.items():
                    program = f"{library} {what}"
                    plot(ax, record, "n", program, quantity, look, function=function)
        looks = {k: v | {"linestyle": "-"} for k, v in LOOKS.items()}
        both = {name: TITLES[name] for name in COMPILED}
        legend(drawing, looks, both)
        yield f"hessian-{function}", drawing


def captions(record: Record) -> dict[str, str]:
    """What each figure shows."""
    found = {}
    for function in record.settings["functions"]:
        n = max((key["n"] for key, _ in record.results(function=function)), default=0)
        found[f"hessian-{function}"] = caption(record, function, n) if n else ""
    return found


def caption(record: Record, function: str, n: int) -> str:
    """One figure's: exponents beside theory, and the ranking at the largest n."""
    flops, times = (
        listed(power(exponent(record, function, what, quantity)) for what in NESTINGS)
        for quantity in ("flops", "time")
    )
    programs = record.programs(function=function, n=n)
    ours = {what: cost(programs[f"jaxkit {what}"], "time") for what in NESTINGS}
    least = min(
        list(NESTINGS)[:-1], key=lambda what: np.nan_to_num(ours[what], nan=9e9)
    )
    to_jax, to_hvp = (
        number(paired(programs[f"jaxkit {least}"], programs[other]))
        for other in (f"jax {least}", "jaxkit hvp")
    )
    first = record.programs(function=function)
    start, end = (units.amount(rate(p[f"jaxkit {least}"])) for p in (first, programs))
    theory = listed(map(str, NESTINGS.values()))
    wrong = listed(
        f"{name} by up to {error:.0%}" for name, error in off(record, function).items()
    )
    differ = f" Not all give the same Hessian: off are {wrong}." if wrong != "-" else ""
    return (
        f"FLOPs grow with n by the exponents {flops} for {listed(NESTINGS)} (theory: "
        f"{theory}), run times by {times}: they differ as the rate of computing "
        f"changes, for {least} from {start}FLOP a second at the least n to {end}FLOP "
        f"at the largest. At n = {n} {least} is jaxkit's fastest Hessian, at {to_jax} "
        f"of JAX's time for it, and takes {to_hvp} times as long as one "
        f"Hessian-vector product.{differ}"
    )


def summary(record: Record) -> dict[str, str]:
    """The times at the largest n, and the exponent of time in n."""
    rows = {}
    for function in record.settings["functions"]:
        for what, theory in NESTINGS.items():
            found = curve(record, "n", f"jaxkit {what}", "time", function=function)
            if found.size:
                fitted = power(exponent(record, function, what, "time"))
                label = f"{function}, {what}: time at n = {found[0, -1]:.0f}, "
                label += f"its exponent (theory {theory})"
                rows[label] = f"{units.seconds(found[1, -1])}, {fitted}"
    return rows


def off(record: Record, function: str) -> dict[str, float]:
    """The programs whose Hessian isn't JAX's forward/reverse; by how much at most."""
    found: dict[str, float] = {}
    for _, result in record.results(function=function):
        for name, program in result["programs"].items():
            if (error := program.get("error", 0)) > TOLERATED:
                found[name] = max(error, found.get(name, 0))
    return found


def exponent(record: Record, function: str, what: str, quantity: str) -> float:
    """The fitted exponent of n in a cost of jaxkit's, where n is 4 or more."""
    found = curve(record, "n", f"jaxkit {what}", quantity, function=function)
    return slope(*found, start=4)
