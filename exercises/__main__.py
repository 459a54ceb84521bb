"""`python -m exercises`: list the exercises, and check what you wrote."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from exercises.check import check, shortened
from exercises.table import EXERCISES, find

DESCRIPTION = """\
Check your solutions of the exercises.

    python -m exercises                    what there is, and what is done
    python -m exercises 5                  check the fifth; so do 05 and dual_division
    python -m exercises 5 --file my.py     check another file
    python -m exercises 5 --hint           print the hint, check nothing
    python -m exercises --all              check all

A check exits with 0 only if everything passed: 1 says that something differs, 2 that
the command can't be carried out.
"""


def main(argv: list[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    options = parser()
    args = options.parse_args(argv)
    if args.all and args.exercise:
        options.error("pass an exercise or --all, not both")
    if (args.file or args.hint) and not args.exercise:
        options.error("--file and --hint need an exercise: python -m exercises 5 ...")
    try:
        if args.hint:
            print(find(args.exercise).hint)
            return 0
        if not args.exercise and not args.all:
            return listing()
        chosen = EXERCISES if args.all else [find(args.exercise)]
        reports = [check(exercise, args.file) for exercise in chosen]
    except (ValueError, OSError) as error:
        print(f"exercises: {error}", file=sys.stderr)
        return 2
    print(*reports, sep="\n\n")
    return 0 if all(report.passed for report in reports) else 1


def parser() -> argparse.ArgumentParser:
    found = argparse.ArgumentParser(
        prog="python -m exercises",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = found.add_argument
    add("exercise", nargs="?", help="its number or name")
    add("--file", type=Path, metavar="PATH", help="the file to check")
    add("--all", action="store_true", help="check all exercises")
    add("--hint", action="store_true", help="print the hint")
    return found


def listing() -> int:
    """Print all exercises, and which are done; that some aren't is no failure."""
    reports = [check(exercise) for exercise in EXERCISES]
    for report in reports:
        state, exercise = "done" if report.passed else "not yet", report.exercise
        print(f"{exercise.number:02}  {state:8} {exercise.title}")
        print(f"             {shortened(report.path)}")
    print(f"{sum(report.passed for report in reports)} of {len(reports)} done")
    return 0


if __name__ == "__main__":
    sys.exit(main())
