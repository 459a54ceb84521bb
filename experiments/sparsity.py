"""Sparse derivatives by coloured passes, beside dense modes and asdex, over n.

A dense Jacobian of n inputs takes n passes forward, or one backward for each output.
Where the pattern is known, columns that never meet in a row share a pass, and so do
rows; then it takes as many passes as there are colours, which for a stencil doesn't
depend on n (A. Curtis, M. Powell and J. Reid, IMA J. Appl. Math. 13, 1974). Where a row
and a column are full, neither columns nor rows can share, and it takes both modes; of a
symmetric matrix each entry is needed once (A. Gebremedhin, F. Manne and A. Pothen, SIAM
Review 47, 2005).

What is measured: how long the pattern takes to be found, and the whole plan (pattern,
colours, and where each entry is had), each time of a function that is new; and the
compiled derivative: its entries where it is sparse, all numbers where it is dense. Of a
Hessian, `substitution` is the recovery by fewer passes. asdex stands beside, if
it is installed (`pip install -e '.[peers]'`).
"""

import importlib.util
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from pandas import DataFrame, Series

import jaxkit as jk
from experiments.bench import ExperimentError, style, tidy
from experiments.bench.compare import difference
from experiments.bench.measure import build, run, timed
from experiments.bench.settings import Points, Timed, option
from experiments.bench.tidy import COMPILED, TITLES, Table, unique, where

SIZES = [128, 512, 2048, 8192]  # 2 g^2: grids are of g by g, or of g by 2 g
TOLERATED = 1e-4  # relative difference to the dense derivative, in float32
START = 512  # below, what a call takes at least shows
DENSE, FINDING = ["forward", "reverse"], ["pattern", "plan"]
OTHERS = [("asdex", "sparse"), ("jaxkit", "substitution")]
OTHERS += [(library, mode) for mode in DENSE for library in COMPILED]
LOOKS = style.looks(
    {"sparse": "o", "forward": "s", "reverse": "^", "substitution": "D"}
)
FOUND = style.looks({"pattern": "o", "plan": "s"})
MISSING = "asdex isn't installed; pip install -e '.[peers]' brings it"


# --- The functions --------------------------------------------------------------------


def tridiagonal(x):
    """C. Broyden's function (Math. Comp. 19, 1965): each output reads three inputs."""
    left, right = jnp.pad(x[:-1], (1, 0)), jnp.pad(x[1:], (0, 1))
    return broyden(left, x, right)


def broyden(left, x, right):
    return (3 - 2 * x) * x - left - 2 * right + 1


def scanned(x):
    """The same, one place after the other."""
    padded = jnp.pad(x, 1)

    def step(count, near):
        return count + 1, broyden(*near)

    return lax.scan(step, 0, (padded[:-2], x, padded[2:]))[1]


def arrow(x):
    """The first output reads all inputs, and the first input reaches all outputs."""
    return jnp.sin(x) * x[0] + jnp.zeros_like(x).at[0].set(jnp.sum(x**2))


def brusselator(x):
    """Two substances that react, and spread over a torus of g by g cells.

    Source: G. Nicolis, I. Prigogine, Self-Organization in Nonequilibrium Systems, 1977.
    """
    g = grid(x)
    u, v = x.reshape(2, g, g)

    def spread(a):
        shifted = [jnp.roll(a, by, axis) for by in (1, -1) for axis in (0, 1)]
        return 0.02 * g**2 * (sum(shifted) - 4 * a)

    made = u * u * v
    made_v = 3.4 * u - made + spread(v)
    return jnp.stack([1 - 4.4 * u + made + spread(u), made_v]).ravel()


def surface(x):
    """The area of a surface over a grid of g by 2 g points; its Hessian is asked for.

    A minimal one is a problem of MINPACK-2 (B. Averick, R. Carter, J. Moré, G.-L. Xue,
    1992).
    """
    g = grid(x)
    height = x.reshape(g, 2 * g)
    down, along = g * jnp.diff(height, axis=0), g * jnp.diff(height, axis=1)
    upper = 1 + down[:, :-1] ** 2 + along[:-1] ** 2
    lower = 1 + down[:, 1:] ** 2 + along[1:] ** 2
    return jnp.sum(jnp.sqrt(upper) + jnp.sqrt(lower)) / (2 * g**2)


def grid(x) -> int:
    return round((x.size / 2) ** 0.5)


FUNCTIONS = {
    "tridiagonal": tridiagonal, "scanned": scanned, "arrow": arrow,
    "brusselator": brusselator, "surface": surface,
}  # fmt: skip
HESSIANS = {"surface"}


