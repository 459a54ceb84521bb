"""Error of finite differences against their step, with forward and reverse mode below.

Newton's quotient, central differences and the complex step, in float32 and float64, at
one point of each function; the exact derivative comes from arithmetic of 50 digits.
Two errors compete: that of a large step falls with it, rounding's grows as the step
shrinks; so the least error is about eps^(1/2) of Newton's quotient, and eps^(2/3) of
the central difference. Forward and reverse mode have no step, but only rounding.
"""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import mpmath
import numpy as np

import jaxkit as jk
from experiments.bench import ExperimentError, style
from experiments.bench.settings import Points, option
from experiments.bench.style import GREY, ORANGE
from experiments.bench.tidy import Table, unique, where
from jaxkit.study import finite

LARGEST = 37  # of the exponents of steps 10^-k
LEAST = 1e-18  # where an error of zero is drawn
# Written once for NumPy, jax.numpy and mpmath, which name their functions alike.
FUNCTIONS = {
    "smooth": ("exp(sin x) at 0.7", lambda xp, x: xp.exp(xp.sin(x)), 0.7),
    "rational": ("1 / (1 + x^2) at 1.3", lambda xp, x: 1 / (1 + x * x), 1.3),
    "oscillating": ("x sin 50x at 0.7", lambda xp, x: x * xp.sin(50 * x), 0.7),
    "steep": ("tanh 20x at 0.05", lambda xp, x: xp.tanh(20 * x), 0.05),
}
METHODS = style.looks({"newton": "o", "central": "s", "complex": "^"}, ms=2.5, lw=1)
GUIDES: style.Looks = {
    "step, its square": {"color": GREY, "linestyle": ":"},
    "eps / step": {"color": GREY, "linestyle": "--"},
    "forward": {"color": ORANGE, "linestyle": "-"},
    "reverse": {"color": style.INK, "linestyle": ":"},
}
STEPS = [k / 4 for k in range(2, 73)]


@dataclass(frozen=True)
class Settings:
    functions: list[str] = option([*FUNCTIONS], help="which of them")
    dtypes: list[str] = option(["float32", "float64"], help="which of them")
    exponents: list[float] = option(STEPS, STEPS[::2], "the k of steps 10^-k")


def points(settings: Settings) -> Points:
    """Each function in each dtype, if all steps are numbers of a dtype."""
    if (k := max(settings.exponents)) > LARGEST:
        no = f"10^-{k:g} is no normal float32; take {LARGEST} at most"
        raise ExperimentError(f"--exponents {k:g}: {no}")
    for name in settings.functions:
        yield from ({"function": name, "dtype": dtype} for dtype in settings.dtypes)


def measure(point: dict, settings: Settings) -> list[dict]:
    """Relative errors: of each difference at each step, and of each mode."""
    _, f, at = FUNCTIONS[point["function"]]
    dtype = np.dtype(point["dtype"])
    x = dtype.type(at)
    mpmath.mp.dps = 50  # the derivative at exactly this number
    true: Any = mpmath.diff(lambda x: f(mpmath, x), mpmath.mpf(float(x)))
    with jax.enable_x64(dtype == np.float64):
        g, y = (lambda x: f(jnp, x)), jnp.asarray(x)
        pushed, pulled = jk.jvp(g, (y,), (jnp.ones_like(y),))[1], jk.grad(g)(y)
        values = [("forward", None, pushed), ("reverse", None, pulled)]
    with np.errstate(all="ignore"):  # a step that vanishes beside x divides 0 by it
        for method in METHODS:
            for k in settings.exponents:
                found = difference(f, x, dtype.type(10.0**-k), method)
                values.append((method, k, found))
    errors = (abs(mpmath.mpf(float(value)) / true - 1) for _, _, value in values)
    return [
        {"method": method, "exponent": k, "error": float(error)}
        for (method, k, _), error in zip(values, errors, strict=True)
    ]


def difference(f, x, step, method: str):
    """The difference quotient, in the dtype of x."""
    if method == "complex":
        return (
            np.imag(f(np, x + np.result_type(x, np.complex64).type(1j) * step)) / step
        )
    return finite.directional(lambda x: f(np, x), [x], [x.dtype.type(1)], step, method)


def least(table: Table) -> Table:
    """The least error of each method, and the step that had it."""
    by = ["function", "dtype", "method"]
    best = table.loc[table.groupby(by, sort=False)["error"].idxmin()].set_index(by)
    return best.assign(step=10.0 ** -best["exponent"])[["error", "step"]]


def tables(table: Table) -> style.Tables:
    """For each method its least error, and at which step; and each mode's error."""
    wide = least(table).unstack("method", sort=False).dropna(axis=1, how="all")
    wide.columns = [f"{method}: {what}" for what, method in wide.columns]
    return {"least relative error, and the step that has it": wide}


def figures(table: Table) -> style.Figures:
    """Error against step: a row for each dtype, a column for each function."""
    table = table.assign(step=10.0 ** -table["exponent"], error=table["error"] + LEAST)
    dtypes, functions = unique(table, "dtype"), unique(table, "function")
    cells = [
        [(f"{FUNCTIONS[f][0]}, {d}", where(table, function=f, dtype=d), "error")
         for f in functions]
        for d in dtypes
    ]  # fmt: skip
    title, size = "Relative error of the derivative against the step", (3.5, 2.9)
    drawing, axes = style.panels(title, cells, "step", METHODS, "method", size)
    for ax, (_, found, _) in zip(axes.flat, (c for r in cells for c in r), strict=True):
        h = np.array(sorted(found["step"].dropna()))
        eps = float(np.finfo(found["dtype"].iloc[0]).eps)
        lines = [
            ("step, its square", h),
            ("step, its square", h**2),
            ("eps / step", eps / h),
        ]
        for guide, y in lines:
            ax.plot(h, y, **GUIDES[guide])
        for mode in ("forward", "reverse"):
            ax.axhline(where(found, method=mode)["error"].iloc[0], **GUIDES[mode])
        ax.set(ylim=(LEAST / 3, 1e3), xticks=[1e-16, 1e-12, 1e-8, 1e-4, 1])
    style.legend(drawing, METHODS | GUIDES)
    yield "steps", drawing
