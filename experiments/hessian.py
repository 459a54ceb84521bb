"""Four ways to nest two modes into a Hessian, and the Hessian-vector product.

For f: R^n -> R, each nesting differentiates the gradient, computed by the inner mode,
by the outer one. Theory, in units of f: where the inner mode is forward, n^2, for the
gradient takes n tangents, and each is differentiated n times; where it is reverse, n,
since the gradient is one pullback. A Hessian-vector product pushes one tangent through
one pullback, whatever n is (A. Griewank and A. Walther, Evaluating Derivatives, 2nd
ed., 2008, chapter 5; B. Pearlmutter, Neural Computation 6, 1994). f is the sum of the
squares of a function's outputs, over n of its inputs; its own cost doesn't depend on n.
"""

from dataclasses import dataclass

import numpy as np

from experiments.bench import style, tidy
from experiments.bench.compare import difference
from experiments.bench.measure import run
from experiments.bench.settings import OfFunction, Points, Timed, option
from experiments.bench.tidy import COMPILED, Table, paired, unique, where
from experiments.functions import FUNCTIONS, find, subjects
from experiments.libraries import Library, libraries

# Each with the exponent of n in its cost.
NESTINGS = {
    "forward/forward": 2, "forward/reverse": 1, "reverse/forward": 2,
    "reverse/reverse": 1, "hvp": 0,
}  # fmt: skip
HESSIANS = [what for what in NESTINGS if "/" in what]
TOLERATED = 1e-3  # relative difference of Hessians, in float32
START = 4  # below, f itself shows beside its derivatives
LOOKS = style.looks(dict(zip(NESTINGS, "os^Dv", strict=True)))
LOOKS["f"] = {"color": style.INK, "marker": ""}


@dataclass(frozen=True)
class Settings(Timed, OfFunction):
    functions: list[str] = option([*FUNCTIONS], help="which of our functions")
    sizes: list[int] = option([1, 2, 4, 8, 16, 32, 64], [1, 4, 16], "the values of n")


def points(settings: Settings) -> Points:
    """Each function at each n that it can take."""
    for name in subjects(settings):
        inputs = find(name, settings).inputs
        yield from ({"function": name, "n": n} for n in settings.sizes if n <= inputs)


def measure(point: dict, settings: Settings) -> list[dict]:
    """Build and time, in turns, f, the nestings and the product, in each library.

    Of what XLA compiled, `error` is the difference to JAX's forward/reverse.
    """
    function = find(point["function"], settings)
    f, args = function.at(point["n"], function.outputs)
    programs = {
        (name, what): library.build(program, library.bind(f, args)[1])
        for name, library in libraries(function.portable).items()
        for what, program in recipes(library, f).items()
    }
    rows = run(programs, settings)
    sampled = {(r["library"], r["program"]): r for r in rows if "skipped" not in r}
    if ("jax", "forward/reverse") in sampled:
        reference = programs["jax", "forward/reverse"].call()
        for key, row in sampled.items():
            if row["library"] in COMPILED and row["program"] in HESSIANS:
                row["error"] = apart(programs[key].call(), reference)
    return rows


def apart(found, reference) -> float:
    """The difference where both are finite; inf if that isn't at the same places."""
    found, reference = np.asarray(found), np.asarray(reference)
    finite = np.isfinite(reference)
    same = (np.isfinite(found) == finite).all()
    return difference(found[finite], reference[finite]) if same else np.inf


def recipes(library: Library, f) -> dict:
    """f as a scalar; its Hessian by each nesting; and times a vector, the point."""
    ad = library.ad
    modes = {"forward": ad.jacfwd, "reverse": ad.jacrev}

    def scalar(x, *data):
        y = f(library.numpy, x, *data)
        return library.numpy.sum(y if len(y) == 1 else y**2)  # a scalar f is itself

    def hvp(x, *data):
        return ad.jvp(ad.grad(lambda x: scalar(x, *data)), (x,), (x,))[1]

    found = {"f": scalar, "hvp": hvp}
    for nesting in HESSIANS:
        outer, inner = (modes[mode] for mode in nesting.split("/"))
        found[nesting] = outer(inner(scalar))
    return found


def exponents(table: Table) -> Table:
    """p in cost ~ n^p for each nesting, from START on, beside theory."""
    table, by = table[table["program"] != "f"], ["function", "program"]
    found = tidy.exponents(table, by, "n", start=START)
    found.insert(0, "theory", [NESTINGS[what] for _, what in found.index])
    return found


def at_the_end(table: Table) -> Table:
    """jaxkit's times at the largest n; in units of JAX's, in pairs."""
    last = table[table["n"] == table.groupby("function")["n"].transform("max")]
    by = ["function", "program"]
    ratio = paired(last, by)["middle"].rename("time / JAX's")
    return where(last, library="jaxkit").set_index(by)[["n", "time"]].join(ratio)


def wrong(table: Table) -> Table:
    """The Hessians that are off, by the largest difference."""
    found = table.reindex(columns=[*{*table, "error"}])
    index = ["function", "n", "program", "library"]
    return found[found["error"] > TOLERATED].set_index(index)[["error"]]


def failures(table: Table) -> int:
    """How many of jaxkit's Hessians are off, where JAX's of the same nesting isn't."""
    off = wrong(table).index
    return sum(x == "jaxkit" and (*key, "jax") not in off for *key, x in off)


def tables(table: Table) -> style.Tables:
    """Exponents beside theory; times at the largest n; what is wrong; all costs."""
    key, counts = ["function", "n", "program"], ["flops", "temporaries"]
    found = {
        "exponents of cost over n": exponents(table),
        "jaxkit's times at the largest n": at_the_end(table),
        "all costs": tidy.costs(table, key, counts),
    }
    return found | ({"wrong Hessians": off} if len(off := wrong(table)) else {})


def figures(table: Table) -> style.Figures:
    """A figure for each function: panels of time, FLOPs, memory and tracing over n."""
    table = table[table["library"].isin(COMPILED)]
    for name in unique(table, "function"):
        found = where(table, function=name)
        panels = [
            (style.QUANTITIES[quantity][0], found, quantity)
            for quantity in ("time", "flops", "temporaries", "trace_s")
        ]
        title = f"Hessians by nesting two modes, over n inputs, {name}"
        drawing, _ = style.panels(title, [panels], "n", LOOKS)
        style.legend(drawing, LOOKS, COMPILED)
        yield name, drawing
