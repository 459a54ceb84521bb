import jax
import numpy as np

from jaxkit.exercises.cases import Case, formula
from jaxkit.exercises.values import show

HINTS = (
    "Print a jaxpr with a call in it. What does the call's line hold that the others "
    "don't?",
    'Where an equation is named "jit", count in eqn.params["jaxpr"] by calling your '
    "function again, and add what it returns; don't count the jit.",
    "Keep the counts in a dict: counts[name] = counts.get(name, 0) + n. A call's counts "
    "are such a dict, too: go through its items.",
)


def cases():
    sources = {
        "x: x * x * x + x": 1.0,
        "x: x": 1.0,
        "x: jax.jit(jnp.sin)(x) * x": 1.0,
        "x: jax.jit(lambda y: jnp.sin(jax.jit(jnp.sin)(y)) * y)(x) * x": 1.0,
        "x: jnp.linalg.norm(x) + jnp.sum(jnp.where(x > 0, x, 0.0))": np.ones(3),
    }

    def case(source, x):
        def run(module):
            return module.count_operations(jax.make_jaxpr(formula(source))(x))

        operand = "np.ones(3)" if np.ndim(x) else show(x)
        text = f"count_operations(jax.make_jaxpr(lambda {source})({operand}))"
        return Case(text, run)

    return [case(source, x) for source, x in sources.items()]
