"""`python -m jaxkit lesson`: list, read and run the lessons."""

from __future__ import annotations

import argparse
from pathlib import Path

from jaxkit import lessons
from jaxkit.explaining.command import wait
from jaxkit.lessons import page, pictures

DESCRIPTION = """\
List the lessons, or show one: its text, its code, and what that prints, run now.

    python -m jaxkit lesson            what there is
    python -m jaxkit lesson 5          the fifth
    python -m jaxkit lesson 5 --step   cell by cell; Enter goes on
    python -m jaxkit lesson 5 --pictures here
                                       with its pictures, in a folder
    python -m jaxkit lesson --build    write all pages anew (for those who edit them)
    python -m jaxkit lesson --check    say which pages are stale
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("number", nargs="?", type=int, help="which lesson")
    add("--step", action="store_true", help="cell by cell; Enter goes on")
    add("--pictures", type=Path, metavar="FOLDER", help="write its pictures there")
    add("--build", action="store_true", help="write the pages")
    add("--check", action="store_true", help="say which pages are stale")
    parser.set_defaults(run=run)


def run(args) -> int:
    if args.build:
        lessons.build()
        return 0
    if args.check:
        found = [name for path in lessons.lessons() for name in lessons.stale(path)]
        print(*(f"stale: {name}" for name in found), f"{len(found)} stale", sep="\n")
        return 1 if found else 0
    if args.number is None:
        for path in lessons.lessons():
            title = page.cells(path.read_text(encoding="utf-8"))[0].source
            print(title.splitlines()[0].lstrip("# "))
        return 0
    pictures.FOLDER = args.pictures
    for cell, output, figures in page.run(lessons.find(args.number)):
        print(cell.source if cell.is_text else indented(cell.source, ">>> "))
        print(
            *filter(None, [output.rstrip(), *map(str, figures)]), sep="\n", end="\n\n"
        )
        if args.step:
            wait()
    return 0


def indented(text: str, mark: str) -> str:
    return "\n".join(mark + line for line in text.splitlines())
