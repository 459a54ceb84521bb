"""What an operation is: a function of numbers, and its partial derivatives.

The partials are written with the same operators and functions, so that they can be run
on plain numbers, on dual numbers, on the nodes of a tape and on symbolic expressions:
all of these are `Overloaded`, and meet here.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from itertools import count
from typing import Any, NamedTuple

import numpy as np


class Operation(NamedTuple):
    """`value(*operands)`, and for each operand a function that gives its partial."""

    value: Callable[..., Any]
    partials: tuple[Callable[..., Any], ...]


def _power_rule(a, b):
    # Of a fixed exponent 0 the derivative is 0, and not 0 * 0 ** -1; one that is itself
    # a dual number may be 0 and move.
    return 0 if type(b) in (int, float) and b == 0 else b * a ** (b - 1)


def _share(a, b):
    """Of two equal numbers the maximum moves with each by half, as in JAX."""
    return 1.0 if a > b else 0.5 if a == b else 0.0


# By the names of NumPy's functions.
OPERATIONS: dict[str, Operation] = {
    "add": Operation(operator.add, (lambda a, b: 1, lambda a, b: 1)),
    "subtract": Operation(operator.sub, (lambda a, b: 1, lambda a, b: -1)),
    "multiply": Operation(operator.mul, (lambda a, b: b, lambda a, b: a)),
    "divide": Operation(operator.truediv, (lambda a, b: 1 / b, lambda a, b: -a / b**2)),
    "power": Operation(operator.pow, (_power_rule, lambda a, b: np.log(a) * a**b)),
    "negative": Operation(operator.neg, (lambda a: -1,)),
    "sin": Operation(np.sin, (lambda a: np.cos(a),)),
    "cos": Operation(np.cos, (lambda a: -np.sin(a),)),
    "exp": Operation(np.exp, (lambda a: np.exp(a),)),
    "log": Operation(np.log, (lambda a: 1 / a,)),
    "sqrt": Operation(np.sqrt, (lambda a: 1 / (2 * np.sqrt(a)),)),
    "tanh": Operation(np.tanh, (lambda a: 1 - np.tanh(a) ** 2,)),
    "absolute": Operation(abs, (lambda a: 1 if a >= 0 else -1,)),  # 1 at 0, as in JAX
    "maximum": Operation(np.maximum, (_share, lambda a, b: _share(b, a))),
}


levels = count(1)  # of dual numbers' epsilons and of tapes: the latest is innermost


def apply(name: str, *operands) -> Any:
    """An operation, by its name in `OPERATIONS`, as its innermost operand does it."""
    found = [x for x in operands if isinstance(x, Overloaded)]
    return max(found, key=lambda x: x.level).apply(name, *operands)


def one_number(y: Any) -> Any:
    """A function's result; TypeError if it is not one number, or array of numbers."""
    if isinstance(y, tuple | list | dict) or getattr(y, "dtype", 0.0) == np.object_:
        raise TypeError(
            f"the function must return one number, but returned {type(y).__name__}; "
            "take one entry, and np.maximum or `if` in place of np.where"
        )
    return y


class Overloaded:
    """Base of what stands where numbers stood: its operations go to `apply`.

    `level` says which of two kinds an operation of both belongs to.
    """

    level = 0

    @classmethod
    def apply(cls, name: str, *operands) -> Any:
        raise NotImplementedError

    def __array_ufunc__(self, ufunc, method, *operands, **options):
        """What NumPy's functions do with operands of this class."""
        if method != "__call__" or options or ufunc.__name__ not in OPERATIONS:
            raise TypeError(
                f"np.{ufunc.__name__} is not among the study part's operations: "
                f"{', '.join(OPERATIONS)}"
            )
        return apply(ufunc.__name__, *operands)

    def __add__(self, other):
        return apply("add", self, other)

    def __radd__(self, other):
        return apply("add", other, self)

    def __sub__(self, other):
        return apply("subtract", self, other)

    def __rsub__(self, other):
        return apply("subtract", other, self)

    def __mul__(self, other):
        return apply("multiply", self, other)

    def __rmul__(self, other):
        return apply("multiply", other, self)

    def __truediv__(self, other):
        return apply("divide", self, other)

    def __rtruediv__(self, other):
        return apply("divide", other, self)

    def __pow__(self, other):
        return apply("power", self, other)

    def __rpow__(self, other):
        return apply("power", other, self)

    def __neg__(self):
        return apply("negative", self)

    def __abs__(self):
        return apply("absolute", self)


class Valued(Overloaded):
    """What carries a value, by which it is compared, so that branches can be taken."""

    value: Any

    def __eq__(self, other):
        return plain(self) == plain(other)

    def __lt__(self, other):
        return plain(self) < plain(other)

    def __le__(self, other):
        return plain(self) <= plain(other)

    def __gt__(self, other):
        return plain(self) > plain(other)

    def __ge__(self, other):
        return plain(self) >= plain(other)

    __hash__ = object.__hash__

    def __float__(self):
        raise TypeError(
            f"{self!r} would lose its derivative as a plain float; use NumPy's "
            "functions (np.sin for math.sin), which accept it"
        )

    def __bool__(self):
        return bool(plain(self))


def plain(x: Any) -> Any:
    """The number behind a value, however deep."""
    while isinstance(x, Valued):
        x = x.value
    return x
