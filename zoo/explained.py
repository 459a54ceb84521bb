"""Twelve programs to explain: the gallery shows their pages, the tests try them.

`PROGRAMS[name]()` returns a function and its arguments.  Two of them need the library
that they are named after.  `python -m zoo.explained FOLDER` writes all pages there.
"""

from __future__ import annotations

import sys
from pathlib import Path

import jax
import jax.numpy as jnp
from jax import lax

import jaxkit as jk

X = jnp.linspace(-1.0, 1.0, 6).reshape(2, 3)
LAYERS = [
    (jnp.linspace(-1, 1, 12).reshape(3, 4), jnp.linspace(0, 1, 4)),
    (jnp.linspace(1, -1, 8).reshape(4, 2), jnp.zeros(2)),
]


def notebook(x, y):
    return x * x * y + (y + 2)


def mlp(params, x):
    for w, b in params:
        x = jnp.tanh(x @ w + b)
    return jnp.mean(x**2)


def attention(q, k, v):
    return jnp.sum(jax.nn.softmax(q @ k.T / jnp.sqrt(3.0)) @ v)


def rnn(w, u, xs):
    def step(h, x):
        return jnp.tanh(w @ h + u @ x), None

    return jnp.sum(lax.scan(step, jnp.zeros(2), xs)[0])


def newton(a):
    def step(x):
        return (x + a / x) / 2

    return lax.while_loop(lambda x: jnp.abs(x * x - a) > 1e-3, step, a)


def lost(x):
    return jnp.sum(jnp.log(x) / x)


def wave(z):
    return jnp.abs(jnp.exp(1j * z) * z) ** 2


def chain(x):
    for _ in range(250):
        x = jnp.sin(x) * x
    return x


def branches(x):
    return lax.cond(x[0] > 0, jnp.sin, jnp.cos, x) @ x


def nested(x):
    def outer(c, y):
        return lax.scan(lambda c, z: (jnp.sin(c) * z, None), c, x)[0] + y, c

    return lax.scan(outer, 1.0, x)[0]


def flax():
    from flax import linen

    model = linen.Dense(2)

    def loss(params, x):
        return jnp.sum(model.apply(params, x) ** 2)

    return loss, (model.init(jax.random.key(0), X), X)


def equinox():
    import equinox as eqx

    model = eqx.nn.MLP(3, 1, 4, 1, key=jax.random.key(0))
    params, static = eqx.partition(model, eqx.is_inexact_array)

    def output(params, x):
        return eqx.combine(params, static)(x)[0]

    return output, (params, X[0])


PROGRAMS = {
    "notebook": lambda: (notebook, (3.0, 4.0)),
    "mlp": lambda: (mlp, (LAYERS, X)),
    "attention": lambda: (attention, (X, X[::-1], X * 2)),
    "rnn": lambda: (rnn, (jnp.eye(2), X / 2, jnp.ones((4, 3)))),
    "newton": lambda: (newton, (2.0,)),
    "nan": lambda: (lost, (jnp.array([1.0, -1.0, 2.0]),)),
    "complex": lambda: (wave, (0.3 + 0.8j,)),
    "chain": lambda: (chain, (1.0,)),
    "flax": flax,
    "equinox": equinox,
    "cond": lambda: (branches, (jnp.array([0.7, -0.3]),)),
    "scans": lambda: (nested, (jnp.array([0.7, -0.3]),)),
}


def save(folder: Path) -> None:
    """Write the page of each program."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, make in PROGRAMS.items():
        f, args = make()
        jk.explain(f)(*args).save(folder / f"{name}.html")


if __name__ == "__main__":
    save(Path(sys.argv[1]))
