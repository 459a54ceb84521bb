"""The command of a package of tests that writes a page: `python -m tests.NAME`."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable
from pathlib import Path

TESTS = Path(__file__).parent


def document(name: str) -> Path:
    return TESTS.parent / "docs" / f"{name}.md"


def command(name: str, load: Callable[[], tuple[str, list[str]]]) -> int:
    """Write docs/NAME.md, or check it; returns 0 if nothing is amiss.

    `load` imports what it needs, and returns the page and what is wrong in it.
    """
    parser = argparse.ArgumentParser(
        prog=f"python -m tests.{name}", description=f"Write docs/{name}.md."
    )
    parser.add_argument(
        "--check",
        action="store_true",
        help="write nothing; with the page's version of JAX, compare",
    )
    args = parser.parse_args()

    sys.path.insert(0, str(TESTS))  # as pytest does
    import conftest  # noqa: F401  (what the tests set up, before JAX starts)
    import jax

    text, problems = load()
    page = document(name)
    if not args.check:
        page.write_text(text)
    elif re.search(rf"with JAX {re.escape(jax.__version__)}[; ]", page.read_text()):
        if page.read_text() != text:
            problems.append(f"{page} is stale; run python -m tests.{name}")
    print(*problems or [f"{page.name}: nothing amiss"], sep="\n")
    return 1 if problems else 0
