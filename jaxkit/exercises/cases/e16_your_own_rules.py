import jax
import jax.numpy as jnp
import numpy as np

import jaxkit as jk
from jaxkit.exercises.cases import Case
from jaxkit.exercises.values import show

HINTS = (
    "Each rule is one line. What does it do to the tangent, or the cotangent, if the "
    "function weren't there at all?",
    "rounded's rule returns the pair (rounded(x), dx). clipped keeps nothing, so that "
    "its forward pass returns (x, None).",
    "The backward pass returns a tuple with a cotangent for each argument: "
    "(jnp.clip(ct, -1, 1),).",
)


def cases():
    def case(text, run, x):
        at = jnp.asarray(x)
        return Case(text.format(show(x)), lambda module: run(module, at))

    def loss(module, x):
        return jnp.sum(module.rounded(x) ** 2)

    def steep(module, x):
        return jnp.sum(jnp.array([10.0, -10.0, 0.5]) * module.clipped(x))

    def gradient(f):
        return lambda module, x: jk.grad(lambda x: f(module, x))(x)

    def jitted(f):
        return lambda module, x: jax.jit(jk.grad(lambda x: f(module, x)))(x)

    x = np.array([2.6, -0.4, 1.0])
    return [
        case("rounded({})", lambda module, x: module.rounded(x), x),
        case("jk.grad(lambda x: sum(rounded(x) ** 2))({})", gradient(loss), x),
        case("jax.jit(jk.grad(...)) of that sum of squares at {}", jitted(loss), x),
        case(
            "the tangent of rounded at {} along ones",
            lambda module, x: jk.jvp(module.rounded, (x,), (jnp.ones_like(x),))[1],
            x,
        ),
        case("clipped({})", lambda module, x: module.clipped(x), x),
        case("jk.grad of sum([10, -10, 0.5] * clipped(x)) at {}", gradient(steep), x),
        case("jax.jit(jk.grad(...)) of that weighted sum at {}", jitted(steep), x),
    ]
