"""Cases of `jaxkit.rules.spectral`, in its order."""

from __future__ import annotations

from functools import partial

import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.extend.core import primitives as p

from zoo.case import BOTH, DOUBLE, REAL, Case
from zoo.samplers import sampler

COMPLEX = ("complex128",)
ALL_DOUBLE = (*DOUBLE, *COMPLEX)


def spread(*shape):
    """Matrices with distinct singular values and distinct real eigenvalues."""

    def draw(rng):
        x = rng.uniform(-0.3, 0.3, shape)
        k = min(shape[-2:])
        x[..., range(k), range(k)] += np.arange(1, k + 1)
        return x

    return draw


def rotating(rng):
    """Real matrices of which two eigenvalues are complex."""
    block = np.array([[1.0, 3, 0], [-1, 1, 0], [0, 0, 4]])
    return block + rng.uniform(-0.2, 0.2, (3, 3))


# The phases of complex singular vectors, and eigenvectors of Hermitian matrices, are
# LAPACK's choice, and those of their tangents are JAX's.  So quotients and symmetric
# second derivatives have what doesn't depend on phases: the projections v v^H.


def _projections(v):
    return v[..., :, None, :] * v.conj()[..., None, :, :]


# --- Eigenvalues ----------------------------------------------------------------------


def _hermitian(x):
    return (x + x.conj().swapaxes(-1, -2)) / 2


def _eigh_of_hermitian(**params):
    """In directions that are Hermitian, as it is defined."""
    return lambda x: lax.linalg.eigh(_hermitian(x), symmetrize_input=False, **params)


def _eigh_projections(x, **params):
    v, w = lax.linalg.eigh(x, **params)
    return _projections(v), w


def _eigh_of_triangle(lower, x):
    off = jnp.tril(x, -1) if lower else jnp.triu(x, 1)
    diagonal = jnp.diag(jnp.real(jnp.diag(x)).astype(x.dtype))
    return _eigh_projections(off + off.conj().T + diagonal)


EIGH = [
    Case(
        p.eigh_p,
        f"eigh, {name}",
        function,
        sampler(draw),
        dtypes,
        tolerance=256,
        differences=1e-7,
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
        ("values", lambda x: lax.linalg.eigh(x)[1], spread(3, 3), BOTH),
        ("of complex", _eigh_projections, spread(3, 3), COMPLEX),
        (
            "of complex, batch, upper",
            partial(_eigh_projections, lower=False),
            spread(2, 3, 3),
            COMPLEX,
        ),
        ("of one number", lax.linalg.eigh, spread(1, 1), DOUBLE),
    ]
]
EIGH += [
    Case(
        p.eigh_p,
        f"eigh of the {'lower' if lower else 'upper'} triangle",
        partial(_eigh_projections, lower=lower, symmetrize_input=False),
        sampler(spread(3, 3)),
        BOTH,
        tolerance=256,
        differences=1e-7,
        # JAX's own rule would have the whole matrix read.
        reference=partial(_eigh_of_triangle, lower),
    )
    for lower in (True, False)
]
EIGH += [
    Case(
        p.eigh_p,
        "eigh, phases of complex",
        lax.linalg.eigh,
        sampler(spread(3, 3)),
        COMPLEX,
        orders=1,
        tolerance=256,
        differences=None,
    )
]


def _eig(left, right, enable_eigvec_derivs=True):
    return partial(
        lax.linalg.eig,
        compute_left_eigenvectors=left,
        compute_right_eigenvectors=right,
        enable_eigvec_derivs=enable_eigvec_derivs,
    )


EIG = [
    Case(
        p.eig_p,
        f"eig, {name}",
        _eig(left, right),
        sampler(draw),
        dtypes,
        tolerance=256,
        differences=1e-7,
    )
    for name, left, right, draw, dtypes in [
        ("values, batch", False, False, spread(2, 3, 3), ALL_DOUBLE),
        ("right vectors", False, True, spread(3, 3), ALL_DOUBLE),
        ("left vectors", True, False, spread(3, 3), ALL_DOUBLE),
        ("both vectors", True, True, spread(3, 3), BOTH),
        ("both vectors, batch", True, True, spread(2, 3, 3), DOUBLE),
        ("both vectors, complex of real", True, True, rotating, DOUBLE),
        ("of one number", True, True, spread(1, 1), DOUBLE),
    ]
]
EIG += [
    Case(
        p.eig_p,
        f"eig, {name}",
        _eig(False, False, enable_eigvec_derivs=False),
        sampler(draw),
        dtypes,
        tolerance=256,
        reference=_eig(False, False),  # of second order
    )
    for name, draw, dtypes in [
        ("values", spread(3, 3), BOTH),
        ("complex values of real", rotating, DOUBLE),
    ]
]

# --- Singular values ------------------------------------------------------------------


def _svd(**params):
    return partial(lax.linalg.svd, **params)


def _svd_projections(x):
    """Of u + v, which share a phase."""
    u, s, vh = lax.linalg.svd(x, full_matrices=False)
    return s, _projections(lax.concatenate([u, vh.conj().swapaxes(-1, -2)], x.ndim - 2))


SVD = [
    Case(
        p.svd_p,
        f"svd, {name}",
        function,
        sampler(draw),
        dtypes,
        tolerance=256,
        differences=1e-7,
    )
    for name, function, draw, dtypes in [
        ("square", _svd(full_matrices=False), spread(3, 3), REAL),
        ("square, full", _svd(full_matrices=True), spread(3, 3), DOUBLE),
        ("tall", _svd(full_matrices=False), spread(4, 2), REAL),
        ("wide", _svd(full_matrices=False), spread(2, 4), DOUBLE),
        ("batch", _svd(full_matrices=False), spread(2, 3, 2), DOUBLE),
        ("batch, wide", _svd(full_matrices=False), spread(2, 2, 3), DOUBLE),
        (
            "all of a subset",
            _svd(full_matrices=False, subset_by_index=(0, 2)),
            spread(3, 2),
            DOUBLE,
        ),
        ("values", _svd(compute_uv=False), spread(3, 3), BOTH),
        (
            "values, tall, full",
            _svd(compute_uv=False, full_matrices=True),
            spread(3, 2),
            ALL_DOUBLE,
        ),
        ("values, wide", _svd(compute_uv=False), spread(2, 3), ALL_DOUBLE),
        ("of complex", _svd_projections, spread(3, 3), COMPLEX),
        ("of complex, tall, batch", _svd_projections, spread(2, 3, 2), COMPLEX),
        ("of complex, wide", _svd_projections, spread(2, 4), COMPLEX),
    ]
]
SVD += [
    Case(
        p.svd_p,
        f"svd, phases of complex, {name}",
        _svd(full_matrices=False),
        sampler(spread(*shape)),
        COMPLEX,
        orders=1,
        tolerance=256,
        differences=None,
    )
    for name, shape in [("square", (3, 3)), ("tall", (4, 2)), ("wide", (2, 4))]
]

CASES = [*EIGH, *EIG, *SVD]
