"""Pairs of measurements: the same program, differentiated by jaxkit and by JAX."""

from collections.abc import Iterator

import jax
import jax.numpy as jnp

from experiments.bench.measure import build, interleaved, run
from experiments.libraries import libraries
from experiments.overhead.programs import SMALL, real


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
    """Compiled gradients of one real program."""
    program = real([name])[name]
    args = program.cast(jnp.float32)
    programs = {
        name: build(library.grad(program.scalar), args)
        for name, library in libraries().items()
    }
    return run(programs, settings)
