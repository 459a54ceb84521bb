"""A mask selects: infinity or NaN in what isn't read never reaches a derivative."""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax
from jax.extend.core import primitives as p
from jax.scipy.linalg import solve_triangular

import jaxkit as jk

inf, nan = np.inf, np.nan
BAD = pytest.mark.parametrize("bad", [inf, -inf, nan], ids=str)
M = jnp.array([[4.0, 1.0], [1.0, 9.0]])
HUGE = jnp.array([[1.0, 2.0], [3.0, 4.0]])


# --- A mask in forward and in reverse mode --------------------------------------------

# Functions of arrays, and for each array where it is read; what is passed where an
# array isn't read is inf or NaN, and so are the cotangents of what has none.

x, low, high = np.array([-1.0, 0.5, 2.0]), np.zeros(3), np.ones(3)
at_1 = np.array([[1]])
numbers = lax.ScatterDimensionNumbers((), (0,), (0,))
READ = {
    "max": (lax.max, (x, high), (x > 1, x < 1)),
    "max with a scalar": (lax.max, (x, np.float64(1)), (x > 1, None)),
    "min": (lax.min, (x, high), (x < 1, x > 1)),
    "clamp": (lax.clamp, (low, x, high), (x < 0, (x > 0) & (x < 1), x > 1)),
    "clamp by scalars": (
        lambda x: lax.clamp(0.0, x, 1.0), (x,), ((x > 0) & (x < 1),)),
    "relu": (lambda x: lax.max(x, 0.0), (x,), (x > 0,)),
    "power 0": (lambda x: lax.integer_pow(x, 0), (x,), (x != x,)),
    "powers": (lambda x: lax.pow(x, np.array([0, 1, 2])), (x,), (np.arange(3) > 0,)),
    "reduce_max": (lambda x: lax.reduce_max(x, (0,)), (x,), (x == 2,)),
    "reduce_min": (lambda x: lax.reduce_min(x, (0,)), (x,), (x == -1,)),
    "reduce_max of rows": (
        lambda x: lax.reduce_max(x, (1,)), (HUGE,), (HUGE % 2 == 0,)),
    "cummax": (lambda x: lax.cummax(-x), (x,), (x == -1,)),
    "cummin": (lambda x: lax.cummin(x), (x,), (x == -1,)),
    "window": (lambda x: lax.reduce_window(
        x, -inf, lax.max, (3,), (1,), "VALID"), (x,), (x == 2,)),
    "scatter": (lambda x, u: x.at[1].set(u), (x, np.array(3.0)),
                (np.arange(3) != 1, np.array(True))),
    "scatter, repeated": (
        lambda x, u: x.at[np.array([1, 1])].set(u), (x, np.array([3.0, 4.0])),
        (np.arange(3) != 1, None)),
    "scatter_max": (
        lambda x, u: x.at[np.array([0, 2])].max(u), (x, high[:2]),
        (np.arange(3) > 0, np.array([True, False]))),
    "scatter_min": (
        lambda x, u: x.at[np.array([0, 2])].min(u), (x, high[:2]),
        (np.arange(3) < 2, np.array([False, True]))),
    "upper solve": (lambda a: lax.linalg.triangular_solve(
        a, jnp.ones((2, 1)), left_side=True), (M,), (np.triu(M) > 0,)),
    "lower solve": (lambda a: lax.linalg.triangular_solve(
        a, jnp.ones((2, 1)), left_side=True, lower=True, transpose_a=True), (M,),
        (np.tril(M) > 0,)),
    "unit solve": (lambda a: lax.linalg.triangular_solve(
        a, jnp.ones((1, 2)), unit_diagonal=True), (M,), (np.triu(M, 1) > 0,)),
    "tridiagonal solve": (
        lambda *abc: lax.linalg.tridiagonal_solve(*abc, jnp.ones((3, 1))),
        (high, 4 * high, high),
        (np.arange(3) > 0, np.ones(3, bool), np.arange(3) < 2)),
    "cholesky": (p.cholesky_p.bind, (M,), (np.tril(M) > 0,)),
    "eigh": (lambda a: lax.linalg.eigh(a, symmetrize_input=False), (M,),
             (np.tril(M) > 0,)),
    "eigh, upper": (lambda a: lax.linalg.eigh(
        a, lower=False, symmetrize_input=False), (M,), (np.triu(M) > 0,)),
    "householder_product": (
        lambda a: lax.linalg.householder_product(a, jnp.ones(2)), (M,),
        (np.tril(M, -1) > 0,)),
}  # fmt: skip


