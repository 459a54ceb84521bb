"""Programs of any depth, written for any of the libraries, see `experiments.libraries`.

Each is a scalar f of parameters, of 8 numbers x that weight the input's features, and
of data. Gradients and pushforwards are taken over the parameters; Hessians over x, so
that they have the same size whatever the depth is.
"""

from collections.abc import Callable
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np

from experiments.bench import ExperimentError
from experiments.bench.settings import OfFunction
from experiments.functions import of_floats, own
from zoo.programs import PROGRAMS, Program

FEATURES, WIDTH, BATCH = 8, 32, 16


@dataclass(frozen=True)
class Model:
    """`f(xp, *args)`, and the argument by which its Hessian is taken."""

    f: Callable
    args: tuple
    by: int = 1


def draws() -> Callable[..., np.ndarray]:
    """Draws of float32 arrays, which keep the size of what they are multiplied with."""
    draw = np.random.default_rng(0).normal
    return lambda *shape: (draw(size=shape) / np.sqrt(shape[0])).astype(np.float32)


def inputs(draw: Callable) -> tuple[np.ndarray, np.ndarray]:
    """The features' weights x, and data: 16 points of 8 features."""
    return 1 + draw(FEATURES), 4 * draw(BATCH, FEATURES)


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
    shapes = dict.fromkeys(("query", "key", "value", "leave"), (WIDTH, WIDTH))
    shapes |= {"up": (WIDTH, 2 * WIDTH), "down": (2 * WIDTH, WIDTH)}
    blocks = [{k: draw(*shape) for k, shape in shapes.items()} for _ in range(depth)]

    def norm(xp, y):
        y = y - xp.mean(y, 1)[:, None]
        return y / xp.sqrt(xp.mean(y * y, 1) + 1e-5)[:, None]

    def f(xp, params, x, data):
        enter, blocks = params
        y = (data * x) @ enter
        for p in blocks:
            z = norm(xp, y)
            scores = xp.exp((z @ p["query"]) @ (z @ p["key"]).T / WIDTH**0.5)
            weights = scores / xp.sum(scores, 1)[:, None]
            y = y + weights @ (z @ p["value"]) @ p["leave"]
            y = y + xp.tanh(norm(xp, y) @ p["up"]) @ p["down"]
        return xp.mean(xp.square(y))

    return Model(f, ((draw(FEATURES, WIDTH), blocks), *inputs(draw)))


def rnn(depth: int) -> Model:
    """Mean square of the state of J. Elman's recurrent network (1990), unrolled."""
    draw = draws()
    params = draw(WIDTH, WIDTH), draw(FEATURES, WIDTH), draw(WIDTH)

    def f(xp, params, x, *sequence):
        (w, enter, b), y = params, params[2]
        for data in sequence:
            y = xp.tanh(y @ w + (data * x) @ enter + b)
        return xp.mean(xp.square(y))

    x, _ = inputs(draw)
    return Model(f, (params, x, *(inputs(draw)[1] for _ in range(depth))))


MODELS = {"chain": chain, "mlp": mlp, "transformer": transformer, "rnn": rnn}
PAIRED = {"chain": 5, "mlp": 24}  # those of pairs, and their depth


def find(name: str, depth: int, settings: OfFunction) -> Model:
    """A model of the table, or the user's function, summed up, whatever its depth."""
    if name in MODELS:
        return MODELS[name](depth)
    f, args = own(settings)
    if not all(jnp.issubdtype(x.dtype, jnp.floating) for x in jax.tree.leaves(args[0])):
        advice = "the first argument must be of floats, e.g. 3.0 or 'f32[100]'"
        raise ExperimentError(f"--inputs: {advice}")
    of_floats(name, f, args)

    def total(xp, *args):
        return sum(map(jnp.sum, jax.tree.leaves(f(*args))))

    return Model(total, args, by=0)


def real(names: list[str]) -> dict[str, Program]:
    """The real programs of these names (all if there are none) that can be compiled."""
    found = {p.name: p for p in PROGRAMS if p.traceable}
    if unknown := set(names) - found.keys():
        no = f"no program {', '.join(sorted(unknown))}"
        raise ExperimentError(f"{no}; there are {', '.join(found)}")
    return {name: found[name] for name in names or found}
