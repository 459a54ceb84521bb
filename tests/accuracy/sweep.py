"""Errors over the whole range of a dtype, in units of what the derivative may lose.

The error of a derivative D at x, and other operands y, is divided by eps times

    |D| + |x dD/dx| + |y dD/dy|,

what D changes by where the operands change by eps, and D is rounded.

An operand below the least normal number counts as zero too: XLA on CPU has no others.
A derivative within a factor of MARGIN of the least normal number may be zero, and of
the largest one infinite, as may be a step on the way to it; one beyond that, of higher
order or complex, may be NaN. At operands so near the ends only the first one counts.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import mpmath as mp
import numpy as np

from tests.accuracy.functions import Function
from tests.accuracy.series import variable

DIGITS = 120
MARGIN = 2.0**8
DELTA = mp.mpf(10) ** -40  # a relative change; DIGITS are enough to see what it does

# --- Points ---------------------------------------------------------------------------

NEAR = (
    0.01, 0.1, 0.3, 0.5, 0.75, 0.9, 1.0, 1.1, 1.4616321449683622, 1.6, 2.0, 2.7, 3.0,
    4.0, 5.5, 7.0, 9.0, 12.0, 16.0, 18.0, 22.0, 30.0, 37.0, 44.0, 60.0, 80.0, 87.0,
)  # fmt: skip


def points(function: Function, dtype: Any, thin: int = 1) -> np.ndarray:
    """Every `thin`-th of the numbers of both signs between the ends of its domain."""
    info = np.finfo(dtype)
    exponents = np.linspace(info.minexp, info.maxexp - 1, 48)
    wide = 2.0 ** np.round(exponents) * (1 + 0.37 * (np.arange(48) % 2))
    steps = 2.0 ** -np.arange(1, info.nmant + 1, 3)
    near = [*NEAR, *(1 - steps), *(1 + steps)]
    if dtype == np.float64:
        near += [120.0, 300.0, 600.0, 700.0]
    ends = [float(info.smallest_subnormal), float(info.tiny) / 8, float(info.max)]
    x = np.array(sorted([*wide, *near, *ends]), np.float64)[::thin]
    x = np.unique(np.concatenate([-x, [] if function.kink else [0.0], x]).astype(dtype))
    return x[(x > function.low) & (x < function.high)]


def plane(dtype: Any, thin: int = 1) -> np.ndarray:
    """Complex numbers of all four quadrants, whose parts may differ in size."""
    real = {np.complex64: np.float32, np.complex128: np.float64}[dtype]
    info = np.finfo(real)
    most = info.maxexp * np.log10(2)
    sizes = [10 ** (most * k) for k in (-0.9, -0.55, 0.55, 0.9)]
    sizes += [1e-9, 1e-3, 0.3, 0.9, 1.0, 1.2, 2.5, 9.0, 40.0, 1e3, 1e9]
    parts = np.array([s * x for x in sorted(sizes)[::thin] for s in (-1, 1)])
    re, im = np.meshgrid(parts * 1.1, parts)
    return (re + 1j * im).ravel().astype(dtype)


# --- Derivatives ----------------------------------------------------------------------


def computed(lib: Any, function: Function, x, others, orders: int) -> list | None:
    """The derivatives of order 1, 2, ... in one compiled call, if the library can."""

    def derivative(f: Callable) -> Callable:
        return lambda x: lib.jvp(f, (x,), (jax.numpy.ones_like(x),))[1]

    def everything(x, *others):
        found, f = [], lambda x: function.run(x, *others)
        for _ in range(orders):
            f = derivative(f)
            found.append(f(x))
        return found

    try:
        return [np.asarray(y) for y in jax.jit(everything)(x, *others)]
    except NotImplementedError:
        return None


def exact(function: Function, x, others) -> tuple[list, list]:
    """The derivatives at a point, and how much each moves with its operands."""
    operands = [_number(x), *map(_number, others)]

    def at(operands):
        x, *rest = operands
        return function.slope(variable(x), *rest).derivatives()

    there = at(operands)
    moves = [abs(d) for d in there]
    for i, operand in enumerate(operands):
        if operand != 0:
            near = at([y * (1 + DELTA) if i == j else y
                       for j, y in enumerate(operands)])  # fmt: skip
            moves = [m + abs(b - a) / DELTA
                     for m, a, b in zip(moves, there, near, strict=True)]  # fmt: skip
    return there, moves


def _number(x):
    return mp.mpc(complex(x)) if np.iscomplexobj(x) else mp.mpf(float(x))


@dataclass(frozen=True)
class Worst:
    """The largest error, and where it is."""

    error: float = 0.0
    x: Any = None
    others: tuple = ()

    def __str__(self):
        return "NaN or inf" if self.error == np.inf else f"{self.error:.2g}"


def error(found, true, moves, dtype, first=False) -> float:
    """The error of a derivative, in the units above; infinite for a NaN."""
    info = np.finfo(dtype)
    tiny, most = mp.mpf(float(info.tiny)), mp.mpf(float(info.max))
    unit = mp.mpf(float(info.eps)) * moves
    if MARGIN * abs(true) >= most and (np.isinf(found) or not first):
        return 0.0
    if not np.isfinite(found) or abs(true) > most:
        return np.inf
    miss = abs(_number(found) - true)
    if abs(true) <= MARGIN * tiny and abs(found) <= MARGIN * tiny:
        return 0.0
    return float(miss / unit) if unit else np.inf if miss else 0.0


def sweep(function: Function, dtype: Any, libs: dict, thin: int = 1) -> dict:
    """The worst errors of each library, of each order."""
    in_plane = np.dtype(dtype).kind == "c"
    orders = 1 if in_plane else function.orders
    xs = plane(dtype, thin) if in_plane else points(function, dtype, thin)
    fixed = function.fixed
    grid = [(x, y) for y in fixed for x in xs]
    x = np.array([x for x, _ in grid], dtype)
    others = np.array([y for _, y in grid], dtype).reshape(len(grid), -1).T
    info = np.finfo(dtype)
    tiny = info.tiny
    worst = {name: [Worst()] * orders for name in libs}
    found = {
        name: computed(lib, function, x, list(others), orders)
        for name, lib in libs.items()
    }
    worst = {name: worst[name] for name, y in found.items() if y}
    with mp.workdps(DIGITS):
        for i, at in enumerate(x):
            rest = tuple(others[:, i])
            true = _exact_or_none(function, at, rest)
            if true is None:
                continue
            options = [true]
            if 0 < abs(at) < tiny:
                zero = None if function.kink else _exact_or_none(function, at * 0, rest)
                if zero is None:
                    continue
                options.append(zero)
            edge = not tiny * MARGIN < abs(at) < info.max / MARGIN and at != 0
            for name in worst:
                for k in range(1 if edge else orders):
                    d = found[name][k][i]
                    first = k == 0 and not in_plane
                    e = min(error(d, t[k], m[k], dtype, first) for t, m in options)
                    if e > worst[name][k].error:
                        worst[name][k] = Worst(e, at, rest)
    return worst


def _exact_or_none(function, x, others):
    """None at a pole."""
    try:
        return exact(function, x, others)
    except (ZeroDivisionError, ValueError, OverflowError):
        return None
