import jax.numpy as jnp

from jaxkit.exercises.cases import call, formula

HINTS = (
    "Solve the equation of the task for dx. Which two derivatives of f does it need?",
    "jk.grad(f, argnums=(0, 1))(x, a) gives both partials. With several unknowns, "
    "jk.jacfwd does, and a division by f_x becomes a linear solve.",
    "jnp.linalg.solve(f_x, f_a) is the inverse of f_x times f_a. Mind the sign.",
)


def cases():
    cosine = formula("x, a: x - jnp.cos(a * x)")
    pair = formula("x, a: jnp.array([x[0] + x[1] - a, x[0] * x[1] - 1.0])")
    large = formula("x, a: jnp.array([x[0] - a, x[1] - x[0] ** 2, x[2] - x[1] * a])")
    return [
        call("slope", formula("x, a: x**2 - a"), 2.0, 4.0),
        call("slope", formula("x, a: x**3 + a * x - 2.0"), 1.0, 1.0),
        call("slope", cosine, 0.7390851332151607, 1.0),
        call("slopes", pair, jnp.array([2.0, 0.5]), 2.5),
        call("slopes", large, jnp.array([2.0, 4.0, 8.0]), 2.0),
    ]
