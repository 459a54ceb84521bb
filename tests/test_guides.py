"""The pages for users are true: their programs run, and print what stands below them.

The blocks of a page run in order, with the names that those before them made.
"""

import contextlib
import io
import re
from pathlib import Path

import jax
import pytest

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
