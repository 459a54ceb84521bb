import jax
import jax.numpy as jnp
import numpy as np

import jaxkit as jk
from jaxkit.exercises.cases import Case, Random
from jaxkit.exercises.values import show

HINTS = (
    "Which of the numbers in your rule is infinite or NaN at 0, though the result isn't? "
    "Reverse mode multiplies by it.",
    "Divide by jnp.where(n == 0, 1, n). With jnp.where around the quotient, reverse mode "
    "still divides 0 by 0, which is NaN.",
    "With the safe divisor the quotient is right as it is: at 0 the sum is 0.",
)


def cases():
    random = Random()

    def value(module):
        return module.norm

    def gradient(module):
        return jk.grad(module.norm)

    def jitted_gradient(module):
        return jax.jit(jk.grad(module.norm))

    def tangent(module):
        return lambda x: jk.jvp(module.norm, (x,), (jnp.ones_like(x),))[1]

    def case(text, of, x):
        return Case(text.format(show(x)), lambda module: of(module)(jnp.asarray(x)))

    return [
        *[case("norm({})", value, x) for x in ([3.0, 4.0], [0.0, 0.0])],
        *[
            case(text, of, x)
            for x in (np.array([3.0, 4.0]), np.zeros(2), random.array(3))
            for text, of in (
                ("jk.grad(norm)({})", gradient),
                ("the derivative of norm at {} along ones", tangent),
            )
        ],
        case("jax.jit(jk.grad(norm))({})", jitted_gradient, np.zeros(3)),
    ]
