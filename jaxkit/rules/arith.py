"""`jax.lax` arithmetic in which a Python number takes the other operand's dtype.

Rules are written with these: a constant stays a scalar beside an array of any dtype,
and no array of ones or zeros is ever filled to meet it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from jax import lax

from jaxkit.fused import fused
from jaxkit.tangents import full
from jaxkit.tracing import aval_of, sharding_of, x64_is_off


def _with_constants(op: Callable) -> Callable:
    def arith(x: Any, y: Any):
        if type(x) in (int, float):
            x = constant(x, y.dtype)
        elif type(y) in (int, float):
            y = constant(y, x.dtype)
        return op(x, y)

    arith.__name__ = op.__name__
    arith.__doc__ = f"`jax.lax.{op.__name__}`; a Python number takes the other's dtype."
    return arith


def constant(value: float, dtype: Any) -> Any:
    """A number as an operand of this dtype; JAX is quickest with Python's floats."""
    return float(value) if dtype == _python_float() else np.array(value, dtype)


def _python_float() -> Any:
    """The dtype that JAX gives to a Python float."""
    return np.float32 if x64_is_off() else np.float64


def cast(x: Any, dtype: Any):
    """x in another dtype; a complex x that becomes real keeps its real part."""
    if x.dtype == dtype:
        return x  # which stays weakly typed, if it is
    if x.dtype.kind == "c" != np.dtype(dtype).kind:
        x = lax.real(x)
    return lax.convert_element_type(x, dtype)


def kept(x: Any, where: Any):
    """x where a truth value holds, and zero elsewhere, whatever x is there.

    Not a product with the truth value: infinity times zero is NaN.
    """
    if where.shape != x.shape:
        parts = sharding_of(aval_of(x))
        where = lax.broadcast_in_dim(where, x.shape, range(x.ndim), out_sharding=parts)
    return lax.select(where, x, _zeros(where, aval=aval_of(x)))


@fused
def _zeros(where, *, aval):
    return full(aval, 0.0)


add = _with_constants(lax.add)
sub = _with_constants(lax.sub)
mul = _with_constants(lax.mul)
div = _with_constants(lax.div)
eq = _with_constants(lax.eq)
ge = _with_constants(lax.ge)
lt = _with_constants(lax.lt)
