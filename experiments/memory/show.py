"""The tables and the figure."""

from collections.abc import Iterator
from typing import Any

from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import EngFormatter

from experiments.bench import units
from experiments.bench.costs import cost
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
from experiments.bench.words import number, power
from experiments.memory.ratios import (
    REVERSE,
    SCHEMES,
    SLOPE_FROM,
    by_steps,
    exponents_beside,
    longest,
    relative,
)
from experiments.users import short

LOOKS: dict[str, dict[str, Any]] = {
    "plain": {"color": VERMILION, "marker": "s"},
    "every other": {"color": ORANGE, "marker": "D"},
    "square root": {"color": GREEN, "marker": "^"},
    "binomial": {"color": PURPLE, "marker": "v"},
    "budgeted": {"color": SKY, "marker": "P"},
    "forward": {"color": BLUE, "marker": "o"},
}
COUNTED: dict[str, Any] = {
    "color": INK, "marker": "_", "linestyle": "", "markersize": 16
}  # fmt: skip


def tables(record: Record) -> Iterator[str]:
    """A row for each length and scheme: theory beside what was measured."""
    libraries = present(record)
    rows = []
    for key, result in record.results():
        for scheme in SCHEMES:
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
        for scheme in SCHEMES
    ]
    title = f"Exponents of temporaries over the length, from {SLOPE_FROM} steps on"
    yield table(title, ["scheme", "theory", *libraries.values()], rows)


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
