"""Counts of nodes and of operations, for one function at one depth."""

from collections.abc import Callable, Iterator

import jax
import jax.numpy as jnp
import numpy as np

import jaxkit as jk
from jaxkit.study import symbolic


def logistic(m, x, depth: int):
    """As in Baydin et al., Automatic differentiation in machine learning (2018)."""
    for _ in range(depth):
        x = 4.0 * x * (1.0 - x)
    return x


def product(m, x, depth: int):
    """A product of ever deeper sines."""
    factor, total = m.sin(x), 1.0
    for _ in range(depth):
        total, factor = total * factor, m.sin(factor)
    return total


def tower(m, x, depth: int):
    """A composition of functions alone."""
    for _ in range(depth):
        x = m.exp(m.sin(x))
    return x


FUNCTIONS = {"logistic": logistic, "product": product, "tower": tower}


def points(settings: dict) -> Iterator[dict]:
    """Each function at each depth."""
    for function in settings["functions"]:
        for depth in settings["depths"]:
            yield {"function": function, "depth": depth}


def measure(point: dict, settings: dict) -> dict:
    """The sizes of the function, of its symbolic derivative, and of traced programs."""
    function, depth = FUNCTIONS[point["function"]], point["depth"]
    expr, variables = symbolic.build(lambda x: function(np, x, depth), x=0.3)
    raw = expr.gradient(variables["x"])
    pruned = raw.prune()
    sizes = {
        "function, as a tree": symbolic.size(expr),
        "derivative, as it comes out": symbolic.size(raw),
        "derivative, pruned": symbolic.size(pruned),
        "derivative, pruned and shared": len(symbolic.nodes(symbolic.share(pruned))),
        "traced, forward mode": operations(forward(function, depth)),
        "traced, reverse mode": operations(
            jk.value_and_grad(lambda x: function(jnp, x, depth))
        ),
    }
    return {"programs": {}, "sizes": sizes}


def forward(function, depth: int) -> Callable:
    return lambda x: jk.jvp(lambda x: function(jnp, x, depth), (x,), (1.0,))


def operations(program: Callable) -> int:
    """The equations of a program of one number, those of inner calls too."""

    def count(jaxpr) -> int:
        inner = [eqn.params["jaxpr"] for eqn in jaxpr.eqns if "jaxpr" in eqn.params]
        calls = sum(count(getattr(x, "jaxpr", x)) for x in inner)
        return len(jaxpr.eqns) - len(inner) + calls

    return count(jax.make_jaxpr(program)(0.3).jaxpr)
