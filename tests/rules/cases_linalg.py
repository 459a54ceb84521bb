"""Cases of `jaxkit.rules.linalg`, in its order."""

from __future__ import annotations

from functools import partial

import numpy as np
from jax import lax
from jax.extend.core import primitives as p

from rules.checker import BOTH, DOUBLE, REAL, Case
from rules.samplers import sampler, uniform

COMPLEX = ("complex128",)
ALL_DOUBLE = (*DOUBLE, *COMPLEX)


def regular(*shape):
    """Matrices that are far from singular: the diagonal outweighs the rest.

    The diagonals of complex ones are regular too.
    """

    def draw(rng):
        return rng.uniform(-0.5, 0.5, shape) + (1 + rng.uniform(1, 2)) * np.eye(
            *shape[-2:]
        )

    return draw


# --- Linear systems -------------------------------------------------------------------


def _triangular(**params):
    return partial(lax.linalg.triangular_solve, **params)


TRIANGULAR = [
    Case(
        p.triangular_solve_p,
        f"triangular_solve, {name}",
        _triangular(**params),
        sampler(regular(*a), uniform(*b)),
        dtypes,
        tolerance=4,
    )
    for name, params, a, b, dtypes in [
        ("right, upper", dict(), (3, 3), (2, 3), BOTH),
        ("right, lower", dict(lower=True), (3, 3), (2, 3), DOUBLE),
        ("left, upper", dict(left_side=True), (3, 3), (3, 2), REAL),
        ("left, lower", dict(left_side=True, lower=True), (3, 3), (3, 2), ALL_DOUBLE),
        (
            "left, transposed",
            dict(left_side=True, transpose_a=True),
            (3, 3),
            (3, 2),
            ALL_DOUBLE,
        ),
        (
            "right, transposed, lower",
            dict(transpose_a=True, lower=True),
            (3, 3),
            (2, 3),
            DOUBLE,
        ),
        (
            "conjugate transposed",
            dict(left_side=True, transpose_a=True, conjugate_a=True),
            (3, 3),
            (3, 2),
            ALL_DOUBLE,
        ),
        (
            "conjugate",
            dict(left_side=True, lower=True, conjugate_a=True),
            (3, 3),
            (3, 2),
            COMPLEX,
        ),
        (
            "unit diagonal, lower",
            dict(left_side=True, lower=True, unit_diagonal=True),
            (3, 3),
            (3, 2),
            ALL_DOUBLE,
        ),
        ("unit diagonal, upper", dict(unit_diagonal=True), (3, 3), (2, 3), DOUBLE),
        ("batch", dict(left_side=True), (2, 3, 3), (2, 3, 2), ALL_DOUBLE),
        ("of a vector", dict(left_side=True), (3, 3), (3,), DOUBLE),
        ("of one number", dict(left_side=True), (1, 1), (1, 1), DOUBLE),
    ]
]


def _tridiagonal(n, batch=(), columns=2):
    return sampler(
        uniform(*batch, n, low=-1, high=1),
        uniform(*batch, n, low=2.5, high=4),
        uniform(*batch, n, low=-1, high=1),
        uniform(*batch, n, columns),
    )


TRIDIAGONAL = [
    Case(
        p.tridiagonal_solve_p,
        f"tridiagonal_solve, {name}",
        lax.linalg.tridiagonal_solve,
        draws,
        dtypes,
        tolerance=4,
    )
    for name, draws, dtypes in [
        ("two columns", _tridiagonal(4), BOTH),
        ("one column", _tridiagonal(3, columns=1), DOUBLE),
        ("batch", _tridiagonal(3, (2,)), ALL_DOUBLE),
        ("three equations", _tridiagonal(3), DOUBLE),
    ]
]

# --- Factorizations -------------------------------------------------------------------


