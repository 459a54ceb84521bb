"""Reference for exercise 17.

At a = 0 both solutions of x**2 = a meet at x = 0, and f_x = 2 x is 0 there: the root
has no finite slope, and `slope` divides by 0.  The theorem of implicit functions asks
for an f_x that isn't 0 (a matrix that can be inverted), and no method can do without.
"""

import jax.numpy as jnp

import jaxkit as jk


def slope(f, x, a):
    by_x, by_a = jk.grad(f, argnums=(0, 1))(x, a)
    return -by_a / by_x


def slopes(f, x, a):
    by_x, by_a = jk.jacfwd(f, argnums=(0, 1))(x, a)
    return -jnp.linalg.solve(by_x, by_a)
