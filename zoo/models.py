"""Models to train, as users write them: a loss of parameters and a batch of data.

Each is `(loss, parameters, batch)`, in float32; the sizes are such that what is kept
for the backward pass outweighs the parameters.
"""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

MODELS = {}


def model(make):
    MODELS[make.__name__] = make
    return make


def draw(seed):
    rng = np.random.default_rng(seed)

    def normal(*shape, scale=None):
        scale = 1 / np.sqrt(shape[0]) if scale is None else scale
        return jnp.asarray(scale * rng.normal(size=shape), jnp.float32)

    return normal


@model
def rnn():
    """A tanh recurrent network over 32 steps, that predicts the next input."""
    normal = draw(0)
    weights = {"w": normal(16, 16), "u": normal(8, 16), "v": normal(16, 8)}

    def loss(weights, xs):
        def step(h, x):
            h = jnp.tanh(h @ weights["w"] + x @ weights["u"])
            return h, h @ weights["v"]

        start = jnp.zeros((xs.shape[1], 16))
        _, predicted = lax.scan(step, start, xs)
        return jnp.mean((predicted[:-1] - xs[1:]) ** 2)

    return loss, weights, normal(32, 12, 8, scale=1.0)


@model
def lstm():
    """An LSTM over 24 steps, its four gates in one product."""
    normal = draw(1)
    weights = {"w": normal(24, 64), "b": jnp.zeros(64), "v": normal(16, 8)}

    def loss(weights, xs):
        def step(state, x):
            h, c = state
            gates = jnp.concatenate([x, h], axis=-1) @ weights["w"] + weights["b"]
            i, f, g, o = jnp.split(gates, 4, axis=-1)
            c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
            h = jax.nn.sigmoid(o) * jnp.tanh(c)
            return (h, c), h @ weights["v"]

        start = jnp.zeros((2, xs.shape[1], 16))
        _, predicted = lax.scan(step, (start[0], start[1]), xs)
        return jnp.mean((predicted[:-1] - xs[1:]) ** 2)

    return loss, weights, normal(24, 12, 8, scale=1.0)


@model
def neural_ode():
    """A neural ODE by the classical Runge-Kutta method, its steps checkpointed."""
    normal = draw(2)
    layers = [(normal(6, 24), jnp.zeros(24)), (normal(24, 6), jnp.zeros(6))]

    def velocity(layers, y):
        (w1, b1), (w2, b2) = layers
        return jnp.tanh(y @ w1 + b1) @ w2 + b2

    def loss(layers, batch):
        start, target = batch

        @jax.checkpoint
        def step(y, h):
            k1 = velocity(layers, y)
            k2 = velocity(layers, y + h / 2 * k1)
            k3 = velocity(layers, y + h / 2 * k2)
            k4 = velocity(layers, y + h * k3)
            return y + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4), None

        end, _ = lax.scan(step, start, jnp.full(20, 0.05))
        return jnp.mean((end - target) ** 2)

    return loss, layers, (normal(32, 6, scale=1.0), normal(32, 6, scale=1.0))


@model
def convolutional():
    """A small convolutional network: two convolutions, max pooling, a dense layer."""
    normal = draw(3)
    weights = {
        "first": normal(3, 3, 1, 8, scale=0.3),
        "second": normal(3, 3, 8, 16, scale=0.1),
        "dense": normal(4 * 4 * 16, 10),
    }

    def layer(x, kernel):
        dims = "NHWC", "HWIO", "NHWC"
        x = lax.conv_general_dilated(x, kernel, (1, 1), "SAME", dimension_numbers=dims)
        x = jax.nn.relu(x)
        window = (1, 2, 2, 1)
        return lax.reduce_window(x, -jnp.inf, lax.max, window, window, "VALID")

    def loss(weights, batch):
        images, labels = batch
        x = layer(layer(images, weights["first"]), weights["second"])
        logits = x.reshape(len(x), -1) @ weights["dense"]
        scores = jax.nn.log_softmax(logits)
        return -jnp.mean(jnp.take_along_axis(scores, labels[:, None], axis=1))

    labels = jnp.arange(12) % 10
    return loss, weights, (normal(12, 16, 16, 1, scale=1.0), labels)


class Block(eqx.Module):
    """A transformer block of Equinox's layers."""

    attention: eqx.nn.MultiheadAttention
    norms: list[eqx.nn.LayerNorm]
    mlp: eqx.nn.MLP

    def __init__(self, width, key):
        keys = jax.random.split(key, 2)
        self.attention = eqx.nn.MultiheadAttention(2, width, key=keys[0])
        self.norms = [eqx.nn.LayerNorm(width) for _ in range(2)]
        self.mlp = eqx.nn.MLP(width, width, 2 * width, 1, jax.nn.gelu, key=keys[1])

    def __call__(self, x):
        y = jax.vmap(self.norms[0])(x)
        mask = jnp.tril(jnp.ones((len(x), len(x)), bool))
        x = x + self.attention(y, y, y, mask)
        return x + jax.vmap(lambda x: self.mlp(self.norms[1](x)))(x)


def of_equinox(module, predict):
    """(loss of the module's arrays, those arrays)"""
    arrays, rest = eqx.partition(module, eqx.is_inexact_array)
    return lambda arrays, batch: predict(eqx.combine(arrays, rest), batch), arrays


@model
def transformer():
    """A block of Equinox's attention, layer norm and perceptron, with a causal mask."""

    def predict(block, xs):
        ys = jax.vmap(block)(xs)
        return jnp.mean((ys[:, :-1] - xs[:, 1:]) ** 2)

    loss, arrays = of_equinox(Block(16, jax.random.key(0)), predict)
    return loss, arrays, draw(4)(6, 12, 16, scale=1.0)


@model
def equinox_gru():
    """Equinox's GRU cell in a scan, and a linear layer: a model of a user's class."""

    class Model(eqx.Module):
        cell: eqx.nn.GRUCell
        out: eqx.nn.Linear

        def __init__(self, key):
            self.cell = eqx.nn.GRUCell(6, 12, key=key)
            self.out = eqx.nn.Linear(12, 6, key=key)

        def __call__(self, xs):
            def step(h, x):
                h = self.cell(x, h)
                return h, self.out(h)

            return lax.scan(step, jnp.zeros(12), xs)[1]

    def predict(model, xs):
        return jnp.mean((jax.vmap(model)(xs)[:, :-1] - xs[:, 1:]) ** 2)

    loss, arrays = of_equinox(Model(jax.random.key(1)), predict)
    return loss, arrays, draw(5)(8, 16, 6, scale=1.0)
