"""The sweep: which points, and what is measured at one of them."""

from collections.abc import Callable, Iterator

import jax
import jax.numpy as jnp
import numpy as np

from experiments.bench import ExperimentError
from experiments.bench.costs import COMPILED
from experiments.bench.equations import equations
from experiments.bench.measure import nothing, run
from experiments.libraries import libraries
from experiments.users import of_floats, own

WIDTH = 32


# The innermost mode, and that of all others.
WAYS = {
    "forward": ("jvp", "jvp"),
    "reverse": ("grad", "grad"),
    "mixed": ("grad", "jvp"),
}


def tower(xp, x):
    """exp(sin(exp(sin(x))))."""
    return xp.exp(xp.sin(xp.exp(xp.sin(x))))


def network(xp, x, w, v):
    """A perceptron of one number with two layers of 32 tanh, as for a PDE."""
    return xp.sum(xp.tanh(w @ xp.tanh(x * v)))


def of_network() -> tuple:
    """Its weights."""
    draw = np.random.default_rng(0).normal
    return tuple(
        draw(size=shape).astype(np.float32) / np.float32(np.sqrt(WIDTH))
        for shape in ((WIDTH, WIDTH), (WIDTH,))
    )


FUNCTIONS = {
    "tower": ("exp(sin(exp(sin x)))", tower, ()),
    "network": ("a perceptron of one number, two layers of 32", network, of_network()),
}


def points(settings: dict) -> Iterator[dict]:
    """Each function at each order."""
    for function in settings["functions"]:
        subject(function, settings)  # refuses what can't be done
        for k in settings["orders"]:
            yield {"function": function, "k": k}


def measure(point: dict, settings: dict) -> dict:
    """Build and time, in turns, the k-th derivative by each way in each library."""
    f, args, peers = subject(point["function"], settings)
    # A call of a compiled program takes its time, too.
    programs, counts = {"jax call": nothing()}, {}
    for name, library in libraries(peers).items():
        bound, arrays = library.bind(f, args)
        for way in WAYS:
            program = nested(library.ad, way, bound, point["k"])
            programs[f"{name} {way}"] = library.build(program, arrays)
            if name in COMPILED:
                counts[f"{name} {way}"] = {"equations": equations(program, *arrays)}
    results = run(programs, settings)
    return {"programs": {k: v | counts.get(k, {}) for k, v in results.items()}}


def subject(name: str, settings: dict) -> tuple[Callable, tuple, bool]:
    """A function f(xp, x, *data), its arguments, and whether peers can run it."""
    if name in FUNCTIONS:
        _, f, data = FUNCTIONS[name]
        return f, (np.float32(0.7), *data), True
    (f, args), text = own(settings), settings["function"]
    shapes = [jax.tree.map(np.shape, a) for a in (args, jax.eval_shape(f, *args))]
    of_floats(text, f, args)
    if shapes != [((),), ()] or not jnp.issubdtype(args[0].dtype, jnp.floating):
        raise ExperimentError(f"--function {text}: not a function of one float to one")
    return (lambda xp, x: f(x)), args, False


def nested(ad, way: str, f: Callable, k: int) -> Callable:
    """The k-th derivative of a function of one number (and data)."""
    for order in range(k):
        f = derivative(ad, WAYS[way][min(order, 1)], f)
    return f


def derivative(ad, mode: str, f: Callable) -> Callable:
    """The derivative of a function of one number (and data), by one more pass."""
    if mode == "grad":
        return ad.grad(f)

    def pushed(x, *data):
        return ad.jvp(lambda x: f(x, *data), (x,), (x * 0 + 1,))[1]

    return pushed
