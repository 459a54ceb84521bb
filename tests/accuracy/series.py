"""Power series x(t) = c0 + c1 t + c2 t^2 with mpmath's numbers for coefficients.

The recurrences are those of Taylor arithmetic (Griewank & Walther 2008, ch. 13).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import factorial
from typing import Any

import mpmath as mp

LENGTH = 3


@dataclass(frozen=True)
class Series:
    c: Sequence[Any]

    def __add__(self, other):
        return Series([x + y for x, y in zip(self.c, series(other).c, strict=True)])

    def __neg__(self):
        return Series([-x for x in self.c])

    def __sub__(self, other):
        return self + -series(other)

    def __rsub__(self, other):
        return series(other) - self

    def __mul__(self, other):
        x, y = self.c, series(other).c
        return Series([_sum(x[i] * y[k - i] for i in range(k + 1)) for k in _RANGE])

    def __truediv__(self, other):
        return self * series(other) ** -1

    def __rtruediv__(self, other):
        return series(other) / self

    def __pow__(self, a):  # y = x^a: x y' = a x' y
        x, y = self.c, [mp.mpmathify(self.c[0]) ** a]
        for k in _RANGE[1:]:
            terms = (((a + 1) * i - k) * x[i] * y[k - i] for i in range(1, k + 1))
            y.append(_sum(terms) / (k * x[0]))
        return Series(y)

    __radd__, __rmul__ = __add__, __mul__

    def derivatives(self) -> list[Any]:
        return [factorial(k) * x for k, x in enumerate(self.c)]


_RANGE = range(LENGTH)


def _sum(terms):
    return sum(terms, mp.mpf(0))


def series(x) -> Series:
    return x if isinstance(x, Series) else Series([x, *[mp.mpf(0)] * (LENGTH - 1)])


def variable(x) -> Series:
    return Series([x, mp.mpf(1), *[mp.mpf(0)] * (LENGTH - 2)])


def of(x: Series, *derivatives) -> Series:
    """f(x), given f, f', f'' at x."""
    step, total, power = Series([mp.mpf(0), *x.c[1:]]), series(0), series(mp.mpf(1))
    for k, d in enumerate(derivatives[:LENGTH]):
        total, power = total + power * (d / factorial(k)), power * step
    return total


def exp(x: Series) -> Series:
    return of(x, *[mp.exp(x.c[0])] * LENGTH)


def log(x: Series) -> Series:
    return of(x, mp.log(x.c[0]), 1 / x.c[0], -1 / x.c[0] ** 2)
