"""What the figure shows, in sentences with the numbers of a run."""

import numpy as np

from experiments.bench import units
from experiments.bench.costs import COMPILED, cost
from experiments.bench.record import Record
from experiments.bench.words import listed, number, power
from experiments.memory.ratios import (
    REVERSE,
    SCHEMES,
    by_steps,
    exponents_beside,
    longest,
    relative,
)


def captions(record: Record) -> dict[str, str]:
    """What the figure shows."""
    last = longest(record)
    parts = growth(record), times(last), why(last)
    return {"memory": " ".join(filter(None, parts))}


def growth(record: Record) -> str:
    """Exponents beside theory, and whether the budgeted scheme keeps to its budget."""
    expected, found, _ = exponents_beside(record)
    if not np.isfinite(found["plain"]):
        return f"Budgeted keeps {budget(record)}."
    fitted = listed(
        f"{power(p)} ({scheme}; theory {power(expected[scheme])})"
        for scheme, p in found.items()
    )
    return (
        f"jaxkit's temporaries grow as the number of steps to the power {fitted}; "
        f"budgeted keeps {budget(record)}."
    )


def budget(record: Record) -> str:
    """How many states the budgeted scheme keeps, and what it needs with all else."""
    found = [result for _, result in record.results()]
    most = max(result["states"]["budgeted"] for result in found)
    kept, allowed = most * found[0]["state"], record.settings["budget"]
    peak = max(r["programs"]["jaxkit budgeted"]["temporaries"] for r in found)
    return (
        f"{most} states, {units.size(kept)} of {units.size(allowed)}, and with all "
        f"else needs {units.size(peak)} at most"
    )


def times(last: dict) -> str:
    """Time relative to plain, and what steps and pullbacks make of it."""
    found = {s: relative(last, f"jaxkit {s}") for s in REVERSE if s != "plain"}
    if not np.isfinite(list(found.values())).any():
        return ""
    alone = {scheme: by_steps(last, scheme) for scheme in REVERSE}
    rest = (
        ", and the rest is to write to memory what a scheme keeps, and to read it back"
    )
    if any(alone[scheme] > t for scheme, t in found.items()):  # then it is noise
        rest = ""
    return (
        f"For {last['length']} steps, in units of plain's time, "
        f"{listed(f'{scheme} takes {number(t)}' for scheme, t in found.items())}; the "
        "steps and pullbacks alone, with steps evaluated again, take "
        f"{listed(f'{number(t)} ({scheme})' for scheme, t in alone.items())}{rest}."
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
    for scheme in SCHEMES:
        rows[f"{scheme}: temporaries, jaxkit and JAX"] = " and ".join(
            units.size(last["programs"][f"{name} {scheme}"]["temporaries"])
            for name in COMPILED
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
