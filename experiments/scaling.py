"""Cost of forward and reverse mode as inputs and outputs scale.

For f: R^n -> R^m, forward mode (jacfwd) pushes n tangents through f, reverse mode
(jacrev) pulls m cotangents back. So in theory jacfwd costs about n times f, jacrev
about m times f, and they cost the same near n = m. One pass costs at most 2.5 times f
forward (jvp) and 5 times f backward (vjp), as scalar operations are counted that are
written (A. Griewank and A. Walther, Evaluating Derivatives, 2nd ed., SIAM 2008,
chapters 3 and 4).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from experiments.bench import ExperimentError, style, tidy
from experiments.bench.measure import run
from experiments.bench.settings import OfFunction, Points, Timed, option
from experiments.bench.style import GREY, INK
from experiments.bench.tidy import COMPILED, TITLES, Table, unique, where
from experiments.functions import FUNCTIONS, find, subjects
from experiments.libraries import Library, libraries

BOUND = {"jvp": 2.5, "vjp": 5.0}
# The exponents of cost along a sweep of the grid, by mode.
THEORY = {"n": {"jacfwd": 1, "jacrev": 0}, "m": {"jacfwd": 0, "jacrev": 1}}
THEORY["n=m"] = {"jacfwd": 1, "jacrev": 1}
# Below, the one evaluation of f within a Jacobian still shows beside the n or m others.
START = 4
SIZES = [1, 2, 4, 8, 16, 32, 64, 128]
MODES = style.looks({"jacfwd": "o", "jacrev": "s"})
GUIDES: style.Looks = {
    "cost of f": {"color": GREY, "linestyle": ":", "linewidth": 1.3},
    "size x f": {"color": GREY, "linestyle": "-.", "linewidth": 1.3},
}
STAR: dict[str, Any] = {"color": INK, "marker": "*", "markersize": 12}


@dataclass(frozen=True)
class Settings(Timed, OfFunction):
    functions: list[str] = option([*FUNCTIONS], help="which of our functions")
    sizes: list[int] = option(SIZES, [1, 8, 64], "values of n and m: powers of 2")


def points(settings: Settings) -> Points:
    """The grid of n by m for each function, and one place for single passes."""
    sizes = sorted({1, *settings.sizes})
    if len(sizes) < 2 or not {*sizes} <= {*SIZES}:
        raise ExperimentError("--sizes: take powers of 2 from 1 to 128, two or more")
    for name in subjects(settings):
        function = find(name, settings)
        ns = [n for n in sizes if n <= function.inputs]
        ms = [m for m in sizes if m <= function.outputs]
        yield {"function": name, "kind": "pass", "n": ns[-1], "m": ms[-1]}
        for n, m in ((n, m) for n in ns for m in ms):
            yield {"function": name, "kind": "jacobian", "n": n, "m": m}


def measure(point: dict, settings: Settings) -> list[dict]:
    """Build and time, in turns, the programs of one point."""
    function = find(point["function"], settings)
    f, args = function.at(point["n"], point["m"])
    programs = {}
    for name, library in libraries(function.portable).items():
        found = recipes(point["kind"], library, *library.bind(f, args))
        programs |= {(name, what): library.build(*x) for what, x in found.items()}
    return run(programs, settings)


def recipes(kind: str, library: Library, f, args) -> dict:
    """Both modes' Jacobians; or f, a pushforward, and a pullback, with f's value."""
    if kind == "jacobian":
        return {mode: (getattr(library.ad, mode)(f), args) for mode in MODES}
    x, *data = args
    dx, ct = x * 0 + 1, f(*args) * 0 + 1

    def jvp(x, dx, *data):
        return library.ad.jvp(lambda x: f(x, *data), (x,), (dx,))

    def vjp(x, ct, *data):
        y, pullback = library.ad.vjp(lambda x: f(x, *data), x)
        return y, pullback(ct)

    forward, backward = (jvp, (x, dx, *data)), (vjp, (x, ct, *data))
    return {"f": (f, args), "jvp": forward, "vjp": backward}


def along(table: Table, sweep: str, at: int = 1) -> Table:
    """The Jacobians along n (m = at), m (n = at) or n=m, with their `size`."""
    grid = where(table, kind="jacobian")
    other = {"n": grid["m"] == at, "m": grid["n"] == at, "n=m": grid["n"] == grid["m"]}
    return grid[other[sweep]].assign(size=grid[sweep[0]])


def exponents(table: Table) -> Table:
    """p in cost ~ size^p along each sweep, from START on, beside theory."""
    by = ["function", "program"]
    fits = {s: tidy.exponents(along(table, s), by, "size", start=START) for s in THEORY}
    found = pd.concat(fits, names=["over"])
    found.insert(0, "theory", [THEORY[sweep][mode] for sweep, _, mode in found.index])
    return found


def crossover(ns, forward, reverse) -> float:
    """The n at which forward mode becomes the dearer one; nan if there is none.

    Between sizes, the ratio of the two is taken to be a power of n.
    """
    x, pair = np.log(np.asarray(ns, float)), np.array([forward, reverse], float)
    pair[~(pair > 0)] = np.nan
    y = np.log(pair[0] / pair[1])
    for i in range(len(x) - 1):
        if y[i] <= 0 <= y[i + 1] and y[i] < y[i + 1]:
            return float(np.exp(x[i] - y[i] * (x[i + 1] - x[i]) / (y[i + 1] - y[i])))
    return np.nan


def crossovers(table: Table) -> Table:
    """By function and m, the n / m at which jacfwd and jacrev cost the same."""
    by, found = ["function", "m", "library"], {}
    grid = where(table, kind="jacobian").sort_values("n", kind="stable")
    for quantity in ("flops", "time"):
        wide = grid.pivot(index=[*by, "n"], columns="program", values=quantity)
        at = wide.reset_index("n").groupby(by, sort=False)
        ns = at.apply(lambda x: crossover(x["n"], x["jacfwd"], x["jacrev"]))
        found[quantity] = (ns / ns.index.get_level_values("m")).unstack(sort=False)
    return pd.concat(found, axis=1)


def passes(table: Table) -> Table:
    """By function and pass, its cost in units of that of f, in the same library."""
    by = ["function", "program", "library"]
    costs = where(table, kind="pass").set_index(by)[["flops", "time"]]
    ratios = costs.drop("f", level="program") / costs.xs("f", level="program")
    return ratios.reorder_levels(by).unstack(sort=False)


def headed(table: Table, of: str) -> Table:
    """Columns of a quantity and a library with one head, where they have numbers."""
    pairs = [(q, k) for q in ("flops", "time") for k in TITLES if (q, k) in table]
    found = table[pairs].dropna(axis=1, how="all")
    return found.set_axis([f"{of}, {q}, {TITLES[k]}" for q, k in found.columns], axis=1)


def tables(table: Table) -> style.Tables:
    """Exponents, crossovers and passes beside theory; all costs on the grid's edges."""
    found = {}
    if len(grid := where(table, kind="jacobian")):
        found["exponents of cost over size"] = exponents(table)
        found["where both modes cost the same"] = headed(crossovers(table), "n / m")
    if len(where(table, kind="pass")):
        ratios = headed(passes(table), "pass / f")
        bounds = np.array([BOUND[what] for _, what in ratios.index])
        ratios["bound"] = bounds
        heads = ratios.columns.str.removeprefix("pass / f, ")
        beyond = ratios.to_numpy() > bounds[:, None]
        ratios["beyond it"] = ["; ".join(heads[row]) or "none" for row in beyond]
        found["one pass in units of f"] = ratios
    if len(grid):
        edge = grid[(grid["n"] == 1) | (grid["m"] == 1) | (grid["n"] == grid["m"])]
        key, counts = ["function", "n", "m", "program"], ["flops", "temporaries"]
        found["edges and diagonal of the grid"] = tidy.costs(edge, key, counts)
    return found


