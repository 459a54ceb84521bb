"""Operations that change a shape, to what an array of a given type has.

They say how the result is divided, where that is a part of the type: a transpose knows
it, since a cotangent is divided like its operand, and JAX often couldn't.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np
from jax import lax

from jaxkit.tracing import sharding_of, varying_like


def automatic(function: Callable, *arrays: Any, like: Any) -> Any:
    """function(*arrays), within which nothing is said of how arrays are divided.

    It is for code that mixes axes.  The result is divided as an array of type `like`.
    """
    sharding = sharding_of(like)
    if sharding is None:
        return function(*arrays)
    return jax.sharding.auto_axes(function, out_sharding=sharding)(*arrays)


def numbers(aval: Any, axis: int | None = None) -> Any:
    """The numbers from 0 in an array of this type's shape: along an axis, or of all.

    Those along an axis are unsigned: XLA needn't ask of such indices if they are < 0.
    """
    if axis is None:
        found = reshaped(lax.iota(np.int32, math.prod(aval.shape)), aval)
    else:
        parts = sharding_of(aval)
        found = lax.broadcasted_iota(np.uint32, aval.shape, axis, out_sharding=parts)
    return varying_like(found, aval)


def reshaped(x: Any, aval: Any) -> Any:
    """x in the shape of an array of this type, its elements in the same order."""
    return lax.reshape(x, aval.shape, out_sharding=sharding_of(aval))


def repeated(x: Any, aval: Any, axes: Sequence[int]) -> Any:
    """x, which lacks these axes of an array of this type, repeated along them."""
    kept = [d for d in range(len(aval.shape)) if d not in axes]
    return lax.broadcast_in_dim(x, aval.shape, kept, out_sharding=sharding_of(aval))


def summed(x: Any, axes: Sequence[int], aval: Any, places: Sequence[int]) -> Any:
    """x summed over some axes, in the shape of an array of this type.

    `places` says for each axis of that array which one of x it is; what is summed has
    length one there.
    """
    left = [d for d in range(x.ndim) if d not in axes]
    left = [places.index(d) if d in places else None for d in left]
    total = lax.reduce_sum(x, axes, out_sharding=sharding_of(aval, left))
    return reshaped(total, aval)
