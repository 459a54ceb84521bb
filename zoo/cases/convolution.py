"""Cases of `jaxkit.rules.convolution`."""

from __future__ import annotations

import numpy as np
from jax import lax
from jax.extend.core import primitives as p

from zoo.case import BOTH, DOUBLE, Case
from zoo.samplers import sampler, uniform


def _convolve(strides=(1, 1), padding="VALID", **params):
    return lambda x, w: lax.conv_general_dilated(x, w, strides, padding, **params)


# Where not said otherwise: two images of 4 features, and kernels from 4 to 6 features.
X, W = (2, 4, 5, 4), (6, 4, 2, 3)
GROUPED = (6, 2, 2, 3)
PADS = (0, 2), (3, 1)
LAST = "NHWC", "HWIO", "NHWC"
CROSSED = "HCNW", "WIOH", "WHCN"
DILATED = dict(
    strides=(2, 3), padding=((1, 2), (2, 0)), lhs_dilation=(2, 1), rhs_dilation=(1, 2)
)


def _laid_out(shape, letters, standard):
    return tuple(shape[standard.index(letter)] for letter in letters)


def _in_layout(layout):
    x, w, _ = layout
    return _laid_out(X, x, "NCHW"), _laid_out(W, w, "OIHW")


CASES = [
    Case(
        p.conv_general_dilated_p,
        f"conv, {name}",
        _convolve(**how),
        sampler(uniform(*x), uniform(*w)),
        dtypes,
        tolerance=4,
    )
    for name, how, x, w, dtypes in [
        ("plain", {}, X, W, (*BOTH, "bfloat16")),
        ("same size", dict(padding="SAME"), X, W, DOUBLE),
        ("strides", dict(strides=(2, 3)), X, W, DOUBLE),
        ("strides that leave a rest", dict(strides=(2, 3)), (2, 4, 7, 8), W, DOUBLE),
        ("uneven padding", dict(padding=PADS), X, W, DOUBLE),
        ("negative padding", dict(padding=((-1, 0), (2, -2))), X, W, DOUBLE),
        ("dilated input", dict(padding=PADS, lhs_dilation=(2, 3)), X, W, DOUBLE),
        ("dilated kernel", dict(rhs_dilation=(3, 1)), X, W, DOUBLE),
        ("all of these", DILATED, X, W, BOTH),
        ("feature groups", dict(feature_group_count=2), X, GROUPED, BOTH),
        (
            "feature groups, dilated",
            dict(DILATED, feature_group_count=2),
            X,
            GROUPED,
            DOUBLE,
        ),
        ("depthwise", dict(feature_group_count=4), X, (8, 1, 2, 3), DOUBLE),
        ("batch groups", dict(batch_group_count=2), (4, *X[1:]), W, BOTH),
        (
            "batch groups, dilated",
            dict(DILATED, batch_group_count=3),
            (6, *X[1:]),
            W,
            DOUBLE,
        ),
        ("features last", dict(dimension_numbers=LAST), *_in_layout(LAST), DOUBLE),
        (
            "axes crossed, feature groups",
            dict(DILATED, dimension_numbers=CROSSED, feature_group_count=2),
            _laid_out(X, CROSSED[0], "NCHW"),
            _laid_out(GROUPED, CROSSED[1], "OIHW"),
            DOUBLE,
        ),
        (
            "axes crossed, batch groups",
            dict(DILATED, dimension_numbers=CROSSED, batch_group_count=2),
            *_in_layout(CROSSED),
            DOUBLE,
        ),
        ("one axis", dict(strides=(2,)), (2, 3, 7), (4, 3, 3), DOUBLE),
        ("no axis", dict(strides=()), (2, 3), (4, 3), DOUBLE),
        ("of no image", {}, (0, *X[1:]), W, DOUBLE),
        ("larger kernel than image", {}, (2, 4, 1, 4), W, DOUBLE),
        (
            "highest precision",
            dict(precision=lax.Precision.HIGHEST),
            X,
            W,
            ("float32",),
        ),
        (
            "wider result",
            dict(preferred_element_type=np.float64),
            X,
            W,
            ("float32", "bfloat16"),
        ),
    ]
]
CASES += [
    Case(
        p.conv_general_dilated_p,
        "conv of one operand twice",
        lambda x: lax.conv_general_dilated(x, lax.sin(x), (1, 1), "SAME"),
        sampler(uniform(3, 3, 2, 3)),
        tolerance=4,
    ),
]
