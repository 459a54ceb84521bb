"""The sweep: which points, and what is measured at one of them."""

from collections.abc import Iterator

from experiments.overhead import pairs, stages
from experiments.overhead.models import find
from experiments.overhead.programs import SMALL, users
from experiments.programs import real

PAIRS = {"eager": pairs.eager, "trace": pairs.trace, "compiled": pairs.compiled}
STAGES = {"growth": stages.growth, "first": stages.first}
KINDS = [*PAIRS, *STAGES]
FIRST = 2  # the depth of first calls: it takes all operations that any depth takes


def points(settings: dict) -> Iterator[dict]:
    """Each kind of measurement on each of its programs, at each of its depths."""
    own = ["own"] if settings["function"] else []
    if own:
        users(settings)  # refuses what can't be differentiated
    for kind in settings["kinds"]:
        if kind in ("eager", "trace"):
            yield from ({"kind": kind, "program": name} for name in own or SMALL)
        elif kind == "compiled" and not own:
            for name in real(settings["programs"]):
                yield {"kind": kind, "program": name}
        elif kind == "growth":
            for model in own or settings["models"]:
                for depth in [1] if own else settings["depths"]:
                    yield {"kind": kind, "model": model, "depth": depth}
        elif kind == "first":
            for model in own or settings["first"]:
                yield {"kind": kind, "model": model, "depth": 1 if own else FIRST}


def measure(point: dict, settings: dict) -> dict:
    """The programs of one point, with their times and samples."""
    kind = point["kind"]
    if kind in PAIRS:
        return {"programs": PAIRS[kind](point["program"], settings)}
    model = find(point["model"], point["depth"], settings)
    return {"programs": STAGES[kind](model, settings)}
