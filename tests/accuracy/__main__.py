"""The command: `python -m tests.accuracy`, from the repository's root."""

import sys
from pathlib import Path

DOCUMENT = Path(__file__).parents[2] / "docs" / "accuracy.md"


def main() -> int:
    """Write the page; returns 0 if each large error has its reason."""
    import jax

    jax.config.update("jax_enable_x64", True)

    from tests.accuracy.page import page

    text, problems = page()
    DOCUMENT.write_text(text)
    print(*problems or [f"{DOCUMENT.name}: nothing amiss"], sep="\n")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
