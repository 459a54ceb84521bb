"""Misuses: what the function returns."""

import jax
import jax.numpy as jnp

from tests.messages.cases import X, chapter, pair, square

misuse = chapter("What the function returns")


@misuse("An array", where="the output", got="float64[3]", do="jacrev")
def _(t):
    t.grad(square)(X)


@misuse("An array of one entry", where="the output", got="float64[1]", do="reduce it")
def _(t):
    t.grad(lambda x: x[:1])(X)


@misuse(
    "A pytree",
    where="the function",
    got="{'a': float64[3], 'b': float64[]}",
    do="vjp or jacrev",
)
def _(t):
    t.grad(pair)(X)


@misuse(
    "A loss and other data, without `has_aux`",
    where="the function",
    got="(float64[], float64[])",
    do="has_aux=True",
)
def _(t):
    t.grad(lambda x: (x * x, x))(1.0)


@misuse(
    "Nothing: `return` is missing",
    where="the function",
    got="None",
    do="is there a return",
)
def _(t):
    def loss(x):
        x * x

    t.grad(loss)(1.0)


@misuse("An integer", where="the output", got="int64[]", do="return a float")
def _(t):
    t.grad(lambda x: x.astype(int))(1.0)


@misuse("A truth value", where="the output", got="bool[]", do="return a float")
def _(t):
    t.grad(lambda x: x > 0)(1.0)


@misuse("A random key", where="the output", got="key<fry>[]", do="return a float")
def _(t):
    t.grad(lambda x: jax.random.key(0))(1.0)


@misuse(
    "An integer, to jacrev", where="the output['n']", got="int64[]", do="return a float"
)
def _(t):
    t.jacrev(lambda x: {"n": x.astype(int), "y": x})(1.0)


@misuse(
    "A complex number", where="the output", got="complex128[]", do="holomorphic=True"
)
def _(t):
    t.grad(lambda x: x * 1j)(1.0)


@misuse(
    "A complex number, to jacrev",
    where="the output['a']",
    got="complex128[]",
    do="holomorphic=True",
)
def _(t):
    t.jacrev(lambda x: {"a": x * 1j})(1.0)


@misuse(
    "A real number, with `holomorphic`",
    where="the output",
    got="float64[]",
    do="return a complex",
)
def _(t):
    t.grad(abs, holomorphic=True)(1j)


@misuse(
    "A real number, to jacfwd with `holomorphic`",
    where="the output['a']",
    got="float64[]",
    do="return a complex",
)
def _(t):
    t.jacfwd(lambda x: {"a": abs(x)}, holomorphic=True)(1j)


@misuse("A string", where="the output", got="'y' of <class 'str'>", do="has_aux=True")
def _(t):
    t.grad(lambda x: "y")(1.0)


@misuse(
    "A string in a pytree, to vjp",
    where="the output['name']",
    got="'y'",
    do="has_aux=True",
)
def _(t):
    t.vjp(lambda x: {"y": x, "name": "y"}, 1.0)


@misuse("A function", where="the output", got="function", do="has_aux=True")
def _(t):
    t.jvp(lambda x: lambda y: x * y, (1.0,), (1.0,))


@misuse(
    "No pair, with `has_aux`",
    where="has_aux=True",
    got="float64[]",
    do="return a pair (output, aux)",
)
def _(t):
    t.grad(square, has_aux=True)(1.0)


@misuse(
    "Three values, with `has_aux`",
    where="has_aux=True",
    got="(float64[], float64[], float64[])",
    do="return a pair (output, aux)",
)
def _(t):
    t.grad(lambda x: (x, x, x), has_aux=True)(1.0)


@misuse(
    "Data before the loss, with `has_aux`",
    where="the output",
    got="float64[3]",
    do="reduce it",
)
def _(t):
    t.value_and_grad(lambda x: (x, jnp.sum(x)), has_aux=True)(X)


@misuse(
    "An array, to hvp", where="the output", got="float64[3]", do="reduce it", only=True
)
def _(t):
    t.hvp(square, (X,), (X,))
