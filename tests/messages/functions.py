"""Misuses: what the function does with values that are traced."""

import math

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.experimental import sparse
from jax.extend.core import Primitive

from tests.messages.cases import X, chapter

misuse = chapter("Traced values in the function")


@misuse("A NumPy function", got="float64[3]", do="compute with jax.numpy")
def _(t):
    def loss(x):
        return np.sum(np.sin(x))  # HERE

    t.grad(loss)(X)


@misuse("A NumPy function, under jit", got="float64[3]", do="compute with jax.numpy")
def _(t):
    def loss(x):
        return np.sum(np.sin(x))  # HERE

    jax.jit(t.grad(loss))(X)


@misuse(
    "A function of the module math, under jit",
    got="float64[]",
    do="compute with jax.numpy",
)
def _(t):
    def loss(x):
        return math.sin(x)  # HERE

    jax.jit(t.grad(loss))(1.0)


@misuse("A value is assigned in place", do="x.at[idx].set(y)")
def _(t):
    def loss(x):
        x[0] = 0.0  # HERE
        return jnp.sum(x)

    t.grad(loss)(X)


@misuse("A traced value is put into a NumPy array", foreign=True)
def _(t):
    def loss(x):
        y = np.zeros(3)
        y[0] = x  # HERE
        return jnp.sum(y)

    t.grad(loss)(1.0)


@misuse("`if` on a traced value, under jit", got="bool[]", foreign=True)
def _(t):
    def loss(x):
        if x > 0:  # HERE
            return x
        return -x

    jax.jit(t.grad(loss))(1.0)


@misuse("`if` on an array", do="a.any() or a.all()")
def _(t):
    def loss(x):
        if x > 0:  # HERE
            return jnp.sum(x)
        return 0.0

    t.grad(loss)(X)


@misuse(
    "A traced number as an index of a list, under jit",
    got="int64[]",
    foreign=True,
)
def _(t):
    def loss(x, i):
        return [x, x * x][i]  # HERE

    jax.jit(t.grad(loss))(1.0, 1)


@misuse(
    "`range` of a traced number, under jit",
    got="int64[]",
    foreign=True,
)
def _(t):
    def power(x, n):
        for _ in range(n):  # HERE
            x = x * x
        return x

    jax.jit(t.grad(power))(1.0, 2)


@misuse("A float as an index", got="float64", do="must have integer")
def _(t):
    def loss(i):
        return jnp.arange(3.0)[i]  # HERE

    t.grad(loss)(1.0)


@misuse("A shape that is traced, under jit", do="static_argnums")
def _(t):
    def loss(x, n):
        return jnp.sum(x * jnp.zeros(n))  # HERE

    jax.jit(t.grad(loss))(1.0, 3)


@misuse("A mask as an index, under jit", got="bool[3]", foreign=True)
def _(t):
    def loss(x):
        return jnp.sum(x[x > 0])  # HERE

    jax.jit(t.grad(loss))(X)


@misuse(
    "`.item()` of a traced value, under jit",
    got="float64[]",
    do="compute with jax.numpy",
)
def _(t):
    def loss(x):
        return x.item() * x  # HERE

    jax.jit(t.grad(loss))(1.0)


@misuse("A traced value as a key of a dictionary", foreign=True)
def _(t):
    def loss(x):
        return {x: x}[x]  # HERE

    t.grad(loss)(1.0)


@misuse(
    "`.at[...]` without `.set`",
    where="the output",
    got="_IndexUpdateRef",
    do="return arrays",
)
def _(t):
    t.grad(lambda x: x.at[0])(X)


@misuse("Shapes that don't fit", got="(3,)", foreign=True)
def _(t):
    def loss(x):
        return jnp.sum(x + jnp.ones(4))  # HERE

    t.grad(loss)(X)


@misuse(
    "A traced value is kept, and used later",
    got="float64[]",
    do="jax.checking_leaks",
)
def _(t):
    kept = []

    def loss(x):
        kept.append(x)
        return x * x

    t.grad(loss)(3.0)
    kept[0] + 1.0  # HERE


@misuse(
    "A traced value of a loop is kept, and used outside",
    got="float64[]",
    do="jax.checking_leaks",
)
def _(t):
    def loss(x):
        kept = []

        def step(x, _):
            kept.append(x)
            return x * x, None

        lax.scan(step, x, length=2)
        return kept[0] * x  # HERE

    t.grad(loss)(3.0)


@misuse("An exception of the function's own", where="'bias'", foreign=True)
def _(t):
    def loss(p):
        return p["w"] * p["bias"]  # HERE

    t.grad(loss)({"w": 1.0})


misuse = chapter("Control flow and operations in the function")


@misuse("Branches of different types", got="float32[]", do="Revise true_fun")
def _(t):
    def loss(x):
        return lax.cond(  # HERE
            x > 0, lambda x: x, lambda x: x.astype(jnp.float32), x
        )

    t.grad(loss)(1.0)


@misuse(
    "A carried value that changes its type",
    where="carry",
    got="float64[1]",
    do="Revise the function",
)
def _(t):
    def loss(x):
        y, _ = lax.scan(lambda c, _: (c[None], None), x, length=2)  # HERE
        return y

    t.grad(loss)(1.0)


