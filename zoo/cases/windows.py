"""Cases of `jaxkit.rules.windows`, in its order."""

from __future__ import annotations

import jax
import numpy as np
from jax import lax
from jax.extend.core import primitives as p

from zoo.case import BOTH, DOUBLE, REAL_AND_LOW, Case
from zoo.samplers import distinct, sampler, uniform

WINDOWS = {
    "plain": {},
    "same size": dict(padding="SAME"),
    "strides": dict(window_strides=(2, 2)),
    "padding": dict(padding=((1, 0), (0, 2))),
    "dilated input": dict(base_dilation=(2, 3), padding=((1, 1), (0, 2))),
    "dilated windows": dict(window_dilation=(2, 1)),
    "all of these": dict(
        window_strides=(2, 1),
        padding=((1, 0), (2, 1)),
        base_dilation=(1, 2),
        window_dilation=(2, 1),
    ),
}


def reduced(init, op, window_dimensions=(2, 3), **how):
    ones = (1,) * len(window_dimensions)
    how = dict(window_strides=ones, padding="VALID") | how

    def function(*xs):
        operand, start = (xs[0], init) if len(xs) == 1 else (xs, init)
        return lax.reduce_window(operand, start, op, window_dimensions, **how)

    return function


SUMS = [
    *(
        Case(
            p.reduce_window_sum_p,
            f"reduce_window_sum, {name}",
            reduced(0.0, lax.add, **how),
            sampler(uniform(5, 4)),
            (*BOTH, "bfloat16") if name == "all of these" else DOUBLE,
        )
        for name, how in WINDOWS.items()
    ),
    Case(
        p.reduce_window_sum_p,
        "reduce_window_sum, negative padding",
        reduced(0.0, lax.add, padding=((-1, 0), (2, -1))),
        sampler(uniform(5, 4)),
    ),
    Case(
        p.reduce_window_sum_p,
        "reduce_window_sum, no window",
        reduced(0.0, lax.add),
        sampler(uniform(1, 4)),
    ),
]

# --- Extremes -------------------------------------------------------------------------


def _gathered(op, init, **how):
    """The extreme of patches, which JAX differentiates, of an array with two axes."""

    def function(x):
        how_x = dict(window_strides=(1, 1), padding=((0, 0), (0, 0))) | how
        (before_0, after_0), (before_1, after_1) = how_x["padding"]
        gaps = [n - 1 for n in how_x.get("base_dilation", (1, 1))]
        config = [(before_0, after_0, gaps[0]), (before_1, after_1, gaps[1])]
        padded = lax.pad(x, np.array(init, x.dtype), config)
        steps = how_x.get("window_dilation", (1, 1))
        strides, sizes = how_x["window_strides"], (2, 3)
        ends = [
            n - step * (size - 1)
            for n, step, size in zip(padded.shape, steps, sizes, strict=True)
        ]
        parts = [
            padded[
                steps[0] * i : steps[0] * i + ends[0] : strides[0],
                steps[1] * j : steps[1] * j + ends[1] : strides[1],
            ]
            for i in range(sizes[0])
            for j in range(sizes[1])
        ]
        return op(jax.numpy.stack(parts), (0,))

    return function


EXTREMES = [
    *(
        Case(
            key,
            f"{key.name}, {name}",
            reduced(init, op, **how),
            sampler(distinct(5, 4)),
            REAL_AND_LOW if name == "same size" else DOUBLE,
            reference=_gathered(whole, init, **how)
            if "window_dilation" in how  # not differentiated by JAX in reverse mode
            else None,
        )
        for key, op, whole, init in [
            (p.reduce_window_max_p, lax.max, lax.reduce_max, -np.inf),
            (p.reduce_window_min_p, lax.min, lax.reduce_min, np.inf),
        ]
        for name, how in WINDOWS.items()
    ),
    Case(
        p.reduce_window_max_p,
        "reduce_window_max, no window",
        reduced(-np.inf, lax.max),
        sampler(distinct(1, 4)),
    ),
]


def _places_of(op, init, how):
    """JAX's own pushforward of the extreme of y, which reads x at its places."""
    extreme = reduced(init, op, **how)

    def read(x, y):
        return jax.jvp(extreme, (y,), (x,))[1]

    return read


def _added_to_places(op, init, how):
    """JAX's own pullback, which adds x at those places."""
    extreme = reduced(init, op, **how)

    def write(x, y):
        return jax.vjp(extreme, y)[1](x)[0]

    return write


SELECTED = [
    *(
        Case(
            key,
            f"{key.name} by {op.__name__}, {name}",
            function(op, init, WINDOWS[name]),
            sampler(uniform(*shape), distinct(5, 4)),
        )
        for op, init in [(lax.max, -np.inf), (lax.min, np.inf)]
        for key, function, shapes in [
            (
                p.select_and_gather_add_p,
                _places_of,
                {"plain": (5, 4), "strides": (5, 4), "padding": (5, 4)},
            ),
            (
                p.select_and_scatter_add_p,
                _added_to_places,
                {"plain": (4, 2), "strides": (2, 1), "padding": (5, 4)},
            ),
        ]
        for name, shape in shapes.items()
    ),
]

CASES = [*SUMS, *EXTREMES, *SELECTED]
