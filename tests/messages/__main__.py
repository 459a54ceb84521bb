"""The command: `python -m tests.messages [--check]`, from the repository's root."""

import argparse
import sys
from pathlib import Path

TESTS = Path(__file__).parents[1]
DOCUMENT = TESTS.parent / "docs" / "messages.md"


def main(argv: list[str] | None = None) -> int:
    """Write the page, or check it; returns 0 if no message lacks something."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.messages", description="Write docs/messages.md."
    )
    parser.add_argument(
        "--check",
        action="store_true",
        help="write nothing; with the page's version of JAX, compare",
    )
    args = parser.parse_args(argv)

    sys.path.insert(0, str(TESTS))  # as pytest does
    import conftest  # noqa: F401  (what the tests set up, before JAX starts)
    import jax

    from tests.messages.page import page

    text, problems = page()
    if not args.check:
        DOCUMENT.write_text(text)
    elif f"with JAX {jax.__version__};" in DOCUMENT.read_text():
        if DOCUMENT.read_text() != text:
            problems.append(f"{DOCUMENT} is stale; run python -m tests.messages")
    print(*problems or [f"{DOCUMENT.name}: nothing amiss"], sep="\n")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