def _product(draw_shape, symmetrize_input=True):
    """The factor of x x^H + 1: a function whose every direction is Hermitian."""

    def function(x):
        y = x @ x.conj().swapaxes(-1, -2) + np.eye(x.shape[-2], dtype=x.dtype)
        return lax.linalg.cholesky(y, symmetrize_input=symmetrize_input)

    return function, sampler(uniform(*draw_shape))


def _positive(*shape):
    def draw(rng):
        x = rng.uniform(-1, 1, shape)
        return x @ x.swapaxes(-1, -2) + np.eye(shape[-1])

    return draw


CHOLESKY = [
    Case(
        p.cholesky_p,
        "cholesky",
        lax.linalg.cholesky,
        sampler(_positive(3, 3)),
        REAL,
        tolerance=4,
    ),
    Case(
        p.cholesky_p,
        "cholesky, batch",
        lax.linalg.cholesky,
        sampler(_positive(2, 3, 3)),
        DOUBLE,
        tolerance=4,
    ),
    Case(p.cholesky_p, "cholesky of a product", *_product((3, 4)), BOTH, tolerance=16),
    Case(
        p.cholesky_p,
        "cholesky, not symmetrized",
        *_product((3, 3), symmetrize_input=False),
        ALL_DOUBLE,
        tolerance=16,
    ),
    Case(
        p.cholesky_p,
        "cholesky of complex, batch",
        *_product((2, 3, 4)),
        COMPLEX,
        tolerance=16,
    ),
    Case(
        p.cholesky_p,
        "cholesky of one number",
        lax.linalg.cholesky,
        sampler(_positive(1, 1)),
        DOUBLE,
    ),
]

LU = [
    Case(
        p.lu_p, f"lu, {name}", lax.linalg.lu, sampler(draw), dtypes, tolerance=tolerance
    )
    for name, draw, dtypes, tolerance in [
        ("square", uniform(3, 3), BOTH, 64),
        ("tall", uniform(4, 2), ALL_DOUBLE, 64),
        ("wide", uniform(2, 4), ALL_DOUBLE, 64),
        ("batch", uniform(2, 3, 3), ALL_DOUBLE, 64),
        ("batch, tall", uniform(2, 3, 2), DOUBLE, 64),
        ("batch, wide", uniform(2, 2, 3), DOUBLE, 64),
        ("of a column", uniform(3, 1), DOUBLE, 64),
        ("of nothing", uniform(0, 2), DOUBLE, 1),
    ]
]


def _qr(**params):
    return partial(lax.linalg.qr, **params)


QR = [
    Case(
        p.qr_p,
        f"qr, {name}",
        _qr(**params),
        sampler(draw),
        dtypes,
        tolerance=64,
    )
    for name, params, draw, dtypes in [
        ("square", dict(full_matrices=False), regular(3, 3), BOTH),
        ("tall", dict(full_matrices=False), uniform(4, 2), BOTH),
        ("wide", dict(full_matrices=False), regular(2, 4), ALL_DOUBLE),
        ("tall, full", dict(full_matrices=True), uniform(4, 2), ALL_DOUBLE),
        ("tall by far, full", dict(full_matrices=True), uniform(5, 1), ALL_DOUBLE),
        ("wide, full", dict(full_matrices=True), regular(2, 3), DOUBLE),
        ("batch", dict(full_matrices=False), uniform(2, 3, 2), ALL_DOUBLE),
        ("batch, full", dict(full_matrices=True), uniform(2, 3, 2), DOUBLE),
        (
            "pivoting",
            dict(full_matrices=False, pivoting=True),
            uniform(3, 2),
            ALL_DOUBLE,
        ),
        (
            "pivoting, wide, batch",
            dict(full_matrices=False, pivoting=True),
            uniform(2, 2, 3),
            DOUBLE,
        ),
        (
            "pivoting, full",
            dict(full_matrices=True, pivoting=True),
            uniform(4, 2),
            DOUBLE,
        ),
    ]
]

CASES = [*TRIANGULAR, *TRIDIAGONAL, *CHOLESKY, *LU, *QR]
