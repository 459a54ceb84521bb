import jax
import jax.numpy as jnp

from jaxkit.exercises.cases import Case, Random, call, formula

HINTS = (
    "What does one unit vector give? And which array holds all unit vectors?",
    "Map over the rows of jnp.eye(n): each gives a column, so the result comes out "
    "transposed; out_axes=1 puts it right. For the lengths, map over xs alone: "
    "in_axes=(None, 0).",
    "_, f_jvp = jk.linearize(f, x), then jax.vmap(f_jvp, out_axes=1). And "
    "jax.vmap(jk.grad(loss), (None, 0))(w, xs) is the gradients, a row for each example.",
)


def cases():
    random = Random()
    products = formula("x: x[:2] * x[2]")
    waves = formula("x: jnp.sin(x) * x[::-1]")
    squares = formula("w, x: (jnp.dot(w, x[:-1]) - x[-1]) ** 2")
    hinge = formula("w, x: jnp.maximum(0.0, 1.0 - jnp.dot(w, x))")
    w, xs = jnp.asarray(random.array(3)), jnp.asarray(random.array(5, 4))

    def sines(module):
        jaxpr = jax.make_jaxpr(lambda x: module.jacobian(waves, x))(jnp.ones(20))
        return sum(eqn.primitive.name == "sin" for eqn in jaxpr.eqns) <= 1

    return [
        call("jacobian", products, jnp.array([3.0, 4.0, 5.0])),
        call("jacobian", waves, jnp.asarray(random.array(4))),
        call("jacobian", formula("x: x[:1] ** 3"), jnp.array([2.0])),
        Case("jacobian(f, x) runs f once, and not once for each input", sines, True),
        call("gradient_lengths", squares, w, xs),
        call("gradient_lengths", hinge, w, xs[:, 1:]),
    ]
