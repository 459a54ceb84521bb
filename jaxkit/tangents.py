"""Tangent spaces: which values have derivatives, and their zeros.

The tangent of a float or complex array has its shape and dtype.  Integers, booleans
and random keys don't move; their tangents have JAX's dtype `float0` and carry nothing.
Inside jaxkit a tangent that is known to be zero is `None`: no array is made for it.
Where a zero must keep its place in a linear program it is a `Zero`, still no array.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.dtypes import float0

from jaxkit.tracing import ShapedArray, varying_like


class Zero:
    """The zero of a tangent space, as an operand or output of a linear program."""

    __slots__ = ("aval",)

    def __init__(self, aval: ShapedArray):
        self.aval = aval

    def __eq__(self, other):
        return isinstance(other, Zero) and self.aval == other.aval

    def __hash__(self):
        return hash((Zero, self.aval))

    def __repr__(self):
        return f"0:{self.aval.str_short(short_dtypes=True)}"


@cache
def moves(dtype: Any) -> bool:
    """Whether values of this dtype have derivatives: floats and complex numbers do."""
    return bool(jnp.issubdtype(dtype, np.inexact))


def tangent_dtype(dtype: Any) -> Any:
    """The dtype of tangents of values of `dtype`: itself, or float0."""
    return dtype if moves(dtype) else float0


def zeros(aval: Any) -> Any:
    """A tangent of zeros for values of abstract type `aval`, as an array."""
    if not moves(aval.dtype):
        return np.zeros(aval.shape, float0)
    return full(aval, 0.0)


def ones(aval: Any) -> Any:
    """An array of ones of abstract type `aval`."""
    return full(aval, 1.0)


def full(aval: Any, value: float) -> Any:
    """A constant array, weakly typed if `aval` is (a Python number's own type)."""
    if aval.weak_type and aval.shape == ():
        number = jnp.asarray(value + 0j if aval.dtype.kind == "c" else value)
        if number.dtype == aval.dtype:
            return varying_like(number, aval)
    return varying_like(lax.full(aval.shape, value, aval.dtype), aval)


def spread(values: Sequence[Any], where: Sequence[bool]) -> list[Any]:
    """Values at the places where `where` holds, None at the others."""
    rest = iter(values)
    return [next(rest) if there else None for there in where]


def given(values: Sequence[Any]) -> list[Any]:
    """The values that aren't None."""
    return [x for x in values if x is not None]
