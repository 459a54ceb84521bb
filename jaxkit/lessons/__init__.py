"""Lessons: scripts that run, and pages that show what came out.

A lesson is a plain Python script in `scripts`, in the percent format: `# %%` opens a
cell of code, `# %% [markdown]` one of text.  In a clone, `python -m jaxkit lesson
--build` runs them and writes their pages and notebooks to `docs/lessons`; `--check`
says which of these are stale.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from jaxkit.lessons.page import version
from jaxkit.lessons.pictures import picture

ROOT = Path(__file__).parents[2]
SCRIPTS = Path(__file__).parent / "scripts"
PAGES = ROOT / "docs" / "lessons"  # in a clone


def lessons() -> list[Path]:
    """The scripts, in order."""
    return sorted(SCRIPTS.glob("*.py"))


def find(number: int) -> Path:
    """The lesson of this number, from 0.

    Raises:
        ValueError: there is none.
    """
    numbers = {int(x.name[:2]): x for x in lessons() if x.name[:2].isdecimal()}
    if number not in numbers:
        known = f"{min(numbers)} to {max(numbers)}"
        raise ValueError(f"there is no lesson {number}; there are {known}")
    return numbers[number]


def made(path: Path, folder: Path) -> None:
    """Make a lesson's page, pictures and notebook in a folder; in its own process.

    A lesson may change JAX's settings, and the next one is not to see that.
    """
    code = (
        "import sys; from pathlib import Path\n"
        "from jaxkit.lessons import notebooks, page, pictures\n"
        "source, folder = map(Path, sys.argv[1:])\n"
        "pictures.FOLDER = folder / 'figures'\n"
        "text = page.page(source)\n"
        "here = folder / source.name\n"
        "here.with_suffix('.md').write_text(text, encoding='utf-8')\n"
        "text = notebooks.text(source)\n"
        "here.with_suffix('.ipynb').write_text(text, encoding='utf-8')\n"
    )
    here = {"PYTHONPATH": os.pathsep.join([str(ROOT), *filter(None, sys.path)])}
    settings = {"JAX_PLATFORMS": "cpu", "JAX_ENABLE_X64": "0", "XLA_FLAGS": ""}
    settings["COLUMNS"] = "100"  # whatever terminal this is run in
    done = subprocess.run(
        [sys.executable, "-c", code, str(path), str(folder)],
        cwd=ROOT,
        env=os.environ | here | settings,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise RuntimeError(f"{path.name} fails:\n{done.stderr}")


def build(paths: list[Path] | None = None) -> None:
    """Write the pages and notebooks of all lessons, or of some.

    Raises:
        FileNotFoundError: there is no place for them: this is no clone.
    """
    if not PAGES.is_dir():
        raise FileNotFoundError(f"there is no {PAGES}; pages are written in a clone")
    for path in lessons() if paths is None else paths:
        made(path, PAGES)


def comparable(path: Path) -> bool:
    """Whether a lesson's page was made with this version of JAX, or not at all."""
    made = (PAGES / path.name).with_suffix(".md")
    return not made.exists() or version() in made.read_text(encoding="utf-8")


def stale(path: Path) -> list[str]:
    """What of a lesson is not what its script makes: page, pictures, or notebook.

    With another version of JAX than the page was made with, the script is run, and
    nothing compared.

    Raises:
        RuntimeError: the script fails.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        made(path, folder)
        if not comparable(path):
            return []
        fresh = [x for x in folder.rglob("*") if x.is_file()]
        return [
            str(x.relative_to(folder))
            for x in sorted(fresh)
            if not (there := PAGES / x.relative_to(folder)).exists()
            or there.read_bytes() != x.read_bytes()
        ]


__all__ = ["build", "find", "lessons", "picture", "stale"]
