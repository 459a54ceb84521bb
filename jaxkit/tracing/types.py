"""The types of values: what tracers know of them, and what their derivatives are of."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import nullcontext
from typing import Any

import jax
import jax.core
from jax.custom_derivatives import SymbolicZero

_config: Any = jax.config


def x64_is_off() -> bool:
    return not _config.jax_enable_x64


WIDE = {jax.numpy.dtype(x) for x in ("float64", "complex128", "int64", "uint64")}


def wide_enough(avals: Iterable[Any]) -> Any:
    """A context in which there are arrays of 64 bits, if there are among these.

    They may have been made when `jax_enable_x64` was on, and be differentiated when it
    is off.  What belongs to them, a zero, a number in a derivative, must be as wide.
    """
    wide = x64_is_off() and any([aval.dtype in WIDE for aval in avals])
    return jax.enable_x64(True) if wide else nullcontext()


def with_64_bits(function: Callable) -> Callable:
    """`function`, run where there are arrays of 64 bits (see `wide_enough`)."""

    def run(*args):
        with jax.enable_x64(True):
            return function(*args)

    return run


ShapedArray = jax.core.ShapedArray
typeof = jax.typeof


def aval_of(x: Any) -> Any:
    """The abstract type of a value: `typeof`, but quick for arrays and tracers."""
    return x.aval if hasattr(x, "aval") else typeof(x)


def tangent_of(aval: Any) -> Any:
    """The type of the tangents of values of this type."""
    return aval.to_tangent_aval()


def cotangent_of(aval: Any) -> Any:
    """The type of the cotangents of values of this type.

    It is the same, but that partial sums and copies ("unreduced", "reduced") change
    places.
    """
    return aval.to_ct_aval()


def none_if_zero(x: Any) -> Any:
    """JAX's symbolic zeros, and float0 arrays, become None."""
    if isinstance(x, SymbolicZero) or type(x).__name__ == "Zero":
        return None
    return None if getattr(x, "dtype", None) == jax.dtypes.float0 else x


def is_traced(x: Any) -> bool:
    """Whether x is a tracer, of whatever transform; other values are concrete."""
    return isinstance(x, jax.core.Tracer)


def concrete(x: Any) -> Any:
    """The concrete value behind `x`, or None where a trace has none."""
    return x.to_concrete_value() if isinstance(x, jax.core.Tracer) else x


NUMBERS = int, float, complex  # as a jaxpr's constants may be
