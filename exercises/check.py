"""Run a learner's file beside the reference, and report where the results differ.

A case is a call, as text to be shown and as a function of the module that is called.
Each file is read and run anew for every check, so what counts is what is in it now; the
reference is another module, from another file, which the learner's knows nothing of.
"""

from __future__ import annotations

import importlib.util
import sys
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import jax
import numpy as np

FOLDER = Path(__file__).parent
# What a learner's code may raise.  SystemExit too: a check must survive `exit()`.
FAILURES = (Exception, SystemExit)


@dataclass(frozen=True)
class Case:
    """One call of a learner's function.

    Attributes:
        text: the call, as it is shown.
        run: makes the call, in the module that it is given.
        expected: the result; None if it is the reference that says it.
    """

    text: str
    run: Callable[[Any], Any]
    expected: Any = None


def call(function: str, *operands: Any) -> Case:
    """The case that calls a function by name on these operands."""
    text = f"{function}({', '.join(map(show, operands))})"
    return Case(text, lambda module: getattr(module, function)(*operands))


def close(got: Any, expected: Any, tolerance: float = 1e-5) -> bool:
    """Whether two results are equal: numbers up to rounding, in the same structure."""
    if isinstance(got, str) or isinstance(expected, str):
        return type(got) is type(expected) and got == expected
    if isinstance(expected, dict):
        return (
            isinstance(got, dict)
            and got.keys() == expected.keys()
            and all(close(got[key], expected[key], tolerance) for key in expected)
        )
    if isinstance(expected, list | tuple):
        if isinstance(got, np.ndarray | jax.Array):
            got = np.asarray(got).tolist()
        return (
            isinstance(got, Sequence)
            and len(got) == len(expected)
            and all(close(*pair, tolerance) for pair in zip(got, expected, strict=True))
        )
    expected = np.asarray(expected)
    try:
        found = np.asarray(got, float)
    except (TypeError, ValueError):
        return False
    same_shape = found.shape == expected.shape
    return same_shape and np.allclose(found, expected, tolerance, tolerance)


@dataclass(frozen=True)
class Exercise:
    """An exercise and how it is checked.

    Attributes:
        number: from 1.
        name: as on the command line; its file is `eNN_name.py`.
        title: what it is about.
        functions: those that a learner's file must define.
        cases: makes the calls whose results are compared, the same ones each time.
        hint: what to think of first where they differ.
        compare: whether a learner's result and the reference's are the same.
    """

    number: int
    name: str
    title: str
    functions: tuple[str, ...]
    cases: Callable[[], list[Case]]
    hint: str
    compare: Callable[[Any, Any], bool] = close

    @property
    def stem(self) -> str:
        return f"e{self.number:02}_{self.name}"

    @property
    def path(self) -> Path:
        """The file that the learner fills in."""
        return FOLDER / f"{self.stem}.py"

    @property
    def solution(self) -> Path:
        """The file of the reference."""
        return FOLDER / "solutions" / f"{self.stem}.py"


@dataclass
class Report:
    """What a check found.

    Attributes:
        path: the learner's file.
        cases: how many calls were compared.
        faults: what is wrong with the file as a whole.
        differences: the calls that differ, each with what was expected, and what came.
    """

    exercise: Exercise
    path: Path
    cases: int = 0
    faults: list[str] = field(default_factory=list)
    differences: list[tuple[str, str, str]] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        return not self.faults and not self.differences

    def __str__(self):
        title = f"{self.exercise.number:02} {self.exercise.title}"
        if self.passed:
            return f"{title}: done, all {self.cases} cases agree"
        lines = [f"{title}: not yet ({shortened(self.path)})"]
        lines += [f"  {fault}" for fault in self.faults]
        for text, expected, got in self.differences:
            lines += ["", f"  {text}"]
            lines += [f"    expected  {expected}", f"    got       {got}"]
        if self.differences:
            count = f"{len(self.differences)} of {self.cases} cases differ"
            lines += ["", f"  {count}.", f"  hint: {self.exercise.hint}"]
        return "\n".join(lines)


