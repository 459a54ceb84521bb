"""Cases of `jaxkit.rules.random`: samples are functions of a key and of parameters."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.extend.core import primitives as p

from zoo.case import Case
from zoo.samplers import constant, sampler, uniform

seed = constant(np.uint32(3))


def _key(seed):
    return jax.random.key(seed)


ZERO = [
    Case(
        key,
        key if isinstance(key, str) else key.name,
        function,
        sampler(uniform(3), seed),
    )
    for key, function in [
        (
            p.random_seed_p,
            lambda x, seed: x * jax.random.uniform(_key(seed), dtype=x.dtype),
        ),
        (
            p.random_bits_p,
            lambda x, seed: (
                x * jax.random.bits(_key(seed), dtype=np.uint8).astype(x.dtype)
            ),
        ),
        (
            p.random_split_p,
            lambda x, seed: (
                x * jax.random.uniform(jax.random.split(_key(seed))[0], dtype=x.dtype)
            ),
        ),
        (
            p.random_fold_in_p,
            lambda x, seed: (
                x * jax.random.uniform(jax.random.fold_in(_key(seed), 1), dtype=x.dtype)
            ),
        ),
        (
            "random_wrap",
            lambda x, seed: (
                x
                * jax.random.uniform(
                    jax.random.wrap_key_data(jnp.stack([seed, seed])), dtype=x.dtype
                )
            ),
        ),
        (
            "random_unwrap",
            lambda x, seed: x * jax.random.key_data(_key(seed))[1].astype(x.dtype),
        ),
    ]
]

# The sampler rejects some of what it draws, so that a quotient of differences has no
# meaning, and JAX's own loop for the derivative has none in reverse mode.
GAMMA = [
    Case(
        p.random_gamma_p,
        name,
        lambda a, seed, draw=draw: draw(_key(seed), a),
        sampler(uniform(3, low=low, high=high), seed),
        orders=1,
        tolerance=100,
        differences=None,
    )
    for name, draw, low, high in [
        ("random_gamma", lambda key, a: jax.random.gamma(key, a), 0.5, 3.0),
        ("random_gamma, large", lambda key, a: jax.random.gamma(key, a), 20.0, 50.0),
        (
            "random_gamma, logarithm",
            lambda key, a: jax.random.loggamma(key, a),
            0.5,
            3.0,
        ),
        (
            "random_gamma, of beta",
            lambda key, a: jax.random.beta(key, a, lax.square(a)),
            1.0,
            3.0,
        ),
    ]
]

CASES = [*ZERO, *GAMMA]
