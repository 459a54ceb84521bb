"""docs/jax_tests.md is of the form that its command writes, and has its reasons."""

from __future__ import annotations

import re
from pathlib import Path

import jax
import pytest

from tests.substitute import page, run
from tests.substitute.__main__ import main
from tests.substitute.reasons import REASONS, reason

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "docs" / "jax_tests.md").read_text()
ROW = re.compile(r"^\| (\w+) \| (\d+) \| (\d+) \| (\d+) \|$", re.M)
ROWS = {file: tuple(map(int, counts)) for file, *counts in ROW.findall(TEXT)}
FAILED = {
    "passing": {"reached": True, "passed": True, "failure": ""},
    "a_test.py::A::test_float0_reshape": {
        "reached": True, "passed": False, "failure": "?", "jax": True,
    },
    "a_test.py::A::test_of_theirs": {
        "reached": True, "passed": False, "failure": "?", "jax": False,
    },
    "a_test.py::A::test_of_ours": {
        "reached": True, "passed": False, "failure": "E  2 != 3", "jax": True,
    },
}  # fmt: skip


def test_counts_add_up():
    assert list(ROWS) == run.FILES
    total, passed = map(int, re.search(r"(\d+) tests, of which (\d+)", TEXT).groups())
    assert total == sum(row[0] for row in ROWS.values())
    assert passed == sum(row[1] for row in ROWS.values())
    assert all(tests == good + bad for tests, good, bad in ROWS.values())
    assert total >= 1500


def test_each_that_fails_is_listed_under_a_reason():
    names = re.findall(r"^- `(\w+): .*`$", TEXT, re.M)
    assert {file: names.count(file) for file in ROWS} == {
        file: bad for file, (_, _, bad) in ROWS.items()
    }
    sections = TEXT.split("## Why the others don't")[1].split("\n\n")[2:]
    assert set(sections[::2]) <= {*REASONS, page.THEIRS}
    assert set(sections[::2]) >= REASONS.keys()


def test_what_has_no_reason_and_what_is_a_reason_for_nothing():
    found = page.problems({"a": FAILED})
    assert found[0] == "a_test.py::A::test_of_ours\nE  2 != 3"
    assert len(found) == 1 + len(REASONS) - 1
    assert page.problems({"a": FAILED}, everything=False) == found[:1]
    assert page.row("a", FAILED) == "| a | 4 | 1 | 3 |"
    assert page.page({"a": FAILED}).endswith(
        f"{page.THEIRS}\n\n- `a: A.test_of_theirs`\n"
    )


def test_a_wrong_value_has_no_reason():
    failure = "E   AssertionError: Not equal to tolerance rtol=1e-06\nE    ACTUAL: 3"
    assert reason("api_test.py::APITest::test_grad", failure) is None
    failure = 'E   AssertionError: ".*" does not match "list index out of range"'
    assert reason("api_test.py::APITest::test_grad", failure) is None


def test_what_lacks_is_said(capsys, tmp_path, monkeypatch):
    monkeypatch.setattr(run, "VERSION", jax.__version__)
    assert main([str(tmp_path)]) == 2
    assert "isn't a checkout of JAX" in capsys.readouterr().out
    monkeypatch.setattr(run, "VERSION", "0.0.1")
    assert main([str(tmp_path)]) == 2
    assert "this runs with JAX 0.0.1" in capsys.readouterr().out


@pytest.mark.parametrize("package", ["jaxkit", "jax"])
def test_a_run(package, tmp_path):
    """Tests that name a transform in each of the ways in which JAX's do."""
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "a_test.py").write_text(SOURCE)
    found = run.record(tmp_path, ["a_test.py"], package)
    found = {name.split("::")[-1]: result for name, result in found.items()}
    reached = {name for name, result in found.items() if result["reached"]}
    assert reached == {"test_jax", "test_name", "test_api", "test_check"}
    ours = {name for name, result in found.items() if not result["passed"]}
    assert ours == (reached - {"test_check"} if package == "jaxkit" else set())
    assert all("by jaxkit" in found[name]["failure"] for name in ours)


SOURCE = """
import jax
from jax import linearize
from jax._src import api
from jax._src import test_util as jtu

def by(transformed):
    package = type(transformed).__module__.split(".")[0]
    assert package != "jaxkit", "by jaxkit"

def test_jax():
    by(jax.vjp(lambda x: x, 1.0)[1])

def test_name():
    by(linearize(lambda x: x, 1.0)[1])

def test_api():
    by(api.vjp(lambda x: x, 1.0)[1])
    assert api.jit(lambda x: x)(1.0) == 1.0

def test_check():
    jtu.check_grads(lambda x: 2.0 * x, (jax.numpy.ones(2),), 1)

def test_nothing():
    assert 1
"""
