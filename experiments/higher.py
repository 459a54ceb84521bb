"""Cost and equation count of the k-th derivative, by nesting one mode or both.

For f: R -> R, each further derivative differentiates the program of the one before it,
which has at most so many times the operations; nested k times that is exponential in k
(J. Bettencourt, M. Johnson, D. Duvenaud, Taylor-mode automatic differentiation, 2019),
though the derivatives of f up to k could be had in about k^2 times f, as a truncated
Taylor series (A. Griewank, J. Utke, A. Walther, Math. Comp. 69, 2000). The ways are
forward, jvp of jvp of ... f; reverse, grad of grad of ... f; and mixed, jvp of ... of
jvp of grad of f. Equations are those of the traced program.
"""

from collections.abc import Callable
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np

from experiments.bench import ExperimentError, style, tidy
from experiments.bench.compare import equations
from experiments.bench.measure import nothing, run
from experiments.bench.settings import OfFunction, Points, Timed, option
from experiments.bench.tidy import COMPILED, Table, unique, where
from experiments.functions import of_floats, own, subjects
from experiments.libraries import libraries

# The innermost mode, and that of all others.
WAYS = {
    "forward": ("jvp", "jvp"),
    "reverse": ("grad", "grad"),
    "mixed": ("grad", "jvp"),
}
LOOKS = style.looks({"forward": "o", "reverse": "s", "mixed": "^"})


# With the shapes of their weights; the second is a perceptron, as for a PDE.
FUNCTIONS: dict[str, tuple] = {
    "tower": (lambda xp, x: xp.exp(xp.sin(xp.exp(xp.sin(x)))), ()),
    "network": (
        lambda xp, x, w, v: xp.sum(xp.tanh(w @ xp.tanh(x * v))), ((32, 32), (32,))
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Settings(Timed, OfFunction):
    functions: list[str] = option([*FUNCTIONS], help="which of our functions")
    orders: list[int] = option([1, 2, 3, 4, 5, 6], [1, 2, 3, 4], "the values of k")


def points(settings: Settings) -> Points:
    """Each function at each order."""
    for name in subjects(settings):
        subject(name, settings)  # refuses what can't be done
        yield from ({"function": name, "k": k} for k in settings.orders)


def measure(point: dict, settings: Settings) -> list[dict]:
    """Build and time, in turns, the k-th derivative by each way in each library."""
    f, args, peers = subject(point["function"], settings)
    # A call of a compiled program takes its time, too.
    programs: dict = {("jax", "call"): nothing()}
    for name, library in libraries(peers).items():
        bound, arrays = library.bind(f, args)
        for way in WAYS:
            program = nested(library.ad, way, bound, point["k"])
            built = programs[name, way] = library.build(program, arrays)
            if name in COMPILED:
                built.cost["equations"] = equations(program, *arrays)
    return run(programs, settings)


def subject(name: str, settings: Settings) -> tuple[Callable, tuple, bool]:
    """A function f(xp, x, *data), its arguments, and whether peers can run it."""
    if name in FUNCTIONS:
        (f, shapes), draw = FUNCTIONS[name], np.random.default_rng(0).normal
        scale = np.float32(np.sqrt(32))
        weights = (draw(size=shape).astype(np.float32) / scale for shape in shapes)
        return f, (np.float32(0.7), *weights), True
    f, args = own(settings)
    shapes = [jax.tree.map(np.shape, a) for a in (args, jax.eval_shape(f, *args))]
    of_floats(name, f, args)
    if shapes != [((),), ()] or not jnp.issubdtype(args[0].dtype, jnp.floating):
        raise ExperimentError(f"--function {name}: not a function of one float to one")
    return (lambda xp, x: f(x)), args, False


def nested(ad, way: str, f: Callable, k: int) -> Callable:
    """The k-th derivative of a function of one number (and data)."""

    def pushed(f):
        return lambda x, *data: ad.jvp(lambda x: f(x, *data), (x,), (x * 0 + 1,))[1]

    for order in range(k):
        f = {"grad": ad.grad, "jvp": pushed}[WAYS[way][min(order, 1)]](f)
    return f


def growth(table: Table) -> Table:
    """The factor by which jaxkit's costs grow with each order, as fitted to all."""
    found, counted = where(table, library="jaxkit"), ["equations", "flops", "trace_s"]
    found = found.assign(e=np.exp(found["k"]))  # cost ~ exp(k)^p
    fits = np.exp(tidy.exponents(found, ["function", "program"], "e", counted))
    return fits.set_axis([f"{x} / those before" for x in counted], axis=1)


def at_the_end(table: Table) -> Table:
    """Costs at the highest order that was measured, of each library."""
    found = table[(table["k"] == table["k"].max()) & table["program"].isin(WAYS)]
    index = ["library", "function", "k", "program"]
    return found.set_index(index)[["equations", "flops", "time"]]


def tables(table: Table) -> style.Tables:
    """Costs at the highest order, and by what each further order multiplies them."""
    key, counts = ["function", "k", "program"], ["equations", "flops"]
    return {
        "jaxkit at the highest order": at_the_end(table).loc["jaxkit"],
        "jaxkit's growth with each order": growth(table),
        "all costs": tidy.costs(table, key, counts),
    }


def figures(table: Table) -> style.Figures:
    """Each quantity against k, a row for each function."""
    drawn = ("equations", "flops", "time", "trace_s")
    cells = [
        [(f"{f[:30]}: {q}", where(table, function=f), q) for q in drawn]
        for f in unique(table, "function")
    ]
    title = "The k-th derivative by nested passes"
    drawing, axes = style.panels(title, cells, "k", LOOKS)
    for ax in axes.flat:
        ax.set_xscale("linear")
    style.legend(drawing, LOOKS, tidy.libraries(table))
    yield "growth", drawing
