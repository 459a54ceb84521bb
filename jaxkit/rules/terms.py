"""Terms of a tangent: partial derivative times tangent, and sums of such terms.

Each function applies linear operators by the tangent arithmetic that it is given, so
that it serves both modes (see `dual.py`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache, partial
from typing import Any

import numpy as np
from jax import lax
from jax.extend.core import primitives
from jax.tree_util import register_dataclass

from jaxkit.program.code import Zero
from jaxkit.tracing import (
    ShapedArray,
    aval_of,
    default_params,
    is_divided_like,
    sharding_of,
)


@partial(register_dataclass, data_fields=["f", "d", "where"], meta_fields=["c"])
@dataclass(frozen=True)
class Factor:
    """A partial derivative c f / d, of which the tangent is multiplied by each part.

    So a number meets those of the steps before and after, and is folded with them; and
    a tangent is divided by d where 1 / d and a product would be two operations.  Where
    the truth value `where` doesn't hold the operand isn't read: there the tangent is
    replaced by zero, since a product of zero and an infinite one would be NaN.
    """

    c: float
    f: Any = None
    d: Any = None
    where: Any = None


def over(d: Any) -> Factor:
    """A partial derivative 1/d: the tangent is divided by `d`, not multiplied."""
    return Factor(1, d=d)


def minus(f: Any) -> Factor:
    """A partial derivative -f: the tangent is negated, and not the array `f`."""
    return times(-1, f)


def times(c: float, f: Any, over: Any = None) -> Factor:
    """A partial derivative c f, or c f / over, for a number c.

    Here f is an array, a number, or what `over`, `minus` or `times` returned.
    """
    if isinstance(f, Factor):
        assert over is None or f.d is None, "two divisors: multiply them"
        return replace(f, c=c * f.c, d=f.d if over is None else over)
    if isinstance(f, int | float):
        return Factor(c * f, None, over)
    return Factor(c, f, over)


def only(where: Any, f: Any = 1) -> Factor:
    """A partial derivative f where the truth value `where` holds, and zero elsewhere.

    f is finite everywhere.
    """
    return replace(f if isinstance(f, Factor) else times(1, f), where=where)


def scale(arithmetic, dx, factor, aval) -> Any:
    """The tangent `factor * dx`, of abstract type `aval`."""
    if isinstance(factor, Factor):
        if factor.where is not None:
            dx = scale(arithmetic, dx, replace(factor, where=None), aval)
            operands = factor.where, Zero(aval), dx
            return arithmetic.bind(primitives.select_n_p, operands, aval)
        f, d = factor.f, factor.d
        if f is not None and d is not None and aval_of(d).shape == aval.shape:
            # First the product: then the cotangent is divided first, and an operand
            # whose partial is 1 / d divides the same one.
            dx = scale(arithmetic, dx, replace(factor, d=None), aval)
            return arithmetic.bind(primitives.div_p, (dx, d), aval)
        last = aval if f is None else aval_of(dx)
        dx = scale(arithmetic, dx, factor.c, last if d is None else aval_of(dx))
        if d is not None:
            dx = arithmetic.bind(primitives.div_p, (dx, d), last)
        if f is None:
            return dx
        factor = f
    if isinstance(factor, int | float) and not hasattr(factor, "dtype"):
        if factor == 1:
            return fill(arithmetic, dx, aval)
        if factor == -1:
            return fill(
                arithmetic, arithmetic.bind(primitives.neg_p, (dx,), aval_of(dx)), aval
            )
        factor = np.dtype(aval.dtype).type(factor)
    return arithmetic.bind(primitives.mul_p, (dx, factor), aval, **_mul_params())


@cache
def _mul_params() -> dict[str, Any]:
    scalar = ShapedArray((), np.dtype(np.float32))
    return default_params(lax.mul, scalar, scalar)


def fill(arithmetic, dx, aval) -> Any:
    """The tangent dx, repeated where its operand was: a scalar, or along an axis.

    And divided as its output is, which another operand may have been.
    """
    shape = (own := aval_of(dx)).shape
    if shape == aval.shape and is_divided_like(own, aval):
        return dx
    return arithmetic.bind(
        primitives.broadcast_in_dim_p,
        (dx,),
        aval,
        shape=aval.shape,
        broadcast_dimensions=tuple(range(len(shape))),
        sharding=sharding_of(aval),
    )


def add_tangents(arithmetic, a, b, aval) -> Any:
    """The sum of two tangents, either of which may be None."""
    if a is None or b is None:
        return b if a is None else a
    return arithmetic.bind(primitives.add_p, (a, b), aval)


def add_arrays(x: Any, y: Any) -> Any:
    """x + y, of arrays either of which may be None."""
    if x is None or y is None:
        return y if x is None else x
    return lax.add(x, y)
