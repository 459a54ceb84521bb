"""Pairs of measurements: the same program, differentiated by jaxkit and by JAX."""

from collections.abc import Iterator

import jax
import jax.numpy as jnp

from experiments.bench.measure import build, interleaved, run
from experiments.libraries import libraries
from experiments.overhead.programs import SMALL, real

RUNS = 256  # of a compiled program in one call


def points(settings: dict) -> Iterator[dict]:
    """Each kind of measurement on each of its programs."""
    for kind in settings["kinds"]:
        for program in real(settings["programs"]) if kind == "compiled" else SMALL:
            yield {"kind": kind, "program": program}


def measure(point: dict, settings: dict) -> dict:
    """The samples of both libraries, and of f itself where it is not compiled."""
    if point["kind"] == "compiled":
        return {"programs": compiled(point["program"], settings)}
    f, args = SMALL[point["program"]]()
    calls = {"eager": eager, "trace": trace}[point["kind"]](f, args)
    times = interleaved(calls, settings)
    return {"programs": {name: {"samples_s": times[name]} for name in times}}


def eager(f, args) -> dict:
    """Calls without jit. The gradient function is made once, as users do."""

    def call(g):
        return lambda: jax.block_until_ready(g(*args))

    calls = {name: call(library.grad(f)) for name, library in libraries().items()}
    return calls | {"f": call(f)}


def trace(f, args) -> dict:
    """Tracing to a jaxpr. A new function each time: JAX remembers those it has seen.

    What JAX remembers of jax.numpy's own functions stays, for both alike.
    """

    def call(transform):
        return lambda: jax.make_jaxpr(transform(lambda *args: f(*args)))(*args)

    calls = {name: call(library.grad) for name, library in libraries().items()}
    return calls | {"f": call(lambda f: f)}


def compiled(name: str, settings: dict) -> dict:
    """Compiled gradients of one real program: the cost of one run, and times of many.

    To call a compiled program takes longer than many of these run, so that a sample
    is of RUNS runs in one call, one after the other, and a time the mean of those.
    """
    program = real([name])[name]
    args = program.cast(jnp.float32)
    points = jax.tree.map(lambda x: jnp.broadcast_to(x, (RUNS, *x.shape)), args)
    gradients = {name: lib.grad(program.scalar) for name, lib in libraries().items()}
    single = {name: build(grad, args) for name, grad in gradients.items()}
    loops = {name: build(loop(grad), points) for name, grad in gradients.items()}
    results = run(loops, settings)
    for name, result in results.items():
        result |= single[name].cost
        result["samples_s"] = [t / RUNS for t in result["samples_s"]]
    return results


def loop(function):
    """`function` at each point of a batch, in turn."""
    return lambda *points: jax.lax.map(lambda args: function(*args), points)