# --- Measuring ------------------------------------------------------------------------


@dataclass(frozen=True)
class Settings(Timed):
    functions: list[str] = option([*FUNCTIONS], help="which of them")
    sizes: list[int] = option(SIZES, SIZES[:2], help="values of n: twice a square")
    dense: int = option(8192, None, "the largest n at which dense modes are run")
    found: int = option(5, 2, "how often each pattern and plan is found again")


def points(settings: Settings) -> Points:
    """Each function at each n."""
    if wrong := [n for n in settings.sizes if n != 2 * round((n / 2) ** 0.5) ** 2]:
        raise ExperimentError(f"--sizes: {wrong[0]} isn't twice a square")
    for name in settings.functions:
        yield from ({"function": name, "n": n} for n in settings.sizes)


def measure(point: dict, settings: Settings) -> list[dict]:
    """How patterns and plans are found; the derivatives by these, and by dense modes.

    Of a sparse derivative `passes` and `entries` are counted, and `error` is the
    difference to a dense one, where that was run.
    """
    name, n = point["function"], point["n"]
    f, hessian = FUNCTIONS[name], name in HESSIANS
    x = jnp.asarray(np.random.default_rng(0).uniform(0.5, 1.5, n), jnp.float32)
    jax.make_jaxpr(f)(x)  # what `jax.numpy` traces for the first time isn't counted
    packages: dict[str, Any] = {"jaxkit": Ours(hessian)}
    if importlib.util.find_spec("asdex"):
        packages["asdex"] = Asdex(hessian)
    rows = finding(packages, f, x, settings.found)
    sparse = {
        library: package.derivative(f, x) for library, package in packages.items()
    }
    programs = {
        (library, "sparse"): build(lambda x, g=g: g(x).data, (x,))
        for library, (g, _) in sparse.items()
    } | beside(f, x, hessian, n <= settings.dense)
    sampled = run(programs, settings)
    ran = [(r["library"], r["program"]) for r in sampled if "skipped" not in r]
    reference = next((programs[key].call() for key in ran if key[1] in DENSE), None)
    for row in sampled:
        if row["program"] == "sparse":
            g, counts = sparse[row["library"]]
            row |= counts
            if reference is not None:
                row["error"] = difference(g(x).todense(), reference)
    if "asdex" not in packages:
        rows.append({"library": "asdex", "program": "sparse", "skipped": MISSING})
    return rows + sampled


def beside(f, x, hessian: bool, dense: bool) -> dict:
    """f, or the gradient of which the Hessian is the Jacobian; and by other ways."""
    g = jax.grad(f) if hessian else f
    programs = {("jax", "f"): build(g, (x,))}
    if hessian:
        other: Any = jk.sparse_hessian(f, recovery="substitution")
        programs["jaxkit", "substitution"] = build(lambda x: other(x).data, (x,))
    for library, ad in {"jaxkit": jk, "jax": jax}.items() if dense else ():
        g = ad.grad(f) if hessian else f
        programs[library, "forward"] = build(ad.jacfwd(g), (x,))
        programs[library, "reverse"] = build(ad.jacrev(g), (x,))
    return programs


def finding(packages: dict, f, x, times: int) -> list[dict]:
    """Seconds in which each finds pattern and plan, first and then again, in turns."""
    samples: dict[tuple[str, str], list[float]] = {}
    for _ in range(1 + times):
        for library, package in packages.items():
            for what in FINDING:
                again = lambda x: f(x)  # noqa: E731  (JAX knows the functions it traced)
                took, _ = timed(lambda: getattr(package, what)(again, x))  # noqa: B023
                samples.setdefault((library, what), []).append(took)
    return [
        {"library": library, "program": what, "first": first, "samples": later}
        for (library, what), (first, *later) in samples.items()
    ]


class Ours:
    """jaxkit's pattern, plan and derivative of a function."""

    def __init__(self, hessian: bool):
        self.hessian = hessian
        self.sparse = jk.sparse_hessian if hessian else jk.sparse_jacobian

    def pattern(self, f, x):
        return jk.sparsity(jk.grad(f) if self.hessian else f)(x)

    def plan(self, f, x):
        return self.sparse(f).plan(x)

    def derivative(self, f, x) -> tuple[Callable, dict[str, int]]:
        found = self.sparse(f)
        plan = found.plan(x)
        passes = plan.forward + plan.reverse
        return found, {"passes": passes, "entries": plan.pattern.nnz}


