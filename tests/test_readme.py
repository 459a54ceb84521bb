"""The README is true: its examples print what it says, CI runs its test command."""

import contextlib
import io
import re
from pathlib import Path

import jax

import jaxkit as jk

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
EXAMPLES = re.findall(r"```python\n(.*?)```", README, re.S)


def run(source: str) -> str:
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), jax.enable_x64(False):
        exec(compile(source, "README.md", "exec"), {})
    return printed.getvalue()


def test_first_example(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    gradient, table = run(EXAMPLES[0]).split("\n", 1)
    assert "Array(24." in gradient and "Array(10." in gradient
    assert table.startswith("node  op") and "n5: 1*9,  n6: 1" in table
    assert (tmp_path / "f.html").read_text(encoding="utf-8").startswith("<!doctype")


def test_the_programs_behind_it():
    printed = run(EXAMPLES[1])
    shown = re.search(r"```\n(linear program.*?)```", README, re.S).group(1)
    assert shown in printed
    assert "broadcast_in_dim" in printed, "the transpose is printed too"
    assert "]]\nsin: elementwise, jaxkit/rules/elementwise.py:" in printed, (
        "matrix and rule"
    )
    assert printed.rstrip().endswith("dz = cos(x) dx")


def test_the_picture_is_what_explain_draws():
    with jax.enable_x64(False):
        found = jk.explain(lambda x, y: x * x * y + (y + 2))(3.0, 4.0).svg()
    assert (ROOT / "docs" / "explain.svg").read_text(encoding="utf-8") == found


def test_adding_a_rule():
    assert run(EXAMPLES[2]) == "0.25\n"


def test_every_example_is_tested():
    assert len(EXAMPLES) == 3


def test_ci_runs_the_readmes_test_command():
    commands = re.findall(r"```sh\n(.*?)\n```", README, re.S)
    assert len(commands) == 3
    assert commands[2] in (ROOT / ".ci" / "run").read_text()


def test_files_named_in_the_readme_exist():
    names = re.findall(r"`((?:jaxkit|docs|experiments)/[\w/.]+)`", README)
    names += re.findall(r"\]\(([\w/.]+)\)", README)
    for name in names:
        assert (ROOT / name).exists(), name


def test_no_address_of_a_registry():
    assert "http" not in README


def test_the_number_of_misuses():
    page = (ROOT / "docs" / "messages.md").read_text(encoding="utf-8")
    counted = re.search(r"([\d,]+) misuses", page)[1]
    assert re.search(r"([\d,]+) misuses", README)[1] == counted
