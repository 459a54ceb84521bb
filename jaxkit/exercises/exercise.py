"""What exercises there are, and what each consists of."""

from __future__ import annotations

import ast
import importlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import Any

from jaxkit.exercises.cases import Case
from jaxkit.exercises.values import close

FOLDER = Path(__file__).parent
TASKS = FOLDER / "tasks"


@dataclass(frozen=True)
class Exercise:
    """An exercise: its task, its reference, and on what the two are compared.

    Attributes:
        stem: the name of its files, `e05_dual_division`; `puzzles` has no number.
    """

    stem: str

    @property
    def number(self) -> int | None:
        """That of its lesson."""
        digits = self.stem[1:3]
        return int(digits) if digits.isdecimal() else None

    @property
    def label(self) -> str:
        return self.stem if self.number is None else f"{self.number:02}"

    @property
    def name(self) -> str:
        return self.stem if self.number is None else self.stem[4:]

    @property
    def task(self) -> Path:
        """The file that a learner's begins as."""
        return TASKS / f"{self.stem}.py"

    @property
    def solution(self) -> Path:
        """The file of the reference."""
        return FOLDER / "solutions" / f"{self.stem}.py"

    @cached_property
    def _task(self) -> ast.Module:
        return ast.parse(self.task.read_text(encoding="utf-8"))

    @property
    def title(self) -> str:
        first = (ast.get_docstring(self._task) or "").splitlines()[0]
        return first.split(". ", 1)[-1].removesuffix(".")

    @property
    def functions(self) -> tuple[str, ...]:
        """Those that a learner must define; a leading underscore marks helpers."""
        names = [x.name for x in self._task.body if isinstance(x, ast.FunctionDef)]
        return tuple(name for name in names if not name.startswith("_"))

    @property
    def answer(self) -> str:
        """The answer to the lesson's second question."""
        tree = ast.parse(self.solution.read_text(encoding="utf-8"))
        said = ast.get_docstring(tree) or ""
        return said.partition("\n\n")[2]

    @property
    def _checks(self) -> ModuleType:
        return importlib.import_module(f"jaxkit.exercises.cases.{self.stem}")

    def cases(self) -> list[Case]:
        """The calls whose results are compared, made anew."""
        return self._checks.cases()

    @property
    def hints(self) -> tuple[str, ...]:
        """What to think of where they differ; the first one doesn't tell."""
        return self._checks.HINTS

    @property
    def compare(self) -> Callable[[Any, Any], bool]:
        """Whether a learner's result and the reference's are the same."""
        return getattr(self._checks, "compare", close)


EXERCISES = [Exercise(path.stem) for path in sorted(TASKS.glob("*.py"))]


def find(text: int | str) -> Exercise:
    """The exercise of this number (5, 05) or name (dual_division, e05_dual_division).

    Raises:
        ValueError: there is none.
    """
    text = str(text)
    for exercise in EXERCISES:
        if text in (exercise.name, exercise.stem):
            return exercise
        if text.isdecimal() and int(text) == exercise.number:
            return exercise
    if text.lstrip("-").isdecimal():
        numbers = [x.number for x in EXERCISES if x.number is not None]
        known = f"{numbers[0]} to {numbers[-1]}, and puzzles"
    else:
        known = ", ".join(x.name for x in EXERCISES)
    raise ValueError(f"there is no exercise {text}; there are {known}")
