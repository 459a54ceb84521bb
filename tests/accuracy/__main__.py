"""The command: `python -m tests.accuracy [--check]`, from the repository's root."""

import sys

from tests.pages import command


def load() -> tuple[str, list[str]]:
    from tests.accuracy.page import page

    return page()


if __name__ == "__main__":
    sys.exit(command("accuracy", load))
