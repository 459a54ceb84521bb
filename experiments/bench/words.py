"""Numbers within sentences: ranges, comparisons, lists. What isn't known is a dash."""

from collections.abc import Iterable

import numpy as np


def number(x: float, digits: int = 2) -> str:
    """Some significant digits, without exponent where that is short; "-" for nan."""
    if not np.isfinite(x):
        return "-"
    text = f"{x:.{digits}g}"
    return f"{x:.0f}" if "e" in text and 1 <= abs(x) < 1e6 else text


def power(x: float) -> str:
    """An exponent: two decimals."""
    return f"{x + 0:.2f}".replace("-0.00", "0.00") if np.isfinite(x) else "-"


def span(values: Iterable[float], write=number) -> str:
    """The least and the largest: "0.9 to 1.1"; one number if they are written alike."""
    found = [x for x in values if np.isfinite(x)]
    if not found:
        return "-"
    low, high = write(min(found)), write(max(found))
    return low if low == high else f"{low} to {high}"


def listed(parts: Iterable[str]) -> str:
    """`a`, `a and b`, or `a, b and c`."""
    *most, last = [*parts] or ["-"]
    return f"{', '.join(most)} and {last}" if most else last
