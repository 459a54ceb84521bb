"""Cases of `jaxkit.control.reducers`, in its order.

JAX differentiates what the primitives compute when it is written out: one element, or
one read of the windows, after the other.
"""

from __future__ import annotations

import itertools
import math

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.extend.core import primitives as p

from zoo.case import BOTH, DOUBLE, REAL, Case
from zoo.cases.windows import WINDOWS
from zoo.samplers import constant, distinct, integers, sampler, uniform


def _product(x, y):
    return [x[0] * y[0]]


def _log_sum(x, y):
    return [jnp.logaddexp(x[0], y[0])]


def _maximum(x, y):
    return [lax.max(x[0], y[0])]


def _sum_and_product(x, y):
    return [x[0] + y[0], x[1] * y[1]]


def _largest(x, y):
    """The larger value, and the integer beside it."""
    wins = lax.ge(x[0], y[0])
    return [lax.select(wins, x[0], y[0]), lax.select(wins, x[1], y[1])]


def _split(operands):
    half = len(operands) // 2
    return list(operands[:half]), list(operands[half:])


def _together(op, parts, starts):
    """One part after the other; (part, mask) has elements where the mask says so."""
    totals = starts
    for part, exists in parts:
        totals = [
            jnp.where(exists, new, old)
            for new, old in zip(op(totals, part), totals, strict=True)
        ]
    return totals


# --- Reductions of axes ---------------------------------------------------------------


def _reduce(op, axes):
    def function(*operands):
        arrays, starts = _split(operands)
        return lax.reduce(arrays, starts, op, axes)

    return function


def _written_out(op, axes):
    def function(*operands):
        arrays, starts = _split(operands)
        places = itertools.product(*(range(arrays[0].shape[d]) for d in axes))
        firsts = [jnp.moveaxis(x, axes, range(len(axes))) for x in arrays]
        parts = [([x[place] for x in firsts], True) for place in places]
        rest = np.delete(arrays[0].shape, axes)
        return _together(op, parts, [jnp.broadcast_to(x, rest) for x in starts])

    return function


REDUCE = [
    Case(
        p.reduce_p,
        f"reduce, {name}",
        _reduce(op, axes),
        sampler(*draws),
        dtypes,
        tolerance=4,
        batches=False,  # from a start
        reference=_written_out(op, axes),
    )
    for name, op, axes, draws, dtypes in [
        ("product", _product, (0,), [uniform(5, 2), uniform()], BOTH),
        ("product of six", _product, (1,), [uniform(2, 6), uniform()], DOUBLE),
        ("product of none", _product, (0,), [uniform(0, 2), uniform()], DOUBLE),
        ("product of all", _product, (0, 1), [uniform(2, 3), uniform()], DOUBLE),
        ("two axes", _log_sum, (2, 0), [uniform(2, 3, 2), uniform()], DOUBLE),
        ("maximum and a start", _maximum, (0,), [distinct(5, 3), uniform()], REAL),
        (
            "two arrays",
            _sum_and_product,
            (0,),
            [uniform(3, 2), uniform(3, 2), uniform(), uniform()],
            REAL,
        ),
        (
            "with integers",
            _largest,
            (1,),
            [
                distinct(2, 3),
                integers(2, 3, low=0, high=9),
                constant(-9.0),
                constant(np.int32(-1)),
            ],
            REAL,
        ),
    ]
]

# --- Reductions of windows ------------------------------------------------------------


def _reduce_window(op, shape, **how):
    how = dict(window_strides=(1, 1), padding="VALID") | how

    def function(*operands):
        arrays, starts = _split(operands)
        return lax.reduce_window(arrays, starts, op, shape, **how)

    return function


def _reads_written_out(op, shape, **how):
    how = dict(window_strides=(1, 1), padding="VALID") | how

    def function(*operands):
        arrays, starts = _split(operands)
        # Where each window reads: windows of the numbers of the places.
        number = 1.0 + np.arange(arrays[0].size).reshape(arrays[0].shape)
        places = [
            _correlate(number, np.eye(math.prod(shape))[k].reshape(shape), how)
            for k in range(math.prod(shape))
        ]
        parts = [
            ([x.ravel()[np.maximum(place - 1, 0)] for x in arrays], place > 0)
            for place in places
        ]
        starts = [jnp.broadcast_to(x, places[0].shape) for x in starts]
        return _together(op, parts, starts)

    return function


def _correlate(x, w, how):
    padding = how["padding"]
    if padding == "SAME":
        padding = lax.padtype_to_pads(x.shape, w.shape, how["window_strides"], "SAME")
    with jax.ensure_compile_time_eval():
        y = lax.conv_general_dilated(
            x[None, None],
            w[None, None],
            how["window_strides"],
            padding,
            how.get("base_dilation"),
            how.get("window_dilation"),
        )
        return np.asarray(y[0, 0]).round().astype(int)


REDUCE_WINDOW = [
    *(
        Case(
            p.reduce_window_p,
            f"reduce_window, product, {name}",
            _reduce_window(_product, (2, 3), **how),
            sampler(uniform(5, 4), uniform()),
            REAL if name == "all of these" else DOUBLE,
            tolerance=4,
            batches=False,  # from a start
            reference=_reads_written_out(_product, (2, 3), **how),
        )
        for name, how in WINDOWS.items()
    ),
    *(
        Case(
            p.reduce_window_p,
            f"reduce_window, {name}",
            _reduce_window(op, (2, 2), padding=padding),
            sampler(*draws),
            tolerance=4,
            batches=False,  # from a start
            reference=_reads_written_out(op, (2, 2), padding=padding),
        )
        for name, op, padding, draws in [
            ("maximum and a start", _maximum, "SAME", [distinct(3, 4), uniform()]),
            ("logarithm of sum", _log_sum, "VALID", [uniform(3, 4), uniform()]),
            ("beyond", _log_sum, ((3, 0), (0, 2)), [uniform(3, 4), uniform()]),
            (
                "two arrays",
                _sum_and_product,
                "SAME",
                [uniform(3, 4), uniform(3, 4), uniform(), uniform()],
            ),
            (
                "with integers",
                _largest,
                "VALID",
                [
                    distinct(3, 4),
                    integers(3, 4, low=0, high=9),
                    constant(-9.0),
                    constant(np.int32(-1)),
                ],
            ),
        ]
    ),
]

# --- Scatter by a function ------------------------------------------------------------


def _apply(places, **params):
    places = np.array(places, np.int32)
    return lambda x: x.at[places].apply(lax.sin, **params)


def _apply_in_turn(places):
    def function(x):
        for i in places:
            if i < x.shape[0]:
                x = x.at[i].set(lax.sin(x[i]))
        return x

    return function


APPLY = [
    Case(
        p.scatter_p,
        f"scatter_apply, {name}",
        _apply(places, **params),
        sampler(uniform(4, 2)),
        reference=_apply_in_turn(places),
    )
    for name, places, params in [
        ("unique", [2, 0], dict(unique_indices=True)),
        ("outside", [2, 9], dict(unique_indices=True, mode="drop")),
        ("repeated", [1, 1, 0, 1, 9], dict(mode="drop")),
        ("one", [3], {}),
    ]
]

CASES = [*REDUCE, *REDUCE_WINDOW, *APPLY]
