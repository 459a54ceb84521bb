"""The table, the figure, and what it shows, in sentences with the numbers of a run."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import EngFormatter

from experiments.bench import units
from experiments.bench.costs import cost, curve, paired, slope
from experiments.bench.record import Record
from experiments.bench.style import (
    BLUE,
    GREEN,
    INK,
    LIBRARIES,
    ORANGE,
    PURPLE,
    SKY,
    VERMILION,
    figure,
    legend,
    log_axes,
    plot,
    present,
)
from experiments.bench.table import table
from experiments.bench.words import listed, number, power, span
from experiments.functions import short

LOOKS: dict[str, dict[str, Any]] = {
    "plain": {"color": VERMILION, "marker": "s"},
    "every other": {"color": ORANGE, "marker": "D"},
    "square root": {"color": GREEN, "marker": "^"},
    "binomial": {"color": PURPLE, "marker": "v"},
    "budgeted": {"color": SKY, "marker": "P"},
    "forward": {"color": BLUE, "marker": "o"},
}
REVERSE = tuple(LOOKS)[:-1]
COUNTED: dict[str, Any] = {
    "color": INK, "marker": "_", "linestyle": "", "markersize": 16
}  # fmt: skip
SLOPE_FROM = 64  # steps: what one step needs outweighs the states of a short loop


# ------------------------------------------------------------------ numbers of a record


def longest(record: Record) -> dict:
    """The result at the largest length, and that length in it."""
    key, result = max(record.results(), key=lambda found: found[0]["length"])
    return key | result


def relative(result: dict, program: str) -> float:
    """A program's time in units of that of jaxkit's plain reverse mode."""
    programs = result["programs"]
    return paired(programs[program], programs["jaxkit plain"])


def by_steps(result: dict, scheme: str) -> float:
    """What `relative` would be of jaxkit's scheme if to keep states took no time.

    That is, the time of all steps and their pullbacks where nothing is kept, and that
    of the steps that are evaluated again.
    """
    programs = result["programs"]
    loop = "jax while" if scheme in ("binomial", "budgeted") else "jax f"
    plain, pull, step = (
        cost(programs[name], "time") for name in ("jaxkit plain", "jaxkit pull", loop)
    )
    again = result["steps"][scheme] / result["length"] - 1
    return (pull + again * step) / plain


def exponents(record: Record, library: str) -> dict[str, float]:
    """By scheme, p in temporaries ~ length^p."""
    curves = {
        s: curve(record, "length", f"{library} {s}", "temporaries") for s in LOOKS
    }
    return {
        scheme: slope(lengths, costs, SLOPE_FROM)
        for scheme, (lengths, costs) in curves.items()
    }


def theory(record: Record) -> dict[str, float]:
    """The same for the states that are kept."""
    lengths = [key["length"] for key, _ in record.results()]
    return {
        scheme: slope(
            lengths, [r["states"][scheme] for _, r in record.results()], SLOPE_FROM
        )
        for scheme in LOOKS
    }


# -------------------------------------------------------------------- table and figure


def tables(record: Record) -> Iterator[str]:
    """A row for each length and scheme: theory beside what was measured."""
    libraries = present(record)
    rows = []
    for key, result in record.results():
        for scheme in LOOKS:
            names = [f"{library} {scheme}" for library in libraries]
            pair = [result["programs"][name] for name in names]
            rows.append([
                f"{key['length']} {scheme}",
                str(result["states"][scheme]),
                number(result["steps"][scheme] / key["length"], 3),
                " / ".join(units.size(each["temporaries"]) for each in pair),
                " / ".join(units.seconds(cost(each, "time")) for each in pair),
                " / ".join(number(relative(result, name)) for name in names),
                number(by_steps(key | result, scheme)) if scheme in REVERSE else "",
            ])  # fmt: skip
    both = " / ".join(libraries.values())
    head = ["steps, scheme", "states", "evaluated / steps", f"temporaries {both}"]
    head += [f"time {both}", "/ jaxkit's plain", "steps alone"]
    yield table("Reversing a loop, in theory (states, steps) and measured", head, rows)
    rows = [
        [scheme, *(power(found[scheme]) for found in exponents_beside(record))]
        for scheme in LOOKS
    ]
    title = f"Exponents of temporaries over the length, from {SLOPE_FROM} steps on"
    yield table(title, ["scheme", "theory", *libraries.values()], rows)


def exponents_beside(record: Record) -> list[dict[str, float]]:
    """Those of theory, and of each library."""
    return [theory(record), *(exponents(record, name) for name in present(record))]


def draw(record: Record) -> Iterator[tuple[str, Figure]]:
    """Temporaries against length, time against length, and one against the other."""
    drawing, axes = figure(1, 3, 4.6, 3.8)
    own = record.settings["function"]
    step = short(own) if own else "x -> tanh(x W)"
    drawing.suptitle(f"Derivatives of a loop of T steps {step}")
    memory, time, exchange = axes[0]
    last = longest(record)
    for scheme, look in LOOKS.items():
        for library in present(record):
            name = f"{library} {scheme}"
            plot(memory, record, "length", name, "temporaries", look)
            both = LIBRARIES[library] | look
            found = [(key["length"], relative(r, name)) for key, r in record.results()]
            time.plot(*zip(*sorted(found), strict=True), **both)
            at = cost(last["programs"][name], "temporaries")
            exchange.plot(at, relative(last, name), **both)
        if scheme in REVERSE:
            at = cost(last["programs"][f"jaxkit {scheme}"], "temporaries")
            exchange.plot(at, by_steps(last, scheme), **COUNTED)
    lengths = sorted(key["length"] for key, _ in record.results())
    log_axes(memory, lengths, "B")
    log_axes(time, lengths, "")
    time.set(yscale="linear", xlabel="T", ylabel="run time / jaxkit's plain", ylim=0)
    memory.set(xlabel="T", ylabel="peak temporaries")
    exchange.set(xscale="log", xlabel=f"peak temporaries, T = {last['length']}", ylim=0)
    exchange.set(ylabel="run time / jaxkit's plain")
    exchange.xaxis.set_major_formatter(EngFormatter("B"))
    counted = Line2D([], [], label="steps and pullbacks alone", **COUNTED)
    legend(drawing, LOOKS, present(record), counted)
    yield "memory", drawing


# ------------------------------------------------------------------------------- words


def captions(record: Record) -> dict[str, str]:
    """What the figure shows."""
    last = longest(record)
    parts = growth(record), budget(record), times(last), why(last)
    return {"memory": " ".join(filter(None, parts))}


def growth(record: Record) -> str:
    """Exponents beside theory."""
    expected, found, _ = exponents_beside(record)
    if not np.isfinite(found["plain"]):
        return ""
    fitted = listed(
        f"{power(p)} ({scheme}; theory {power(expected[scheme])})"
        for scheme, p in found.items()
    )
    return f"jaxkit's temporaries grow as the number of steps to the power {fitted}."


def budget(record: Record) -> str:
    """Whether the budgeted scheme keeps to its budget."""
    found = [result for _, result in record.results()]
    most = max(result["states"]["budgeted"] for result in found)
    size = units.size(most * found[0]["state"])
    peaks = [
        result["programs"]["jaxkit budgeted"]["temporaries"]
        for result in found
        if result["states"]["budgeted"] == most
    ]
    return (
        f"Budgeted keeps {most} states, {size} of "
        f"{units.size(record.settings['budget'])}; its peak, with all else, is "
        f"{span(peaks, units.size)} for every length."
    )


def times(last: dict) -> str:
    """Time relative to plain, and what steps and pullbacks make of it."""
    found = {s: relative(last, f"jaxkit {s}") for s in REVERSE if s != "plain"}
    if not np.isfinite(list(found.values())).any():
        return ""
    alone = {scheme: by_steps(last, scheme) for scheme in REVERSE}
    return (
        f"For {last['length']} steps, in units of plain's time, "
        f"{listed(f'{scheme} takes {number(t)}' for scheme, t in found.items())}. By "
        "themselves the steps and pullbacks, with steps evaluated again, take "
        f"{listed(f'{number(t)} ({scheme})' for scheme, t in alone.items())}: the rest "
        "is to write to memory what a scheme keeps, and to read it back."
    )


def why(last: dict) -> str:
    """What else takes time: memory that is new to the process."""
    plain = last["programs"]["jaxkit plain"]
    if plain.get("new", 0) < 0.9 * plain["temporaries"]:
        return ""
    return (
        f"At each call plain's {units.size(plain['new'])} are new to it, which "
        f"takes the operating system {units.seconds(plain['system_s'])} of "
        f"{units.seconds(cost(plain, 'time'))}."
    )


def summary(record: Record) -> dict[str, str]:
    """Temporaries and times at the largest length."""
    last = longest(record)
    rows = {"steps": str(last["length"])}
    for scheme in LOOKS:
        rows[f"{scheme}: temporaries, jaxkit and JAX"] = " and ".join(
            units.size(last["programs"][f"{name} {scheme}"]["temporaries"])
            for name in ("jaxkit", "jax")
        )
    plain = units.seconds(cost(last["programs"]["jaxkit plain"], "time"))
    rows["plain: time, jaxkit"] = plain
    again = [scheme for scheme in REVERSE if scheme != "plain"]
    rows[f"time over plain's: {', '.join(again)}"] = ", ".join(
        number(relative(last, f"jaxkit {scheme}")) for scheme in again
    )
    alone = number(by_steps(last, "plain"))
    rows["steps and pullbacks alone, over plain's time"] = alone
    return rows
