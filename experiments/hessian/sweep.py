"""The sweep: which points, and what is measured at one of them."""

from collections.abc import Iterator
from functools import partial

import numpy as np

from experiments.bench.costs import COMPILED
from experiments.bench.difference import difference
from experiments.bench.measure import run
from experiments.functions import find
from experiments.libraries import Library, libraries

# Each with the exponent of n in its cost.
NESTINGS = {
    "forward/forward": 2,
    "forward/reverse": 1,
    "reverse/forward": 2,
    "reverse/reverse": 1,
    "hvp": 0,
}
HESSIANS = tuple(what for what in NESTINGS if "/" in what)
TOLERATED = 1e-3  # relative difference of Hessians, in float32


def points(settings: dict) -> Iterator[dict]:
    """Each function at each n that it can take."""
    for name in settings["functions"]:
        for n in settings["sizes"]:
            if n <= find(name, settings).inputs:
                yield {"function": name, "n": n}


def measure(point: dict, settings: dict) -> dict:
    """Build and time, in turns, f, the nestings and the product, in each library.

    Of what XLA compiled, `error` is the difference to JAX's forward/reverse: whoever is
    fast must be right as well. Where it is too large, `error_eager` is that of the same
    Hessian without compiling.
    """
    function = find(point["function"], settings)
    f, args = function.at(point["n"], function.outputs)
    programs, eager = {}, {}
    for name, library in libraries(function.portable).items():
        _, arrays = library.bind(f, args)
        for what, program in recipes(library, f).items():
            programs[f"{name} {what}"] = library.build(program, arrays)
            eager[f"{name} {what}"] = partial(program, *arrays)
    results = run(programs, settings)
    if "skipped" not in results["jax forward/reverse"]:
        reference = programs["jax forward/reverse"].call()
        for name, result in results.items():
            if name.startswith(COMPILED) and "/" in name and "skipped" not in result:
                error = apart(programs[name].call(), reference)
                result["error"] = error
                if error > TOLERATED:
                    result["error_eager"] = apart(eager[name](), reference)
    return {"programs": results}


def apart(found, reference) -> float:
    """The difference where both are finite; inf if that isn't at the same places."""
    found, reference = np.asarray(found), np.asarray(reference)
    finite = np.isfinite(reference)
    if (np.isfinite(found) != finite).any():
        return np.inf
    return difference(found[finite], reference[finite])


def recipes(library: Library, f) -> dict:
    """f as a scalar; its Hessian by each nesting; and times a vector, the point."""
    ad = library.ad
    modes = {"forward": ad.jacfwd, "reverse": ad.jacrev}

    def scalar(x, *data):
        y = f(library.numpy, x, *data)
        return library.numpy.sum(y if len(y) == 1 else y**2)  # a scalar f is itself

    def hvp(x, *data):
        gradient = ad.grad(lambda x: scalar(x, *data))
        return ad.jvp(gradient, (x,), (x,))[1]

    found = {"f": scalar, "hvp": hvp}
    for nesting in HESSIANS:
        outer, inner = (modes[mode] for mode in nesting.split("/"))
        found[nesting] = outer(inner(scalar))
    return found
