"""What is shown, as a file in one of several formats."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path


def write(path: str | Path, formats: Mapping[str, Callable[[], str]]) -> None:
    """Write a file, in the format that its name ends with: `{".svg": make, ...}`.

    Raises:
        ValueError: it ends with none of these.
    """
    path = Path(path)
    if path.suffix not in formats:
        raise ValueError(f"{path.name}: end it with one of {', '.join(formats)}")
    path.write_text(formats[path.suffix](), encoding="utf-8")
