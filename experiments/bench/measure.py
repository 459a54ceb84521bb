"""Compiling programs, reading their cost, and timing them side by side."""

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from experiments.bench import units
from experiments.bench.environment import free_memory
from experiments.bench.settings import Timed

TRACES = 3  # of which the median is taken
LONGEST = 1.0  # seconds: programs that take longer aren't sampled


@dataclass(frozen=True)
class Program:
    """A program, ready to be called, and its cost.

    `call()` returns when the result is ready. `cost` is empty, or holds, by XLA's own
    analysis, `flops`, `bytes` (accessed), `temporaries` and `needs` (temporaries,
    arguments and outputs), and the seconds that tracing, lowering and compiling took,
    `trace_s` (a median), `lower_s` and `compile_s`.
    """

    call: Callable[[], Any]
    cost: dict[str, float]


def build(function: Callable, args: Sequence) -> Program:
    """Trace and compile `function(*args)` for the arguments' shapes and dtypes."""
    traces = [
        # A new function each time: JAX remembers those that it has traced.
        timed(lambda: jax.jit(lambda *args: function(*args)).trace(*args))
        for _ in range(TRACES)
    ]
    lower_s, lowered = timed(traces[-1][1].lower)
    compile_s, compiled = timed(lowered.compile)
    counts, memory = compiled.cost_analysis() or {}, compiled.memory_analysis()
    temporaries, arguments, outputs = (
        getattr(memory, f"{kind}_size_in_bytes", 0)
        for kind in ("temp", "argument", "output")
    )
    cost = {
        "flops": int(counts.get("flops", 0)),
        "bytes": int(counts.get("bytes accessed", 0)),
        "temporaries": temporaries,
        "needs": temporaries + arguments + outputs,
        "trace_s": float(np.median([seconds for seconds, _ in traces])),
    }
    cost |= {"lower_s": lower_s, "compile_s": compile_s}
    return Program(lambda: jax.block_until_ready(compiled(*args)), cost)


def nothing() -> Program:
    """A program that does nothing: a call of it takes what a call takes."""
    return Program(build(lambda x: x, (jnp.float32(0),)).call, {})


def run(programs: dict[tuple[str, ...], Program], settings: Timed) -> list[dict]:
    """A row for each program, by library, what it is and, if given, in which way.

    It has the program's cost, and `samples` of times, or why it was `skipped`.
    """
    memory = settings.memory_limit or free_memory()
    rows, calls = {}, {}
    for key, program in programs.items():
        names = zip(("library", "program", "way"), key, strict=False)
        rows[key] = dict(names) | program.cost
        if reason := try_out(program, memory):
            rows[key]["skipped"] = reason
        else:
            calls[key] = program.call
    for key, times in interleaved(calls, settings).items():
        rows[key]["samples"] = times
    return [*rows.values()]


def try_out(program: Program, memory: float) -> str | None:
    """Run a program, so that it is warm; or say why it can't be sampled."""
    if (needs := program.cost.get("needs", 0)) > memory:
        needed, limit = units.amount(needs, "B"), units.amount(memory, "B")
        return f"needs {needed}, the limit is {limit}"
    # The first call may load things; only where it was a bit slow is another needed.
    took = seconds(program.call, 1)
    if LONGEST < took < 4 * LONGEST:
        took = seconds(program.call, 1)
    if took > LONGEST:
        return f"takes {units.seconds(took)}, the limit is {units.seconds(LONGEST)}"
    return None


def interleaved(calls: dict[Any, Callable], settings: Timed) -> dict[Any, list[float]]:
    """Samples of each call, in seconds a call, taken in turns.

    A round has one sample of each, so that a disturbance of the machine meets all
    alike, in an order that is new each time, since what ran before leaves its traces.
    A sample repeats its call for `min_time` seconds, after one call that isn't timed.
    """
    repeats = {k: repetitions(call, settings.min_time) for k, call in calls.items()}
    times: dict[Any, list[float]] = {name: [] for name in calls}
    order, shuffle = list(calls), random.Random(0).shuffle
    for _ in range(settings.samples):
        shuffle(order)
        for name in order:
            calls[name]()
            times[name].append(seconds(calls[name], repeats[name]))
    return times


def repetitions(call: Callable, min_time: float) -> int:
    """How many calls take `min_time` seconds; also warms the call up."""
    call()
    repeats = 1
    while (took := seconds(call, repeats) * repeats) < min_time:
        # Aim a little over, but don't trust a first, very short sample too far.
        repeats = min(10 * repeats, int(1.2 * repeats * min_time / took) + 1)
    return repeats


def timed(call: Callable) -> tuple[float, Any]:
    """Seconds of one call, and its result."""
    start = time.perf_counter()
    result = call()
    return time.perf_counter() - start, result


def seconds(call: Callable, repeats: int) -> float:
    """Mean seconds of one call over the given number of them."""
    start = time.perf_counter()
    for _ in range(repeats):
        call()
    return (time.perf_counter() - start) / repeats