def check(exercise: Exercise, path: Path | None = None) -> Report:
    """Compare a learner's file with the reference.

    Args:
        exercise: the one that the file solves.
        path: the file; None for the one in this folder.

    Raises:
        OSError: the file can't be read.
    """
    path = path or exercise.path
    source = path.read_bytes()
    path = path.resolve()
    report = Report(exercise, path)
    try:
        module = load(path, source)
    except FAILURES as error:
        report.faults.append(f"the file can't be run: {described(error, path)}")
        return report
    for name in exercise.functions:
        if not callable(getattr(module, name, None)):
            report.faults.append(f"the file has no function {name}")
    if report.faults:
        return report
    reference = load(exercise.solution, exercise.solution.read_bytes())
    # Made twice, so that a function that changes its operands fools only itself.
    for case, same in zip(exercise.cases(), exercise.cases(), strict=True):
        report.cases += 1
        try:
            got = case.run(module)
            came = cut(show(got))
        except FAILURES as error:
            if missing := unwritten(error, path):
                if missing not in report.faults:
                    report.faults.append(missing)
                continue
            got, came = error, described(error, path)  # which equals no result
        expected = case.expected
        if expected is None:
            expected = same.run(reference)
        if not exercise.compare(got, expected):
            report.differences.append((case.text, show(expected), came))
    return report


def load(path: Path, source: bytes) -> ModuleType:
    """A file as a new module, compiled from its source.

    Not from a cached `.pyc`, which would be taken for current if the file was changed
    within the second and kept its length.
    """
    spec = importlib.util.spec_from_file_location(f"loaded.{path.stem}", path)
    if spec is None:  # no suffix, or another than .py
        raise ImportError(f"{path.name} is no Python file; its name must end in .py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # where dataclasses look for their module
    try:
        exec(compile(source, path, "exec"), vars(module))
    finally:
        del sys.modules[spec.name]
    return module


def frames(error: BaseException) -> list[traceback.FrameSummary]:
    """Where the exception passed through, outermost first."""
    return list(traceback.extract_tb(error.__traceback__))


def described(error: BaseException, path: Path) -> str:
    """The exception's type, its message's first line, and the line in the file."""
    if isinstance(error, SyntaxError):
        here, message = error.filename == str(path), error.msg
        lines = [error.lineno] if here else []
    else:
        message = next(iter(str(error).splitlines()), "")
        lines = [x.lineno for x in frames(error) if x.filename == str(path)]
    where = f" (line {lines[-1]})" if lines else ""
    return f"{type(error).__name__}: {cut(message)}{where}"


def unwritten(error: BaseException, path: Path) -> str | None:
    """What to say if the exception is that of a function that isn't written yet."""
    last = frames(error)[-1]
    if not isinstance(error, NotImplementedError) or last.filename != str(path):
        return None
    return f"{last.name} is not written yet (line {last.lineno})"


def show(x: Any) -> str:
    """A value on one line, arrays as their numbers, functions by their names."""
    if isinstance(x, tuple):
        return f"({', '.join(map(show, x))}{',' if len(x) == 1 else ''})"
    if isinstance(x, list):
        return f"[{', '.join(map(show, x))}]"
    if isinstance(x, dict):
        pairs = sorted((show(key), show(value)) for key, value in x.items())
        return f"{{{', '.join(f'{key}: {value}' for key, value in pairs)}}}"
    if isinstance(x, np.ndarray | np.generic | jax.Array):
        x = np.asarray(x)
        return f"[{', '.join(map(show, x))}]" if x.ndim else str(x)
    return " ".join((getattr(x, "__name__", None) or repr(x)).split())


def cut(text: str, limit: int = 300) -> str:
    """The text, cut off where it is too long to read."""
    return text if len(text) <= limit else text[: limit - 3] + "..."


def shortened(path: Path) -> str:
    """The path as seen from the current folder, if it is inside."""
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)
