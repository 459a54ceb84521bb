"""A case: a function that reaches a primitive, and where to differentiate it."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

DOUBLE = ("float64",)
REAL = "float64", "float32"
REAL_AND_LOW = *REAL, "bfloat16"
COMPLEX = "complex128", "complex64"
BOTH = *REAL, *COMPLEX


@dataclass(frozen=True)
class Case:
    """A function that reaches a primitive, and where and how closely to check it.

    `primitive` is a key of jaxkit's RULES. `function` is plain JAX code on
    arrays. `sampler` maps a NumPy generator to a tuple of arguments, real ones as
    float64, at generic points of the domain; the checker converts them to each of
    `dtypes`, and adds an imaginary part drawn the same way for complex ones. Those
    that vary shapes and parameters alone are in double precision only.
    `orders` is the number of derivatives to compare in float64; bfloat16 takes one, the
    other dtypes take up to two.
    """

    primitive: Any
    name: str
    function: Callable
    sampler: Callable[[np.random.Generator], tuple]
    dtypes: tuple[str, ...] = REAL
    orders: int = 2
    tolerance: float = 1.0  # multiplies that of the dtype
    differences: float | None = 1e-8  # tolerance; None: a quotient has no meaning
    reverse: bool = True  # False: it has no transpose
    needs: str = "jax"  # the path of what a version of JAX may lack
    reference: Callable | None = None  # for JAX, where JAX can't differentiate function
    batches: bool = True  # False: JAX can't run it under vmap
    since: tuple[int, ...] = ()  # the first version of JAX that has the primitive

    @property
    def available(self) -> bool:
        """Whether this JAX has what the case needs."""
        if jax.__version_info__ < self.since:
            return False
        x = jax
        return all(
            (x := getattr(x, name, None)) is not None
            for name in self.needs.split(".")[1:]
        )


# ------------------------------------------------------------------ points, directions


def generator(case: Case) -> np.random.Generator:
    return np.random.default_rng(zlib.crc32(case.name.encode()))


def sample(case: Case, rng, dtype: str) -> tuple:
    """Arguments of the case's function, floats among them converted to `dtype`."""
    args = case.sampler(rng)
    imaginary = case.sampler(rng) if dtype in COMPLEX else args

    def convert(x, y):
        x = np.asarray(x)
        if x.dtype != np.float64:
            return x
        x = x + 1j * np.asarray(y) if dtype in COMPLEX else x
        return x.astype(jnp.dtype(dtype))

    return tuple(map(convert, args, imaginary))


def direction(rng, like) -> np.ndarray:
    x = rng.uniform(-1, 1, like.shape)
    if jnp.issubdtype(like.dtype, jnp.complexfloating):
        x = x + 1j * rng.uniform(-1, 1, like.shape)
    return np.asarray(x).astype(like.dtype)


def moves(x) -> bool:
    return jnp.issubdtype(x.dtype, jnp.inexact)


def flat(function: Callable, args) -> tuple[Callable, list]:
    """`function` from its moving arguments to its moving outputs, and the former."""
    moving = [moves(x) for x in args]

    def f(xs):
        xs = iter(xs)
        full = [next(xs) if m else x for x, m in zip(args, moving, strict=True)]
        outs = [y for y in jax.tree.leaves(function(*full)) if moves(y)]
        assert outs, "the case's function has no output that moves"
        return outs

    return f, [x for x, m in zip(args, moving, strict=True) if m]
