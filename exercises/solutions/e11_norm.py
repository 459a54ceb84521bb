"""Reference for exercise 11."""

import jax
import jax.numpy as jnp


@jax.custom_jvp
def norm(x):
    return jnp.sqrt(jnp.sum(x * x))


@norm.defjvp
def norm_jvp(primals, tangents):
    (x,), (dx,) = primals, tangents
    n = norm(x)
    return n, jnp.sum(x * dx) / jnp.where(n == 0, 1, n)
