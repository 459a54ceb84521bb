"""The command: `python -m tests.coverage [--check]`, from the repository's root."""

import sys

from tests.pages import command


def load() -> tuple[str, list[str]]:
    from rules.test_rules import CASES

    from tests.coverage import page

    problems = [
        f"'{name}' has neither a rule nor a reason (tests/coverage/reasons.py)"
        for name in page.without_reason(page.registry())
    ]
    problems += [f"'{name}' has a rule and a reason" for name in page.with_both()]
    return page.page(CASES), problems


if __name__ == "__main__":
    sys.exit(command("coverage", load))
