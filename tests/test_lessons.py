"""The lessons run, and their pages are what they print."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from jaxkit import lessons
from jaxkit.exercises import EXERCISES
from jaxkit.lessons import notebooks, page
from tests.selections import long_but

LESSONS = lessons.lessons()
ROOT = Path(__file__).parents[1]


NUMBERED = [path for path in LESSONS if path.stem[:2].isdecimal()]


def test_each_lesson_has_an_exercise():
    numbers = [int(path.name[:2]) for path in NUMBERED]
    assert (
        numbers
        == list(range(len(NUMBERED)))
        == [x.number for x in EXERCISES if x.label.isdecimal()]
    )
    assert [path.stem for path in LESSONS if path not in NUMBERED] == ["appendix"]


@pytest.mark.parametrize(
    "path", long_but(LESSONS[:-1:3], LESSONS), ids=lambda x: x.stem
)
def test_page_is_up_to_date(path):
    assert lessons.stale(path) == []


@pytest.mark.parametrize("path", NUMBERED, ids=lambda path: path.stem)
def test_each_has_a_question_a_picture_or_table_and_exercises(path):
    made = lessons.PAGES / path.name
    text = made.with_suffix(".md").read_text(encoding="utf-8")
    title, question = text.split("\n\n")[1:3]
    number = int(path.name[:2])
    assert title.startswith(f"# {number}. ")
    assert re.fullmatch(r"\*\*.*\?\*\*", question, re.DOTALL)
    assert "![" in text or "```text\n" in text
    last = text.split("## Exercises")[1]
    assert f"python -m jaxkit exercise {number}" in " ".join(last.split())
    for name in re.findall(r"\]\((figures/[^)]+)\)", text):
        assert (made.parent / name).exists(), name
    assert "/work" not in text and " at 0x" not in text


def test_a_changed_script_is_stale(tmp_path, monkeypatch):
    monkeypatch.setattr(lessons, "PAGES", tmp_path)
    script = tmp_path / "01_test.py"
    script.write_text("# %%\nprint(1 + 1)\n")
    assert lessons.stale(script) == ["01_test.ipynb", "01_test.md"]
    lessons.build([script])
    assert "```text\n2\n```" in script.with_suffix(".md").read_text()
    assert lessons.stale(script) == []
    script.write_text("# %%\nprint(1 + 2)\n")
    assert lessons.stale(script) == ["01_test.ipynb", "01_test.md"]


def test_a_script_that_fails_says_where(tmp_path, monkeypatch):
    monkeypatch.setattr(lessons, "PAGES", tmp_path)
    script = tmp_path / "01_test.py"
    script.write_text("# %% [markdown]\n# text\n\n# %%\nx = 1 / 0\n")
    with pytest.raises(
        RuntimeError, match=r"(?s)01_test.py fails.*line 5.*ZeroDivision"
    ):
        lessons.build([script])


def test_cells():
    source = "# %% [markdown]\n# # A\n#\n# text\n\n# %%\nx = 1\n\n\nprint(x)\n"
    text, code = page.cells(source)
    assert text == (True, "# A\n\ntext", 2)
    assert code == (False, "x = 1\n\n\nprint(x)", 7)
    with pytest.raises(ValueError, match="begins with a cell"):
        page.cells("x = 1\n# %%\n")


def test_scripts_are_plain_python(tmp_path):
    done = subprocess.run(
        [sys.executable, str(LESSONS[0])],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("path", long_but(LESSONS[:1], LESSONS), ids=lambda p: p.stem)
def test_notebooks_run(path, tmp_path):
    """In a kernel, with pictures that are shown once, and without a file."""
    nbclient = pytest.importorskip("nbclient")
    notebook = notebooks.notebook(path)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert all(not cell.outputs and cell.execution_count is None for cell in code)
    where = {"metadata": {"path": str(tmp_path)}}
    nbclient.NotebookClient(notebook, timeout=None, resources=where).execute()
    shown = [
        output
        for cell in code
        for output in cell.outputs
        if "image/svg+xml" in output.get("data", {})
    ]
    assert len(shown) == path.read_text(encoding="utf-8").count("\npicture(")
    assert list(tmp_path.iterdir()) == []
