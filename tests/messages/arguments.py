"""Misuses: which function, which arguments, and what they are."""

import jax
import jax.numpy as jnp
import numpy as np

from tests.messages.cases import X, chapter, square, total

misuse = chapter("The function, and which of its arguments")


@misuse("The value of a function, not the function", got="got 3.0", do="grad(f)(x)")
def _(t):
    t.grad(3.0)


@misuse("The value of a function, to vjp", got="Array", do="vjp(f, x)")
def _(t):
    t.vjp(total(jnp.ones(3)), X)


@misuse("`argnums` too large", where="argnums=2", got="has 1", do="argnames")
def _(t):
    t.grad(square, argnums=2)(1.0)


@misuse("`argnums` too large, of a Jacobian", where="argnums=3", do="argnames")
def _(t):
    t.jacfwd(square, argnums=3)(X)


@misuse("`argnums` too small", where="argnums=-3", got="with 1", do="the least is -1")
def _(t):
    t.grad(square, argnums=(-3,))(1.0)


@misuse("`argnums` is a string", where="argnums", got="'x'", do="pass argnames")
def _(t):
    t.grad(square, argnums="x")(1.0)


@misuse("`argnums` is None", where="argnums", got="None", do="an int")
def _(t):
    t.grad(square, argnums=None)(1.0)


@misuse("`argnums` is a float", where="argnums", got="1.0", do="an int")
def _(t):
    t.grad(square, argnums=1.0)(1.0)


@misuse("An argument is selected twice", where="argnums=(0, 0)", do="name each once")
def _(t):
    t.grad(square, argnums=(0, 0))(1.0)


@misuse("The argument is passed by keyword", where="argnums=0", do="argnames")
def _(t):
    t.grad(square)(x=1.0)


@misuse("The call has no arguments", where="argnums=0", got="has 0", do="argnames")
def _(t):
    t.grad(square)()


@misuse("An argument of the function is missing", where="'y'", foreign=True)
def _(t):
    t.grad(lambda x, y: x * y)(1.0)


@misuse(
    "`argnames` names no argument",
    where="'z'",
    got="['y']",
    do="must be passed",
    only=True,
)
def _(t):
    t.grad(lambda x, y: x * y, argnames="z")(1.0, y=2.0)


@misuse(
    "`argnames` names what has its default", where="'y'", do="must be passed", only=True
)
def _(t):
    t.grad(lambda x, y=2.0: x * y, argnames="y")(1.0)


@misuse("`argnames` is a position", got="(0,)", do="pass argnums", only=True)
def _(t):
    t.grad(square, argnames=(0,))(1.0)


@misuse(
    "Selected by position and by name",
    where="argnames='y'",
    do="name each once",
    only=True,
)
def _(t):
    t.grad(lambda x, y: x * y, argnums=1, argnames="y")(1.0, 2.0)


@misuse("`primals` is no tuple", where="primals", got="ndarray", do="pass (x,)")
def _(t):
    t.jvp(square, X, X)


@misuse(
    "`primals` of hvp is no tuple",
    where="primals",
    got="ndarray",
    do="pass (x,)",
    only=True,
)
def _(t):
    t.hvp(total, X, X)


misuse = chapter("What is differentiated")


@misuse("An integer", where="argument 0", got="int64[]", do="pass 3.0")
def _(t):
    t.grad(square)(3)


@misuse(
    "An array of integers", where="argument 0", got="int64[3]", do="x.astype(float)"
)
def _(t):
    t.grad(total)(np.arange(3))


@misuse(
    "An integer in a pytree", where="argument 0['w'][1]", got="int64[]", do="pass 2.0"
)
def _(t):
    t.grad(lambda p: p["w"][1])({"w": [1.0, 2]})


@misuse("An integer, to jacfwd", where="argument 0", got="int64[]", do="pass 3.0")
def _(t):
    t.jacfwd(square)(3)


