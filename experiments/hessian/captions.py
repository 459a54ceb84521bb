"""What the figures show, in sentences with the numbers of a run."""

import numpy as np

from experiments.bench import units
from experiments.bench.costs import cost, curve, paired, rate, ratios, slope
from experiments.bench.record import Record
from experiments.bench.style import TITLES
from experiments.bench.words import listed, number, power, span
from experiments.hessian.sweep import HESSIANS, NESTINGS, TOLERATED

START = 4  # below, f itself shows beside its derivatives


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
    least = fastest(programs)
    if not least:
        return "Each Hessian takes too long, or too much memory, to be sampled."
    if not np.isfinite(flops + times).any():
        return "Too few sizes, or no FLOPs: there are no exponents to compare."
    low, _, high = ratios(programs[f"jaxkit {least}"], programs[f"jax {least}"])
    to_hvp = number(paired(programs[f"jaxkit {least}"], programs["jaxkit hvp"]))
    theory = listed(map(str, NESTINGS.values()))
    start = record.programs(function=function, n=START)
    faster = [
        rate(programs[f"jaxkit {what}"]) / rate(start.get(f"jaxkit {what}"))
        for what in NESTINGS
    ]
    return (
        f"FLOPs grow with n by the exponents {listed(map(power, flops))} for "
        f"{listed(NESTINGS)} (theory, for large n: {theory}), run times by "
        f"{listed(map(power, times))}, as the rate of computing changes: from n = "
        f"{START} to {n}, by factors of {listed(map(number, faster))}. There {least} "
        f"is jaxkit's fastest Hessian, takes {to_hvp} times as long as one "
        f"Hessian-vector product, and {span((low, high))} of JAX's time for it "
        f"(quartiles).{remarks(record, function)}"
    )


def fastest(programs: dict) -> str | None:
    """The nesting that gives jaxkit's Hessian first; None if none was sampled."""
    times = {what: cost(programs[f"jaxkit {what}"], "time") for what in HESSIANS}
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
    parts = [f"{title} {how_far(found)}" for title, found in wrong.items()]
    if skipped:
        each = (f"{title} (n = {listed(sizes)})" for title, sizes in skipped.items())
        parts.append(f"left out, as too slow or too large, are {listed(each)}")
    text = "; ".join(parts)
    return f" {text[0].upper()}{text[1:]}." if text else ""


def how_far(programs: list[dict]) -> str:
    """How far some wrong programs are off."""
    worst, eager = (
        max(program[which] for program in programs)
        for which in ("error", "error_eager")
    )
    if not np.isfinite(worst):
        return "has entries that aren't finite where others have numbers"
    return (
        f"is off by up to {number(worst)} of its largest entry as XLA compiles it, by "
        f"{number(eager)} uncompiled"
    )


def failures(record: Record) -> int:
    """How many of jaxkit's Hessians are off, where JAX's of the same nesting isn't."""

    def off(programs: dict, name: str) -> bool:
        return programs[name].get("error", 0) > TOLERATED

    return sum(
        off(result["programs"], f"jaxkit {what}")
        and not off(result["programs"], f"jax {what}")
        for _, result in record.results()
        for what in HESSIANS
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
    """The fitted exponent of n in a cost of jaxkit's, from n = START on."""
    found = curve(record, "n", f"jaxkit {what}", quantity, function=function)
    return slope(*found, start=START)
