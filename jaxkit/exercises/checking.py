"""Run a learner's functions beside the reference, and report where results differ.

Each file is read and run anew for every check, so what counts is what is in it now; the
reference is another module, from another file, which the learner's knows nothing of.
"""

from __future__ import annotations

import _thread
import contextlib
import importlib.util
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

from jaxkit.exercises.exercise import Exercise, find
from jaxkit.exercises.values import cut, show

# What a learner's code may raise.  SystemExit too: a check must survive `exit()`.
FAILURES = (Exception, SystemExit)
SECONDS = 10.0  # that one call may take


@dataclass(repr=False)
class Report:
    """What a check found.

    Attributes:
        where: the learner's file, or what else was checked.
        cases: how many calls were compared.
        faults: what is wrong with the whole.
        differences: the calls that differ, each with what was expected, and what came.
    """

    exercise: Exercise
    where: str
    cases: int = 0
    faults: list[str] = field(default_factory=list)
    differences: list[tuple[str, str, str]] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        return not self.faults and not self.differences

    def __str__(self):
        title = f"{self.exercise.label} {self.exercise.title}"
        if self.passed:
            return f"{title}: done, all {self.cases} cases agree"
        lines = [f"{title}: not yet ({self.where})"]
        lines += [f"  {fault}" for fault in self.faults]
        for text, expected, got in self.differences:
            lines += ["", f"  {text}"]
            lines += [f"    expected  {expected}", f"    got       {got}"]
        if self.differences:
            count = f"{len(self.differences)} of {self.cases} cases differ"
            first, *more = self.exercise.hints
            lines += ["", f"  {count}.", f"  hint: {first}"]
            if more:
                command = f"python -m jaxkit exercise {self.exercise.label} --hint 2"
                lines.append(f"  ({command} says more)")
        return "\n".join(lines)

    __repr__ = __str__


def check(
    exercise: int | str, *functions: Callable[..., Any], seconds: float = SECONDS
) -> Report:
    """Compare functions with those of an exercise's reference, as in a notebook.

    Args:
        exercise: its number or name.
        functions: those that it asks for, under their names.
        seconds: that one call may take.

    Returns:
        A report, which prints; `.passed` says whether all agree.

    Raises:
        ValueError: there is no such exercise.
        TypeError: what is passed is no function.

    Example:

        >>> def divide(a, da, b, db):
        ...     return a / b, (da * b - a * db) / b**2
        >>> check(5, divide)
        05 Division of dual numbers: done, all 7 cases agree
    """
    found = find(exercise)
    for i, function in enumerate(functions, 1):
        if not callable(function):
            raise TypeError(
                f"argument {i} after the exercise is {function!r}; pass functions: "
                f"check({found.number or found.name!r}, {', '.join(found.functions)})"
            )
    named = {getattr(f, "__name__", ""): f for f in functions}
    where = ", ".join(named) or "no functions were passed"
    return compared(SimpleNamespace(**named), Report(found, where), None, seconds)


def check_file(exercise: Exercise, path: Path, seconds: float = SECONDS) -> Report:
    """Compare a learner's file with the reference.

    Args:
        exercise: the one that the file solves.
        path: the file.
        seconds: that one call, and running the file, may take.

    Raises:
        OSError: the file can't be read.
    """
    source = path.read_bytes()
    path = path.resolve()
    report = Report(exercise, shortened(path))
    try:
        with limit(seconds):
            module = load(path, source)
    except FAILURES as error:
        report.faults.append(f"the file can't be run: {described(error, path)}")
        return report
    return compared(module, report, path, seconds)


def compared(module: Any, report: Report, path: Path | None, seconds: float) -> Report:
    """The report, with what the cases of its exercise find in a module."""
    exercise = report.exercise
    what = "the file has" if path else "there is"
    for name in exercise.functions:
        if not callable(getattr(module, name, None)):
            report.faults.append(f"{what} no function {name}")
    if report.faults:
        return report
    reference = load(exercise.solution, exercise.solution.read_bytes())
    # Made twice, so that a function that changes its operands fools only itself.
    for case, same in zip(exercise.cases(), exercise.cases(), strict=True):
        report.cases += 1
        try:
            with limit(seconds):
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


@contextlib.contextmanager
def limit(seconds: float) -> Iterator[None]:
    """Interrupt code that takes longer, as Ctrl-C does; in the main thread only.

    Raises:
        TimeoutError: it took longer.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    over = threading.Event()

    def interrupt():
        over.set()
        _thread.interrupt_main()

    # Where the process was started with interrupts ignored, they count meanwhile.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    timer = threading.Timer(seconds, interrupt)
    timer.daemon = True
    timer.start()
    try:
        yield
    except KeyboardInterrupt as stopped:
        if not over.is_set():
            raise
        message = f"no result after {seconds:g} seconds: does a loop never end?"
        raise TimeoutError(message).with_traceback(stopped.__traceback__) from None
    finally:
        timer.cancel()
        signal.signal(signal.SIGINT, before)


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


def described(error: BaseException, path: Path | None) -> str:
    """The exception's type, its message's first line, and the line in the file."""
    if isinstance(error, SyntaxError):
        here, message = error.filename == str(path), error.msg
        lines = [error.lineno] if here else []
    else:
        message = next(iter(str(error).splitlines()), "")
        lines = [x.lineno for x in frames(error) if x.filename == str(path)]
    where = f" (line {lines[-1]})" if lines else ""
    said = f": {cut(message)}" if message else ""
    return f"{type(error).__name__}{said}{where}"


def unwritten(error: BaseException, path: Path | None) -> str | None:
    """What to say if the exception is that of a function that isn't written yet."""
    last = frames(error)[-1]
    if not isinstance(error, NotImplementedError):
        return None
    if path is None:  # a notebook's lines count within a cell
        return f"{last.name} is not written yet"
    if last.filename != str(path):
        return None
    return f"{last.name} is not written yet (line {last.lineno})"


def shortened(path: Path) -> str:
    """The path as seen from the current folder, if it is inside."""
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)
