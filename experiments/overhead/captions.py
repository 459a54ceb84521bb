"""What the figures show, in sentences with the numbers of a run."""

from collections.abc import Iterable

import numpy as np

from experiments.bench import units
from experiments.bench.costs import COMPILED, cost
from experiments.bench.record import Record
from experiments.bench.style import present
from experiments.bench.words import listed, number, power, span
from experiments.overhead.ratios import (
    BARS,
    WAYS,
    deepest,
    exponent,
    flops,
    medians,
    over,
    over_f,
)

DERIVATIVES = ("grad", "jvp", "hessian")
VERBS = {
    "trace_s": "to trace",
    "compile_s": "to compile",
    "time": "to run",
    "eager": "to run eagerly",
}


def captions(record: Record) -> dict[str, str]:
    """By the figures' names; of those that the record has."""
    found = {
        "overhead-ratios": pairs(record),
        "overhead-growth": growth(record),
        "overhead-transforms": transforms(record),
        "overhead-first": first(record),
    }
    return {name: text for name, text in found.items() if text}


def pairs(record: Record) -> str:
    """The ratios, and whether they keep within their bars."""
    parts = []
    nouns = {"eager": "An eager gradient", "trace": "Tracing a gradient"}
    for kind, noun in nouns.items():
        if found := medians(record, kind):
            each = listed(f"{number(x)} (of {name})" for name, x in found.items())
            kept = bar(found.values(), BARS[kind])
            parts.append(f"{noun} takes {each} of JAX's time ({kept}).")
    if found := medians(record, "compiled"):
        counts = counted(record)
        parts.append(
            f"Of {len(found)} compiled real programs the median ratio of run times is "
            f"{middle(found)} and the largest {most(found)} "
            f"({bar(found.values(), BARS['time'])}), and the largest of FLOPs "
            f"{most(counts)} ({bar(counts.values(), BARS['flops'])})."
        )
    return " ".join(parts)


def bar(values: Iterable[float], at: float) -> str:
    """A bar, and how many of some ratios keep within it."""
    kept = [x <= at for x in values]
    return f"bar {at}, kept by {'all' if all(kept) else sum(kept)}"


def counted(record: Record) -> dict[str, float]:
    """By program, the ratio of FLOPs."""
    found = record.results(kind="compiled")
    return {key["program"]: flops(result["programs"]) for key, result in found}


def middle(found: dict[str, float]) -> str:
    """The median of some ratios."""
    return f"{np.nanmedian([*found.values()]):.3f}"


def most(found: dict[str, float]) -> str:
    """The largest of some ratios."""
    return f"{np.nanmax([*found.values()]):.3f}"


def growth(record: Record) -> str:
    """Exponents of the depth, and how libraries compare at the largest depth."""
    depths = [depth for _, depth in deepest(record)]
    if not depths or max(depths) == 1:
        return ""
    grown = listed(
        f"{exponents(record, 'jaxkit', stage)} {verb} "
        f"({exponents(record, 'jax', stage)} with JAX)"
        for stage, verb in VERBS.items()
    )
    shares = listed(f"{share(record, 'grad', stage)} {v}" for stage, v in VERBS.items())
    text = (
        "The time of grad grows with the depth, where that is large, by the exponents "
        f"{grown}; below 1, a part of the time doesn't depend on the depth. At the "
        f"largest depth grad with jaxkit takes {shares} of JAX's time."
    )
    peers = {name: t for name, t in present(record).items() if name not in COMPILED}
    of_ours = listed(
        f"{share(record, 'grad', 'eager', ours=name, theirs='jaxkit')} with {title}"
        for name, title in peers.items()
    )
    return (
        f"{text} In units of jaxkit's, an eager grad takes {of_ours}."
        if peers
        else text
    )


def exponents(record: Record, library: str, stage: str) -> str:
    """The range over the models of the fitted exponents of grad."""
    return span(
        (exponent(record, m, library, stage) for m, _ in deepest(record)), power
    )


def share(record: Record, what: str, stage: str, **libraries: str) -> str:
    """The range over the models of jaxkit's time in units of JAX's, or of others'."""
    found = deepest(record).values()
    return span(over(programs, what, stage, **libraries) for programs in found)


def of_f(record: Record, library: str, what: str, stage: str) -> str:
    """The range over the models of a library's time in units of that of f."""
    found = deepest(record).values()
    return span(over_f(programs, library, what, stage) for programs in found)


def transforms(record: Record) -> str:
    """What transforms cost in units of f, and of JAX."""
    if not deepest(record):
        return ""
    nouns = {"trace_s": "Tracing", "time": "A compiled run", "eager": "An eager run"}
    found, parts = deepest(record).values(), []
    f, call = (
        span((cost(p.get(name), "time") for p in found), units.seconds)
        for name in ("jax f", "jax call")
    )
    more = {"time": f", where f takes {f}, and a mere call {call}"}
    for stage, noun in nouns.items():
        costs = listed(
            f"{of_f(record, 'jaxkit', what, stage)} f for {what}"
            for what in DERIVATIVES
        )
        shares = listed(share(record, what, stage) for what in DERIVATIVES)
        text = f"{noun} takes {costs} with jaxkit ({shares} of JAX's time)"
        parts.append(f"{text}{more.get(stage, '')}.")
    return " ".join(parts)


def first(record: Record) -> str:
    """How long the first gradient takes, and how much of it is XLA's compiling."""
    points = [result["programs"] for _, result in record.results(kind="first")]
    times = {
        title: span(
            (cost(p.get(f"{way} grad"), "first_s") for p in points), units.seconds
        )
        for way, title in WAYS.items()
    }
    names = [f"{library} eager grad" for library in COMPILED]
    eager = [p[name] for p in points for name in names if "compiled" in p.get(name, {})]
    if not eager:
        return ""
    shares = span((p["compile_s"] / p["first_s"] for p in eager), "{:.0%}".format)
    each = listed(f"{t} ({title})" for title, t in times.items() if t != "-")
    counts = span((p["compiled"] for p in eager), "{:.0f}".format)
    return (
        f"The first grad takes {each}. Where it is jaxkit's or JAX's, and eager, "
        f"{shares} of that time is XLA's: it compiles each operation, {counts} in a "
        "call."
    )


def summary(record: Record) -> dict[str, str]:
    """The ratios jaxkit / JAX, and what grad costs with both."""
    rows = {}
    for kind, label in {"eager": "eager grad", "trace": "tracing grad"}.items():
        if found := medians(record, kind):
            of = ", ".join(found)
            rows[f"{label} of {of}: jaxkit / JAX"] = ", ".join(
                map(number, found.values())
            )
    if found := medians(record, "compiled"):
        rows[f"{len(found)} compiled grads: median and largest of jaxkit / JAX"] = (
            f"{middle(found)}, {most(found)}"
        )
        rows["their FLOPs: largest of jaxkit / JAX"] = most(counted(record))
    depths = span((depth for _, depth in deepest(record)), str)
    for stage, verb in VERBS.items() if deepest(record) else ():
        both = (of_f(record, library, "grad", stage) for library in COMPILED)
        label = f"grad {verb}, in units of f, depth {depths}: jaxkit, JAX"
        rows[label] = ", ".join(both)
    return rows
