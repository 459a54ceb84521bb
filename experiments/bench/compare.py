"""How far two results are apart; how many equations a program has."""

from collections.abc import Callable

import jax
import numpy as np


def difference(ours, theirs) -> float:
    """The largest difference, relative to the largest of an array or, if that is more,
    to a hundredth of the largest of all; nan where a number isn't finite."""
    pairs = list(zip(jax.tree.leaves(ours), jax.tree.leaves(theirs), strict=True))
    sizes = [float(np.max(np.abs(r), initial=0)) for _, r in pairs]
    with np.errstate(invalid="ignore"):
        errors = [
            np.max(np.abs(y - r), initial=0) / (max(size, max(sizes) / 100) or 1)
            for (y, r), size in zip(pairs, sizes, strict=True)
        ]
    return float(np.max(errors))


def equations(program: Callable, *args) -> int:
    """The equations of a program, those of inner ones in place of what runs them."""

    def count(jaxpr) -> int:
        total = 0
        for eqn in jaxpr.eqns:
            parts = jax.tree.leaves([*eqn.params.values()], is_leaf=is_program)
            inner = [getattr(x, "jaxpr", x) for x in parts if is_program(x)]
            total += sum(map(count, inner)) if inner else 1
        return total

    def is_program(x) -> bool:
        return hasattr(x, "eqns")

    return count(jax.make_jaxpr(program)(*args).jaxpr)
