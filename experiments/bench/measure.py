"""Compiling programs, reading their cost, and timing them side by side."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import jax

from experiments.bench import units
from experiments.bench.environment import free_memory


@dataclass(frozen=True)
class Program:
    """A compiled program, ready to be called, and its cost.

    `call()` returns when the result is ready. `cost` holds, of XLA's own analysis of
    the compiled program, `flops`, `transcendentals`, `bytes` (accessed), `temporaries`
    and `needs` (temporaries, arguments and outputs, in bytes), and the seconds that
    tracing with lowering and compiling took, `lower_s` and `compile_s`.
    """

    call: Callable[[], Any]
    cost: dict[str, float]


def build(function: Callable, args: Sequence) -> Program:
    """Trace and compile `function(*args)` for the arguments' shapes and dtypes."""
    start = time.perf_counter()
    lowered = jax.jit(function).lower(*args)
    traced = time.perf_counter()
    compiled = lowered.compile()
    done = time.perf_counter()
    counts = compiled.cost_analysis() or {}
    memory = compiled.memory_analysis()
    temporaries, arguments, outputs = (
        getattr(memory, f"{kind}_size_in_bytes", 0)
        for kind in ("temp", "argument", "output")
    )
    cost = {
        "flops": counts.get("flops", 0.0),
        "transcendentals": counts.get("transcendentals", 0.0),
        "bytes": counts.get("bytes accessed", 0.0),
        "temporaries": temporaries,
        "needs": temporaries + arguments + outputs,
        "lower_s": traced - start,
        "compile_s": done - traced,
    }
    return Program(lambda: jax.block_until_ready(compiled(*args)), cost)


def run(programs: dict[str, Program], settings: dict) -> dict[str, dict]:
    """Each program's cost and samples, or why it was skipped for want of memory."""
    limit = settings["memory_limit"] or free_memory()
    results: dict[str, dict] = {}
    for name, program in programs.items():
        needs = program.cost["needs"]
        reason = f"needs {units.size(needs)}, the limit is {units.size(limit)}"
        results[name] = program.cost | ({"skipped": reason} if needs > limit else {})
    calls = {k: p.call for k, p in programs.items() if "skipped" not in results[k]}
    for name, times in interleaved(calls, settings).items():
        results[name]["samples_s"] = times
    return results


def interleaved(calls: dict[str, Callable], settings: dict) -> dict[str, list[float]]:
    """Samples of each call, in seconds a call, taken in turns.

    A round has one sample of each, so that a disturbance of the machine meets all
    alike; who goes first rotates. A sample repeats its call for `min_time` seconds.
    """
    repeats = {k: repetitions(call, settings["min_time"]) for k, call in calls.items()}
    times: dict[str, list[float]] = {name: [] for name in calls}
    order = list(calls)
    for _ in range(settings["samples"] if calls else 0):
        for name in order:
            times[name].append(seconds(calls[name], repeats[name]))
        order.append(order.pop(0))
    return times


def repetitions(call: Callable, min_time: float) -> int:
    """How many calls take `min_time` seconds; also warms the call up."""
    seconds(call, 1)
    repeats = 1
    while (took := seconds(call, repeats) * repeats) < min_time:
        # Aim a little over, but don't trust a first, very short sample too far.
        repeats = min(10 * repeats, int(1.2 * repeats * min_time / took) + 1)
    return repeats


def seconds(call: Callable, repeats: int) -> float:
    """Mean seconds of one call over the given number of them."""
    start = time.perf_counter()
    for _ in range(repeats):
        call()
    return (time.perf_counter() - start) / repeats
