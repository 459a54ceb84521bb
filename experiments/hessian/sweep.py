"""The sweep: which points, and what is measured at one of them."""

from collections.abc import Iterator

import numpy as np

from experiments.bench.costs import COMPILED
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


def points(settings: dict) -> Iterator[dict]:
    """Each function at each n that it can take."""
    for name in settings["functions"]:
        for n in settings["sizes"]:
            if n <= find(name, settings).inputs:
                yield {"function": name, "n": n}


def measure(point: dict, settings: dict) -> dict:
    """Build and time, in turns, f, the nestings and the product, in each library.

    Of what XLA compiled, `error` is the largest difference to JAX's forward/reverse,
    relative to its largest entry: whoever is fast must be right as well.
    """
    function = find(point["function"], settings)
    f, args = function.at(point["n"], function.outputs)
    programs = {}
    for name, library in libraries(function.portable).items():
        _, arrays = library.bind(f, args)
        for what, program in recipes(library, f).items():
            programs[f"{name} {what}"] = library.build(program, arrays)
    results = run(programs, settings)
    compared = {
        name: np.asarray(program.call())
        for name, program in programs.items()
        if name.startswith(COMPILED) and "/" in name and "skipped" not in results[name]
    }
    reference = compared.get("jax forward/reverse", np.array(np.nan))
    largest = abs(reference).max()
    if np.isfinite(largest):
        for name, found in compared.items():
            error = abs(found - reference).max() / (largest or 1)
            results[name]["error"] = float(np.nan_to_num(error, nan=np.inf))
    return {"programs": results}


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
    for nesting in list(NESTINGS)[:-1]:
        outer, inner = (modes[mode] for mode in nesting.split("/"))
        found[nesting] = outer(inner(scalar))
    return found
