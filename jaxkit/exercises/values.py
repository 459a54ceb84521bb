"""Values as a learner sees them: compared up to rounding, and shown on one line."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import numpy as np


def close(got: Any, expected: Any, tolerance: float = 1e-5) -> bool:
    """Whether two results are equal: numbers up to rounding, in the same structure."""
    if isinstance(got, str) or isinstance(expected, str):
        return type(got) is type(expected) and got == expected
    if isinstance(expected, dict):
        return (
            isinstance(got, dict)
            and got.keys() == expected.keys()
            and all(close(got[key], expected[key], tolerance) for key in expected)
        )
    if isinstance(expected, list | tuple):
        if isinstance(got, np.ndarray | jax.Array):
            got = np.asarray(got).tolist()
        return (
            isinstance(got, Sequence)
            and len(got) == len(expected)
            and all(close(*pair, tolerance) for pair in zip(got, expected, strict=True))
        )
    expected = np.asarray(expected)
    try:
        found = np.asarray(got, complex if expected.dtype.kind == "c" else float)
    except (TypeError, ValueError):
        return False
    same_shape = found.shape == expected.shape
    return same_shape and np.allclose(found, expected, tolerance, tolerance)


def show(x: Any) -> str:
    """A value on one line, arrays as their numbers, functions by their names."""
    if isinstance(x, tuple):
        return f"({', '.join(map(show, x))}{',' if len(x) == 1 else ''})"
    if isinstance(x, list):
        return f"[{', '.join(map(show, x))}]"
    if isinstance(x, dict):
        pairs = sorted((show(key), show(value)) for key, value in x.items())
        return f"{{{', '.join(f'{key}: {value}' for key, value in pairs)}}}"
    if isinstance(x, np.ndarray | np.generic | jax.Array):
        x = np.asarray(x)
        return f"[{', '.join(map(show, x))}]" if x.ndim else str(x)
    return " ".join((getattr(x, "__name__", None) or repr(x)).split())


def cut(text: str, limit: int = 300) -> str:
    """The text, cut off where it is too long to read."""
    return text if len(text) <= limit else text[: limit - 3] + "..."