class Asdex:
    """The same of asdex, https://github.com/adrhill/asdex."""

    def __init__(self, hessian: bool):
        import asdex

        kind = "hessian" if hessian else "jacobian"
        self.pattern = getattr(asdex, f"{kind}_sparsity")
        self.coloured = getattr(asdex, f"{kind}_coloring")
        self.evaluate = getattr(asdex, f"{kind}_from_coloring")

    def plan(self, f, x):
        with warnings.catch_warnings(action="ignore"):  # that it is as good as dense
            return self.coloured(f, x)

    def derivative(self, f, x) -> tuple[Callable, dict[str, int]]:
        plan = self.plan(f, x)
        counts = {"passes": plan.num_colors, "entries": plan.sparsity.nnz}
        return self.evaluate(f, plan), counts


# --- Tables and figures ---------------------------------------------------------------


def counts(table: Table) -> Table:
    """Entries and passes of each, beside the n passes of a dense mode."""
    found = where(table, program="sparse").dropna(subset="passes")
    key = ["function", "n"]
    shown = where(found, library="jaxkit").set_index(key)[["entries"]]
    for library in tidy.libraries(found):
        passes = where(found, library=library).set_index(key)["passes"]
        shown[f"passes, {TITLES[library]}"] = passes
    return shown


def evaluation(table: Table) -> Table:
    """jaxkit's sparse derivative; the others' times in units of its, in pairs."""
    key = ["function", "n"]
    ours = where(table, library="jaxkit", program="sparse").set_index(key)
    shown = ours[["time", "needs"]].set_axis(["time", "memory"], axis=1)
    for library, program in OTHERS:
        other = where(table, library=library, program=program).set_index(key)
        if "samples" in other and len(other):
            samples = other["samples"].dropna()
            pairs = zip(samples, ours["samples"].loc[samples.index], strict=True)
            ratios = [float(np.median(np.divide(a, b))) for a, b in pairs]
            head = f"{TITLES[library]}'s {program} / it"
            shown[head] = Series(ratios, samples.index, dtype=float)
    dense = where(table, library="jax", program="forward").set_index(key)
    return shown.assign(**{"memory, JAX's forward": dense["needs"]})


def found(table: Table) -> Table:
    """Seconds to find patterns and plans, for the first time and again."""
    key, shown = ["function", "n"], {}
    for what in FINDING:
        for library in tidy.libraries(table):
            row = where(table, program=what, library=library).set_index(key)
            if len(row):
                title = f"{what}, {TITLES[library]}"
                shown[f"{title}: time"] = row["time"]
                shown[f"{title}: first time"] = row["first"]
    return DataFrame(shown)


def exponents(table: Table) -> Table:
    """p in time ~ n^p, from START on."""
    programs = table[table["program"].isin([*LOOKS])]
    return tidy.exponents(programs, ["function", "program"], "n", ["time"], START)


def failures(table: Table) -> int:
    """How many of jaxkit's sparse derivatives aren't the dense one."""
    errors = where(table, library="jaxkit").get("error", Series(dtype=float))
    return int((errors > TOLERATED).sum())


def tables(table: Table) -> style.Tables:
    """Passes; times beside dense modes and asdex; how long finding the plan takes."""
    key, fits = ["function", "n", "program"], exponents(table)
    shown = {
        "entries and passes": counts(table),
        "sparse derivatives beside others": evaluation(table),
        "finding patterns and plans": found(table),
        "all costs": tidy.costs(table, key, ["flops", "temporaries"]),
    }
    return shown | ({"exponents of time over n": fits} if len(fits.columns) else {})


def figures(table: Table) -> style.Figures:
    """Time and memory of derivatives over n; the time to find patterns and plans."""
    names = unique(table, "function")
    parts = [where(table, function=name) for name in names]
    cells = [
        [(name, part, y) for name, part in zip(names, parts, strict=True)]
        for y in ("time", "needs")
    ]
    title = "Derivatives of n inputs, most entries of which are zero"
    drawing, _ = style.panels(title, cells, "n", LOOKS, sharey="row")
    style.legend(drawing, LOOKS, tidy.libraries(table))
    yield "costs", drawing
    title = "Finding where derivatives aren't zero, and by which passes they are had"
    drawing, _ = style.panels(title, cells[:1], "n", FOUND, sharey="row")
    style.legend(drawing, FOUND, [x for x in tidy.libraries(table) if x != "jax"])
    yield "finding", drawing
