"""Functions of code in code: collectives, the user's rules, control structures."""

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.custom_batching import custom_vmap
from jax.custom_derivatives import linear_call
from jax.scipy.sparse.linalg import cg
from jax.sharding import PartitionSpec

from experiments.validate.functions import function
from experiments.validate.of_rules import square, symmetric


def on_mesh(body, x, *copied):
    """The body on a mesh of one device, with its axis "i"; whole there, and copied."""
    whole, mesh = (
        PartitionSpec("i"),
        jax.make_mesh(
            (1,), ("i",), (jax.sharding.AxisType.Auto,), devices=jax.devices()[:1]
        ),
    )
    specs = whole, *(PartitionSpec() for _ in copied)
    return jax.shard_map(body, mesh=mesh, in_specs=specs, out_specs=whole)(x, *copied)


@function("parallel", 4)
def sums_over_devices(x):
    return on_mesh(
        lambda x: (x * lax.psum(x * x, "i"), jnp.sin(x) / lax.pmean(x, "i")), x
    )


@function("parallel", 4)
def moves_between_devices(x):
    def body(x):
        gathered, moved = lax.all_gather(x, "i"), lax.ppermute(x, "i", [(0, 0)])
        parts = lax.all_to_all(x[None] ** 2, "i", 0, 0)[0] * lax.axis_index("i")
        return gathered[0] * moved, parts + lax.psum_scatter(x[None] * x, "i")

    return on_mesh(body, x)


@function("shards", 6)
def sharded_layer(x):
    def body(x, w):
        h = jnp.tanh(x @ w)
        return h / jnp.sqrt(lax.psum(jnp.sum(h * h), "i"))

    return on_mesh(body, x.reshape(3, 2), x[:4].reshape(2, 2))


# --------------------------------------------------------------------- the user's rules


@jax.custom_jvp
def _sine(x):
    return jnp.sin(x)


_sine.defjvps(lambda dx, y, x: dx * jnp.cos(x))


@function("custom_jvp", 3)
def users_pushforward(x):
    return _sine(x) * jax.nn.gelu(x), jax.nn.logsumexp(x)


@jax.custom_vjp
def _weighted_squares(x, y):
    return jnp.sum(x * x) * y


_weighted_squares.defvjp(
    lambda x, y: (jnp.sum(x * x) * y, (x, y)),
    lambda kept, ct: (2 * kept[0] * kept[1] * ct, jnp.sum(kept[0] ** 2) * ct),
)


@function("custom_vjp", 4)
def users_pullback(x):
    return _weighted_squares(jnp.sin(x[:3]), x[3]) * x[0]


@function("custom", 3)
def users_transpose(x):
    weights = jnp.arange(3, dtype=x.dtype)
    y = linear_call(lambda w, y: w * y, lambda w, ct: w * ct, weights, jnp.sin(x))
    return y * x[::-1]


@custom_vmap
def _batched(x):
    return jnp.sin(x) * x


@_batched.def_vmap
def _(size, batched, x):
    return jnp.sin(x) * x, batched[0]


@function("custom", 3)
def users_batching(x):
    return _batched(x) * x


# ------------------------------------------------------------------------- code in code


@jax.jit
def _layer(w, h):
    return jnp.tanh(w @ h), jnp.sum(h) * w


@function("jit", 6)
def compiled_parts(x):
    h, w = _layer(x[:4].reshape(2, 2), x[4:])
    return _layer(w, h)


@function("branches", 4)
def branch_by_value(x):
    return lax.cond(
        x[0] > 0,
        lambda x: (jnp.sin(x) * x[0], jnp.outer(x, x) @ x),
        lambda x: (jnp.exp(x), x),
        x,
    )


@function("branches", 3)
def branch_by_index(x):
    ways = [jnp.sin, lambda x: x * x[0], lambda x: x]
    return [lax.switch(i, ways, x) for i in (0, jnp.argmax(x), 7)]


@function("scan", 7)
def recurrence(x):
    w, h, inputs = x[:4].reshape(2, 2), x[4:6], x[3:].reshape(2, 2)
    step = lambda h, y: (jnp.tanh(w @ h + y), h * y)  # noqa: E731
    return lax.scan(step, h, inputs)


@function("scan", 4)
def loop_of_known_length(x):
    backwards = lax.scan(lambda c, y: (c * y, c + y), x[0], x, reverse=True)
    y = lax.fori_loop(0, 3, lambda i, c: c * x + i * jnp.cos(c), x)
    return backwards, y, lax.map(lambda y: jnp.sin(y) * x[1], x)


@function("loops", 3)
def loop_to_convergence(x):
    """Newton's method for the square root."""
    step = lambda y: (y + x / y) / 2  # noqa: E731
    return lax.while_loop(lambda y: jnp.any(jnp.abs(y * y - x) > 1e-3), step, x)


@function("loops", 3)
def loop_of_computed_length(x):
    steps = 2 + jnp.argmax(x)
    return lax.fori_loop(0, steps, lambda i, c: c * jnp.sin(x) + x, x)


@function("checkpoint", 6)
def recomputed_layers(x):
    w = x[:4].reshape(2, 2)
    layer = jax.checkpoint(lambda h: jnp.tanh(w @ h) * h)
    return layer(layer(x[4:]))


@function("checkpoint", 6)
def recomputed_in_part(x):
    policy = jax.checkpoint_policies.dots_saveable
    layer = jax.checkpoint(lambda w, h: jnp.sin(w @ h) * h, policy=policy)
    return layer(x[:4].reshape(2, 2), x[4:])


@function("composites", 3)
def root_of_cubics(x):
    """y^3 + y = x, by Newton's method, which is not differentiated."""

    def solve(f, y):
        return lax.fori_loop(0, 40, lambda _, y: y - f(y) / (3 * y * y + 1), y)

    def tangent_solve(g, y):
        return y / g(jnp.ones_like(y))

    return lax.custom_root(
        lambda y: y**3 + y - x, jnp.zeros_like(x), solve, tangent_solve
    )


@function("solve", 9)
def solution_by_inverse(x):
    inverse = jnp.linalg.inv(lax.stop_gradient(square(x)))
    return lax.custom_linear_solve(
        lambda y: square(x) @ y,
        jnp.sin(x[:3]),
        lambda _, b: inverse @ b,
        lambda _, b: inverse.T @ b,
    )


@function("solve", 4)
def conjugate_gradients(x):
    matrix = symmetric(x)
    return cg(lambda y: matrix @ y, x[:2], tol=0, maxiter=4)[0]


@function("reducers", 6)
def reduction_by_code(x):
    return lax.reduce(x.reshape(3, 2), np.ones((), x.dtype), lambda a, b: a * b, (0,))