def figures(table: Table) -> style.Figures:
    """The figures of what the table has."""
    for name in unique(where(table, kind="jacobian"), "function"):
        found = where(table, function=name)
        yield f"{name}-cost", sweeps(found, name, ["time", "flops"])
        yield f"{name}-memory", sweeps(found, name, ["bytes", "temporaries"])
        yield f"{name}-winner", winners(found, name)
    if len(where(table, kind="pass")):
        yield "passes", bars(table)


def sweeps(table: Table, title: str, quantities: list[str]) -> Figure:
    """Cost against n, m and n = m, and against n at a middle m, where modes cross."""
    ms = sorted(unique(where(table, kind="jacobian"), "m"))
    unit = where(table, kind="pass", library="jax", program="f")
    parts = {
        "over n (m = 1)": along(table, "n"),
        "over m (n = 1)": along(table, "m"),
        "over n = m": along(table, "n=m"),
        f"over n (m = {ms[len(ms) // 2]})": along(table, "n", ms[len(ms) // 2]),
    }
    cells = [[(over, part, y) for over, part in parts.items()] for y in quantities]
    title = f"Jacobian of $f: \\mathbb{{R}}^n \\to \\mathbb{{R}}^m$, {title}"
    drawing, axes = style.panels(title, cells, "size", MODES, sharey="row")
    guides = GUIDES if "time" in quantities else {}
    for row, quantity in zip(axes, quantities, strict=True):
        for ax, (over, part) in zip(row, parts.items(), strict=True):
            ns = np.array(sorted(unique(part, "size")))
            f = unit[quantity].iloc[0] if len(unit) else np.nan
            for cost, look in zip((f + 0 * ns, f * ns), guides.values(), strict=False):
                ax.plot(ns, cost, **look)
            pair = where(part, library="jaxkit")
            pair = pair.pivot(index="size", columns="program", values=quantity)
            costs = pair.reindex(columns=[*MODES]).to_numpy().T
            if "n (" in over and np.isfinite(at := crossover(pair.index, *costs)):
                logs = np.log(pair.index), np.log(costs[1].clip(1e-30))
                ax.plot(at, np.exp(np.interp(np.log(at), *logs)), zorder=5, **STAR)
    looks = MODES | {"jaxkit's modes cost the same": STAR | {"linestyle": ""}}
    shown = [k for k in tidy.libraries(table) if guides or k in COMPILED]
    style.legend(drawing, looks | guides, shown)
    return drawing


def winners(table: Table, title: str) -> Figure:
    """Heatmaps over (n, m) of the ratio jacfwd / jacrev, and where it is 1."""
    grid, equal = where(table, kind="jacobian"), crossovers(table)
    ns, ms = sorted(unique(grid, "n")), sorted(unique(grid, "m"))
    limit = max(1, np.log2(max(ns + ms)))
    drawing, axes = style.figure(2, 2, 4.4, 3.7, sharex=True, sharey=True)
    drawing.suptitle(f"{title}\njacfwd / jacrev (blue: jacfwd is cheaper)")
    theory: dict[str, Any] = {"color": style.GREEN, "linewidth": 7, "alpha": 0.35}
    for row, quantity in zip(axes, ("time", "flops"), strict=True):
        for ax, library in zip(row, COMPILED, strict=True):
            found = where(grid, library=library)
            both = found.pivot(index="m", columns=["program", "n"], values=quantity)
            both = both.where(both > 0).astype(float)
            ratio = both["jacfwd"] / both["jacrev"]
            sns.heatmap(
                np.log2(ratio), annot=ratio, fmt=".2g", ax=ax, cmap=style.DIVERGING,
                vmin=-limit, vmax=limit, cbar=False, annot_kws={"size": 8, "va": "top"},
            )  # fmt: skip
            diagonal = np.arange(min(len(ns), len(ms))) + 0.5
            ax.plot(diagonal, diagonal, **theory)
            at = np.log(equal[quantity, library].to_numpy() * ms)
            places = np.interp(at, np.log(ns), np.arange(len(ns)) + 0.5)
            ax.plot(places, np.arange(len(ms)) + 0.5, **STAR | {"markersize": 9})
            ax.set(xlabel="inputs n", ylabel="outputs m")
            ax.set_title(f"{style.QUANTITIES[quantity][0]}, {TITLES[library]}")
    axes[0, 0].invert_yaxis()
    style.legend(drawing, {"n = m (theory)": theory, "equal cost, measured": STAR})
    return drawing


def bars(table: Table) -> Figure:
    """What one pass costs beside f itself, and theory's bounds."""
    found = passes(table).stack(future_stack=True).reset_index()
    found["pass"] = found["function"].str[:20] + "\n" + found["program"]
    found["library"] = found["library"].map(TITLES)
    hues = [title for title in TITLES.values() if title in unique(found, "library")]
    drawing, axes = style.figure(1, 2, 5.2, 3.2)
    drawing.suptitle("One pass, which also gives f's value, in units of f")
    for ax, quantity in zip(axes[0], ("time", "flops"), strict=True):
        sns.barplot(
            found, x="pass", y=quantity, hue="library", hue_order=hues, ax=ax,
            palette="colorblind", legend=quantity == "time",
        )  # fmt: skip
        for i, what in enumerate(unique(found, "pass")):
            bound = BOUND[what.rpartition("\n")[2]]
            ax.hlines(bound, i - 0.45, i + 0.45, color=INK, linestyle=":")
        ax.axhline(1, color=GREY, linewidth=1)
        ax.set(xlabel="", ylabel=f"{style.QUANTITIES[quantity][0]} / that of f")
        ax.set_title("dotted: the bound of theory")
    sns.move_legend(axes[0][0], "upper left", bbox_to_anchor=(0, -0.2), ncols=4)
    return drawing
