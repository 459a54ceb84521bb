"""Pairs of measurements: the same program, differentiated by jaxkit and by JAX."""

import jax
import jax.numpy as jnp

from experiments.bench.measure import build, interleaved, run
from experiments.libraries import libraries
from experiments.overhead.programs import small
from experiments.programs import real

RUNS = 256  # of a compiled program in one call


def eager(name: str, settings: dict) -> dict:
    """Calls without jit. The gradient function is made once, as users do."""
    f, args = small(name, settings)

    def call(g):
        return lambda: jax.block_until_ready(g(*args))

    return sampled({k: call(grad(f)) for k, grad in grads().items()}, settings)


def trace(name: str, settings: dict) -> dict:
    """Tracing to a jaxpr. A new function each time: JAX remembers those it has seen.

    What JAX remembers of jax.numpy's own functions stays, for both alike.
    """
    f, args = small(name, settings)

    def call(transform):
        return lambda: jax.make_jaxpr(transform(lambda *args: f(*args)))(*args)

    return sampled({k: call(grad) for k, grad in grads().items()}, settings)


def grads() -> dict:
    """The gradient of each library; and f itself, for comparison."""
    found = {f"{k} grad": v.ad.grad for k, v in libraries(peers=False).items()}
    return found | {"jax f": lambda f: f}


def sampled(calls: dict, settings: dict) -> dict:
    """The samples of each call, taken in turns."""
    times = interleaved(calls, settings)
    return {name: {"samples_s": times[name]} for name in calls}


def compiled(name: str, settings: dict) -> dict:
    """Compiled gradients of one real program: the cost of one run, and times of many.

    To call a compiled program takes longer than many of these run, so that a sample
    is of RUNS runs in one call, one after the other, and a time the mean of those.
    """
    program = real([name])[name]
    args = program.cast(jnp.float32)
    points = jax.tree.map(lambda x: jnp.broadcast_to(x, (RUNS, *x.shape)), args)
    both = libraries(peers=False).items()
    gradients = {f"{k} grad": library.ad.grad(program.scalar) for k, library in both}
    single = {k: build(gradient, args) for k, gradient in gradients.items()}
    loops = {k: build(loop(gradient), points) for k, gradient in gradients.items()}
    results = run(loops, settings)
    for k, result in results.items():
        result |= single[k].cost
        if "samples_s" in result:
            result["samples_s"] = [t / RUNS for t in result["samples_s"]]
    return results


def loop(function):
    """`function` at each point of a batch, in turn."""
    return lambda *points: jax.lax.map(lambda args: function(*args), points)
