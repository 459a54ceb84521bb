"""Operations on (batches of) matrices, the last two axes, that rules are written with.

x^H is the conjugate transpose, for real matrices the transpose.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxkit.rules.arith import kept, mul, sub
from jaxkit.rules.shapes import repeated
from jaxkit.tracing import aval_of

# --- Products and solves --------------------------------------------------------------


def product(x, y):
    """x y."""
    return lax.batch_matmul(x, y, precision=lax.Precision.HIGHEST)


def inner(x, y):
    """x^H y, the inner products of columns."""
    batch, rows = tuple(range(x.ndim - 2)), (x.ndim - 2,)
    numbers = (rows, rows), (batch, batch)
    return lax.dot_general(conj(x), y, numbers, precision=lax.Precision.HIGHEST)


def paired(x, y):
    """The inner product of each column of x with the same column of y."""
    return lax.reduce_sum(lax.mul(conj(x), y), (x.ndim - 2,))


left_solve = partial(lax.linalg.triangular_solve, left_side=True)  # a^-1 b
right_solve = partial(lax.linalg.triangular_solve, left_side=False)  # b a^-1


def solve(a, b):
    """a^-1 b, for a general square matrix a."""
    lu, _, permutation = lax.linalg.lu(a)
    y = left_solve(lu, permute(b, permutation, -2), lower=True, unit_diagonal=True)
    return left_solve(lu, y)


# --- Entries --------------------------------------------------------------------------


def conj(x):
    return lax.conj(x) if x.dtype.kind == "c" else x


def transposed(x):
    return lax.transpose(x, (*range(x.ndim - 2), x.ndim - 1, x.ndim - 2))


def adjoint(x):
    """x^H."""
    return conj(transposed(x))


def eye(x):
    """The unit matrix of the shape of x, to be broadcast over its batch."""
    matrix = jnp.eye(*x.shape[-2:], dtype=x.dtype)
    return lax.expand_dims(matrix, range(x.ndim - 2))


# Of a triangle, or a diagonal, only what is in it is read: the rest becomes zero,
# whatever it is.


def below(x, k: int = 0):
    """The triangle of x on and below the k-th diagonal."""
    return _kept(x, lambda i, j: j <= i + k)


def above(x, k: int = 0):
    """The triangle of x on and above the k-th diagonal."""
    return _kept(x, lambda i, j: j >= i + k)


def off_diagonal(x):
    return _kept(x, lambda i, j: i != j)


def _kept(x, which):
    return kept(x, _where(x, which))


def _where(x, which):
    """A truth value for the entries of x, by their row and column."""
    where = which(*np.ogrid[tuple(map(slice, x.shape[-2:]))])
    return repeated(where, aval_of(x), range(x.ndim - 2))


def row(x):
    """A vector as a row: one number for each column of a matrix."""
    return lax.expand_dims(x, (x.ndim - 1,))


def column(x):
    """A vector as a column: one number for each row of a matrix."""
    return lax.expand_dims(x, (x.ndim,))


def half_below(x):
    """The triangle P with x = P + P^H for Hermitian x, x = P - P^H for anti-Hermitian.

    It is that below the diagonal and half of the diagonal.
    """
    return below(lax.mul(x, sub(1, mul(0.5, eye(x)))))


def hermitian(x, lower: bool):
    """The Hermitian matrix of which x has this triangle; what else it has is not read.

    The diagonal is real, whatever x has there.
    """
    inside = _where(x, (lambda i, j: j <= i) if lower else (lambda i, j: j >= i))
    full = lax.select(inside, x, adjoint(x))
    if x.dtype.kind != "c":
        return full
    real = lax.complex(lax.real(x), lax.full_like(lax.real(x), 0))
    return lax.select(_where(x, lambda i, j: i == j), real, full)


def permute(x, places, axis: int):
    """x with its rows (axis -2) or columns (axis -1) taken from these places."""
    batch, axis = tuple(range(x.ndim - 2)), x.ndim + axis
    other = 2 * x.ndim - 3 - axis
    numbers = lax.GatherDimensionNumbers(
        offset_dims=(other,),
        collapsed_slice_dims=(axis,),
        start_index_map=(axis,),
        operand_batching_dims=batch,
        start_indices_batching_dims=batch,
    )
    return lax.gather(
        x,
        lax.expand_dims(places, (places.ndim,)),
        numbers,
        slice_sizes=[n if d == other else 1 for d, n in enumerate(x.shape)],
        unique_indices=True,
        mode=lax.GatherScatterMode.PROMISE_IN_BOUNDS,
    )


# --- Tangents -------------------------------------------------------------------------


def less(dx, dy) -> Any:
    """dx - dy, of tangents one of which may be None."""
    if dy is None:
        return dx
    return lax.neg(dy) if dx is None else lax.sub(dx, dy)
