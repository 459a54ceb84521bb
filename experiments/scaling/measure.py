"""The sweep: which points, and what is measured at one of them."""

from collections.abc import Iterator

import jax
import jax.numpy as jnp

from experiments.bench.measure import build, run
from experiments.libraries import libraries
from experiments.scaling.functions import FUNCTIONS


def points(settings: dict) -> Iterator[dict]:
    """The grid of n by m for each function, and one place for single passes.

    The grid has the sweeps in it: its edges (m = 1, n = 1) and its diagonal.
    """
    sizes = settings["sizes"]
    for function in settings["functions"]:
        yield {"function": function, "kind": "pass", "n": sizes[-1], "m": sizes[-1]}
        for n in sizes:
            for m in sizes:
                yield {"function": function, "kind": "jacobian", "n": n, "m": m}


def measure(point: dict, settings: dict) -> dict:
    """Build and time, in turns, the programs of one point."""
    f, args = FUNCTIONS[point["function"]](point["n"], point["m"])
    recipes = {"jacobian": jacobians, "pass": passes}[point["kind"]](f, args)
    programs = {name: build(*recipe) for name, recipe in recipes.items()}
    return {"programs": run(programs, settings)}


def jacobians(f, args) -> dict:
    """The whole Jacobian, in both modes."""
    return {
        f"{library} {mode}": (getattr(module, mode)(f), args)
        for library, module in libraries().items()
        for mode in ("jacfwd", "jacrev")
    }


def passes(f, args) -> dict:
    """f itself, one pushforward, and one pullback (each with f's value)."""
    x, *data = args
    ct = jnp.ones(jax.eval_shape(f, *args).shape, x.dtype)

    def jvp(library):
        return lambda x, dx, *data: library.jvp(lambda x: f(x, *data), (x,), (dx,))

    def vjp(library):
        def both(x, ct, *data):
            y, pullback = library.vjp(lambda x: f(x, *data), x)
            return y, pullback(ct)

        return both

    recipes = {"f": (f, args)}
    for name, library in libraries().items():
        recipes[f"{name} jvp"] = jvp(library), (x, jnp.ones_like(x), *data)
        recipes[f"{name} vjp"] = vjp(library), (x, ct, *data)
    return recipes
