"""Exercises, one for each lesson, and puzzles: files to fill in, and what checks them.

    python -m jaxkit exercise              what there is, and what is done
    python -m jaxkit exercise 5 --start    write the fifth here, to be filled in
    python -m jaxkit exercise 5            check it

An exercise is three files of one name: in `tasks` what is to be written, in `solutions`
a reference with the answer to the lesson's second question, in `cases` on what the two
are compared.  `checking` runs a learner's functions beside the reference's; `classes`
does so for a class.  In a notebook, `check(5, divide)` checks a function.
"""

from jaxkit.exercises.checking import check
from jaxkit.exercises.exercise import EXERCISES, Exercise, find

__all__ = ["EXERCISES", "Exercise", "check", "find"]
