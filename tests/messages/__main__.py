"""The command: `python -m tests.messages [--check]`, from the repository's root."""

import sys

from tests.pages import command


def load() -> tuple[str, list[str]]:
    from tests.messages.page import page

    return page()


if __name__ == "__main__":
    sys.exit(command("messages", load))
