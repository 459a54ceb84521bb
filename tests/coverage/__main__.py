"""The command: `python -m tests.coverage [--check]`, from the repository's root."""

import argparse
import sys
from pathlib import Path

TESTS = Path(__file__).parents[1]
DOCUMENT = TESTS.parent / "docs" / "coverage.md"


def main(argv: list[str] | None = None) -> int:
    """Write the page, or check it; returns 0 if nothing is amiss."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.coverage", description="Write docs/coverage.md."
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
    from rules.test_rules import CASES

    from tests.coverage import page

    problems = [
        f"'{name}' has neither a rule nor a reason (tests/coverage/reasons.py)"
        for name in page.without_reason(page.registry())
    ]
    problems += [f"'{name}' has a rule and a reason" for name in page.with_both()]
    if not args.check:
        DOCUMENT.write_text(page.page(CASES))
    elif f"with JAX {jax.__version__};" in DOCUMENT.read_text():
        if DOCUMENT.read_text() != page.page(CASES):
            problems.append(f"{DOCUMENT} is stale; run python -m tests.coverage")
    print(*problems or [f"{DOCUMENT.name}: nothing amiss"], sep="\n")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
