"""Reference for exercise 12."""


def every_other(n):
    kept = list(range(1, n + 1, 2))
    needed = range(n - 1, 0, -1)  # by the steps n, n - 1, ..., 2; s_0 is known
    return kept, [k for k in needed if k not in kept]
