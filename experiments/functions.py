"""Functions R^n -> R^m whose own cost depends on neither n nor m; and the user's own.

Each takes n of many inputs, spread out and put into a fixed vector, and condenses
many results to m, so that XLA can leave nothing out where n or m is small. The point
and the data are arguments, not constants: XLA would compute with those at compile
time. They are written for any of the libraries, see `experiments.libraries`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from experiments.bench import ExperimentError
from experiments.users import of_floats, own, short

DIGITS = Path(__file__).parent / "data" / "digits.npz"
EXAMPLES, PIXELS, HIDDEN, CLASSES = 512, 64, 32, 10
CELLS, VISCOSITY, STEP, STEPS = 256, 0.02, 0.05, 4


@dataclass(frozen=True)
class Function:
    """`at(n, m)` gives f and its arguments: n inputs, and data that stay fixed.

    `inputs` and `outputs` are the largest n and m. A function that isn't `portable` is
    written in jax.numpy, and is for jaxkit and JAX alone.
    """

    title: str
    at: Callable[[int, int], tuple[Callable, tuple]]
    inputs: int
    outputs: int
    portable: bool = True


def digits(n: int, m: int) -> tuple[Callable, tuple]:
    """Losses of a classifier: a tanh layer and a softmax, on 512 digits of 8x8 pixels.

    f gives the mean cross-entropy, in nats, of m groups of 512 / m images, over n of
    the 2410 parameters.
    """
    with np.load(DIGITS) as data:
        images = data["images"][:EXAMPLES].reshape(EXAMPLES, PIXELS) / np.float32(16)
        targets = np.eye(CLASSES, dtype=np.float32)[data["labels"][:EXAMPLES]]
    shapes = [(PIXELS, HIDDEN), (HIDDEN,), (HIDDEN, CLASSES), (CLASSES,)]
    ends = np.cumsum([0] + [np.prod(shape) for shape in shapes])
    weights = np.random.default_rng(0).normal(scale=0.1, size=ends[-1])
    weights = weights.astype(np.float32)
    chosen = spread_out(n, len(weights))

    def f(xp, x, chosen, weights, images, targets):
        w = xp.put(weights, chosen, x)
        w1, b1, w2, b2 = (
            w[start:end].reshape(shape)
            for start, end, shape in zip(ends, ends[1:], shapes, strict=False)
        )
        logits = xp.tanh(images @ w1 + b1) @ w2 + b2
        total = xp.log(xp.sum(xp.exp(logits), 1))
        losses = total - xp.sum(targets * logits, 1)
        return xp.mean(losses.reshape(m, EXAMPLES // m), 1)

    return f, (weights[chosen], chosen, weights, images, targets)


def burgers(n: int, m: int) -> tuple[Callable, tuple]:
    """A flow on a circle by the viscous Burgers equation, u_t + (u^2 / 2)_x = nu u_xx.

    f gives the means over m regions of 256 / m cells after 4 steps of Euler's method,
    implicit in the diffusion and explicit in the rest (U. Ascher, S. Ruuth, B. Wetton,
    SIAM J. Numer. Anal. 32, 1995), over n of the 256 initial values. Space derivatives
    are by Fourier collocation, that is, dense matrices. A stencil would do less work,
    but XLA fuses stencils over all steps and recomputes them: its FLOPs aren't those of
    the algorithm any more.
    """
    angles = 2 * np.pi * np.arange(CELLS) / CELLS
    start = (1 + np.sin(angles)).astype(np.float32)
    d_x, d_xx = fourier_derivatives(CELLS)
    implicit = np.linalg.inv(np.eye(CELLS) - STEP * VISCOSITY * d_xx)
    matrix = np.hstack([implicit, -STEP / 2 * implicit @ d_x]).astype(np.float32)
    chosen = spread_out(n, CELLS)

    def f(xp, x, chosen, start, matrix):
        u = xp.put(start, chosen, x)
        for _ in range(STEPS):
            u = matrix @ xp.concatenate([u, u * u])
        return xp.mean(u.reshape(m, CELLS // m), 1)

    return f, (start[chosen], chosen, start, matrix)


def fourier_derivatives(size: int) -> tuple[np.ndarray, np.ndarray]:
    """First and second derivative of the trigonometric interpolant, as matrices.

    For an even number of equidistant points on a circle of length 2 pi; float64.
    """
    offset = np.subtract.outer(np.arange(size), np.arange(size))
    half = np.where(offset == 0, 1, offset) * np.pi / size
    sign = (-1.0) ** offset / 2
    first = np.where(offset == 0, 0, sign / np.tan(half))
    second = np.where(offset == 0, -(size**2) / 12 - 1 / 6, -sign / np.sin(half) ** 2)
    return first, second


def spread_out(n: int, size: int) -> np.ndarray:
    """n different indices below size, evenly spread, the first one not at the edge."""
    return (np.arange(n) * size + size // 2) // n


FUNCTIONS = {
    "digits": Function("losses of a classifier over its parameters", digits, 2410, 512),
    "burgers": Function("means of a flow over its initial values", burgers, 256, 256),
}


def find(name: str, settings: dict) -> Function:
    """A function of the table, or the one that `--function` named."""
    return FUNCTIONS.get(name) or scaled(short(settings["function"]), *own(settings))


def scaled(name: str, f: Callable, args: tuple) -> Function:
    """A function of any arguments as one of n of its inputs, summed up to m outputs."""
    leaves, treedef = jax.tree.flatten(args)
    moving = [i for i, x in enumerate(leaves) if jnp.issubdtype(x.dtype, jnp.floating)]
    ends = np.cumsum([0] + [leaves[i].size for i in moving])
    if not sum(leaves[i].size for i in moving):
        raise ExperimentError(f"--inputs of {name}: none of them is of floats")
    results = of_floats(name, f, args)
    outputs = sum(y.size for y in results)

    def at(n: int, m: int) -> tuple[Callable, tuple]:
        chosen = spread_out(n, ends[-1])

        def summed(xp, x, chosen, *data):
            vector = jnp.concatenate([jnp.ravel(data[i]) for i in moving])
            vector, full = vector.at[chosen].set(x), list(data)
            for i, start, end in zip(moving, ends, ends[1:], strict=False):
                full[i] = vector[start:end].reshape(data[i].shape).astype(data[i].dtype)
            found = jax.tree.leaves(f(*treedef.unflatten(full)))
            y = jnp.concatenate([jnp.ravel(part) for part in found])
            # Output i goes into group i mod m, so that no group is empty.
            return jnp.sum(jnp.pad(y, (0, -outputs % m)).reshape(-1, m), axis=0)

        vector = np.concatenate([np.ravel(leaves[i]) for i in moving])
        return summed, (vector[chosen], chosen, *leaves)

    return Function(f"the user's {name}", at, int(ends[-1]), outputs, portable=False)
