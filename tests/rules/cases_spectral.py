"""Cases of `jaxkit.rules.spectral`, in its order."""

from __future__ import annotations

from functools import partial

import numpy as np
from jax import lax
from jax.extend.core import primitives as p

from rules.checker import BOTH, DOUBLE, REAL, Case
from rules.samplers import sampler, uniform

COMPLEX = ("complex128",)
ALL_DOUBLE = (*DOUBLE, *COMPLEX)

# The phases of complex vectors are a convention, which a quotient doesn't know; where a
# case has complex vectors, what it returns doesn't depend on them.


def spread(*shape):
    """Matrices with distinct singular values and distinct real eigenvalues."""

    def draw(rng):
        x = rng.uniform(-0.3, 0.3, shape)
        k = min(shape[-2:])
        x[..., range(k), range(k)] += np.arange(1, k + 1)
        return x

    return draw


# --- Eigenvalues ----------------------------------------------------------------------


def _hermitian(x):
    return (x + x.conj().swapaxes(-1, -2)) / 2


def _eigh_of_hermitian(**params):
    """In directions that are Hermitian, as it is defined."""
    return lambda x: lax.linalg.eigh(_hermitian(x), symmetrize_input=False, **params)


EIGH = [
    Case(
        p.eigh_p,
        f"eigh, {name}",
        function,
        sampler(draw),
        dtypes,
        tolerance=256,
        differences=None if dtypes == COMPLEX else 1e-7,
    )
    for name, function, draw, dtypes in [
        ("symmetrized", lax.linalg.eigh, spread(3, 3), REAL),
        ("batch", lax.linalg.eigh, spread(2, 3, 3), DOUBLE),
        ("lower", _eigh_of_hermitian(lower=True), spread(3, 3), DOUBLE),
        ("upper", _eigh_of_hermitian(lower=False), spread(3, 3), DOUBLE),
        (
            "not sorted",
            _eigh_of_hermitian(sort_eigenvalues=False),
            spread(3, 3),
            DOUBLE,
        ),
        (
            "all of a subset",
            partial(lax.linalg.eigh, subset_by_index=(0, 3)),
            spread(3, 3),
            DOUBLE,
        ),
        ("values", lambda x: lax.linalg.eigh(x)[1], spread(3, 3), DOUBLE),
        ("of complex", lax.linalg.eigh, spread(3, 3), COMPLEX),
        (
            "of complex, batch, upper",
            _eigh_of_hermitian(lower=False),
            spread(2, 3, 3),
            COMPLEX,
        ),
        ("of one number", lax.linalg.eigh, spread(1, 1), DOUBLE),
    ]
]


def _eig(left, right):
    return partial(
        lax.linalg.eig,
        compute_left_eigenvectors=left,
        compute_right_eigenvectors=right,
        enable_eigvec_derivs=left or right,
    )


EIG = [
    Case(
        p.eig_p,
        f"eig, {name}",
        function,
        sampler(draw),
        dtypes,
        tolerance=256,
        differences=1e-7,
    )
    for name, function, draw, dtypes in [
        ("values", _eig(False, False), spread(3, 3), BOTH),
        ("complex values of real", _eig(False, False), uniform(4, 4), DOUBLE),
        ("values, batch", _eig(False, False), spread(2, 3, 3), ALL_DOUBLE),
        ("right vectors", _eig(False, True), uniform(3, 3), ALL_DOUBLE),
        ("left vectors", _eig(True, False), uniform(3, 3), ALL_DOUBLE),
        ("both vectors", _eig(True, True), spread(3, 3), (*BOTH,)),
        ("both vectors, batch", _eig(True, True), spread(2, 3, 3), DOUBLE),
    ]
]

# --- Singular values ------------------------------------------------------------------


def _svd(**params):
    return partial(lax.linalg.svd, **params)


SVD = [
    Case(
        p.svd_p,
        f"svd, {name}",
        _svd(**params),
        sampler(draw),
        dtypes,
        tolerance=256,
        differences=None if dtypes == COMPLEX else 1e-7,
    )
    for name, params, draw, dtypes in [
        ("square", dict(full_matrices=False), spread(3, 3), REAL),
        ("square, full", dict(full_matrices=True), spread(3, 3), DOUBLE),
        ("tall", dict(full_matrices=False), spread(4, 2), REAL),
        ("wide", dict(full_matrices=False), spread(2, 4), DOUBLE),
        ("batch", dict(full_matrices=False), spread(2, 3, 2), DOUBLE),
        ("values", dict(compute_uv=False), spread(3, 3), BOTH),
        (
            "values, tall, full",
            dict(compute_uv=False, full_matrices=True),
            spread(3, 2),
            ALL_DOUBLE,
        ),
        ("values, wide", dict(compute_uv=False), spread(2, 3), ALL_DOUBLE),
        ("of complex", dict(full_matrices=False), spread(3, 3), COMPLEX),
        ("of complex, tall", dict(full_matrices=False), spread(4, 2), COMPLEX),
        (
            "of complex, wide, batch",
            dict(full_matrices=False),
            spread(2, 2, 3),
            COMPLEX,
        ),
        (
            "all of a subset",
            dict(full_matrices=False, subset_by_index=(0, 2)),
            spread(3, 2),
            DOUBLE,
        ),
    ]
]

CASES = [*EIGH, *EIG, *SVD]
