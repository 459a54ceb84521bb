"""The pages on others' tests are as their command writes them, and have its reasons."""

from __future__ import annotations

import re

import jax
import pytest

from tests.substitute import page, run, suites
from tests.substitute.__main__ import lacking, main
from tests.substitute.reasons import reason

PAGES = page.JAX, page.PACKAGES
TEXTS = {about.name: about.document.read_text() for about in PAGES}
ROW = re.compile(r"^\| (\S+\.py) \| (\d+) \| (\d+) \| (\d+) \|$", re.M)
LEAST = {"jax_tests": 1500, "packages_tests": 500}
FOUND = {
    "a_test.py": {
        "test_passing": {"reached": True, "passed": True, "failure": ""},
        "A::test_float0_reshape": {
            "reached": True, "passed": False, "failure": "?", "jax": True,
        },
        "A::test_of_theirs": {
            "reached": True, "passed": False, "failure": "?", "jax": False,
        },
        "A::test_of_ours": {
            "reached": True, "passed": False, "failure": "E  2 != 3", "jax": True,
        },
    }
}  # fmt: skip
each_page = pytest.mark.parametrize("about", PAGES, ids=lambda about: about.name)


def rows(about: page.Page) -> dict[str, tuple[int, ...]]:
    return {
        file: tuple(map(int, counts))
        for file, *counts in ROW.findall(TEXTS[about.name])
    }


@each_page
def test_counts_add_up(about):
    counts = rows(about)
    numbers = re.search(r"(\d+) tests, of which (\d+)", TEXTS[about.name]).groups()
    total, passed = map(int, numbers)
    assert total == sum(tests for tests, _, _ in counts.values())
    assert passed == sum(good for _, good, _ in counts.values())
    assert all(tests == good + bad for tests, good, bad in counts.values())
    assert total >= LEAST[about.name]


@each_page
def test_it_says_what_its_command_writes(about):
    assert TEXTS[about.name].startswith(
        f"# {about.title}\n\n{about.about.format(files=len(rows(about)))}\n"
    )


@each_page
def test_each_that_fails_is_listed_under_a_reason(about):
    text, counts = TEXTS[about.name], rows(about)
    names = re.findall(r"^- `(\S+\.py): .*`$", text, re.M)
    assert {file: names.count(file) for file in counts} == {
        file: bad for file, (_, _, bad) in counts.items()
    }
    sections = text.split("## Why the others don't")[1].split("\n\n")[2:]
    assert set(sections[::2]) <= {*about.reasons, page.THEIRS}
    assert set(sections[::2]) >= about.reasons.keys()


def test_the_files_are_those_of_all_suites(tmp_path):
    """A file of JAX's each, and for a package at least one."""
    files = [f"tests/{x}_test.py" for x in suites.FILES]
    assert list(rows(page.JAX)) == files
    packages = [file.split("/")[0] for file in rows(page.PACKAGES)]
    assert list(dict.fromkeys(packages)) == list(suites.PACKAGES)


def test_what_has_no_reason_and_what_is_a_reason_for_nothing():
    reasons = page.JAX.reasons
    found = page.JAX.problems(FOUND)
    assert found[0] == "a_test.py: A::test_of_ours\nE  2 != 3"
    assert len(found) == 1 + len(reasons) - 1
    assert page.JAX.problems(FOUND, everything=False) == found[:1]
    assert page.row("a_test.py", FOUND["a_test.py"]) == "| a_test.py | 4 | 1 | 3 |"
    assert page.JAX.text(FOUND).endswith(
        f"{page.THEIRS}\n\n- `a_test.py: A::test_of_theirs`\n"
    )


def test_a_wrong_value_has_no_reason():
    failure = "E   AssertionError: Not equal to tolerance rtol=1e-06\nE    ACTUAL: 3"
    for about in PAGES:
        assert reason(about.reasons, "tests/test_ad.py: test_grad", failure) is None
    failure = 'E   AssertionError: ".*" does not match "list index out of range"'
    name = "tests/api_test.py: APITest::test_grad"
    assert reason(page.JAX.reasons, name, failure) is None


def test_what_lacks_is_said(tmp_path, monkeypatch, capsys):
    def lacks(package, version):
        return lacking(suites.Suite("a", package, version, tmp_path, ("a.py",)))

    assert lacks("not_a_package", "1.0") == (
        "this runs with not_a_package 1.0, which isn't installed"
    )
    assert lacks("jax", "0.0.1") == (
        f"this runs with jax 0.0.1; here is {jax.__version__}"
    )
    assert lacks("jax", jax.__version__) == (
        f"{tmp_path / 'a.py'} isn't there: the sources of jax {jax.__version__}"
    )
    monkeypatch.setattr(suites, "VERSION", jax.__version__)
    assert main([str(tmp_path), "--only", "api"]) == 2
    assert f"{tmp_path / 'tests' / 'api_test.py'} isn't" in capsys.readouterr().out
    assert main([str(tmp_path), "--packages"]) == 2
    (tmp_path / "a.py").touch()
    assert lacks("jax", jax.__version__) == ""


@pytest.mark.parametrize("package", ["jaxkit", "jax"])
def test_a_run(package, tmp_path):
    """Tests that name a transform in each of the ways in which others' do."""
    (tmp_path / "library.py").write_text("from jax import linearize as derived")
    (tmp_path / "a_test.py").write_text(SOURCE)
    found = run.record(tmp_path, ["a_test.py"], package)
    found = {name.split("::")[-1]: result for name, result in found.items()}
    cases = {f"test_cases[{n}]" for n in range(0, 12, 3)}  # of twelve five at most
    assert found.keys() == {*WAYS, *cases, "test_check", "test_nothing"}
    reached = {name for name, result in found.items() if result["reached"]}
    assert reached == {*WAYS, "test_check"}
    ours = {name for name, result in found.items() if not result["passed"]}
    assert ours == (WAYS if package == "jaxkit" else set())
    assert all("by jaxkit" in found[name]["failure"] for name in ours)


WAYS = {"test_jax", "test_name", "test_api", "test_library"}
SOURCE = """
import jax
import pytest
from jax import linearize
from jax._src import api
from jax._src import test_util as jtu
from library import derived

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

def test_library():
    by(derived(lambda x: x, 1.0)[1])

def test_check():
    jtu.check_grads(lambda x: 2.0 * x, (jax.numpy.ones(2),), 1)

@pytest.mark.parametrize("n", range(12))
def test_cases(n):
    assert 1

def test_nothing():
    assert 1
"""
