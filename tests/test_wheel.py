"""What is installed alone, outside a clone, runs: explain, lessons and exercises."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from jaxkit.exercises import EXERCISES
from jaxkit.lessons import lessons

ROOT = Path(__file__).parents[1]


def run(*words: str | Path, **options) -> str:
    done = subprocess.run(words, capture_output=True, text=True, **options)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def installed(tmp_path_factory) -> Path:
    """A folder with the package as a wheel has it, and without what tests install."""
    pytest.importorskip("setuptools")
    folder = tmp_path_factory.mktemp("wheel")
    copy = folder / "copy"
    shutil.copytree(ROOT / "jaxkit", copy / "jaxkit")
    for name in "pyproject.toml", "README.md":
        shutil.copy(ROOT / name, copy)
    pip = sys.executable, "-m", "pip", "-q"
    run(*pip, "wheel", "--no-deps", "--no-build-isolation", "-w", folder, copy)
    (wheel,) = folder.glob("*.whl")
    run(
        *pip,
        "install",
        "--no-deps",
        "--no-compile",
        "-t",
        folder / "site-packages",
        wheel,
    )
    # What comes with experiments, tests and notebooks isn't there for a user.
    for name in "matplotlib", "rich", "pandas", "jupytext":
        (folder / "site-packages" / f"{name}.py").write_text(
            f"raise ModuleNotFoundError('No module named {name}', name={name!r})"
        )
    return folder / "site-packages"


@pytest.fixture
def command(installed, tmp_path):
    """`python -m jaxkit` of that package, run in an empty folder."""
    env = os.environ | {"PYTHONPATH": str(installed), "JAX_PLATFORMS": "cpu"}

    def found(*words: str) -> str:
        return run(sys.executable, "-m", "jaxkit", *words, cwd=tmp_path, env=env)

    return found


def test_explain(command, tmp_path):
    assert "df/dn" in command("explain", "x * y", "3", "4")
    command("explain", "x * y", "3", "4", "--html", "f.html")
    assert "<svg" in (tmp_path / "f.html").read_text(encoding="utf-8")


def test_lessons(command):
    listed = command("lesson").splitlines()
    assert listed[0] == "0. What derivatives are for" and len(listed) == len(lessons())
    printed = command("lesson", "0")
    assert "the best line: 1.9900 1.0400" in printed
    assert "(no picture 00-lines: No module named matplotlib; pip install" in printed
    assert "00_why.py:" in printed, "the lines of a lesson are its reader's own"


def test_exercises(command, tmp_path):
    assert "not yet" not in command("exercise")
    command("exercise", "5", "--start")
    path = tmp_path / "e05_dual_division.py"
    written = path.read_text(encoding="utf-8")
    place = 'raise NotImplementedError("your code here")'
    solved = written.replace(place, "return a / b, (da * b - a * db) / b**2")
    path.write_text(solved, encoding="utf-8")
    assert command("exercise", "5").endswith("done, all 7 cases agree\n")
    assert f"1 of {len(EXERCISES)} done here" in command("exercise")
