"""Loops that carry an array, and read and write parts of it: in linear time."""

from __future__ import annotations

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

import jaxkit as jk


def close(found, expected, rtol):
    np.testing.assert_allclose(found, expected, rtol=rtol, atol=1e-13)


def _copies(f, n):
    """How many arrays of n numbers the steps of f's compiled gradient copy."""
    text = jax.jit(jk.grad(f)).lower(1.01).compile().as_text()
    parts = text.split("\n\n")
    steps = [x for x in parts if not re.search("ENTRY| while| call\\(", x)]
    return sum(part.count(f"[{n}]{{0}} copy(") for part in steps)


N = 4321


def one_entry(a):
    def step(i, c):
        return c.at[i + 1].set(a * jnp.sin(c[i]))

    return lax.fori_loop(0, N - 1, step, jnp.ones(N))[-1]


def added(a):
    def step(i, c):
        return c.at[i + 1].add(0.1 * a * c[i])

    return lax.fori_loop(0, N - 1, step, jnp.ones(N)).sum()


def block(a):
    def step(i, c):
        new = a * jnp.cumsum(lax.dynamic_slice(c, (i,), (4,)))
        return lax.dynamic_update_slice(c, jnp.sin(new), (i + 1,))

    return jnp.sum(lax.fori_loop(0, N - 5, step, jnp.ones(N)) ** 2)


def two(a):
    def step(i, c):
        u, v = c
        return u.at[i + 1].set(a * v[i]), v.at[i + 1].set(jnp.sin(u[i]))

    u, v = lax.fori_loop(0, N - 1, step, (jnp.ones(N), jnp.ones(N)))
    return jnp.sum(u + v)


def read_alone(a):
    xs = a * jnp.linspace(0, 1, N)
    return lax.fori_loop(0, N, lambda i, s: s + jnp.sin(xs[i] * s), 0.1)


def in_a_loop(a):
    def step(i, c):
        def inner(j, c):
            return c.at[i + j + 1].set(a * jnp.sin(c[i + j]))

        return lax.fori_loop(0, 3, inner, c)

    return lax.fori_loop(0, N - 4, step, jnp.ones(N))[-1]


def unknown(a):
    def step(c):
        i, x = c
        return i + 1, x.at[i + 1].set(a * jnp.sin(x[i]))

    return lax.while_loop(lambda c: c[0] < N - 1, step, (0, jnp.ones(N)))[1][-1]


def chosen(a):
    def step(i, c):
        c = jnp.where(i % 3 == 0, c, c.at[i + 1].set(a * jnp.sin(c[i])))
        c = lax.select(i % 2 == 0, c.at[i].add(0.1 * a), c)
        new = lax.dynamic_update_slice(c, c[i + 2, None] * a, (i + 1,))
        return jnp.where(i % 5 == 0, new, c)

    return jnp.sum(jnp.sin(lax.fori_loop(0, N - 2, step, jnp.ones(N))))


def _where(p, new, old):  # not JAX's
    return jnp.where(p, old, 2 * new)


def called_like_it(a):
    def step(i, c):
        c = jax.jit(_where)(i % 3 == 0, c.at[i + 1].set(a * jnp.sin(c[i])), c)
        return jnp.where(i % 2 == 0, c.at[i].mul(0.5), jnp.where(i > 3, c, c) * 0.5)

    return jnp.sum(lax.fori_loop(0, 40, step, jnp.ones(N)))


def test_another_function_called_like_jaxs():
    close(jk.grad(called_like_it)(1.01), jax.grad(called_like_it)(1.01), 1e-10)


BUFFERS = [chosen, one_entry, added, block, two, read_alone, in_a_loop, unknown]


@pytest.mark.parametrize("f", BUFFERS, ids=lambda f: f.__name__)
def test_a_loop_that_carries_an_array(f):
    expected = jax.jvp(f, (1.01,), (1.0,))[1]
    close(jax.jit(jk.grad(f))(1.01), expected, rtol=1e-9)
    if jax.__version_info__ >= (0, 12):  # XLA fuses what it reads twice, until then
        assert _copies(f, N) == 0
