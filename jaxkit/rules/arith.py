"""`jax.lax` arithmetic in which a Python number takes the other operand's dtype.

Rules are written with these: a constant stays a scalar beside an array of any dtype,
and no array of ones or zeros is ever filled to meet it.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from jax import lax


def _with_constants(op: Callable) -> Callable:
    def arith(x, y):
        if isinstance(x, int | float) and not hasattr(x, "dtype"):
            return op(np.array(x, y.dtype), y)
        if isinstance(y, int | float) and not hasattr(y, "dtype"):
            return op(x, np.array(y, x.dtype))
        return op(x, y)

    arith.__name__ = op.__name__
    arith.__doc__ = f"`jax.lax.{op.__name__}`; a Python number takes the other's dtype."
    return arith


add = _with_constants(lax.add)
sub = _with_constants(lax.sub)
mul = _with_constants(lax.mul)
div = _with_constants(lax.div)
eq = _with_constants(lax.eq)
ge = _with_constants(lax.ge)
lt = _with_constants(lax.lt)
