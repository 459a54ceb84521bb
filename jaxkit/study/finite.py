"""Finite differences: derivatives from the values of a function nearby.

    Newton's quotient    (f(x + h) - f(x)) / h             error ~ h
    central difference   (f(x + h) - f(x - h)) / (2 h)     error ~ h^2
    complex step         Im f(x + i h) / h                 error ~ h^2, no subtraction

The first two subtract nearly equal numbers, so that rounding adds an error of the size
eps / h: a small step is as bad as a large one, and `best_step` lies between.  The third
has no such floor, but needs a function that is analytic and accepts complex numbers.

Sources: Press et al., Numerical Recipes, ch. 5.7 (choice of step); Squire and Trapp,
"Using complex variables to estimate derivatives of real functions" (1998).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

METHODS = "newton", "central", "complex"


def _check(method: str, eps: float = 1.0) -> None:
    if eps == 0:
        raise ValueError("eps is 0: the quotient of two equal values says nothing")
    if method not in METHODS:
        raise ValueError(f"method {method!r}: pass one of {', '.join(METHODS)}")


def directional(
    f: Callable,
    values: Sequence[Any],
    direction: Sequence[Any],
    eps: float,
    method: str = "newton",
) -> Any:
    """The derivative of `f(*values)` along `direction`, times the direction's length.

    Args:
        f: function of numbers or arrays.
        values: its arguments; they are not changed.
        direction: how fast each of them moves.
        eps: the step, in units of the direction.
        method: "newton", "central" or "complex".

    Raises:
        ValueError: eps is zero, or there is no such method.

    Example:

        >>> round(directional(lambda x, y: x * y, [3.0, 4.0], [1, 0], 1e-6), 6)
        4.0
    """
    _check(method, eps)

    def moved(step):
        return f(*[x + step * v for x, v in zip(values, direction, strict=True)])

    if method == "newton":
        return (moved(eps) - f(*values)) / eps
    if method == "central":
        return (moved(eps) - moved(-eps)) / (2 * eps)
    return np.imag(moved(1j * eps)) / eps


def gradients(
    f: Callable, values: Sequence[Any], eps: float = 1e-4, method: str = "newton"
) -> list[Any]:
    """The partial derivatives of `f(*values)`, one for each of the n values.

    Calls f n + 1 times with Newton's quotient, 2 n times with central differences and
    n times with the complex step.  `values` may be a list or a NumPy array of numbers;
    it is not changed.

    Example:

        >>> gradients(lambda x, y: x * x * y + (y + 2), [3, 4])
        [24.000400000048216, 10.000000000047748]
    """
    _check(method, eps)
    values = list(values)  # of an array a slice would be a view: the caller's numbers
    base = f(*values) if method == "newton" else None

    def with_value_at(i, x):
        return f(*values[:i], x, *values[i + 1 :])

    def partial(i, x):
        if method == "newton":
            return (with_value_at(i, x + eps) - base) / eps
        return directional(lambda x: with_value_at(i, x), [x], [1], eps, method)

    return [partial(i, x) for i, x in enumerate(values)]


def hessian(f: Callable, values: Sequence[Any], eps: float = 1e-4) -> list[list[Any]]:
    """Second derivatives, by Newton's quotients of Newton's quotients.

    Row i holds the partials of the i-th partial.  n (n + 1)^2 calls of f.
    """

    def partial(i):
        return lambda *values: gradients(f, values, eps)[i]

    return [gradients(partial(i), values, eps) for i in range(len(values))]


def best_step(x: float = 1.0, method: str = "newton", dtype: Any = np.float64) -> float:
    """A step for which rounding and truncation errors are of about the same size.

    eps^(1/2) for Newton's quotient and eps^(1/3) for the central difference, of a
    function whose value and derivatives are of size one, times the size of x; a
    complex step can be as small as one likes.
    """
    _check(method)
    eps, size = float(np.finfo(dtype).eps), max(abs(x), 1.0)
    steps = {"newton": eps ** (1 / 2), "central": eps ** (1 / 3), "complex": 1e-20}
    return steps[method] * size


class counted:
    """A function that counts its calls, in `calls`.

    Example:

        >>> f = counted(lambda x, y: x * y)
        >>> _ = gradients(f, [3.0, 4.0])
        >>> f.calls
        3
    """

    def __init__(self, f: Callable):
        self.f, self.calls = f, 0

    def __call__(self, *args):
        self.calls += 1
        return self.f(*args)
