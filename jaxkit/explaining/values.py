"""Numbers and arrays in a few words, so that what differs looks different."""

from __future__ import annotations

from typing import Any

import numpy as np

from jaxkit.tracing import typeof

UNKNOWN = "·"
FULL = 8  # entries of an array that are shown one by one


def number(x: Any) -> str:
    """A number in six digits, a float with its point: 42.0, 0.1, 1e-07, nan."""
    x = np.asarray(x)
    if x.dtype.kind in "biu":
        return str(x.item())
    if x.dtype.kind == "c":
        return f"{x.real:.6g}{x.imag:+.6g}j"
    text = f"{float(x):.6g}"
    return text if set(text) & set(".en") else text + ".0"


def short(x: Any) -> str:
    """A number in four digits, without a point if it is an integer."""
    x = np.asarray(x)
    if x.dtype.kind in "bc":
        return number(x) if x.dtype.kind == "b" else f"{x.real:.4g}{x.imag:+.4g}j"
    return f"{float(x):.4g}"


def as_numbers(x: Any) -> np.ndarray | None:
    """An array of NumPy's; None of what has no numbers, such as a random key."""
    kind = getattr(getattr(x, "dtype", None), "kind", "")
    if not kind or kind not in "biufcV":
        return None
    return np.asarray(x, np.float32) if kind == "V" else np.asarray(x)  # bfloat16


def summary(x: Any, full: int = FULL) -> str:
    """A number, the entries of a small array, or type, shape and range of a large one.

    How many entries are NaN is said, too; of complex numbers the range is that of their
    absolute values, |1..2|; of no value it is a point.  A matrix takes a line for each
    of its rows.
    """
    if x is None:
        return UNKNOWN
    head, x = typeof(x).str_short(short_dtypes=True), as_numbers(x)
    if x is None:
        return head
    if x.shape == ():
        return number(x)
    if 0 < x.size <= full:
        return "\n".join(entries(x))
    if x.size == 0:
        return head
    nans = int(np.isnan(x).sum()) if x.dtype.kind in "fc" else 0
    if nans < x.size:
        sizes = np.abs(x) if x.dtype.kind == "c" else x
        low, high = short(np.nanmin(sizes)), short(np.nanmax(sizes))
        text = low if low == high else f"{low}..{high}"
        head += f" |{text}|" if x.dtype.kind == "c" else f" {text}"
    return f"{head}, {nans} NaN" if nans else head


def entries(x: np.ndarray) -> list[str]:
    """All of them, a line for each row: `[[1, 2],` and ` [3, 4]]`."""
    if x.ndim <= 1:
        return [f"[{', '.join(map(short, x))}]"]
    rows = ",\n".join("\n".join(entries(part)) for part in x)
    return f"[{rows}]".replace("\n", "\n ").splitlines()


def in_line(x: Any, full: int = FULL) -> str:
    """The same, in one line."""
    return summary(x, full).replace("\n", "")


def largest_difference(x: Any, y: Any) -> str:
    """The largest |x - y| of two arrays, as a number; where both are NaN they agree."""
    x, y = (None if a is None else as_numbers(a) for a in (x, y))
    if x is None or y is None:
        return UNKNOWN
    if x.dtype.kind not in "fc":
        return "0" if np.array_equal(x, y) else "differs"
    with np.errstate(invalid="ignore"):
        gaps = np.where((x == y) | (np.isnan(x) & np.isnan(y)), 0, np.abs(x - y))
    return f"{np.max(gaps, initial=0.0):.2g}"
