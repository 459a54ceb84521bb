"""What an explanation is checked against: JAX's derivative, and central differences.

This is the one module of jaxkit that asks JAX for a derivative: to show it beside the
kit's own, and for nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxkit.study import finite

MOST = 64  # numbers that differences are taken in one by one


def of_jax(
    fun: Callable, inputs: Sequence[Any], cotangents: Sequence[Any]
) -> list[Any] | None:
    """The cotangents of the inputs by JAX's reverse mode; None of integers.

    None if JAX refuses, as it does to reverse a while loop, or if the function can't be
    run again.
    """
    try:
        outs, pullback = jax.vjp(lambda *xs: list(map(jnp.asarray, fun(*xs))), *inputs)
        cts = [
            ct if ct is not None else np.zeros(y.shape, tangent_dtype(y))
            for ct, y in zip(cotangents, outs, strict=True)
        ]
        found = pullback(cts)
    except Exception:  # it is the user's function: whatever it raises
        return None
    return [None if ct.dtype == jax.dtypes.float0 else ct for ct in found]


def tangent_dtype(y):
    return y.dtype if jnp.issubdtype(y.dtype, np.inexact) else jax.dtypes.float0


def by_differences(
    fun: Callable, inputs: Sequence[Any], cotangents: Sequence[Any], double: bool
) -> list[Any] | None:
    """The same by central differences, in double precision if `fun` can be run so.

    None if that can't be done: complex numbers, too many of them, or a function that
    insists on single precision.
    """
    real = [x for x in inputs if jnp.issubdtype(x.dtype, np.inexact)]
    complex_ = any(jnp.issubdtype(x.dtype, np.complexfloating) for x in real)
    if complex_ or sum(x.size for x in real) > MOST:
        return None
    try:
        if not double:
            return _differences(fun, inputs, cotangents)
        with jax.enable_x64(True):
            wide = [
                jnp.asarray(np.asarray(x, np.float64))
                if jnp.issubdtype(x.dtype, np.inexact)
                else x
                for x in inputs
            ]
            return _differences(fun, wide, cotangents)
    except Exception:  # as above
        return None


def _differences(fun, inputs, cotangents):
    def total(*xs):
        pairs = zip(fun(*xs), cotangents, strict=True)
        return sum(jnp.sum(jnp.real(y * ct)) for y, ct in pairs if ct is not None)

    def by(i, x):
        if not jnp.issubdtype(x.dtype, np.inexact):
            return None

        def in_one(x):
            return total(*inputs[:i], x, *inputs[i + 1 :])

        size = float(jnp.max(jnp.abs(x), initial=0))
        step = finite.best_step(size, "central", x.dtype)
        units = jnp.eye(x.size, dtype=x.dtype).reshape(x.size, *x.shape)
        slopes = [finite.directional(in_one, [x], [u], step, "central") for u in units]
        return np.array(slopes, x.dtype).reshape(x.shape)

    return [by(i, x) for i, x in enumerate(inputs)]
