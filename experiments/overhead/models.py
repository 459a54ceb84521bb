"""Programs of any depth, written for any of the libraries, see `experiments.libraries`.

Each is a scalar f of parameters, of 8 numbers x that weight the input's features, and
of data. Gradients and pushforwards are taken over the parameters; Hessians over x, so
that they have the same size whatever the depth is.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from experiments.overhead.programs import users

FEATURES, WIDTH, BATCH = 8, 32, 16


@dataclass(frozen=True)
class Model:
    """`f(xp, *args)`, and the argument by which its Hessian is taken; the others are
    taken by the first. The user's function has that one for all.
    """

    f: Callable
    args: tuple
    by: int = 1


def draws() -> Callable[..., np.ndarray]:
    """Draws of float32 arrays, which keep the size of what they are multiplied with."""
    draw = np.random.default_rng(0).normal
    return lambda *shape: (draw(size=shape) / np.sqrt(shape[0])).astype(np.float32)


def chain(depth: int) -> Model:
    """Groups of 6 scalar operations, one after the other."""
    draw = draws()

    def f(xp, w, x):
        y = xp.sum(w * x)
        for _ in range(depth):
            y = xp.exp(xp.square(xp.sin(y)))
            y = xp.tanh(y) * y + 0.5
        return y

    return Model(f, (draw(FEATURES), draw(FEATURES)))


def mlp(depth: int) -> Model:
    """Mean square of a perceptron: tanh layers, 32 wide, at 16 points."""
    draw = draws()
    layers = [(draw(WIDTH, WIDTH), draw(WIDTH)) for _ in range(depth)]

    def f(xp, params, x, data):
        enter, layers = params
        y = (data * x) @ enter
        for w, b in layers:
            y = xp.tanh(y @ w + b)
        return xp.mean(xp.square(y))

    return Model(f, ((draw(FEATURES, WIDTH), layers), *inputs(draw)))


def transformer(depth: int) -> Model:
    """Mean square of blocks of attention and of a tanh layer, each on what is normed.

    A. Vaswani et al., Attention is all you need (2017), with one head, and the norm
    first, as in R. Xiong et al., On layer normalization in the transformer (2020).
    """
    draw = draws()
    shapes = {"up": (WIDTH, 2 * WIDTH), "down": (2 * WIDTH, WIDTH)}
    shapes |= dict.fromkeys(("query", "key", "value", "leave"), (WIDTH, WIDTH))
    blocks = [{k: draw(*shape) for k, shape in shapes.items()} for _ in range(depth)]

    def norm(xp, y):
        y = y - xp.mean(y, 1)[:, None]
        return y / xp.sqrt(xp.mean(y * y, 1) + 1e-5)[:, None]

    def attention(xp, p, y):
        scores = xp.exp((y @ p["query"]) @ (y @ p["key"]).T / WIDTH**0.5)
        return (scores / xp.sum(scores, 1)[:, None]) @ (y @ p["value"]) @ p["leave"]

    def f(xp, params, x, data):
        enter, blocks = params
        y = (data * x) @ enter
        for p in blocks:
            y = y + attention(xp, p, norm(xp, y))
            y = y + xp.tanh(norm(xp, y) @ p["up"]) @ p["down"]
        return xp.mean(xp.square(y))

    return Model(f, ((draw(FEATURES, WIDTH), blocks), *inputs(draw)))


def rnn(depth: int) -> Model:
    """Mean square of a state of 16 x 32 after steps of a recurrent network.

    J. Elman, Finding structure in time (1990). A Python loop: it is unrolled.
    """
    draw = draws()
    params = {"w": draw(WIDTH, WIDTH), "enter": draw(FEATURES, WIDTH), "b": draw(WIDTH)}

    def f(xp, p, x, start, *sequence):
        y = start
        for data in sequence:
            y = xp.tanh(y @ p["w"] + (data * x) @ p["enter"] + p["b"])
        return xp.mean(xp.square(y))

    x, _ = inputs(draw)
    sequence = (inputs(draw)[1] for _ in range(depth))
    return Model(f, (params, x, draw(BATCH, WIDTH), *sequence))


def inputs(draw: Callable) -> tuple[np.ndarray, np.ndarray]:
    """The features' weights x, and data: 16 points of 8 features."""
    return 1 + draw(FEATURES), 4 * draw(BATCH, FEATURES)


MODELS = {"chain": chain, "mlp": mlp, "transformer": transformer, "rnn": rnn}


def find(name: str, depth: int, settings: dict) -> Model:
    """A model of the table, or the user's function, whatever depth that has."""
    if name in MODELS:
        return MODELS[name](depth)
    f, args = users(settings)
    return Model(lambda xp, *args: f(*args), args, by=0)
