"""The pages for users are true: their programs run, and print what stands below them.

The blocks of a page run in order, with the names that those before them made.
"""

import contextlib
import io
import re
from pathlib import Path

import jax
import pytest

from jaxkit.exercises import classes
from jaxkit.exercises.checking import SECONDS
from jaxkit.exercises.exercise import EXERCISES

DOCS = Path(__file__).parent.parent / "docs"
PAGES = [DOCS / "first_steps.md", DOCS / "cheatsheet.md", *DOCS.glob("howto/*.md")]
BLOCK = re.compile(r"```python\n(.*?)```(?:\n\n```text\n(.*?)```)?", re.S)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_what_it_prints(page, tmp_path, monkeypatch):
    monkeypatch.setenv("COLUMNS", "90")
    monkeypatch.chdir(tmp_path)
    names = {}
    for i, (source, expected) in enumerate(BLOCK.findall(page.read_text("utf-8"))):
        file = tmp_path / str(i) / f"{page.stem}.py"
        file.parent.mkdir()
        file.write_text(source, encoding="utf-8")
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed), jax.enable_x64(False):
            exec(compile(source, str(file), "exec"), names)
        if expected or page.stem != "cheatsheet":
            assert printed.getvalue() == expected
    assert names


def test_the_table_of_a_class(tmp_path):
    """What docs/teachers.md shows is what the command prints, of such files."""
    shown = re.search(r"```text\n(.*?)\n```", (DOCS / "teachers.md").read_text(), re.S)
    head, *rows, legend = shown[1].splitlines()
    for row in rows:
        name, *marks, done = row.split()
        (tmp_path / name).mkdir()
        for exercise, mark in zip(EXERCISES, marks, strict=True):
            source = {"x": exercise.solution, "-": exercise.task}.get(mark)
            if source:
                text = source.read_text(encoding="utf-8")
                (tmp_path / name / exercise.task.name).write_text(text, "utf-8")
        assert int(done) == marks.count("x")
    text, whole = classes.table(classes.learners(tmp_path), SECONDS)
    assert text.splitlines() == [head, *rows, legend] and not whole


EMPHASIS = {"argument", "derivative", "output", "expression", "nesting"}


def test_the_glossary_has_the_words_of_the_lessons():
    """A word in italics is one that a lesson explains, or one that it stresses."""
    known = (DOCS / "glossary.md").read_text("utf-8").lower()
    known = re.sub(r"\s+", " ", known)
    for page in sorted((DOCS / "lessons").glob("[0-9]*.md")):
        text = re.sub(r"```.*?```", "", page.read_text("utf-8"), flags=re.S)
        words = re.findall(r"(?<![*\w])\*([A-Za-z][\w -]*)\*(?!\*)", text)
        for word in {" ".join(x.lower().split()) for x in words} - EMPHASIS:
            stem = word.removesuffix("s").removesuffix("ing").removesuffix("ion")
            assert stem in known, f"{page.name}: {word}"