@misuse("An integer, to jacrev", where="argument 0", got="int64[]", do="pass 3.0")
def _(t):
    t.jacrev(square)(3)


@misuse(
    "An integer, to hessian", where="hessian: argument 0", got="int64[]", do="pass 3.0"
)
def _(t):
    t.hessian(square)(3)


@misuse(
    "An integer that is traced", where="argument 0", got="int64[]", do="x.astype(float)"
)
def _(t):
    jax.jit(t.grad(square))(3)


@misuse("A boolean", where="argument 0", got="bool[]", do="pass an array of floats")
def _(t):
    t.grad(square)(True)


@misuse("A random key", where="argument 0", got="key<fry>[]", do="by argnums")
def _(t):
    t.grad(jax.random.normal)(jax.random.key(0))


@misuse("A string", where="argument 0", got="'x' of <class 'str'>", do="pass an array")
def _(t):
    t.grad(square)("x")


@misuse(
    "A string in a pytree",
    where="argument 0['name']",
    got="<class 'str'>",
    do="keep it out",
)
def _(t):
    t.grad(lambda p: p["w"] ** 2)({"w": 1.0, "name": "layer"})


@misuse("A string, to vjp", where="argument 0['a'][1]", got="'x'", do="pass an array")
def _(t):
    t.vjp(square, {"a": [1.0, "x"]})


@misuse("A string, to jvp", where="argument 0", got="'x'", do="pass an array")
def _(t):
    t.jvp(square, ("x",), (1.0,))


@misuse(
    "A function in a pytree",
    where="argument 0['act']",
    got="function",
    do="keep it out",
)
def _(t):
    t.grad(lambda p: jnp.sum(p["w"]))({"w": 1.0, "act": jnp.tanh})


@misuse(
    "An object that is no pytree", where="argument 0", got="Model", do="pass an array"
)
def _(t):
    class Model:
        w = 1.0

    t.grad(lambda model: model.w**2)(Model())


@misuse(
    "An array of objects", where="argument 0", got="dtype=object", do="pass an array"
)
def _(t):
    t.grad(total)(np.ones(2, object))


@misuse("An array of dates", where="argument 0", got="datetime64", do="pass an array")
def _(t):
    t.grad(total)(np.array(["2020-01-01"], "datetime64[D]"))


@misuse("None", got="NoneType", foreign=True)
def _(t):
    t.grad(lambda x: x * x)(None)  # HERE


@misuse(
    "A type in place of an array",
    where="argument 0",
    got="ShapeDtypeStruct",
    do="pass an array",
)
def _(t):
    t.grad(total)(jax.ShapeDtypeStruct((3,), float))


@misuse("A list in place of an array", got="'list'", foreign=True)
def _(t):
    def loss(x):
        return jnp.sum(x * x)  # HERE

    t.grad(loss)([1.0, 2.0])


@misuse(
    "A complex number, to jacfwd",
    where="argument 0",
    got="complex128[]",
    do="holomorphic=True",
)
def _(t):
    t.jacfwd(square)(1j)


@misuse(
    "A real number, with `holomorphic`",
    where="argument 0",
    got="float64[]",
    do="pass it as complex",
)
def _(t):
    t.grad(square, holomorphic=True)(1.0)


@misuse(
    "A real number, to jacfwd with `holomorphic`",
    where="argument 0",
    got="float64[]",
    do="pass it as complex",
)
def _(t):
    t.jacfwd(square, holomorphic=True)(1.0)


@misuse(
    "A key, to linear_transpose", where="argument 0", got="key<fry>[]", do="close over"
)
def _(t):
    t.linear_transpose(lambda k: k, jax.random.key(0))


@misuse(
    "An integer, to explain", where="no argument", got="int64", do="pass 3.0", only=True
)
def _(t):
    t.explain(square)(3)


@misuse(
    "`explain` under jit",
    where="explain: x",
    got="is traced",
    do="call it outside",
    only=True,
)
def _(t):
    jax.jit(t.explain(square))(3.0)