@BAD
@pytest.mark.parametrize("name", READ)
def test_what_is_not_read_does_not_count(name, bad):
    """Forward: a tangent that is bad there is as good as one of zeros."""
    f, args, read = READ[name]
    args = tuple(map(jnp.asarray, args))
    read = [np.ones(a.shape, bool) if r is None else r
            for a, r in zip(args, read, strict=True)]  # fmt: skip
    for value in (bad, 0.0):
        tangents = [jnp.where(r, 0.5, value) for r in read]
        moved = jk.jvp(f, args, tuple(tangents))[1]
        pushed = jax.jit(jk.linearize(f, *args)[1])(*tangents)
        if value != 0:
            found = moved, pushed
    for one in found:
        jax.tree.map(partial(np.testing.assert_allclose, atol=1e-15), one, moved)
    assert all(np.isfinite(dy).all() for dy in jax.tree.leaves(moved))


@BAD
@pytest.mark.parametrize("name", READ)
def test_what_is_not_read_gets_no_cotangent(name, bad):
    """Reverse: it is zero, whatever the cotangents are."""
    f, args, read = READ[name]
    y, pull = jk.vjp(f, *map(jnp.asarray, args))
    if "eigh" in name:  # all of it goes into each entry of what is read
        bad = 1.0
    for run in pull, jax.jit(pull):
        cts = run(jax.tree.map(lambda y: jnp.full(y.shape, bad, y.dtype), y))
        for ct, r in zip(cts, read, strict=True):
            if r is not None:
                assert not np.asarray(ct)[~np.broadcast_to(r, ct.shape)].any()


HERMITIAN = {
    "cholesky": p.cholesky_p.bind,
    "eigh": lambda a: lax.linalg.eigh(a, symmetrize_input=False)[0],
}


@pytest.mark.parametrize("name", HERMITIAN)
def test_the_diagonal_of_a_hermitian_matrix_is_real(name):
    """What is imaginary there isn't read, in both modes."""
    f, a = HERMITIAN[name], jnp.array([[4, 1 - 1j], [1 + 1j, 3]])
    da = jnp.array([[1, 2 + 1j], [2 - 1j, 1]])
    dy = jk.jvp(f, (a,), (da,))[1]
    np.testing.assert_allclose(jk.jvp(f, (a,), (da + 1j * jnp.eye(2),))[1], dy)
    ct = jk.vjp(f, a)[1](jnp.full_like(dy, 1 - 2j))[0]
    assert not np.diagonal(ct).imag.any()


# --- Programs -------------------------------------------------------------------------


def test_clamp_before_a_steep_slope():
    """Reverse mode; forward mode has zero times infinity there, as in JAX."""
    for f in (
        lambda x: jnp.sqrt(lax.clamp(0.0, x, 1.0)),
        lambda x: jnp.sqrt(lax.max(x, 0.0)),
    ):
        assert jk.grad(f)(-1.0) == 0
        assert jax.jit(jk.grad(f))(-1.0) == 0


def test_clamp_after_a_steep_slope():
    """Forward mode; reverse mode has zero times infinity there, as in JAX."""
    for f in (
        lambda x: lax.clamp(1.0, jnp.sqrt(x), 2.0),
        lambda x: lax.max(jnp.sqrt(x), 5.0),
    ):
        assert jk.jvp(f, (0.0,), (1.0,))[1] == 0
        assert jax.jit(jk.linearize(f, 0.0)[1])(1.0) == 0


def test_a_power_of_zero_has_no_tangent():
    assert jk.grad(lambda x: jnp.sqrt(x**0 - 1))(2.0) == 0
    zeros = jnp.zeros(2, int)
    f = lambda x: jnp.sum(jnp.sqrt(lax.pow(x, zeros) - 1))  # noqa: E731
    np.testing.assert_array_equal(jk.grad(f)(jnp.arange(2.0)), 0)
    _, f_jvp = jk.linearize(lambda x: lax.integer_pow(x, 0), 2.0)
    assert not f_jvp.program.code.equations


def test_the_triangle_that_a_solve_does_not_read():
    def f(m):
        return solve_triangular(jnp.sqrt(jnp.triu(m)), jnp.ones(2))

    for _, dy in (jk.jvp(f, (M,), (M,)), (0, jk.linearize(f, M)[1](M))):
        np.testing.assert_allclose(dy, [-1 / 6, -1 / 6], rtol=1e-6)

    _, pull = jk.vjp(lambda m: solve_triangular(m, jnp.ones(2), lower=True), M)
    (ct,) = pull(jnp.array([inf, 1.0]))
    assert ct[0, 1] == 0 and ct[0, 0] == -inf and np.isfinite(ct[1]).all()


@pytest.mark.parametrize("name", ["max", "min"])
def test_an_extreme_written_over_nan_gets_nothing(name):
    f = lambda x: jnp.sum(getattr(x.at[np.array([0, 1])], name)(0.5))  # noqa: E731
    x = jnp.array([1.0, nan, 2.0])
    ours, theirs = (lib.grad(f)(x) for lib in (jk, jax))
    np.testing.assert_array_equal(ours, theirs)
