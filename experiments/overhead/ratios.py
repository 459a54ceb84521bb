"""Numbers out of a record: paired ratios, their bars; stages in units of f or JAX."""

import numpy as np

from experiments.bench.costs import COMPILED, cost, curve, paired, ratios, slope
from experiments.bench.record import Record

BARS = {"eager": 0.6, "trace": 0.7, "time": 1.05, "flops": 1.01}
TRANSFORMS = ("f", "grad", "jvp", "hessian")
STAGES = {
    "trace_s": "trace",
    "lower_s": "lower",
    "compile_s": "compile",
    "first_s": "first call",
    "time": "run",
    "eager": "eager run",
}
# How a program is named that is called in some way, and how that is said.
WAYS = {
    "jaxkit": "jaxkit, jit",
    "jax": "JAX, jit",
    "torch": "torch.compile",
    "jaxkit eager": "jaxkit, eager",
    "jax eager": "JAX, eager",
    "torch eager": "PyTorch, eager",
    "autograd eager": "autograd",
}


def of_grad(programs: dict) -> tuple[float, float, float]:
    """Quartiles and median of the ratio jaxkit / JAX of grad's times."""
    return ratios(*(programs[f"{library} grad"] for library in COMPILED))


def flops(programs: dict) -> float:
    """The ratio jaxkit / JAX of FLOPs, 1 where neither has any."""
    ours, theirs = (programs[f"{library} grad"]["flops"] for library in COMPILED)
    return ours / theirs if theirs else 1.0 if ours == theirs else np.inf


def medians(record: Record, kind: str) -> dict[str, float]:
    """By program, the median of the ratios of one kind."""
    return {
        k["program"]: of_grad(r["programs"])[1] for k, r in record.results(kind=kind)
    }


def deepest(record: Record) -> dict[tuple[str, int], dict]:
    """By model and its largest measured depth, the programs there."""
    found = sorted(record.results(kind="growth"), key=lambda point: point[0]["depth"])
    last = {key["model"]: (key["depth"], r["programs"]) for key, r in found}
    return {(model, depth): programs for model, (depth, programs) in last.items()}


def place(library: str, what: str, stage: str) -> tuple[str, str]:
    """The program, and its quantity, that the seconds of a stage are found in."""
    if stage == "eager":
        return f"{library} eager {what}", "time"
    return f"{library} {what}", stage


def seconds(programs: dict, library: str, what: str, stage: str) -> float:
    """The time of one stage of a transform; nan if there is none."""
    name, quantity = place(library, what, stage)
    return cost(programs.get(name), quantity)


def over_f(programs: dict, library: str, what: str, stage: str) -> float:
    """The time of a stage of a transform in units of the same stage of f itself."""
    # In jaxkit and in JAX f is the same program, taken once.
    unit = seconds(programs, "jax" if library in COMPILED else library, "f", stage)
    return seconds(programs, library, what, stage) / unit


def over(
    programs: dict, what: str, stage: str, ours: str = "jaxkit", theirs: str = "jax"
) -> float:
    """The time of a stage in one library in units of another's; of runs, in pairs."""
    (one, quantity), (other, _) = (place(name, what, stage) for name in (ours, theirs))
    first, second = programs.get(one), programs.get(other)
    if quantity == "time" and first and second:
        return paired(first, second)
    return cost(first, quantity) / cost(second, quantity)


def exponent(record: Record, model: str, library: str, stage: str) -> float:
    """p in time ~ depth^p of a stage of grad, at the three largest depths."""
    name, quantity = place(library, "grad", stage)
    depths, times = curve(record, "depth", name, quantity, kind="growth", model=model)
    return slope(depths[-3:], times[-3:])
