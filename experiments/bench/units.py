"""Numbers as people write them: 4G, 1.2 ms, 3.4 M; and options read from text."""

import argparse
import math

DECIMAL = [(1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"), (1, "")]
SMALL = [(1, "s"), (1e-3, "ms"), (1e-6, "us"), (1e-9, "ns")]


def seconds(x: float) -> str:
    """A duration in s, ms, us or ns with three digits."""
    if math.isnan(x):
        return "-"
    scale, unit = next((u for u in SMALL if x >= 0.9995 * u[0]), SMALL[-1])
    return f"{x / scale:.3g} {unit}"


def amount(x: float) -> str:
    """A count with a decimal prefix and three digits: 3.21 M."""
    if math.isnan(x):
        return "-"
    scale, unit = next((u for u in DECIMAL if x >= 0.9995 * u[0]), DECIMAL[-1])
    return f"{x / scale:.3g} {unit}".rstrip()


def size(x: float) -> str:
    """Bytes with a decimal prefix, as in figures, and three digits: 1.5 MB."""
    text = amount(x)
    if math.isnan(x):
        return text
    return f"{text}B" if text[-1].isalpha() else f"{text} B"


def memory(text: str) -> int:
    """Bytes from text such as 200M, 4GB (decimal prefixes) or 4GiB (binary ones)."""
    number = text.strip().upper().removesuffix("B")
    base = 1024 if number.endswith("I") else 1000
    number = number.removesuffix("I")
    power = "KMGT".find(number[-1:]) + 1 if number else 0
    value = positive(number[:-1] if power else number, "a size such as 200M")
    return round(value * base**power)


def positive(text: str, what: str = "a positive number") -> float:
    """A positive finite number from text."""
    try:
        x = float(text)
    except ValueError:
        x = -1.0
    if not (math.isfinite(x) and x > 0):
        raise argparse.ArgumentTypeError(f"{text!r} is not {what}")
    return x


def count(text: str) -> int:
    """A positive whole number from text."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a positive whole number")
    return int(text)


def list_of(kind: type):
    """Reads comma-separated positive numbers, whole ones if `kind` is int."""
    read = count if kind is int else positive

    def numbers(text: str) -> list:
        return sorted({read(part) for part in words(text)})

    return numbers


def words(text: str) -> list[str]:
    """The words between commas."""
    return [word.strip() for word in text.split(",") if word.strip()]


def names(known: list[str]):
    """Reads a comma-separated choice among the known names."""

    def read(text: str) -> list[str]:
        chosen = list(dict.fromkeys(words(text)))
        for name in chosen:
            if name not in known:
                raise argparse.ArgumentTypeError(
                    f"{name!r} is not one of {', '.join(known)}"
                )
        return chosen

    return read
