"""Dual numbers: a value and its derivative in one number, a + b ε with ε^2 = 0.

Arithmetic follows from ε^2 = 0 alone, and h(a + b ε) = h(a) + b h'(a) ε: a function
that is run on dual numbers computes its derivative on the way.  Epsilon is nilpotent,
not "very small": nothing is neglected, and the result is exact up to rounding.

Both parts may themselves be dual numbers, for higher derivatives.  Then each
derivative needs an epsilon of its own: with only one, the inner derivative would take
the outer's perturbation for its own (perturbation confusion).  Epsilons are numbered,
and a number without the latest epsilon is a constant to it.

Sources: Clifford, "Preliminary sketch of biquaternions" (1873); Siskind and
Pearlmutter, "Perturbation confusion and referential transparency" (2005).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from jaxkit.study.operations import OPERATIONS, Valued, levels, one_number


class Dual(Valued):
    """value + eps ε, where ε^2 = 0; `tag` says which epsilon it is.

    Example:

        >>> 3 + Dual(3, 4)
        6 + 4ε
        >>> Dual(3, 4) * Dual(5, 7)
        15 + 41ε
    """

    def __init__(self, value: Any = 0.0, eps: Any = 0.0, tag: int = 0):
        self.value, self.eps, self.tag = value, eps, tag

    @property
    def level(self) -> int:
        return self.tag

    @classmethod
    def apply(cls, name, *operands):
        """h(a + da ε, b + db ε) = h(a, b) + (h_a da + h_b db) ε."""
        tag = max(x.tag for x in operands if isinstance(x, Dual))
        mine = [isinstance(x, Dual) and x.tag == tag for x in operands]
        values = [x.value if own else x for x, own in zip(operands, mine, strict=True)]
        value, partials = OPERATIONS[name]
        terms = [
            partial(*values) * x.eps
            for x, own, partial in zip(operands, mine, partials, strict=True)
            if own
        ]
        return Dual(value(*values), sum(terms[1:], terms[0]), tag)

    def __repr__(self):
        parts = [f"({x})" if isinstance(x, Dual) else x for x in (self.value, self.eps)]
        return f"{parts[0]} + {parts[1]}ε{str(self.tag or '').translate(_SUBSCRIPTS)}"


_SUBSCRIPTS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")


def derivative(f: Callable) -> Callable:
    """The derivative of a function of one number, by one run on a dual number.

    Nested, it gives higher derivatives: `derivative(derivative(f))`.

    Example:

        >>> derivative(lambda x: x * derivative(lambda y: x * y)(1.0))(4.0)
        8.0
    """

    def df(x):
        tag = next(levels)
        return _eps(one_number(f(Dual(x, 1.0, tag))), tag)

    return df


def gradient(f: Callable, values) -> list[Any]:
    """The partial derivatives of `f(*values)`: one run for each of the values.

    Example:

        >>> gradient(lambda x, y: x * x * y + (y + 2), [3.0, 4.0])
        [24.0, 10.0]
    """
    values = list(values)

    def partial(i):
        in_one = derivative(lambda x: f(*values[:i], x, *values[i + 1 :]))
        return in_one(values[i])

    return [partial(i) for i in range(len(values))]


def _eps(y, tag):
    """What multiplies this epsilon in y: 0 where y doesn't depend on it."""
    return y.eps if isinstance(y, Dual) and y.tag == tag else 0.0
