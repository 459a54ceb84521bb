"""The page: the worst errors of each function, order and dtype, ours and JAX's."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import jax
import numpy as np

import jaxkit as jk
from tests.accuracy.functions import COMPLEX, REAL, Function
from tests.accuracy.reasons import BOUND, REASONS, explained
from tests.accuracy.sweep import Worst, sweep

LIBRARIES = {"jaxkit": jk, "JAX": jax}
KINDS = {
    "real": (REAL, (np.float32, np.float64)),
    "complex": (COMPLEX, (np.complex64, np.complex128)),
}
PAGE = """\
# Errors of elementwise derivatives

Written by `python -m tests.accuracy` with JAX {version} on CPU; a test checks its
claims on fewer points.

The derivatives of first to third order, over the whole range of the dtype, from
denormal numbers to the largest, beside those that mpmath computes with 120 digits. The
error of a derivative D at x, and other operands y, is given in units of

    eps (|D| + |x dD/dx| + |y dD/dy|),

that is in units of what D changes by where its operands are rounded, and D is. The
table has the worst. "NaN or inf" stands where there is a number. XLA on CPU takes
denormal numbers for zeros, and so does the sweep. Within a factor of 256 of the least
and of the largest number a derivative may be zero, or infinite, as a step on the way to
it may be; and at operands so near to them only the first derivative counts.

Of jaxkit's errors {ours} are more than {bound:g}, each for a reason that stands below,
and of JAX's {theirs}.

## Real

{real}

## Complex

First order; the error is that of the complex number, as a whole.

{complex}

## Why more than {bound:g}

{reasons}

## Functions with a rule of their own

What is a `jax.custom_jvp` function in JAX has that rule here, with its errors. That of
`jnp.logaddexp`, which `jax.nn.softplus` is made of, is exp(x - softplus(x)): in float32
softplus'' is 0 from x = 15 on, in JAX as here, where it should be exp(-x). A function
of yours with the rule `lax.logistic(x, accuracy=HIGHEST) * dx` has these digits.
"""


def rows(kind: str, libs: dict, thin: int = 1) -> Iterator[tuple[str, int, dict]]:
    """For each function and order the worst errors by library and dtype."""
    functions, dtypes = KINDS[kind]
    for function in functions:
        found = {dtype: sweep(function, dtype, libs, thin) for dtype in dtypes}
        orders = max(len(w) for by in found.values() for w in by.values())
        for k in range(orders):
            cells = {
                (name, dtype.__name__): by[name][k] if name in by else None
                for name in libs
                for dtype, by in found.items()
            }
            yield named(function, kind), k + 1, cells


def named(function: Function, kind: str) -> str:
    return f"{function.name} of complex" if kind == "complex" else function.name


def unexplained(name: str, order: int, cells: dict) -> list[str]:
    """What is more than BOUND without a reason, of jaxkit's errors."""
    return [
        f"{name}, order {order}, {dtype}: {w} at {w.x!r} {w.others}"
        for (lib, dtype), w in cells.items()
        if lib == "jaxkit" and w.error > BOUND and not explained(name, order)
    ]


def head(kind: str) -> str:
    dtypes = [dtype.__name__ for dtype in KINDS[kind][1]]
    cells = [f"{dtype}, {lib}" for dtype in dtypes for lib in LIBRARIES]
    line = "| function | order | " + " | ".join(cells) + " |"
    return f"{line}\n|---|---|{'---|' * len(cells)}"


def line(kind: str, name: str, order: int, cells: dict) -> str:
    dtypes = [dtype.__name__ for dtype in KINDS[kind][1]]
    shown = [cell(cells[lib, dtype]) for dtype in dtypes for lib in LIBRARIES]
    return f"| {name} | {order} | " + " | ".join(shown) + " |"


def cell(worst: Worst | None) -> str:
    if worst is None:
        return "no rule"
    return f"**{worst}**" if worst.error > BOUND else str(worst)


def page() -> tuple[str, list[str]]:
    """The page for this version of JAX, and what is wrong in it."""
    tables: dict[str, Any] = {}
    problems, needed, over = [], set(), dict.fromkeys(LIBRARIES, 0)
    for kind in KINDS:
        tables[kind] = [head(kind)]
        for name, order, cells in rows(kind, LIBRARIES):
            tables[kind].append(line(kind, name, order, cells))
            problems += unexplained(name, order, cells)
            for (lib, _), worst in cells.items():
                if worst is not None and worst.error > BOUND:
                    over[lib] += 1
                    needed |= {name} if lib == "jaxkit" else set()
    problems += [f"{name}: a reason for nothing" for name in REASONS.keys() - needed]
    text = PAGE.format(
        version=jax.__version__,
        bound=BOUND,
        ours=over["jaxkit"],
        theirs=over["JAX"],
        reasons=reasons(),
        **{kind: "\n".join(lines) for kind, lines in tables.items()},
    )
    return text, problems


def reasons() -> str:
    names: dict[str, list[str]] = {}
    for name, (order, why) in REASONS.items():
        since = f", order {order} on" if order > 1 else ""
        names.setdefault(why, []).append(name + since)
    return "\n".join(f"- *{'; '.join(who)}.* {why}" for why, who in names.items())
