"""Reference for exercise 13.

C(3 + 2, 3) = 10.  `play` shows that 10 is possible, and that with 11 the first step
runs three times.
"""

from functools import cache


@cache
def fewest_runs(n, s):
    if n == 1:
        return 0
    if s == 1:
        return n * (n - 1) // 2
    return min(_cost(n, s, m) for m in range(1, n))


def _cost(n, s, m):
    return m + fewest_runs(n - m, s - 1) + fewest_runs(m, s)


def furthest(n, s):
    return max(m for m in range(1, n) if _cost(n, s, m) == fewest_runs(n, s))
