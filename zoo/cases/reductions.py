"""Cases of `jaxkit.rules.reductions`, in its order."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.extend.core import primitives as p

from zoo.case import BOTH, DOUBLE, REAL, Case
from zoo.samplers import distinct, integers, offgrid, sampler, uniform

x234 = sampler(uniform(2, 3, 4))

# --- Derivative zero ------------------------------------------------------------------


def _argument(op):
    return lambda x: x * lax.convert_element_type(op(x, 1, np.int32), x.dtype)[:, None]


def _bitwise(op, init):
    def function(x):
        bits = lax.reduce(lax.gt(x, lax.full_like(x, 0)), init, op, (0,))
        return x * lax.convert_element_type(bits, x.dtype)

    return function


ZERO = [
    Case(p.argmax_p, "argmax", _argument(lax.argmax), sampler(distinct(2, 3))),
    Case(p.argmin_p, "argmin", _argument(lax.argmin), sampler(distinct(2, 3))),
    Case(
        p.reduce_and_p,
        "reduce_and",
        _bitwise(lax.bitwise_and, True),
        sampler(offgrid(2, 5)),
    ),
    Case(
        p.reduce_or_p,
        "reduce_or",
        _bitwise(lax.bitwise_or, False),
        sampler(offgrid(2, 5)),
    ),
    Case(
        p.reduce_xor_p,
        "reduce_xor",
        _bitwise(lax.bitwise_xor, False),
        sampler(offgrid(2, 5)),
    ),
]

# --- Sums and products ----------------------------------------------------------------


def _over(op, axes):
    return lambda x: op(x, axes)


AXES = {
    "one axis": (1,),
    "first and last": (0, 2),
    "all axes": (0, 1, 2),
    "no axis": (),
}


def _with_zeros(*places):
    def draw(rng):
        x = rng.uniform(0.5, 2, (2, 3))
        for place in places:
            x[place] = 0
        return x

    return draw


SUMS = [
    *(
        Case(
            p.reduce_sum_p,
            f"reduce_sum, {name}",
            _over(lax.reduce_sum, axes),
            x234,
            (*BOTH, "bfloat16") if name == "one axis" else DOUBLE,
        )
        for name, axes in AXES.items()
    ),
    Case(
        p.reduce_sum_p,
        "reduce_sum of nothing",
        _over(lax.reduce_sum, (0,)),
        sampler(uniform(0, 2)),
    ),
    *(
        Case(
            p.cumsum_p,
            f"cumsum on axis {axis}{', reverse' if reverse else ''}",
            lambda x, axis=axis, reverse=reverse: lax.cumsum(x, axis, reverse),
            sampler(uniform(2, 3)),
            BOTH if reverse else REAL,
        )
        for axis, reverse in [(0, False), (1, True)]
    ),
    *(
        Case(
            p.reduce_prod_p,
            f"reduce_prod, {name}",
            _over(lax.reduce_prod, axes),
            sampler(uniform(2, 3, 2, low=0.5, high=1.5)),
            BOTH if name == "one axis" else DOUBLE,
        )
        for name, axes in AXES.items()
    ),
    Case(
        p.reduce_prod_p,
        "reduce_prod, last axis first",
        _over(lax.reduce_prod, (2, 0)),
        x234,
    ),
    Case(
        p.reduce_prod_p,
        "reduce_prod of one",
        _over(lax.reduce_prod, (1,)),
        sampler(uniform(3, 1)),
    ),
    Case(
        p.reduce_prod_p,
        "reduce_prod of nothing",
        _over(lax.reduce_prod, (0,)),
        sampler(uniform(0, 2)),
    ),
    Case(
        p.reduce_prod_p,
        "reduce_prod with a zero",
        _over(lax.reduce_prod, (1,)),
        sampler(_with_zeros((0, 1))),
    ),
    Case(
        p.reduce_prod_p,
        "reduce_prod with two zeros",
        _over(lax.reduce_prod, (1,)),
        sampler(_with_zeros((0, 1), (0, 2), (1, 0))),
    ),
]


def _chosen(op, axis, reverse):
    def each(x):  # in complex numbers JAX differentiates it until 0.10 only
        if not jnp.iscomplexobj(x):
            return op(x, axis, reverse)
        x = jnp.moveaxis(x, axis, -1)
        best = op(lax.stop_gradient(x), x.ndim - 1, reverse)
        picked = jnp.where(best[..., :, None] == x[..., None, :], x[..., None, :], 0)
        return jnp.moveaxis(jnp.sum(picked, -1), -1, axis)

    return each


CUMULATIVE = [
    *(
        Case(
            key,
            f"{key.name} on axis {axis}{', reverse' if reverse else ''}",
            lambda x, op=op, axis=axis, reverse=reverse: op(x, axis, reverse),
            sampler(distinct(2, 3)),
            dtypes if reverse else DOUBLE,
            reference=of_jax and of_jax(op, axis, reverse),
        )
        for key, op, dtypes, of_jax in [
            (p.cumprod_p, lax.cumprod, BOTH, None),
            (p.cumlogsumexp_p, lax.cumlogsumexp, REAL, None),
            (p.cummax_p, lax.cummax, BOTH, _chosen),
            (p.cummin_p, lax.cummin, BOTH, _chosen),
        ]
        for axis, reverse in [(0, False), (1, True)]
    ),
    Case(
        p.cumprod_p,
        "cumprod with zeros",
        lambda x: lax.cumprod(x, 1),
        sampler(_with_zeros((0, 1), (1, 0), (1, 1))),
    ),
    *(
        Case(
            key,
            f"{key.name} of nothing",
            lambda x, op=op: op(x, 0),
            sampler(uniform(0, 2)),
        )
        for key, op in [(p.cumsum_p, lax.cumsum), (p.cumprod_p, lax.cumprod)]
    ),
]

# --- Extremes and sorting -------------------------------------------------------------


def _sorted(dimension=-1, **params):
    return lambda *xs: lax.sort(xs, dimension=dimension, **params)


ORDER = [
    *(
        Case(
            key,
            f"{key.name}, {name}",
            _over(op, axes),
            sampler(distinct(2, 3, 2)),
            REAL if name == "one axis" else DOUBLE,
        )
        for key, op in [
            (p.reduce_max_p, lax.reduce_max),
            (p.reduce_min_p, lax.reduce_min),
        ]
        for name, axes in AXES.items()
    ),
    *(
        Case(p.sort_p, f"sort, {name}", function, sampler(*draws), dtypes)
        for name, function, draws, dtypes in [
            ("of a vector", lax.sort, [distinct(5)], REAL),
            ("first axis", lambda x: lax.sort(x, 0), [distinct(3, 4)], DOUBLE),
            (
                "not stable",
                lambda x: lax.sort(x, is_stable=False),
                [distinct(2, 3)],
                DOUBLE,
            ),
            ("key and value", _sorted(), [distinct(2, 4), uniform(2, 4)], DOUBLE),
            (
                "value alone moves",
                _sorted(),
                [integers(6, low=0, high=3), uniform(6)],
                DOUBLE,
            ),
            (
                "key beside integers",
                _sorted(),
                [distinct(5), integers(5, low=0, high=9)],
                DOUBLE,
            ),
            (
                "two keys",
                _sorted(num_keys=2),
                [integers(2, 5, low=0, high=2), distinct(2, 5), uniform(2, 5)],
                DOUBLE,
            ),
            (
                "two moving keys, first axis",
                _sorted(0, num_keys=2),
                [distinct(4, 2), distinct(4, 2), uniform(4, 2)],
                DOUBLE,
            ),
            ("of nothing", lax.sort, [uniform(0)], DOUBLE),
            ("of complex", lax.sort, [distinct(5)], ("complex128",)),
        ]
    ),
]

TOP = [
    *(
        Case(p.top_k_p, f"top_k, {name}", function, sampler(distinct(*shape)), dtypes)
        for name, function, shape, dtypes in [
            ("of a vector", lambda x: lax.top_k(x, 2), (5,), (*REAL, "bfloat16")),
            ("last axis", lambda x: lax.top_k(x, 3), (2, 4), DOUBLE),
            ("first axis", lambda x: lax.top_k(x, 2, axis=0), (3, 4), DOUBLE),
            ("of all", lambda x: lax.top_k(x, 4), (4,), DOUBLE),
            ("of none", lambda x: lax.top_k(x, 0), (4,), DOUBLE),
        ]
    ),
    *(
        Case(p.approx_top_k_p, name, function, sampler(distinct(*shape)), dtypes)
        for name, function, shape, dtypes in [
            ("approx_max_k", lambda x: lax.approx_max_k(x, 2), (5,), REAL),
            (
                "approx_max_k, first axis",
                lambda x: lax.approx_max_k(x, 2, reduction_dimension=0),
                (3, 4),
                DOUBLE,
            ),
            ("approx_min_k", lambda x: lax.approx_min_k(x, 3), (2, 4), DOUBLE),
        ]
    ),
]

# --- Matrix products ------------------------------------------------------------------


def _product(contract, batch=((), ()), **params):
    return lambda x, y: lax.dot_general(x, y, (contract, batch), **params)


PRODUCTS = [
    Case(
        p.dot_general_p,
        f"dot_general, {name}",
        _product(*how),
        sampler(uniform(*x), uniform(*y)),
        dtypes,
        tolerance=4,
    )
    for name, how, x, y, dtypes in [
        ("matrices", [((1,), (0,))], (2, 3), (3, 4), (*BOTH, "bfloat16")),
        ("vectors", [((0,), (0,))], (3,), (3,), DOUBLE),
        ("matrix and vector", [((0,), (0,))], (3, 2), (3,), DOUBLE),
        ("outer", [((), ())], (2,), (3,), DOUBLE),
        ("of scalars", [((), ())], (), (), DOUBLE),
        ("scalar and matrix", [((), ())], (), (2, 3), DOUBLE),
        ("batch", [((2,), (1,)), ((0,), (0,))], (2, 3, 4), (2, 4, 2), BOTH),
        (
            "batch axes inside",
            [((0,), (2,)), ((1,), (1,))],
            (4, 2, 3),
            (5, 2, 4),
            DOUBLE,
        ),
        (
            "two batch axes, crossed",
            [((3,), (0,)), ((0, 2), (3, 2))],
            (2, 5, 3, 4),
            (4, 6, 3, 2),
            DOUBLE,
        ),
        (
            "two contracted axes, crossed",
            [((0, 2), (2, 1))],
            (2, 3, 4),
            (5, 4, 2),
            DOUBLE,
        ),
        ("batch alone", [((), ()), ((0,), (0,))], (3,), (3,), DOUBLE),
        ("of nothing", [((1,), (0,))], (2, 0), (0, 3), DOUBLE),
        ("none by some", [((1,), (0,))], (0, 2), (2, 3), DOUBLE),
    ]
]
PRODUCTS += [
    Case(
        p.dot_general_p,
        "dot_general, wider result",
        _product(((1,), (0,)), preferred_element_type=np.float64),
        sampler(uniform(2, 3), uniform(3, 4)),
        ("float32", "bfloat16"),
    ),
    Case(
        p.dot_general_p,
        "dot_general, highest precision",
        _product(((1,), (0,)), precision=lax.Precision.HIGHEST),
        sampler(uniform(2, 3), uniform(3, 4)),
    ),
    Case(
        p.dot_general_p,
        "dot_general of one operand twice",
        lambda x: lax.dot_general(x, lax.sin(x), (((0,), (0,)), ((), ()))),
        sampler(uniform(2, 3)),
        BOTH,
    ),
]

CASES = [*ZERO, *SUMS, *CUMULATIVE, *ORDER, *TOP, *PRODUCTS]
