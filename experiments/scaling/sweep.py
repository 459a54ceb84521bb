"""The sweep: which points, and what is measured at one of them."""

from collections.abc import Iterator

from experiments.bench.measure import run
from experiments.functions import find
from experiments.libraries import Library, libraries


def points(settings: dict) -> Iterator[dict]:
    """The grid of n by m for each function, and one place for single passes.

    The grid has the sweeps in it: its edges (m = 1, n = 1) and its diagonal.
    """
    for name in settings["functions"]:
        function = find(name, settings)
        sizes = [n for n in settings["sizes"] if n <= function.inputs]
        outputs = [m for m in settings["sizes"] if m <= function.outputs]
        yield {"function": name, "kind": "pass", "n": sizes[-1], "m": outputs[-1]}
        for n in sizes:
            for m in outputs:
                yield {"function": name, "kind": "jacobian", "n": n, "m": m}


def measure(point: dict, settings: dict) -> dict:
    """Build and time, in turns, the programs of one point."""
    function = find(point["function"], settings)
    f, args = function.at(point["n"], point["m"])
    recipes = {"jacobian": jacobians, "pass": passes}[point["kind"]]
    programs = {
        f"{name} {what}": library.build(*recipe)
        for name, library in libraries(function.portable).items()
        for what, recipe in recipes(library, *library.bind(f, args)).items()
    }
    return {"programs": run(programs, settings)}


def jacobians(library: Library, f, args) -> dict:
    """The whole Jacobian, in both modes."""
    return {mode: (getattr(library.ad, mode)(f), args) for mode in ("jacfwd", "jacrev")}


def passes(library: Library, f, args) -> dict:
    """f itself, one pushforward, and one pullback (each with f's value)."""
    x, *data = args
    dx, ct = x * 0 + 1, f(*args) * 0 + 1

    def jvp(x, dx, *data):
        return library.ad.jvp(lambda x: f(x, *data), (x,), (dx,))

    def vjp(x, ct, *data):
        y, pullback = library.ad.vjp(lambda x: f(x, *data), x)
        return y, pullback(ct)

    return {
        "f": (f, args),
        "jvp": (jvp, (x, dx, *data)),
        "vjp": (vjp, (x, ct, *data)),
    }
