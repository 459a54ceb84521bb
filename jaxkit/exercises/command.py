"""`python -m jaxkit exercise`: list the exercises, begin one, and check it."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from jaxkit.exercises import classes
from jaxkit.exercises.checking import SECONDS, Report, check_file, shortened
from jaxkit.exercises.exercise import EXERCISES, Exercise, find

DESCRIPTION = """\
Check what you wrote for an exercise.

    python -m jaxkit exercise                    what there is, and what is done
    python -m jaxkit exercise 5 --start          write e05_dual_division.py, to fill in
    python -m jaxkit exercise 5                  check it; so do 05 and dual_division
    python -m jaxkit exercise 5 --file my.py     check another file
    python -m jaxkit exercise 5 --hint           a hint; --hint 2 and 3 tell more
    python -m jaxkit exercise 5 --answer         the answer to the lesson's question 2
    python -m jaxkit exercise 5 --solution       the reference
    python -m jaxkit exercise --all              check all that is begun here
    python -m jaxkit exercise --all --file class
                                                 a class: a folder for each learner

In a clone, `python -m exercises` is the same.  A check exits with 0 only if everything
passed: 1 says that something differs, 2 that the command can't be carried out.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("exercise", nargs="?", help="its number or name")
    add("--start", action="store_true", help="write its file into this folder")
    add("--file", type=Path, metavar="PATH", help="the file to check; a folder for all")
    add("--all", action="store_true", help="check all exercises")
    add("--hint", nargs="?", type=int, const=1, metavar="N", help="print a hint")
    add("--answer", action="store_true", help="print the answer to question 2")
    add("--solution", action="store_true", help="print the reference")
    help = f"that one call may take ({SECONDS:g})"
    add("--seconds", type=float, default=SECONDS, metavar="N", help=help)
    add("--json", action="store_true", help="with --all: what passed, as JSON")
    parser.set_defaults(run=run)


def run(args) -> int:
    """Run the command; returns the exit status.

    Raises:
        ValueError: what was asked for doesn't go together, or isn't there.
    """
    if args.all and args.exercise:
        raise ValueError("pass an exercise or --all, not both")
    if args.json and not args.all:
        raise ValueError("--json needs --all")
    if args.all:
        return all_of(args.file or Path(), args.seconds, args.json)
    alone = [args.start, args.file, args.hint, args.answer, args.solution]
    if not args.exercise:
        if any(alone):
            raise ValueError(
                "--start, --file, --hint, --answer and --solution need an exercise: "
                "python -m jaxkit exercise 5 ..."
            )
        return listing(args.seconds)
    if sum(x is not None and x is not False for x in alone) > 1:
        raise ValueError(
            "pass one of --start, --file, --hint, --answer and --solution, not several"
        )
    exercise = find(args.exercise)
    if args.start:
        return start(exercise)
    if args.hint is not None or args.answer or args.solution:
        print(told(exercise, args))
        return 0
    path = args.file or here(exercise)
    if not path.exists() and not args.file:
        raise ValueError(
            f"there is no {path} here; write it by --start, or pass --file"
        )
    if path.is_dir():
        raise ValueError(f"{path} is a folder; pass a file, or --all for all in it")
    report = check_file(exercise, path, args.seconds)
    print(report)
    return 0 if report.passed else 1


def here(exercise: Exercise) -> Path:
    return Path(exercise.task.name)


def start(exercise: Exercise) -> int:
    """Write the file to be filled in; one that is there already is kept."""
    path = here(exercise)
    if path.exists():
        raise ValueError(f"{path} is here already; remove it to begin anew")
    path.write_text(exercise.task.read_text(encoding="utf-8"), encoding="utf-8")
    print(
        f"written: {path}; fill it in, then: python -m jaxkit exercise {exercise.label}"
    )
    return 0


def told(exercise: Exercise, args) -> str:
    if args.solution:
        return exercise.solution.read_text(encoding="utf-8").rstrip()
    if args.answer:
        return exercise.answer
    count = len(exercise.hints)
    if not 1 <= args.hint <= count:
        raise ValueError(f"there is no hint {args.hint}; there are 1 to {count}")
    return exercise.hints[args.hint - 1]


def listing(seconds: float) -> int:
    """Print all exercises, and which are done here; that some aren't is no failure."""
    done = 0
    for exercise in EXERCISES:
        state, path = "", here(exercise)
        if path.exists():
            passed = check_file(exercise, path, seconds).passed
            state, done = "done" if passed else "not yet", done + passed
        print(f"{exercise.label:7}  {state:8} {exercise.title}")
    print(f"{done} of {len(EXERCISES)} done here")
    return 0


def all_of(folder: Path, seconds: float, as_json: bool) -> int:
    """Check a learner's folder, or a class's."""
    if folders := classes.learners(folder):
        if as_json:
            found = {x.name: classes.marks(x, seconds) for x in folders}
            print(json.dumps(found))
            return 0
        text, whole = classes.table(folders, seconds)
        print(text)
        return 0 if whole else 1
    reports: list[Report] = classes.check_folder(folder, seconds)
    if as_json:
        print(json.dumps({x.exercise.stem: x.passed for x in reports}))
        return 0
    print(*reports, sep="\n\n")
    missing = [x.label for x in EXERCISES if not (folder / x.task.name).exists()]
    if missing:
        print(f"\nnot begun in {shortened(folder.resolve())}: {', '.join(missing)}")
    return 0 if all(x.passed for x in reports) and not missing else 1
