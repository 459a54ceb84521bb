"""Where a formula would overflow or cancel, and the derivative is a number.

`docs/accuracy.md` has all functions over all of their range; here are known examples,
among them programs of several steps.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax
from jax.scipy.special import i0, i1

import jaxkit as jk

f32, c64, inf = np.float32, np.complex64, np.inf

SLOPES = {
    "asinh": (jnp.arcsinh, f32(1e22), 1e-22),
    "asinh, left": (jnp.arcsinh, f32(-1e22), 1e-22),
    "acosh": (jnp.arccosh, f32(1e22), 1e-22),
    "asinh of exp": (lambda r: jnp.arcsinh(jnp.exp(r)), f32(60), 1.0),
    "atan2, large": (lambda y: jnp.arctan2(y, f32(1e20)), f32(1e20), 5e-21),
    "atan2 by x, large": (lambda x: jnp.arctan2(f32(1e20), x), f32(1e20), -5e-21),
    "atan2, small": (lambda y: jnp.arctan2(y, f32(1e-25)), f32(1e-25), 5e24),
    "atan2 by x, small": (lambda x: jnp.arctan2(f32(1e-25), x), f32(1e-25), -5e24),
    "log of a floor": (lambda x: jnp.log(1 / jnp.maximum(1e-20, x)), f32(0), 0.0),
    "log of 1 / x": (lambda x: jnp.log(1 / x), f32(2e-20), -5e19),
    "rem": (lambda x: lax.rem(f32(0.7), x), f32(0.1), -6.0),
    "expm1": (jnp.expm1, f32(-30), np.exp(-30.0)),
}


@pytest.mark.parametrize("name", SLOPES)
def test_slope(name):
    f, x, expected = SLOPES[name]
    for grad in jk.grad(f), jax.jit(jk.grad(f)):
        np.testing.assert_allclose(grad(x), expected, rtol=3e-6)
        assert grad(x).dtype == f32


def test_slopes_of_complex_functions():
    x = c64(1e22 + 1e21j)
    for f, expected in (jnp.arcsinh, 1 / x), (jnp.arcsin, -1j / x):
        found = jk.grad(f, holomorphic=True)(x)
        np.testing.assert_allclose(abs(found), abs(expected), rtol=1e-6)
    np.testing.assert_allclose(
        jk.grad(jnp.arcsinh, holomorphic=True)(x), 1 / x, rtol=1e-6
    )


@pytest.mark.parametrize(
    ("x", "expected"),
    [
        (inf + 0j, 1),
        (-inf + 2j, -1),
        (complex(3, inf), -1j),
        (complex(inf, -inf), 1 + 1j),  # of each part
        (0j, 0),
        (3 - 4j, 0.6 + 0.8j),
        (3e-38 + 4e-38j, 0.6 - 0.8j),
    ],
)
def test_the_size_of_a_complex_number(x, expected):
    """The cotangent is the conjugate of the direction, as in JAX."""
    for dtype in c64, np.complex128:
        (ct,) = jk.vjp(jnp.abs, dtype(x))[1](np.ones((), dtype(x).real.dtype))
        np.testing.assert_allclose(ct, expected, rtol=1e-6)


def test_orders_of_the_size_at_0():
    # There is no second derivative, and as in JAX the orders are numbers, so that the
    # zeros by which they are multiplied stay zeros.
    def size(t):
        return abs(t * (1 + 2j))

    for f in size, lambda t: size(t) ** 2, lambda t: t / (1 + size(t)):
        ours = theirs = f
        for order in range(4):
            expected = theirs(f32(0))
            np.testing.assert_allclose(ours(f32(0)), expected, err_msg=str(order))
            ours, theirs = jk.grad(ours), jax.grad(theirs)


def test_bessel_functions_at_0():
    """The derivatives of I0 are 1, 0, 1/2, 0, 3/8; its first one is I1."""
    found, f = [], i0
    for _ in range(5):
        found.append(f(0.0))
        f = jk.grad(f)
    np.testing.assert_allclose(found, [1, 0, 0.5, 0, 0.375], atol=1e-15)
    found, f = [], i1
    for _ in range(4):
        found.append(f(0.0))
        f = jk.jacfwd(f)
    np.testing.assert_allclose(found, [0, 0.5, 0, 0.375], atol=1e-15)


def test_igamma_of_second_order():
    """The derivative of P(a, x) in a has one in x, and the other order is the same."""
    a, x = 1.7, 0.9
    mixed = jk.grad(jk.grad(lax.igamma, 0), 1)(a, x)
    np.testing.assert_allclose(mixed, jk.grad(jk.grad(lax.igamma, 1), 0)(a, x), 1e-10)
    with pytest.raises(NotImplementedError, match="igamma_grad_a has no known"):
        jk.grad(jk.grad(lax.igamma, 0), 0)(a, x)
