"""Check a class: a folder with one folder for each learner.

Each learner's files are checked in a process of their own, so that what one of them
does to Python, or never returns from, is no other's matter.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from jaxkit.exercises.checking import SECONDS, Report, check_file
from jaxkit.exercises.exercise import EXERCISES

DONE, BEGUN, MISSING = "x", "-", "."
LEGEND = f"{DONE} done   {BEGUN} not yet   {MISSING} no file   ? no answer"


def check_folder(folder: Path, seconds: float = SECONDS) -> list[Report]:
    """The reports on the exercises that there are files of in a folder."""
    begun = [(x, folder / f"{x.stem}.py") for x in EXERCISES]
    return [check_file(x, path, seconds) for x, path in begun if path.exists()]


def learners(folder: Path) -> list[Path]:
    """The folders in a folder, one for each learner; none if it is a learner's own.

    Raises:
        ValueError: there is nothing to check.
    """
    if not folder.is_dir():
        raise ValueError(f"{folder} is no folder; with --all, --file takes one")
    stems = {x.stem for x in EXERCISES}
    if any(path.stem in stems for path in folder.glob("*.py")):
        return []
    found = [
        x for x in sorted(folder.iterdir()) if x.is_dir() and x.name[0] not in "._"
    ]
    if not found:
        name = f"{EXERCISES[0].stem}.py"
        raise ValueError(
            f"in {folder} there is neither a file of an exercise, such as {name}, nor "
            "a folder for each learner with such files"
        )
    return found


def marks(folder: Path, seconds: float) -> dict[str, str]:
    """For each exercise the mark of a learner, found in a process of its own."""
    if not any((folder / f"{x.stem}.py").exists() for x in EXERCISES):
        return {x.stem: MISSING for x in EXERCISES}
    command = [sys.executable, "-m", "jaxkit", "exercise", "--all", "--json"]
    command += ["--file", str(folder), "--seconds", str(seconds)]
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=60 + seconds * len(EXERCISES),
            stdin=subprocess.DEVNULL,
        )
        passed = json.loads(done.stdout.splitlines()[-1])
    except (subprocess.TimeoutExpired, IndexError, ValueError):
        return {x.stem: "?" for x in EXERCISES}
    return {
        x.stem: MISSING if x.stem not in passed else DONE if passed[x.stem] else BEGUN
        for x in EXERCISES
    }


def table(folders: list[Path], seconds: float) -> tuple[str, bool]:
    """A row of marks for each learner, and whether all is done by all."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        found = list(pool.map(lambda folder: marks(folder, seconds), folders))
    width = max(len(x.name) for x in folders)
    labels = [x.label[:2] if x.number is not None else x.label for x in EXERCISES]
    lines = [" ".join([" " * width, *labels, "done"])]
    for folder, row in zip(folders, found, strict=True):
        cells = [
            row[x.stem].rjust(len(label))
            for x, label in zip(EXERCISES, labels, strict=True)
        ]
        count = sum(mark == DONE for mark in row.values())
        lines.append(" ".join([folder.name.ljust(width), *cells, f"{count:4}"]))
    whole = all(mark == DONE for row in found for mark in row.values())
    return "\n".join([*lines, LEGEND]), whole
