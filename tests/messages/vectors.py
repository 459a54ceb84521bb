"""Misuses: tangents, cotangents, and the maps that take them."""

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import AxisType, PartitionSpec

from tests.messages.cases import X, chapter, pair, square, total

misuse = chapter("Tangents")


@misuse(
    "A tangent of another shape",
    where="argument 0",
    got="float64[4]",
    do="pass float64[3]",
)
def _(t):
    t.jvp(square, (X,), (np.ones(4),))


@misuse(
    "A tangent of another shape, in a pytree",
    where="argument 0['b']",
    got="float64[3]",
    do="pass float64[]",
)
def _(t):
    t.jvp(lambda p: p, ({"w": X, "b": 1.0},), ({"w": X, "b": X},))


@misuse(
    "A tangent of another dtype",
    where="argument 0",
    got="float32[3]",
    do="pass float64[3]",
)
def _(t):
    t.jvp(square, (X,), (np.ones(3, np.float32),))


@misuse("An integer as tangent", where="argument 0", got="int64[]", do="pass float64[]")
def _(t):
    t.jvp(square, (3.0,), (1,))


@misuse(
    "A complex tangent of a real number",
    where="argument 0",
    got="complex128[]",
    do="pass float64[]",
)
def _(t):
    t.jvp(square, (3.0,), (1j,))


@misuse("A tangent of an integer", where="argument 0", got="int64[]", do="float0")
def _(t):
    t.jvp(square, (3,), (1.0,))


@misuse("A string as tangent", where="argument 0", got="'x'", do="pass float64[]")
def _(t):
    t.jvp(square, (3.0,), ("x",))


@misuse("None as tangent", where="argument 1", got="(float64[], None)", do="pass zeros")
def _(t):
    t.jvp(jnp.multiply, (1.0, 2.0), (1.0, None))


@misuse(
    "A tangent too few",
    where="argument 0['b']",
    got="({'w': float64[3]},)",
    do="must be a pytree like the primal",
)
def _(t):
    t.jvp(lambda p: p, ({"w": X, "b": X},), ({"w": X},))


@misuse(
    "A tangent too many",
    where="argument 0['c']",
    got="'c': float64[3]",
    do="must be a pytree like the primal",
)
def _(t):
    t.jvp(lambda p: p, ({"w": X},), ({"w": X, "c": X},))


@misuse("Tangents in a list", got="[float64[3]]", do="pass a tuple")
def _(t):
    t.jvp(square, (X,), [X])


@misuse("Tangents not in a tuple", where="tangents", got="ndarray", do="pass (dx,)")
def _(t):
    t.jvp(square, (X,), X)


@misuse(
    "A tangent of another shape, to a pushforward",
    where="argument 0",
    got="float64[4]",
    do="pass float64[3]",
)
def _(t):
    t.linearize(square, X)[1](np.ones(4))


@misuse(
    "A tangent too many, to a pushforward",
    where="argument 1",
    do="must be a pytree like the primal",
)
def _(t):
    t.linearize(square, X)[1](X, X)


@misuse(
    "Tangents in a tuple, to a pushforward",
    where="argument 0[0]",
    do="must be a pytree like the primal",
)
def _(t):
    t.linearize(square, X)[1]((X,))


misuse = chapter("Cotangents")


@misuse(
    "A cotangent of another shape",
    where="the output",
    got="float64[4]",
    do="pass float64[3]",
)
def _(t):
    t.vjp(square, X)[1](np.ones(4))


@misuse(
    "A cotangent of another shape, in a pytree",
    where="the output['b']",
    got="float64[3]",
    do="pass float64[]",
)
def _(t):
    t.vjp(pair, X)[1]({"a": X, "b": X})


@misuse(
    "A number as the cotangent of an array",
    where="the output",
    got="float64[]",
    do="pass float64[3]",
)
def _(t):
    t.vjp(square, X)[1](1.0)


@misuse(
    "A cotangent of another dtype",
    where="the output",
    got="float32[3]",
    do="pass float64[3]",
)
def _(t):
    t.vjp(square, X)[1](np.ones(3, np.float32))


@misuse(
    "An integer as cotangent", where="the output", got="int64[]", do="pass float64[]"
)
def _(t):
    t.vjp(square, 2.0)[1](1)


@misuse(
    "A cotangent too few",
    where="the output['b']",
    got="{'a': float64[3]}",
    do="must be a pytree like the output",
)
def _(t):
    t.vjp(pair, X)[1]({"a": X})


@misuse("None as cotangent", where="the output", got="None", do="pass zeros")
def _(t):
    t.vjp(square, X)[1](None)


@misuse(
    "A list as cotangent",
    where="the output[0]",
    got="[float64[], float64[], float64[]]",
    do="like the output, float64[3]",
)
def _(t):
    t.vjp(square, X)[1]([1.0, 1.0, 1.0])


@misuse(
    "A pullback of two results, given two cotangents",
    where="'<lambda>'",
    got="2 arguments",
    do="pass (float64[], float64[])",
)
def _(t):
    t.vjp(lambda x: (x, x * x), 1.0)[1](1.0, 1.0)


@misuse(
    "A pullback that is called without a cotangent",
    where="'square'",
    got="0 arguments",
    do="pass float64[]",
)
def _(t):
    t.vjp(square, 1.0)[1]()


@misuse("The result of vjp, called", got="'tuple'", foreign=True)
def _(t):
    t.vjp(total, X)(1.0)


@misuse(
    "A cotangent that is divided otherwise",
    where="the output",
    got="float64[4@i,2]",
    do="pass float64[4,2@i]",
)
def _(t):
    mesh = jax.make_mesh((2,), ("i",), axis_types=(AxisType.Explicit,))
    with jax.set_mesh(mesh):
        x = jax.sharding.reshard(jnp.ones((4, 2)), PartitionSpec(None, "i"))
        ct = jax.sharding.reshard(jnp.ones((4, 2)), PartitionSpec("i", None))
        t.vjp(jnp.sin, x)[1](ct)


@misuse("Many pullbacks, used as one", got="[5]", do="jax.vmap", only=True)
def _(t):
    pulls = jax.vmap(lambda x: t.vjp(jnp.sin, x)[1])(jnp.ones(5))
    pulls(1.0)
