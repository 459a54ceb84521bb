"""Numbers as people write them: 1.2 ms, 3.4 M; and settings read from text."""

import math
from collections.abc import Callable

import typer

DECIMAL = {"T": 1e12, "G": 1e9, "M": 1e6, "k": 1e3, "": 1}
SMALL = {"s": 1, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}


def amount(x: float, unit: str = "") -> str:
    """Three digits with a decimal prefix: 3.21 M, or with a unit: 1.5 MB."""
    return scaled(x, {f"{prefix}{unit}": size for prefix, size in DECIMAL.items()})


def seconds(x: float) -> str:
    """A duration in s, ms, us or ns."""
    return scaled(x, SMALL)


def scaled(x: float, units: dict[str, float]) -> str:
    """Three digits, with the largest unit that leaves one before the point."""
    unit = next((unit for unit, size in units.items() if x >= 0.9995 * size), None)
    unit = [*units][-1] if unit is None else unit
    return f"{x / units[unit]:.3g} {unit}".rstrip()


def number(x: float) -> str:
    """Three significant digits, without exponent where that is short."""
    text = f"{x:.3g}"
    return f"{x:.0f}" if "e" in text and 1 <= abs(x) < 1e6 else text


def positive(text: str, kind: type = float) -> float:
    """A positive number from text such as 12, 0.5, 200M, 4G."""
    scale = DECIMAL.get(text[-1:].replace("K", "k"), 1)
    try:
        x = float(text if scale == 1 else text[:-1]) * scale
    except ValueError:
        x = math.nan
    if not 0 < x < math.inf or kind(x) != x:
        whole = "whole " * (kind is int)
        raise typer.BadParameter(f"{text!r} is not a positive {whole}number")
    return kind(x)


def words(text: str) -> list[str]:
    """The words between commas, each once."""
    return list(dict.fromkeys(w.strip() for w in text.split(",") if w.strip()))


def like(example: list) -> Callable[[str], list]:
    """Reads a list from words: a choice of the example's, or such numbers in order."""

    def read(text: str) -> list:
        if not isinstance(example[0], str):
            kind = int if all(isinstance(x, int) for x in example) else float
            return sorted({positive(word, kind) for word in words(text)})
        for name in words(text):
            if name not in example:
                no = f"{name!r} is not one of {', '.join(example)}"
                raise typer.BadParameter(no)
        return words(text)

    return read
