import jax.numpy as jnp
from jax.extend.core import Primitive

import jaxkit as jk
from jaxkit.exercises.cases import Case, Random
from jaxkit.exercises.values import show

HINTS = (
    "Look up tanh'. In which of its forms does x stand no longer?",
    "tanh' = 1 - tanh**2, and y is tanh(x) already: square y, not x. Use jnp and "
    "operators, not np: x and y may be tracers.",
    "One line, in which x doesn't occur. Where y is rounded to 1, so that the partial "
    "is 0, so is the check's.",
)


def cases():
    def case(text, differentiate, x):
        def run(module):
            tanh_p = Primitive("tanh_of_the_exercise")
            tanh_p.def_impl(jnp.tanh)
            tanh_p.def_abstract_eval(lambda x: x)
            jk.rules.elementwise(tanh_p, module.partial)
            try:
                return differentiate(tanh_p.bind)(jnp.asarray(x))
            finally:
                del jk.rules.RULES[tanh_p]

        return Case(f"{text} of tanh at {show(x)}", run)

    def along_ones(f):
        return lambda x: jk.jvp(f, (x,), (jnp.ones_like(x),))[1]

    def summed(f):
        return lambda x: jnp.sum(f(x))

    array = Random().array(3)
    return [
        *[case("the derivative", jk.grad, x) for x in (0.0, 1.0, -2.0, 50.0)],
        case("the derivatives", along_ones, array),
        case("the gradient of the sum", lambda f: jk.grad(summed(f)), array),
        case("the second derivative", lambda f: jk.grad(jk.grad(f)), 0.5),
    ]