@misuse(
    "A reference from outside that would move",
    where="'swap'",
    do="by jax.new_ref",
    got="what moves into a reference",
)
def _(t):
    kept = jax.new_ref(jnp.zeros(()))

    def loss(x):
        kept[...] = x  # HERE
        return x * x

    t.grad(loss)(1.0)


@misuse("A sparse matrix", where="'bcoo_dot_general'", do="segment_sum")
def _(t):
    def loss(matrix):
        return jnp.sum(matrix @ X)  # HERE

    t.grad(loss, allow_int=True)(sparse.BCOO.fromdense(jnp.eye(3)))


@misuse("A callback", where="pure_callback", do="jax.custom_jvp")
def _(t):
    def loss(x):
        return jax.pure_callback(np.sin, x, x)  # HERE

    t.grad(loss)(1.0)


@misuse(
    "A callback with effects, in forward mode", where="io_callback", do="jax.custom_jvp"
)
def _(t):
    def loss(x):
        return jax.experimental.io_callback(np.sin, x, x)  # HERE

    t.jvp(loss, (1.0,), (1.0,))


@misuse("A callback in a loop", where="pure_callback", do="jax.custom_jvp")
def _(t):
    def step(x, _):
        return jax.pure_callback(np.sin, x, x), None  # HERE

    t.grad(lambda x: lax.scan(step, x, length=2)[0])(1.0)


@misuse(
    "The second derivative of igamma in its first argument",
    where="igamma_grad_a",
    do="stop_gradient",
)
def _(t):
    def loss(a):
        return jax.scipy.special.gammainc(a, 1.0)  # HERE

    t.grad(t.grad(loss))(2.0)


@misuse("The parameters of betainc", where="betainc", do="stop_gradient")
def _(t):
    def loss(a):
        return jax.scipy.special.betainc(a, 1.0, 0.5)  # HERE

    t.grad(loss)(2.0)


@misuse("The order of polygamma", where="polygamma", do="stop_gradient")
def _(t):
    def loss(n):
        return lax.polygamma(n, 2.0)  # HERE

    t.grad(loss)(1.0)


@misuse("All singular vectors of a wide matrix", where="svd", do="full_matrices=False")
def _(t):
    def loss(a):
        return jnp.sum(jnp.linalg.svd(a, full_matrices=True)[2])  # HERE

    t.grad(loss)(jnp.arange(6.0).reshape(2, 3))


@misuse(
    "The eigenvectors of a general matrix",
    where="eigenvectors",
    do="enable_eigvec_derivs=True",
)
def _(t):
    def loss(a):
        return jnp.sum(abs(jnp.linalg.eig(a)[1]))  # HERE

    t.grad(loss)(jnp.arange(4.0).reshape(2, 2))


@misuse("Some of the eigenvectors", where="eigh", do="subset of the full")
def _(t):
    def loss(a):
        return jnp.sum(lax.linalg.eigh(a, subset_by_index=(0, 1))[0])  # HERE

    jax.eval_shape(t.grad(loss), jnp.eye(3))


@misuse(
    "A solver without `transpose_solve`, in reverse mode",
    where="custom_linear_solve",
    do="symmetric=True",
)
def _(t):
    def loss(x):
        return lax.custom_linear_solve(  # HERE
            lambda y: 2.0 * y, x, solve=lambda _, b: b / 2.0
        )

    t.grad(loss)(1.0)


@misuse("A primitive without a rule", where="'unknown'", do="Add one with jaxkit.rules")
def _(t):
    unknown_p = Primitive("unknown")
    unknown_p.def_impl(lambda x: x)
    unknown_p.def_abstract_eval(lambda x: x)

    def loss(x):
        return unknown_p.bind(x)  # HERE

    t.grad(loss)(2.0)


@misuse(
    "What isn't linear, transposed", where="'sin' is not linear, at", do="vjp gives"
)
def _(t):
    def f(x):
        return 2 * jnp.sin(x)  # HERE

    t.linear_transpose(f, X)(X)


@misuse("The same, not applied yet", where="'sin'", do="Only linear operations")
def _(t):
    def f(x):
        return 2 * jnp.sin(x)  # HERE

    return t.linear_transpose(f, X)


@misuse("A product of inputs, transposed", where="'mul'", do="Only linear operations")
def _(t):
    def f(x):
        return x * x  # HERE

    t.linear_transpose(f, X)(X)


@misuse(
    "A conditional on inputs, transposed",
    where="conditional",
    do="Only linear operations",
)
def _(t):
    def f(x):
        return lax.cond(x > 0, lambda x: x, lambda x: 2 * x, x)  # HERE

    t.linear_transpose(f, 1.0)(1.0)


@misuse(
    "Arguments of different lengths, to vmap",
    where="argument x",
    got="float64[4]",
    foreign=True,
)
def _(t):
    def product(x, y):
        return x * y

    jax.vmap(t.grad(product))(jnp.ones(4), jnp.ones(3))
