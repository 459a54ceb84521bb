"""What is shown: as a file in one of several formats, or below a notebook's cell."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any


def write(path: str | Path, formats: Mapping[str, Callable[[], str]]) -> None:
    """Write a file, in the format that its name ends with: `{".svg": make, ...}`.

    Raises:
        ValueError: it ends with none of these.
    """
    path = Path(path)
    if path.suffix not in formats:
        raise ValueError(f"{path.name}: end it with one of {', '.join(formats)}")
    path.write_text(formats[path.suffix](), encoding="utf-8")


def displayed(shown: Any) -> bool:
    """Whether this runs in a notebook, which then displays it."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    if shell is None or not hasattr(shell, "kernel"):
        return False
    sys.modules["IPython"].display.display(shown)
    return True
