"""Whether two results are equal, and what kind of a difference it is."""

from __future__ import annotations

import re
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import jaxkit

# Errors are relative to the largest entry of all arrays of a result, or to one.
CLOSE = 1e-7
# Beyond that, or not finite, rounding decides.
LARGEST = 1e6
# In low precision: this many units in the last place, and so many times JAX's error.
UNITS, SLACK = 256, 16
LIMITS = NotImplementedError, AssertionError
# Limits of JAX and of XLA that JAX's own transforms of a program don't meet: what its
# `vmap` isn't written for; Fourier transforms of arrays in an unusual layout; NumPy's
# arrays as tangents of a shard_map; complex numbers that a checkpoint keeps.
UNMET = (
    *("ragged_dot vmap over any dim but", "fft_thunk.cc", "non-canonical constant"),
    "reduce_precision does not accept dtype complex",
)
# What JAX refuses at once, though nothing may need it.
AT_ONCE = (
    "Betainc gradient with respect to a and b",
    "Linearization failed to produce known values",  # of a reduction by a user's code
)
NO_ARRAY = ", no array"
LITERAL = "TypedNdArray"
HERE = str(Path(jaxkit.__file__).parent)


@dataclass(frozen=True)
class Result:
    """Leaves, their types and the tree; or the exception instead."""

    values: list[np.ndarray] | None = None
    types: tuple[str, ...] = ()
    tree: Any = None
    error: Exception | None = None

    @property
    def size(self) -> float:
        """The largest absolute value, infinite if one isn't finite."""
        sizes = [np.max(np.abs(x), initial=0.0) for x in self.values]
        size = np.max(sizes, initial=0.0)  # Python's loses a NaN
        return float(size) if np.isfinite(size) else np.inf


def result(tree, types=None) -> Result:
    leaves, structure = jax.tree.flatten(tree)
    if any(isinstance(x, jax.core.Tracer) for x in leaves):
        raise AssertionError("a tracer escaped")
    types = types or [type_of(x) for x in leaves]
    return Result([numbers(x) for x in leaves], tuple(types), structure)


def type_of(x) -> str:
    # JAX's own transforms return a literal of a jaxpr as it stands there.
    array = isinstance(x, jax.Array) or type(x).__name__ == LITERAL
    return str(jax.typeof(x)) + ("" if array else NO_ARRAY)


def numbers(x) -> np.ndarray:
    """In double precision."""
    x = np.asarray(x)
    if x.dtype == jax.dtypes.float0:
        return np.zeros(x.shape)
    wide = np.complex128 if jnp.issubdtype(x.dtype, np.complexfloating) else np.float64
    return x.astype(wide)


def difference(
    ours: Result, theirs: Result, classes: bool = True, weak: bool = True
) -> str:
    """Of types and trees, or of exceptions; empty if there is none.

    What JAX refuses may be returned: jaxkit differentiates more. classes: of exceptions
    count; where there are several reasons, it depends on which is met first. weak:
    whether a type is weak counts, too.
    """
    if ours.error and theirs.error:
        one, two = type(ours.error), type(theirs.error)
        # Where JAX isn't written for it, which of its limits is met first says nothing.
        limited = issubclass(one, LIMITS) or issubclass(two, LIMITS)
        limited |= any(x in str(theirs.error) for x in AT_ONCE)
        same = issubclass(one, two) or issubclass(two, one) or limited
        if same or not classes:
            return ""
        return f"raises {place(ours.error)}; JAX {headline(theirs.error)}"
    if ours.error:
        known = any(x in str(ours.error) for x in UNMET)
        return "" if known else f"raises {place(ours.error)}"
    if theirs.error:
        return ""
    if ours.tree != theirs.tree:
        return "tree"
    for one, two in zip(ours.types, theirs.types, strict=True):
        if not weak:
            one, two = one.replace("~", ""), two.replace("~", "")
        if one not in (two, two.removesuffix(NO_ARRAY)):
            return f"type {plain(one)}, not {plain(two)}"
    return ""


def plain(t: str) -> str:
    """A type without the numbers of its shape."""
    return re.sub(r"(?<=[\[,])\d+", "n", t)


def error_of(ours: list, theirs: list) -> float:
    """The largest error, as large as what is compared."""
    worst = 0.0
    scale = max([1.0, *(np.max(np.abs(x), initial=0.0) for x in theirs)])
    for x, y in zip(ours, theirs, strict=True):
        if x.size:
            error = np.max(np.abs(x - y)) / scale
            worst = max(worst, float(error) if np.isfinite(error) else np.inf)
    return worst


def wrong(ours: Result, theirs: Result) -> str:
    """How values in double precision differ; empty if they don't."""
    if theirs.size > LARGEST:
        return ""
    return "values" if error_of(ours.values, theirs.values) > CLOSE else ""


def far(ours: Result, theirs: Result, exact: Result, eps: float) -> str:
    """How values in low precision are farther off than rounding, and JAX, explain."""
    if exact.size > LARGEST or theirs.size == np.inf:
        return ""
    error = error_of(ours.values, exact.values)
    allowed = max(SLACK * error_of(theirs.values, exact.values), UNITS * eps)
    return "values in low precision" if error > allowed else ""


def headline(error: Exception) -> str:
    """An exception's type and the first line of its message, without numbers."""
    first = str(error).strip().partition("\n")[0][:120]
    return f"{type(error).__name__}: {re.sub(r'[0-9]+', 'n', first)}"


def place(error: Exception) -> str:
    """An exception, and the line of jaxkit that is nearest to where it was raised."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [f for f in frames if f.filename.startswith(HERE)]
    where = (
        f" at {own[-1].filename.removeprefix(HERE)[1:]} {own[-1].name}" if own else ""
    )
    return f"{headline(error)}{where}"
