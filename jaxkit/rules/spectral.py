"""Eigenvalues, singular values, and their vectors.

Vectors V move by dV = V W.  Off its diagonal, W has an entry for each two values, with
their difference as divisor; where two are equal the vectors aren't functions of the
matrix, and their tangents are infinite or NaN, as in JAX.  The diagonal of W comes from
a convention for the vectors' lengths and phases.  See Giles, "Collected matrix
derivative results" (2008), and Townsend, "Differentiating the singular value
decomposition" (2016).
"""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.extend.core import primitives as p

from jaxkit.rules.arith import add, cast, eq, kept, mul
from jaxkit.rules.matrices import (
    adjoint,
    column,
    conj,
    eye,
    hermitian,
    inner,
    off_diagonal,
    paired,
    product,
    row,
    solve,
)
from jaxkit.rules.shapes import numbers
from jaxkit.rules.verbs import custom
from jaxkit.tangents import refusal
from jaxkit.tracing import aval_of


def _per_gap(x, values):
    """x_ij / (values_j - values_i), and zero on the diagonal."""
    gaps = cast(lax.sub(row(values), column(values)), x.dtype)
    return off_diagonal(lax.div(x, lax.add(gaps, eye(x))))


def _refuse_part(size, whole, primitive):
    """A part of the vectors moves towards all the others, which aren't at hand."""
    if size < whole:
        raise refusal(
            NotImplementedError,
            f"{primitive} with subset_by_index has no derivative rule, since that of "
            "some of the vectors depends on all of them",
            "Take the subset of the full result.",
        )


# --- Eigenvalues ----------------------------------------------------------------------


@custom(p.eigh_p)
def _(primals, tangents, **params):
    # A V = V D with unitary V: V^H dA V = W D - D W + dD, where W = V^H dV is
    # anti-Hermitian; its diagonal, which shifts phases, is taken to be zero.  Of A one
    # triangle is read, and so of dA.
    (a,), (da,) = primals, tangents
    v, w = p.eigh_p.bind(a, **params)
    da = hermitian(da, params["lower"])
    _refuse_part(w.shape[-1], a.shape[-1], "eigh")
    da_v = product(da, v)
    dw = cast(paired(v, da_v), w.dtype)
    return [v, w], [product(v, _per_gap(inner(v, da_v), w)), dw]


@custom(p.eig_p)
def _(
    primals, tangents, *, compute_left_eigenvectors, compute_right_eigenvectors,
    enable_eigvec_derivs, **params,
):  # fmt: skip
    # A V = V D: V^-1 dA V = W D - D W + dD, where W = V^-1 dV.
    (a,), (da,) = primals, tangents
    asked = compute_left_eigenvectors or compute_right_eigenvectors
    if asked and not enable_eigvec_derivs:
        raise refusal(
            NotImplementedError,
            "the eigenvectors of a general matrix are differentiated, like in JAX, "
            "only where you ask for it",
            "Do so by jax.lax.linalg.eig(..., enable_eigvec_derivs=True): their "
            "derivatives hold for distinct eigenvalues and LAPACK's choice of length "
            "and phase only.",
        )
    w, *left, right = p.eig_p.bind(
        a,
        compute_left_eigenvectors=compute_left_eigenvectors,
        compute_right_eigenvectors=True,
        enable_eigvec_derivs=True,
        **params,
    )
    da = cast(da, w.dtype)
    dual, da_v = _dual(right), product(da, right)
    out, tangents_out = [w, *left], [paired(dual, da_v)]
    if left:  # A^H U = U D^H
        (u,) = left
        change = _eigenvectors(u, _dual(u), product(adjoint(da), u), conj(w))
        tangents_out.append(change)
    if compute_right_eigenvectors:
        out.append(right)
        tangents_out.append(_eigenvectors(right, dual, da_v, w))
    return out, tangents_out


def _dual(v):
    """U with U^H v = 1."""
    return solve(adjoint(v), jnp.broadcast_to(eye(v), v.shape))


def _eigenvectors(v, dual, da_v, w):
    """Tangents of eigenvectors v of length one whose largest component is real.

    Both stay so: what is needed of v itself is taken off.
    """
    dv = product(v, _per_gap(inner(dual, da_v), w))
    axis = v.ndim - 2
    re, im = lax.real(v), lax.imag(v)
    size = lax.mul(lax.abs(re), cast(eq(im, 0), re.dtype))
    places = numbers(aval_of(v), axis)
    largest = eq(places, row(lax.argmax(size, axis, np.uint32)))

    def at_largest(x):
        return lax.reduce_sum(kept(x, largest), (axis,))

    length = cast(paired(v, dv), re.dtype)
    phase = lax.div(at_largest(lax.imag(dv)), at_largest(re))
    return lax.sub(dv, lax.mul(v, row(lax.complex(length, phase))))


# --- Singular values ------------------------------------------------------------------


@custom(p.svd_p)
def _(primals, tangents, *, full_matrices, compute_uv, **params):
    # A = U S V^H with U^H U = V^H V = 1: C = U^H dA V = W_U S - S W_V + dS, where
    # W_U = U^H dU and W_V = V^H dV are anti-Hermitian.  The Hermitian and the
    # anti-Hermitian part of C give W_U + W_V and W_U - W_V.  Where W_U and W_V have
    # phases on their diagonals, C tells the difference; U takes it all.
    (a,), (da,) = primals, tangents
    rows, columns = a.shape[-2:]
    if full_matrices and compute_uv and rows != columns:
        raise refusal(
            NotImplementedError,
            "svd with full_matrices=True has no derivative rule where the matrix isn't "
            "square, since the additional vectors aren't functions of it",
            "Use full_matrices=False.",
        )
    s, u, vh = p.svd_p.bind(a, full_matrices=False, compute_uv=True, **params)
    _refuse_part(s.shape[-1], min(rows, columns), "svd")
    tall = rows >= columns
    left, right = (u, adjoint(vh)) if tall else (adjoint(vh), u)
    moved = product(da if tall else adjoint(da), right)
    ds = cast(paired(left, moved), s.dtype)
    if not compute_uv:
        return [s], [ds]
    c, twice = inner(left, moved), mul(s, 2)
    both = _per_gap(lax.add(c, adjoint(c)), twice)
    apart = lax.sub(c, adjoint(c))
    w_left = lax.add(both, _per_sum(apart, twice, 2 if tall else 0))
    w_right = lax.sub(both, _per_sum(apart, twice, 0 if tall else 2))
    if rows == columns:
        d_left = product(left, w_left)
    else:  # the longer vectors leave the span of the others
        within = lax.sub(w_left, lax.div(c, row(cast(s, c.dtype))))
        d_left = add(product(left, within), lax.div(moved, row(cast(s, c.dtype))))
    d_right = product(right, w_right)
    du, dv = (d_left, d_right) if tall else (d_right, d_left)
    return [s, u, vh], [ds, du, adjoint(dv)]


def _per_sum(x, values, diagonal):
    """x_ij / (values_i + values_j), and `diagonal` times that on the diagonal."""
    sums = lax.add(row(values), column(values))
    sums = cast(lax.add(sums, cast(eq(sums, 0), sums.dtype)), x.dtype)
    return lax.mul(x, lax.div(add(mul(eye(x), diagonal - 1), 1), sums))
