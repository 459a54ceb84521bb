"""Linear systems, and the factorizations L L^H, P L U and Q R.

A factorization A = X Y is differentiated in one way: dA = dX Y + X dY gives

    X^-1 dA Y^-1 = X^-1 dX + dY Y^-1,

where one term is, say, lower triangular and the other upper, so that their sum tells
both.  See Giles, "Collected matrix derivative results" (2008), Murray, "Differentiation
of the Cholesky decomposition" (2016), and Walter and Lehmann, "Algorithmic
differentiation of linear algebra functions" (2010).
"""

from __future__ import annotations

from jax import lax
from jax.extend.core import primitives as p

from jaxkit.rules.arith import constant
from jaxkit.rules.matrices import (
    above,
    adjoint,
    below,
    column,
    conj,
    eye,
    half_below,
    hermitian,
    inner,
    left_solve,
    less,
    permute,
    product,
    right_solve,
    solve,
    transposed,
)
from jaxkit.rules.terms import add_arrays
from jaxkit.rules.verbs import custom, transposable
from jaxkit.tangents import full_like

# --- Linear systems: A x = b gives dx = A^-1 (db - dA x) ------------------------------


@custom(p.triangular_solve_p)
def _(primals, tangents, **params):
    (a, b), (da, db) = primals, tangents
    x = p.triangular_solve_p.bind(a, b, **params)
    change = None if da is None else _triangular_times(da, x, **params)
    return x, p.triangular_solve_p.bind(a, less(db, change), **params)


def _triangular_times(
    a, x, *, left_side, lower, transpose_a, conjugate_a, unit_diagonal
):
    """The product that a triangular solve undoes, but with zeros for what it knows."""
    off = int(unit_diagonal)
    a = below(a, -off) if lower else above(a, off)
    a = transposed(a) if transpose_a else a
    a = conj(a) if conjugate_a else a
    return product(a, x) if left_side else product(x, a)


def _triangular_transpose(ct, a, b, *, transpose_a, **params):
    return p.triangular_solve_p.bind(a, ct, transpose_a=not transpose_a, **params)


transposable(p.triangular_solve_p, _triangular_transpose, operands=(1,))


def _shift(x, by, axis):
    """x moved along an axis, by one place on or back; a zero takes the free place."""
    config = [(by, -by, 0) if d == axis else (0, 0, 0) for d in range(x.ndim)]
    return lax.pad(x, constant(0, x.dtype), config)


@custom(p.tridiagonal_solve_p)
def _(primals, tangents, **params):
    # (A x)_i = lower_i x_(i-1) + diagonal_i x_i + upper_i x_(i+1)
    *diagonals, db = tangents
    x = p.tridiagonal_solve_p.bind(*primals, **params)
    for by, d in zip((1, 0, -1), diagonals, strict=True):
        if d is not None:
            # The first of the lower ones, and the last of the upper, aren't read.
            change = lax.mul(column(_shift(d, -by, d.ndim - 1)), x)
            db = less(db, _shift(change, by, x.ndim - 2))
    return x, p.tridiagonal_solve_p.bind(*primals[:3], db, **params)


def _tridiagonal_transpose(ct, lower, diagonal, upper, b, **params):
    axis = diagonal.ndim - 1
    lower, upper = _shift(upper, 1, axis), _shift(lower, -1, axis)
    return p.tridiagonal_solve_p.bind(lower, diagonal, upper, ct, **params)


transposable(p.tridiagonal_solve_p, _tridiagonal_transpose, operands=(3,))

# --- Factorizations -------------------------------------------------------------------


@custom(p.cholesky_p)
def _(primals, tangents):
    # A = L L^H: L^-1 dA L^-H = L^-1 dL + (L^-1 dL)^H.  Of A one triangle is read, and
    # so it is of dA.
    (a,), (da,) = primals, tangents
    factor = p.cholesky_p.bind(a)
    y = left_solve(factor, hermitian(da, lower=True), lower=True)
    y = right_solve(factor, y, lower=True, transpose_a=True, conjugate_a=True)
    # Above its diagonal the factor isn't said to be zero.
    return factor, product(below(factor), half_below(y))


