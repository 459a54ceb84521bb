"""docs/extending.md is true: its code prints what it says, in twenty lines each."""

import ast
import re
from pathlib import Path

from tests.test_readme import run

TEXT = (Path(__file__).parent.parent / "docs" / "extending.md").read_text()
EXAMPLES = re.findall(r"```python\n(.*?)```", TEXT, re.S)


def printed(source: str) -> list[dict]:
    return [ast.literal_eval(line) for line in run(source).splitlines()]


def promised(source: str) -> list[dict]:
    """What the comments say is printed: on the line of a print, or on the next."""
    return [ast.literal_eval(x) for x in re.findall(r"# (\{.*\})$", source, re.M)]


def test_a_walk_counts_flops():
    walk, _ = EXAMPLES
    assert len(promised(walk)) == 2
    assert printed(walk) == promised(walk)


def test_a_reading_tells_where_derivatives_end():
    _, reading = EXAMPLES
    assert len(promised(reading)) == 1
    assert printed(reading) == promised(reading)


def test_each_takes_twenty_lines():
    for source in EXAMPLES:
        (function,) = [
            x for x in ast.parse(source).body
            if isinstance(x, ast.FunctionDef) and x.name in ("flops", "ends")
        ]  # fmt: skip
        assert function.end_lineno - function.lineno + 1 <= 20
