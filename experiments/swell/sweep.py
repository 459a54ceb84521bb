"""The sweep: which points, and what is measured at one of them."""

from collections.abc import Callable, Iterator

import jax.numpy as jnp
import numpy as np

import jaxkit as jk
from experiments.bench.equations import equations
from jaxkit.study import symbolic


def logistic(xp, x, depth: int):
    """As in Baydin et al., Automatic differentiation in machine learning (2018)."""
    for _ in range(depth):
        x = 4.0 * x * (1.0 - x)
    return x


def product(xp, x, depth: int):
    """A product of ever deeper sines."""
    factor, total = xp.sin(x), 1.0
    for _ in range(depth):
        total, factor = total * factor, xp.sin(factor)
    return total


def tower(xp, x, depth: int):
    """A composition of functions alone."""
    for _ in range(depth):
        x = xp.exp(xp.sin(x))
    return x


FUNCTIONS = {
    "logistic": ("the logistic map y -> 4 y (1 - y), again and again", logistic),
    "product": ("sin x times sin sin x times ...", product),
    "tower": ("y -> exp(sin y), again and again", tower),
}


SHARED = "derivative, pruned and shared"
COUNTS = (
    "function, as a tree",
    "derivative, as it comes out",
    "derivative, pruned",
    SHARED,
    "traced, forward mode",
    "traced, reverse mode",
)


def points(settings: dict) -> Iterator[dict]:
    """Each function at each depth."""
    for function in settings["functions"]:
        for depth in settings["depths"]:
            yield {"function": function, "depth": depth}


def measure(point: dict, settings: dict) -> dict:
    """The sizes of the function, of its symbolic derivative, and of traced programs."""
    (_, function), depth = FUNCTIONS[point["function"]], point["depth"]
    expr, variables = symbolic.build(lambda x: function(np, x, depth), x=0.3)
    raw = expr.gradient(variables["x"])
    pruned = raw.prune()
    counts = [
        symbolic.size(expr),
        symbolic.size(raw),
        symbolic.size(pruned),
        len(symbolic.nodes(symbolic.share(pruned))),
        equations(forward(function, depth), 0.3),
        equations(jk.value_and_grad(lambda x: function(jnp, x, depth)), 0.3),
    ]
    return {"sizes": dict(zip(COUNTS, counts, strict=True))}


def forward(function, depth: int) -> Callable:
    """f(x) and f'(x), by forward mode."""
    return lambda x: jk.jvp(lambda x: function(jnp, x, depth), (x,), (1.0,))
