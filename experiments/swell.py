"""Sizes of symbolic derivatives against what the traced modes evaluate.

A symbolic derivative is an expression. As a tree it repeats what it shares with the
function, at every level anew, and swells; as a graph, with equal parts made one, it
does not. Beside it stands the number of operations in the traced programs of forward
and of reverse mode. Sizes are counts, the same on every machine.
"""

from dataclasses import dataclass
from functools import reduce

import jax.numpy as jnp
import numpy as np
from matplotlib.ticker import LogLocator

import jaxkit as jk
from experiments.bench import style
from experiments.bench.compare import equations
from experiments.bench.settings import Points, option
from experiments.bench.tidy import Table, slope, unique, where
from jaxkit.study import symbolic

# The shared graph and the traced programs lie on one another.
RING = {"ls": "--", "fillstyle": "none", "ms": 10, "color": style.BLUE, "marker": "o"}
LOOKS: style.Looks = {
    "function, as a tree": {"color": style.GREY, "marker": "."},
    "derivative, as it comes out": {"color": style.VERMILION, "marker": "s"},
    "derivative, pruned": {"color": style.ORANGE, "marker": "D"},
    "derivative, shared": {"color": style.GREEN, "linewidth": 8, "alpha": 0.5},
    "traced, forward mode": {"color": style.BLUE, "marker": "o"},
    "traced, reverse mode": RING,
}
DEPTHS = [1, 2, 3, 4, 6, 8, 11, 16, 23, 32]


def product(xp, x, depth: int):
    """sin x times sin sin x times ..."""
    factor, total = xp.sin(x), 1.0
    for _ in range(depth):
        total, factor = total * factor, xp.sin(factor)
    return total


FUNCTIONS = {  # the logistic map is from Baydin et al. (2018)
    "logistic": (
        "y -> 4 y (1 - y), again and again",
        lambda xp, x, depth: reduce(lambda y, _: 4 * y * (1 - y), range(depth), x),
    ),
    "product": ("sin x times sin sin x times ...", product),
    "tower": (
        "y -> exp(sin y), again and again",
        lambda xp, x, depth: reduce(lambda y, _: xp.exp(xp.sin(y)), range(depth), x),
    ),
}


@dataclass(frozen=True)
class Settings:
    functions: list[str] = option([*FUNCTIONS], help="which of them")
    depths: list[int] = option(DEPTHS, [1, 2, 4, 8, 16], "operations within another")


def points(settings: Settings) -> Points:
    """Each function at each depth."""
    for name in settings.functions:
        yield from ({"function": name, "depth": depth} for depth in settings.depths)


def measure(point: dict, settings: Settings) -> list[dict]:
    """The sizes of the function, of its symbolic derivative, and of traced programs."""
    (_, function), depth = FUNCTIONS[point["function"]], point["depth"]
    expr, variables = symbolic.build(lambda x: function(np, x, depth), x=0.3)
    raw, f = expr.gradient(variables["x"]), lambda x: function(jnp, x, depth)
    pruned = raw.prune()
    sizes = [
        *map(symbolic.size, (expr, raw, pruned)),
        len(symbolic.nodes(symbolic.share(pruned))),
        equations(lambda x: jk.jvp(f, (x,), (1.0,)), 0.3),
        equations(jk.value_and_grad(f), 0.3),
    ]
    pairs = zip(LOOKS, sizes, strict=True)
    return [{"counted": name, "nodes": size} for name, size in pairs]


def exponents(table: Table) -> Table:
    """p in nodes ~ depth^p from depth 4 on."""
    lines = table.groupby(["function", "counted"], sort=False)[["depth", "nodes"]]
    found = lines.apply(lambda x: slope(*x.to_numpy().T, start=4))
    return found.unstack(sort=False)


def nodes(table: Table) -> Table:
    """What was counted, a column for each thing."""
    found = table.pivot(index=["function", "depth"], columns="counted", values="nodes")
    return found[[*LOOKS]].astype(float)


def tables(table: Table) -> style.Tables:
    """Exponents, and a row for each function and depth."""
    return {
        "exponents of size over depth": exponents(table).add_suffix(": ^p"),
        "nodes, and operations of traced programs": nodes(table).add_suffix(": nodes"),
    }


def figures(table: Table) -> style.Figures:
    """Size against depth, a panel for each function."""
    names = unique(table, "function")
    cells = [(FUNCTIONS[f][0], where(table, function=f), "nodes") for f in names]
    title, size = "Expression swell: sizes of derivatives against depth", (4.6, 3.8)
    drawing, axes = style.panels(title, [cells], "depth", LOOKS, "counted", size)
    for ax in axes.flat:
        ax.yaxis.set_major_locator(LogLocator())  # of many decades, not each
    style.legend(drawing, LOOKS)
    yield "sizes", drawing
