"""Cases of `jaxkit.rules.linalg`, in its order."""

from __future__ import annotations

from functools import partial

import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.extend.core import primitives as p

from zoo.case import BOTH, DOUBLE, REAL, Case
from zoo.samplers import sampler, uniform

COMPLEX = ("complex128",)
ALL_DOUBLE = (*DOUBLE, *COMPLEX)


def regular(*shape):
    """Matrices that are far from singular: the diagonal outweighs the rest."""

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


def _of_traced(function):
    """For JAX, whose rules of permutations fail at tangents that are NumPy arrays."""
    return lambda x: function(1 * x)


LU = [
    Case(
        p.lu_p,
        f"lu, {name}",
        lax.linalg.lu,
        sampler(draw),
        dtypes,
        tolerance=64,
        reference=_of_traced(lax.linalg.lu),
    )
    for name, draw, dtypes in [
        ("square", uniform(3, 3), BOTH),
        ("tall", uniform(4, 2), ALL_DOUBLE),
        ("wide", uniform(2, 4), ALL_DOUBLE),
        ("batch", uniform(2, 3, 3), ALL_DOUBLE),
        ("batch, tall", uniform(2, 3, 2), DOUBLE),
        ("batch, wide", uniform(2, 2, 3), DOUBLE),
        ("of a column", uniform(3, 1), DOUBLE),
        ("of nothing", uniform(0, 2), DOUBLE),
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
        reference=_of_traced(_qr(**params)),
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
            "pivoting, full",
            dict(full_matrices=True, pivoting=True),
            uniform(4, 2),
            DOUBLE,
        ),
    ]
]


def _reflections(a, taus):
    """The product that householder_product gives; JAX has no derivative of it."""
    rows, columns = a.shape[-2:]
    q = jnp.eye(rows, dtype=a.dtype)
    for j in range(taus.shape[-1]):
        v = jnp.where(jnp.arange(rows) > j, a[..., j], 0).at[..., j].set(1)
        outer = v[..., :, None] * v[..., None, :].conj()
        q = q @ (jnp.eye(rows, dtype=a.dtype) - taus[..., j, None, None] * outer)
    return q[..., :columns]


HOUSEHOLDER = [
    Case(
        p.householder_product_p,
        f"householder_product, {name}",
        lax.linalg.householder_product,
        sampler(*draws),
        dtypes,
        tolerance=16,
        reference=_reflections,
    )
    for name, draws, dtypes in [
        ("tall", (uniform(4, 3), uniform(3)), BOTH),
        ("fewer", (uniform(4, 3), uniform(2)), DOUBLE),
        ("square", (uniform(3, 3), uniform(3)), ALL_DOUBLE),
        ("batch", (uniform(2, 3, 2), uniform(2, 2)), DOUBLE),
    ]
]


def _order_given(x):
    """For JAX, whose rule of pivoting is wrong for wide matrices and fails for batches.

    Without pivoting, of the columns in the order that pivoting finds.
    """
    *_, order = _pivoting(lax.stop_gradient(x))
    columns = jnp.take_along_axis(x, order[..., None, :], -1)
    return lax.linalg.qr(columns, full_matrices=False)


_pivoting = _qr(full_matrices=False, pivoting=True)
QR += [
    Case(
        p.qr_p,
        f"qr, pivoting, {name}",
        _pivoting,
        sampler(uniform(*shape)),
        DOUBLE,
        tolerance=64,
        reference=_order_given,
    )
    for name, shape in [
        ("wide", (2, 4)),
        ("batch", (2, 3, 2)),
        ("batch, wide", (2, 2, 3)),
    ]
]

CASES = [*TRIANGULAR, *TRIDIAGONAL, *CHOLESKY, *LU, *QR, *HOUSEHOLDER]
