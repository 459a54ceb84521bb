"""What the figures show, in sentences with the numbers of a run."""

import numpy as np

from experiments.bench import units
from experiments.bench.costs import cost, curve, paired, rate, ratios, slope
from experiments.bench.record import Record
from experiments.bench.style import TITLES
from experiments.bench.words import listed, number, power, span
from experiments.hessian.sweep import NESTINGS, TOLERATED


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
        [exponent(record, function, what, quantity) for what in NESTINGS]
        for quantity in ("flops", "time")
    )
    programs = record.programs(function=function, n=n)
    speeds = listed(units.amount(rate(programs[f"jaxkit {what}"])) for what in NESTINGS)
    least = fastest(programs)
    if not least:
        return "Each Hessian takes too long, or too much memory, to be sampled."
    if not np.isfinite(flops + times).any():
        return "Too few sizes, or no FLOPs: there are no exponents to compare."
    low, _, high = ratios(programs[f"jaxkit {least}"], programs[f"jax {least}"])
    to_hvp = number(paired(programs[f"jaxkit {least}"], programs["jaxkit hvp"]))
    theory = listed(map(str, NESTINGS.values()))
    return (
        f"FLOPs grow with n by the exponents {listed(map(power, flops))} for "
        f"{listed(NESTINGS)} (theory, for large n: {theory}), run times by "
        f"{listed(map(power, times))}: they differ as the rate of computing does, "
        f"which at n = {n} is {speeds} FLOP a second. There {least} is jaxkit's "
        f"fastest Hessian, takes {to_hvp} times as long as one Hessian-vector "
        f"product, and {span((low, high))} of JAX's time for it (quartiles)."
        f"{remarks(record, function)}"
    )


def fastest(programs: dict) -> str | None:
    """The nesting that gives jaxkit's Hessian first; None if none was sampled."""
    times = {
        what: cost(programs[f"jaxkit {what}"], "time")
        for what in NESTINGS
        if what != "hvp"
    }
    sampled = [what for what, t in times.items() if np.isfinite(t)]
    return min(sampled, key=lambda what: times[what], default=None)


def remarks(record: Record, function: str) -> str:
    """Which programs are wrong, and which were too slow or too large to be sampled."""
    wrong, skipped = {}, {}
    for key, result in record.results(function=function):
        for name, program in result["programs"].items():
            library, _, what = name.partition(" ")
            title = f"{TITLES[library]}'s {what}"
            if program.get("error", 0) > TOLERATED:
                wrong.setdefault(title, []).append(program)
            if "skipped" in program:
                skipped.setdefault(title, []).append(str(key["n"]))
    parts = [
        f"{title} is off by up to {worst(found, 'error')} of its largest entry as XLA "
        f"compiles it, by {worst(found, 'error_eager')} uncompiled"
        for title, found in wrong.items()
    ]
    if skipped:
        each = (f"{title} (n = {listed(sizes)})" for title, sizes in skipped.items())
        parts.append(f"left out, as too slow or too large, are {listed(each)}")
    text = "; ".join(parts)
    return f" {text[0].upper()}{text[1:]}." if text else ""


def worst(programs: list[dict], which: str) -> str:
    """The largest of some errors."""
    return number(max(program[which] for program in programs))


def failures(record: Record) -> int:
    """How many of jaxkit's Hessians aren't JAX's."""
    return sum(
        program.get("error", 0) > TOLERATED
        for _, result in record.results()
        for name, program in result["programs"].items()
        if name.startswith("jaxkit ")
    )


def summary(record: Record) -> dict[str, str]:
    """At the largest n: time, in units of JAX's, and the exponent of time in n."""
    rows = {}
    for function in record.settings["functions"]:
        for what, theory in NESTINGS.items():
            found = curve(record, "n", f"jaxkit {what}", "time", function=function)
            if found.size:
                n = int(found[0, -1])
                programs = record.programs(function=function, n=n)
                to_jax = paired(programs[f"jaxkit {what}"], programs[f"jax {what}"])
                fitted = power(exponent(record, function, what, "time"))
                label = f"{function}, {what}: time at n = {n}, of JAX's, "
                label += f"its exponent (theory {theory})"
                cells = units.seconds(found[1, -1]), number(to_jax), fitted
                rows[label] = ", ".join(cells)
    return rows


def exponent(record: Record, function: str, what: str, quantity: str) -> float:
    """The fitted exponent of n in a cost of jaxkit's, where n is 4 or more."""
    found = curve(record, "n", f"jaxkit {what}", quantity, function=function)
    return slope(*found, start=4)
