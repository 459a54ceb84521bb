"""Random numbers: how a sample moves with the parameters of its distribution."""

from __future__ import annotations

import jax.numpy as jnp
from jax import lax
from jax.extend.core import primitives as p

from jaxkit.rules.verbs import elementwise, zero

zero(
    p.random_bits_p, p.random_fold_in_p, p.random_seed_p, p.random_split_p,
    "random_wrap", "random_unwrap",
    why="bits and keys don't move",
)  # fmt: skip


def _gamma_grad(a, x):
    return lax.random_gamma_grad(a, x)  # pyright: ignore[reportCallIssue]


def _gamma(z, key, a, *, log_space):
    # With the distribution P(a, x) of the sample x held fixed, dx/da = -P_a / P_x
    # (Figurnov, Mohamed & Mnih 2018), which JAX computes. Near 0, where P is
    # x^a / Gamma(a + 1), this is d(log x)/da = (digamma(a + 1) - log x) / a.
    if not log_space:
        return _gamma_grad(a, z)
    x = lax.exp(z)
    tiny = x < float(jnp.finfo(x.dtype).tiny) ** 0.5
    safe = lax.select(tiny, lax.full_like(x, 1), x)
    near_0 = (lax.digamma(a + 1.0) - z) / a
    return lax.select(tiny, near_0, _gamma_grad(a, safe) / safe)


elementwise(p.random_gamma_p, None, _gamma, static=("log_space",))
