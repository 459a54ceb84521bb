import jax
import jax.numpy as jnp

from jaxkit.exercises.cases import Case, Random, call, formula

HINTS = (
    "The gradient is a function from arrays to arrays. What does `jk.jvp` say of such a "
    "function?",
    "Take jk.jvp of jk.grad(f), a function of x alone: tangents go through it without a "
    "matrix. It returns a pair; the derivative comes second.",
    "The primals are the tuple (x,), and the tangents the tuple (v,).",
)


def cases():
    random = Random()
    product = formula("x: x[0] ** 2 * x[1]")
    sines = formula("x: jnp.sum(jnp.sin(x)) ** 2")

    def arrays(n):
        return jnp.asarray(random.array(n)), jnp.asarray(random.array(n))

    def largest(module):
        x = jnp.ones(50)
        jaxpr = jax.make_jaxpr(lambda x, v: module.hvp(sines, x, v))(x, x)
        return max(v.aval.size for eqn in jaxpr.eqns for v in eqn.outvars)

    x = jnp.array([3.0, 4.0])
    return [
        call("hvp", product, x, jnp.array([1.0, 0.0])),
        call("hvp", product, x, jnp.array([0.0, 0.0])),
        call("hvp", sines, *arrays(3)),
        call("hvp", formula("x: x**3"), jnp.array(2.0), jnp.array(1.0)),
        Case("entries of the largest array in hvp, for x with 50", largest),
    ]
