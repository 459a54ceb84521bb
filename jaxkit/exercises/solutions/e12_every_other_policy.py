"""Reference for exercise 12.

Five: two neighbours on each side and the entry itself meet in a row, and column j may
share its colour with column j + 5.
"""


def every_other(n):
    kept = list(range(1, n + 1, 2))
    needed = range(n - 1, 0, -1)  # by the steps n, n - 1, ..., 2; s_0 is known
    return kept, [k for k in needed if k not in kept]
