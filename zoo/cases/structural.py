"""Cases of `jaxkit.rules.structural`, in its order, and of `jit` (`jaxkit.calls`)."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.ad_checkpoint import checkpoint_name
from jax.extend.core import primitives as p

from zoo.case import BOTH, DOUBLE, REAL, Case
from zoo.samplers import constant, integers, sampler, uniform

x3 = sampler(uniform(3))
x23 = sampler(uniform(2, 3))
x234 = sampler(uniform(2, 3, 4))

# --- Dtypes ---------------------------------------------------------------------------

DTYPES = [
    Case(p.copy_p, "copy", lambda x: p.copy_p.bind(x), x3, BOTH),
    Case(
        p.reduce_precision_p,
        "reduce_precision",
        lambda x: lax.reduce_precision(x, 8, 10),
        x3,
        tolerance=1e10,  # of rounded factors, which JAX rounds in other places
        differences=None,  # it is a staircase
    ),
    Case(
        p.convert_element_type_p,
        "convert to float32",
        lambda x: lax.convert_element_type(x, np.float32) * 3,
        x3,
        DOUBLE,
        differences=1e-3,
    ),
    Case(
        p.convert_element_type_p,
        "convert to float64",
        lambda x: lax.convert_element_type(x, np.float64) * 3,
        x3,
        ("float32", "bfloat16"),
    ),
    Case(
        p.convert_element_type_p,
        "convert to complex",
        lambda x: lax.exp(1j * lax.convert_element_type(x, np.complex128)),
        x3,
        DOUBLE,
    ),
    Case(
        p.convert_element_type_p,
        "convert to integer and back",
        lambda x: x * lax.convert_element_type(x, np.int32).astype(x.dtype),
        sampler(uniform(3, low=1.1, high=1.9)),
    ),
]

# --- Shapes and places ----------------------------------------------------------------

SHAPES = [
    Case(p.reshape_p, "reshape", lambda x: lax.reshape(x, (3, 2)), x23, BOTH),
    Case(
        p.reshape_p,
        "reshape, axes in another order",
        lambda x: lax.reshape(x, (4, 6), dimensions=(2, 0, 1)),
        x234,
    ),
    Case(
        p.reshape_p,
        "reshape to a scalar",
        lambda x: lax.reshape(x, ()),
        sampler(uniform(1, 1)),
    ),
    Case(
        p.reshape_p,
        "reshape of nothing",
        lambda x: lax.reshape(x, (3, 0)),
        sampler(uniform(0, 2)),
    ),
    Case(
        p.squeeze_p,
        "squeeze",
        lambda x: lax.squeeze(x, (0, 2)),
        sampler(uniform(1, 3, 1)),
    ),
    Case(p.rev_p, "rev", lambda x: lax.rev(x, (0, 2)), x234, (*BOTH, "bfloat16")),
    Case(
        p.transpose_p,
        "transpose",
        lambda x: lax.transpose(x, (2, 0, 1)),
        x234,
        BOTH,
    ),
    *(
        Case(
            p.broadcast_in_dim_p,
            f"broadcast_in_dim, {name}",
            lambda x, to=to, axes=axes: lax.broadcast_in_dim(x, to, axes),
            sampler(uniform(*shape)),
            REAL if name == "repeated and new axes" else DOUBLE,
        )
        for name, shape, to, axes in [
            ("new axes", (3,), (2, 3, 4), (1,)),
            ("of a scalar", (), (2, 3), ()),
            ("repeated", (3, 1), (3, 4), (0, 1)),
            ("repeated and new axes", (1, 3), (5, 2, 3), (1, 2)),
            ("axes of length 1", (1,), (1, 1), (1,)),
            ("empty", (1, 2), (0, 2), (0, 1)),
        ]
    ),
    *(
        Case(
            p.slice_p,
            f"slice, {name}",
            lambda x, rest=rest: lax.slice(x, *rest),
            sampler(uniform(7, 4)),
            REAL if name == "strides" else DOUBLE,
        )
        for name, rest in {
            "block": ((2, 0), (5, 4)),
            "strides": ((1, 0), (7, 4), (2, 3)),
            "strides that end early": ((0, 1), (6, 4), (4, 2)),
            "empty": ((3, 1), (3, 4), (2, 1)),
        }.items()
    ),
    *(
        Case(
            p.pad_p,
            f"pad, {name}",
            lambda x, value, config=config: lax.pad(x, value, config),
            sampler(uniform(*shape), uniform()),
            dtypes,
        )
        for name, shape, config, dtypes in [
            ("border", (2, 3), ((1, 2, 0), (0, 1, 0)), BOTH),
            ("interior", (3, 2), ((0, 0, 2), (1, 0, 1)), REAL),
            ("negative", (5, 4), ((-1, -2, 0), (2, -1, 0)), DOUBLE),
            ("negative low, interior", (5,), ((-2, 1, 2),), DOUBLE),
            ("negative high, interior", (5,), ((1, -4, 1),), DOUBLE),
            ("all cut off", (3,), ((-2, -1, 0),), DOUBLE),
            ("of nothing", (0,), ((1, 2, 1),), DOUBLE),
            ("of one with interior", (1,), ((1, 1, 3),), DOUBLE),
        ]
    ),
]

# --- Taking apart and putting together ------------------------------------------------

PARTS = [
    Case(
        p.concatenate_p,
        "concatenate",
        lambda *xs: lax.concatenate(xs, 1),
        sampler(uniform(2, 1), uniform(2, 3), uniform(2, 0), uniform(2, 2)),
        BOTH,
    ),
    Case(
        p.concatenate_p,
        "concatenate with itself",
        lambda x: lax.concatenate([x, lax.sin(x), x], 0),
        x23,
    ),
    Case(
        "split",
        "split",
        lambda x: lax.split(x, (1, 0, 3), 1),
        sampler(uniform(2, 4)),
        needs="jax.lax.split",
    ),
    Case(
        "split",
        "split, one part used",
        lambda x: lax.split(x, (1, 3), 1)[1],
        sampler(uniform(2, 4)),
        needs="jax.lax.split",
    ),
    *(
        Case(
            "stack",
            f"stack on axis {axis}",
            lambda *xs, axis=axis: lax.stack(xs, axis),
            sampler(uniform(2, 3), uniform(2, 3)),
            needs="jax.lax.stack",
        )
        for axis in (0, 2)
    ),
    *(
        Case(
            "unstack",
            f"unstack on axis {axis}",
            lambda x, axis=axis: lax.unstack(x, axis),
            x23,
            needs="jax.lax.unstack",
        )
        for axis in (0, 1)
    ),
    Case(
        "unstack",
        "unstack, one part used",
        lambda x: lax.unstack(x, 1)[1],
        x23,
        needs="jax.lax.unstack",
    ),
    Case("tile", "tile", lambda x: lax.tile(x, (3, 2)), x23, needs="jax.lax.tile"),
    Case(
        "tile",
        "tile of nothing",
        lambda x: lax.tile(x, (3, 2)),
        sampler(uniform(0, 2)),
        needs="jax.lax.tile",
    ),
    Case(
        "tile",
        "tile no times",
        lambda x: lax.tile(x, (0, 2)),
        x23,
        needs="jax.lax.tile",
    ),
    Case(
        p.select_n_p,
        "select_n",
        lax.select_n,
        sampler(
            constant([[True, False, True], [False, False, True]]),
            uniform(2, 3),
            uniform(2, 3),
        ),
        BOTH,
    ),
    Case(
        p.select_n_p,
        "select_n, scalar which",
        lax.select_n,
        sampler(constant(True), uniform(3), uniform(3)),
    ),
    Case(
        p.select_n_p,
        "select_n of three",
        lax.select_n,
        sampler(integers(4, low=0, high=3), uniform(4), uniform(4), uniform(4)),
    ),
    Case(
        p.select_n_p,
        "select_n of three, scalar which",
        lax.select_n,
        sampler(constant(np.int32(1)), uniform(4), uniform(4), uniform(4)),
    ),
]

PASSED_ON = [
    Case(p.name_p, "name", lambda x: checkpoint_name(x * x, "x"), x3, BOTH),
    Case(
        "optimization_barrier",
        "optimization_barrier",
        lambda x, y: lax.optimization_barrier((x * y, y, jnp.int32(3)))[:2],
        sampler(uniform(3), uniform()),
        BOTH,
    ),
    Case(
        "optimization_barrier",
        "optimization_barrier, one output used",
        lambda x, y: lax.optimization_barrier((x * y, y))[0],
        sampler(uniform(3), uniform()),
    ),
]

CASES = [*DTYPES, *PASSED_ON, *SHAPES, *PARTS]
