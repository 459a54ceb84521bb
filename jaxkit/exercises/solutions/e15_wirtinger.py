"""Reference for exercise 15.

exp, z**2 and 1/z (but at 0) are holomorphic: their second derivative is 0.  conj, abs
and the real part are not.  A function whose values are real can't be, unless it is
constant: its df/dx and df/dy are real, and df/dz* = 0 would make one of them i times
the other.
"""

import jax.numpy as jnp

import jaxkit as jk


def wirtinger(f, z):
    z = jnp.asarray(z, complex)
    _, along_x = jk.jvp(f, (z,), (jnp.ones_like(z),))
    _, along_y = jk.jvp(f, (z,), (1j * jnp.ones_like(z),))
    return (along_x - 1j * along_y) / 2, (along_x + 1j * along_y) / 2


def moved(f, z, dz):
    by_z, by_conjugate = wirtinger(f, z)
    return by_z * dz + by_conjugate * jnp.conj(dz)
