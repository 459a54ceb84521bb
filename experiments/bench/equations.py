"""Counting the equations of traced programs."""

from collections.abc import Callable

import jax


def equations(program: Callable, *args) -> int:
    """The equations of a program at these arguments, those of inner programs in place
    of the equation that runs them."""

    def count(jaxpr) -> int:
        total = 0
        for eqn in jaxpr.eqns:
            parts = jax.tree.leaves(list(eqn.params.values()), is_leaf=has_equations)
            inner = [getattr(x, "jaxpr", x) for x in parts if has_equations(x)]
            total += sum(map(count, inner)) if inner else 1
        return total

    return count(jax.make_jaxpr(program)(*args).jaxpr)


def has_equations(x) -> bool:
    """Whether a parameter of an equation is a program itself."""
    return hasattr(x, "eqns")
