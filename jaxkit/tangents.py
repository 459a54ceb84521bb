"""Tangent spaces: which values have derivatives, and their zeros.

The tangent of a float or complex array has its shape and dtype.  Integers, booleans
and random keys don't move; their tangents have JAX's dtype `float0` and carry nothing.
Inside jaxkit a tangent, or a cotangent, that is known to be zero is `None`: no array is
made for it.  Lists with such gaps are

    given(xs)           without the gaps
    spread(xs, where)   with gaps, at the places where `where` doesn't hold
    filled(xs, avals)   with arrays of zeros in the gaps

A tangent that can't be had (there is no rule for it, or what should be linear isn't) is
`Refused`, and so is what is made of it.  It is an error only where a result depends on
it: what nothing needs may be anything.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass
from functools import cache
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.dtypes import extended, float0
from jax.extend.core import primitives

from jaxkit.tracing import (
    ShapedArray,
    aval_of,
    cotangent_of,
    tangent_of,
    user_line,
    varying_like,
)

SCALARS = int, float, complex, np.generic


@dataclass(frozen=True, slots=True)
class Refused:
    """A tangent that can't be had: its abstract type, and the error that says why.

    Inside code that is taken apart, None says: for the reason that an operand has.
    """

    aval: Any
    error: Exception | None


def refusal(kind: type[Exception], what: str, advice: str) -> Exception:
    """An error that makes a tangent `Refused`, where a derivative rule raises it.

    It says what can't be had, at which line of the user (its `fact`), and what to do.
    """
    fact = f"{what}, at {user_line()}."
    error: Any = kind(f"{fact} {advice}")
    error.fact, error.refuses = fact, True
    return error


def checked(tangents: Sequence[Any]) -> Sequence[Any]:
    """The tangents of results; raises the error of one that is refused."""
    for t in tangents:
        if type(t) is Refused:
            assert t.error is not None
            raise copy(t.error) from None
    return tangents


@cache
def moves(dtype: Any) -> bool:
    """Whether values of this dtype have derivatives: floats and complex numbers do.

    So do those of an extended dtype which says so.
    """
    if jnp.issubdtype(dtype, extended):
        return tangent_of(ShapedArray((), dtype)).dtype != float0
    return bool(jnp.issubdtype(dtype, np.inexact))


def zeros(aval: Any) -> Any:
    """A tangent of zeros for values of abstract type `aval`, as an array."""
    if not moves(aval.dtype):
        return lax.full(aval.shape, 0, float0)  # of JAX's own class, as JAX's are
    if not isinstance(aval.dtype, np.dtype):  # an extended one
        return jnp.broadcast_to(aval.dtype._rules.zero(aval.dtype), aval.shape)
    return full(aval, 0.0)


def zero_cotangent(aval: Any) -> Any:
    """A cotangent of zeros for values of abstract type `aval`, as an array."""
    return zeros(cotangent_of(aval))


def still(aval: Any) -> Any:
    """A block of zeros of a Jacobian: of integers integers, as in JAX."""
    integer = jnp.issubdtype(aval.dtype, np.integer)
    return full(aval, 0) if integer else zeros(aval)


def ones(aval: Any) -> Any:
    """An array of ones of abstract type `aval`."""
    return full(aval, 1.0)


def full(aval: Any, value: float) -> Any:
    """A constant array, weakly typed if `aval` is (a Python number's own type)."""
    if aval.weak_type and aval.shape == ():  # quicker than to convert it
        number = jnp.asarray(value + 0j if aval.dtype.kind == "c" else value)
        if number.dtype == aval.dtype:
            return varying_like(number, aval)
    sharding = None if aval.sharding.mesh.empty else aval.sharding
    x = lax.full(aval.shape, value, aval.dtype, sharding=sharding)
    return as_typed(varying_like(x, aval), aval)


def full_like(x: Any, value: float, dtype: Any = None) -> Any:
    """A constant array of the type of x, or as that in another dtype.

    JAX's forgets how x is divided, where x is an array and something else is traced.
    """
    aval = aval_of(x)
    if dtype is not None:
        aval = aval.update(dtype=np.dtype(dtype), weak_type=False)
    return full(aval, value)


def as_typed(x: Any, aval: Any) -> Any:
    """An array of the dtype of `aval`, and weakly typed if that is."""
    if x.aval.weak_type == aval.weak_type and x.dtype == aval.dtype:
        return x
    return primitives.convert_element_type_p.bind(
        x, new_dtype=aval.dtype, weak_type=aval.weak_type, sharding=None
    )


def carried(values: Sequence[Any], before: Sequence[Any]) -> list[Any]:
    """What a loop carries, strongly typed where it was before the step, as in JAX."""
    return [
        x if x is None or y.aval.weak_type else as_typed(x, y.aval)
        for x, y in zip(values, before, strict=True)
    ]


def given(values: Sequence[Any]) -> list[Any]:
    """The values that aren't None."""
    return [x for x in values if x is not None]


def spread(values: Sequence[Any], where: Sequence[bool | None]) -> list[Any]:
    """Values at the places where `where` holds, None at the others."""
    rest = iter(values)
    return [next(rest) if there else None for there in where]


def marked(values: Sequence[Any], where, avals: Sequence[Any]) -> list[Any]:
    """As `spread`, with a refused tangent where `where` is None."""
    return [
        Refused(aval, None) if there is None else x
        for x, there, aval in zip(spread(values, where), where, avals, strict=True)
    ]


def filled(values: Sequence[Any], avals: Sequence[Any], where=None) -> list[Any]:
    """Tangents, or cotangents, with zeros of these abstract types in place of None.

    Given `where`, None stays where that doesn't hold.
    """
    where = [True] * len(avals) if where is None else where
    return [
        zeros(aval) if x is None and there else x
        for x, aval, there in zip(values, avals, where, strict=True)
    ]
