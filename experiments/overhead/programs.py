"""What pairs differentiate: a scalar chain, a deep perceptron, the user's function."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from experiments.bench import ExperimentError
from experiments.users import of_floats, own

LAYERS, WIDTH, BATCH = 24, 32, 16


def chain():
    """30 operations on a scalar: f and its argument, a float32 near 0.7."""

    def f(x):
        for _ in range(5):
            x = jnp.exp(jnp.square(jnp.sin(x)))
            x = jnp.tanh(x) * x + 0.5
        return x

    return f, (jnp.float32(0.7),)


def mlp():
    """Mean square of a perceptron of 24 tanh layers: f, and its parameters."""
    draw = np.random.default_rng(0).normal
    inputs = jnp.asarray(draw(size=(BATCH, WIDTH)), jnp.float32)
    weights = draw(size=(LAYERS, WIDTH, WIDTH)) / np.sqrt(WIDTH)
    layers = [(jnp.asarray(w, jnp.float32), jnp.zeros(WIDTH)) for w in weights]

    def f(layers):
        x = inputs
        for w, b in layers:
            x = jnp.tanh(jnp.dot(x, w) + b)
        return jnp.mean(jnp.square(x))

    return f, (layers,)


SMALL = {"chain": chain, "mlp": mlp}


def small(name: str, settings: dict) -> tuple[Callable, tuple]:
    """A program of the table, or the user's."""
    return SMALL[name]() if name in SMALL else users(settings)


def users(settings: dict) -> tuple[Callable, tuple]:
    """The function that `--function` names, as a scalar one, and its arguments.

    Raises:
        ExperimentError: it can't be differentiated by its first argument.
    """
    f, args = own(settings)
    if not all(jnp.issubdtype(x.dtype, jnp.floating) for x in jax.tree.leaves(args[0])):
        raise ExperimentError(
            "--inputs: the first argument must be of floats, e.g. 3.0 or 'f32[100]'"
        )
    of_floats(settings["function"], f, args)
    if getattr(jax.eval_shape(f, *args), "shape", None) == ():
        return f, args
    return (lambda *args: sum(map(jnp.sum, jax.tree.leaves(f(*args))))), args
