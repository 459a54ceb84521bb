"""What is checked: a function at a point, entered into a table under its family.

A family is a file of `jaxkit/rules` or `jaxkit/control`. Its functions, in `of_rules`
and `of_control`, have primitives whose rules stand there, and take one vector of at
most 12 numbers, at a point where they are differentiable. No function names a dtype, so
that float32 in is float32 all through, and float64 is its exact reference.
"""

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from experiments.bench import ExperimentError
from experiments.users import own


@dataclass(frozen=True, eq=False)
class Function:
    """`f(point)` gives real arrays; both are pytrees. `scalar` is one number for all.

    The point's arrays are float64, or complex128 where f is `holomorphic`. A function
    that isn't `traceable` decides on values in Python: it runs uncompiled. `condition`
    is the factor by which rounding grows, as far as it is known.
    """

    family: str
    f: Callable[[Any], Any]
    point: Any
    scalar: Callable[[Any], Any]
    holomorphic: bool = False
    traceable: bool = True
    condition: float = 1.0

    def at(self, dtype: str):
        """The point in float32 or float64, or in complex numbers of two of those."""

        def cast(x):
            # Numbers that float32 holds exactly: the same point in each dtype.
            x = np.asarray(x)
            single = np.complex64 if self.holomorphic else np.float32
            return jnp.asarray(x.astype(single), np.result_type(dtype, single))

        return jax.tree.map(cast, self.point)


FUNCTIONS: dict[str, Function] = {}


def summed(f: Callable) -> Callable:
    """f itself where it has one output, else a sum that sees each, with its weight."""

    def scalar(point):
        y = jnp.concatenate([jnp.ravel(y) for y in jax.tree.leaves(f(point))])
        if y.size == 1:
            return y[0]
        return jnp.sum(jnp.sin(y) / jnp.arange(1, y.size + 1))

    return scalar


def function(family: str, n: int, low=0.3, high=0.9, holomorphic=False):
    """Enter the decorated f, at n numbers from (low, high), drawn once and for all."""

    def enter(f):
        # Seeded by name: a new function leaves the others' points as they are.
        draw = np.random.default_rng(zlib.crc32(f.__name__.encode())).uniform
        x = draw(low, high, n)
        x = x + 1j * draw(low, high, n) if holomorphic else x
        FUNCTIONS[f.__name__] = Function(family, f, x, summed(f), holomorphic)
        return f

    return enter


def find(name: str, settings: dict) -> Function:
    """A function of the table, or the one that `--function` named."""
    return FUNCTIONS.get(name) or users(settings)


def users(settings: dict) -> Function:
    """The user's function, over those of its arguments that are floats.

    Raises:
        ExperimentError: it has no such arguments, or no such outputs.
    """
    with jax.enable_x64(False):  # where there are 64 bits, 32 bits are there as well
        f, args = own(settings)
    leaves, treedef = jax.tree.flatten(args)
    moving = [i for i, x in enumerate(leaves) if floats(x)]
    # In NumPy, since a 64-bit integer of JAX's would stay one where there are none.
    leaves = [
        np.asarray(x) if jnp.issubdtype(x.dtype, np.number) else x for x in leaves
    ]

    def over(point):
        full = list(leaves)
        for i, x in zip(moving, point, strict=True):
            full[i] = x
        return [y for y in jax.tree.leaves(f(*treedef.unflatten(full))) if floats(y)]

    point = [leaves[i] for i in moving]
    if not moving or not jax.eval_shape(over, point):
        raise ExperimentError("--function needs arguments and results that are floats")
    return Function("the user's", over, point, summed(over))


def floats(x) -> bool:
    return jnp.issubdtype(x.dtype, jnp.floating)