@custom(p.lu_p)
def _(primals, tangents):
    # P A = L U: L^-1 P dA U^-1 = L^-1 dL + dU U^-1 =: S + T for the square corner.
    # Below it, or beside it, P dA = dL U + L dU gives dL, or dU.
    (a,), (da,) = primals, tangents
    lu, pivots, permutation = p.lu_p.bind(a)
    da = permute(da, permutation, -2)
    rows, columns = a.shape[-2:]
    k = min(rows, columns)
    corner = lu[..., :k, :k]
    lower, upper = lax.add(below(corner, -1), eye(corner)), above(corner)
    y = left_solve(lower, da[..., :k, :k], lower=True, unit_diagonal=True)
    y = right_solve(upper, y)
    s, t = below(y, -1), above(y)
    d = lax.add(product(lower, s), product(t, upper))
    if rows > k:
        rest = right_solve(upper, da[..., k:, :])
        rest = lax.sub(rest, product(lu[..., k:, :], t))
        d = lax.concatenate([d, rest], d.ndim - 2)
    if columns > k:
        rest = left_solve(lower, da[..., k:], lower=True, unit_diagonal=True)
        rest = lax.sub(rest, product(s, lu[..., k:]))
        d = lax.concatenate([d, rest], d.ndim - 1)
    return [lu, pivots, permutation], [d, None, None]


@custom(p.qr_p)
def _(primals, tangents, **params):
    # A = Q R, of which R_1 are the first columns, a square.  With the anti-Hermitian
    # W = Q^H dQ, Q^H dA R_1^-1 = W_1 + dR_1 R_1^-1, where the last term is upper
    # triangular with a real diagonal: W_1 is known from what is below.
    (a,), (da,) = primals, tangents
    q, r, *permutation = p.qr_p.bind(a, **params)
    if permutation:
        da = permute(da, permutation[0], -1)
    size, k = q.shape[-1], min(a.shape[-2:])
    square = r[..., :k, :k]
    projected = inner(q, da)
    below_w = half_below(right_solve(square, projected[..., :k]))
    if size > k:
        below_w = _complete(q, below_w)
    w = lax.sub(below_w, adjoint(below_w))
    dr = lax.sub(projected, product(w, r))
    dq = product(q, w)
    if size < q.shape[-2]:  # dQ leaves the span of Q
        outside = lax.sub(da, product(q, projected))
        dq = lax.add(dq, right_solve(square, outside))
    return [q, r, *permutation], [dq, above(dr), *(None for _ in permutation)]


def _complete(q, below_w):
    """All columns of a triangle P, W = P - P^H, given those of the span of A.

    The other columns of Q are what the product of k reflections Q = 1 - V T V^H makes
    them (Schreiber and Van Loan 1989).  Then there is Y = [X; 1] with V^H Y = 0, so
    that Q Y = Y and Y^H Q = Y^H, whence Y^H W Y = Y^H dQ Y = Y^H (1 - Q) dY = 0.
    """
    k = below_w.shape[-1]
    x = solve(lax.sub(eye(q[..., :k, :k]), q[..., :k, :k]), q[..., :k, k:])
    bottom = lax.add(inner(x, below_w[..., :k, :]), below_w[..., k:, :])
    corner = lax.neg(product(bottom, x))
    config = [*((0, 0, 0) for _ in range(q.ndim - 2)), (k, 0, 0), (0, 0, 0)]
    corner = lax.pad(corner, constant(0, corner.dtype), config)
    return lax.concatenate([below_w, corner], q.ndim - 1)


@custom(p.householder_product_p)
def _(primals, tangents):
    # The first columns of Q = (1 - t_1 v_1 v_1^H) ... (1 - t_k v_k v_k^H), made from
    # the last factor on: Q' = Q - w v^H Q with w = t v, and
    # dQ' = dQ - dw v^H Q - w (dv^H Q + v^H dQ).
    (a, taus), (da, d_taus) = primals, tangents
    vs = lax.add(below(a, -1), eye(a))
    d_vs = None if da is None else below(da, -1)
    q, dq = lax.add(eye(a), full_like(a, 0)), None
    for j in reversed(range(taus.shape[-1])):
        v, t = vs[..., j : j + 1], taus[..., j, None, None]
        dv = None if d_vs is None else d_vs[..., j : j + 1]
        dt = None if d_taus is None else d_taus[..., j, None, None]
        w, row = t * v, inner(v, q)
        dw = add_arrays(None if dt is None else dt * v, None if dv is None else t * dv)
        turned = None if dv is None else inner(dv, q)
        d_row = add_arrays(turned, None if dq is None else inner(v, dq))
        change = add_arrays(
            product(dw, row), None if d_row is None else product(w, d_row)
        )
        q, dq = lax.sub(q, product(w, row)), less(dq, change)
    return p.householder_product_p.bind(a, taus), dq
