"""What of a program is known although its inputs aren't (`program.folding`)."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from jaxkit.program.folding import outputs


def endless(x):  # unless it isn't run
    return lax.while_loop(lambda s: s <= 0, lambda s: s * 1.0, jnp.sum(x))


def in_while(x, key):
    def step(c):
        i, x, key, total = c
        return i + 1, x * endless(x), jax.random.split(key)[0], total + i

    i, x, key, total = lax.while_loop(lambda c: c[0] < 5, step, (0, x, key, 0))
    return (i, jax.random.bits(key), total), x


def in_scan(x, steps):
    def step(c, a):
        n, x = c
        twice = lambda n, x: (n * 2, x * 2)  # noqa: E731
        m, y = lax.cond(n % 2 == 0, lambda n, x: (n, x), twice, n, x)
        return (n + 1, x.at[n].add(a)), (m, y)

    (n, x), (numbers, xs) = lax.scan(step, (0, x), steps)
    return (n, numbers), (x, xs)


@jax.custom_batching.custom_vmap
def batched(x, a):
    return x * 2, a + 1


@batched.def_vmap
def _(_, is_batched, x, a):
    return (x * 2, a + 1), tuple(is_batched)


def in_calls(x, a):
    both = jax.jit(lambda x, a: (jnp.sin(x), jnp.cos(a)))
    return (both(x, a)[1], batched(x, a)[1]), (both(x, a)[0], batched(x, a)[0])


def by_what_is_unknown(x, a):
    step = lambda c: (c[0] + 1, c[1] * 2)  # noqa: E731
    ends = lax.while_loop(lambda c: c[0] < x[0], step, (0.0, a))
    return (a * 2,), (ends, lax.cond(x[0] > 0, lambda a: a, lambda a: a * 2, a))


CASES = {
    "the carry of a while loop": (in_while, jax.random.key(0)),
    "the carry and the steps of a scan": (in_scan, jnp.arange(4.0)),
    "calls": (in_calls, jnp.arange(3.0)),
    "what ends a loop, or chooses, isn't known": (by_what_is_unknown, jnp.ones(3)),
}


@pytest.mark.parametrize("function, given", CASES.values(), ids=list(CASES))
def test_known_outputs(function, given):
    """Those that depend on the second argument alone have their values."""
    x = jnp.ones(5)
    (known, unknown), jaxpr = function(x, given), jax.make_jaxpr(function)(x, given)
    found = outputs(jaxpr, [None, given])
    leaves = jax.tree.leaves(known)
    for a, b in zip(found, leaves, strict=False):
        np.testing.assert_array_equal(a, b)
    assert found[len(leaves) :] == [None] * len(jax.tree.leaves(unknown))
