"""Exercises, one for each lesson: files to fill in, and a command to check them.

    python -m exercises        what there is, and what is done
    python -m exercises 5      check the fifth

Each `eNN_*.py` states a task; write your code where it says so.  `check` runs it beside
the reference in `solutions` and compares what they return; `table` says on what.
"""
