"""Two real functions R^n -> R^m whose own cost depends on neither n nor m.

Each takes n of many inputs, spread out and put into a fixed vector, and condenses
many results to m means, so that XLA has nothing to leave out for small n or m.
The point and the data are arguments, not constants: XLA would compute with those
at compile time.
"""

from collections.abc import Callable
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

DIGITS = Path(__file__).parent.parent / "data" / "digits.npz"
EXAMPLES, PIXELS, HIDDEN, CLASSES = 512, 64, 32, 10
CELLS, VISCOSITY, STEP, STEPS = 256, 0.02, 0.05, 4


def digits(n: int, m: int) -> tuple[Callable, tuple]:
    """Losses of a classifier: a tanh layer and a softmax, on 512 digits of 8x8 pixels.

    Returns f and its arguments: n parameters, float32, and data that stay fixed.
    f gives the mean cross-entropy, in nats, of m groups of 512 / m images.
    """
    with np.load(DIGITS) as data:
        images = data["images"][:EXAMPLES].reshape(EXAMPLES, PIXELS) / np.float32(16)
        targets = np.eye(CLASSES, dtype=np.float32)[data["labels"][:EXAMPLES]]
    shapes = [(PIXELS, HIDDEN), (HIDDEN,), (HIDDEN, CLASSES), (CLASSES,)]
    ends = np.cumsum([np.prod(shape) for shape in shapes])
    weights = np.random.default_rng(0).normal(scale=0.1, size=ends[-1])
    weights = weights.astype(np.float32)
    chosen = spread_out(n, len(weights))

    def f(x, chosen, weights, images, targets):
        parts = jnp.split(weights.at[chosen].set(x), ends[:-1])
        w1, b1, w2, b2 = (p.reshape(s) for p, s in zip(parts, shapes, strict=True))
        logits = jnp.tanh(images @ w1 + b1) @ w2 + b2
        losses = -jnp.sum(targets * jax.nn.log_softmax(logits), axis=1)
        return losses.reshape(m, -1).mean(axis=1)

    return f, jax.device_put((weights[chosen], chosen, weights, images, targets))


def burgers(n: int, m: int) -> tuple[Callable, tuple]:
    """A flow on a circle by the viscous Burgers equation, u_t + (u^2 / 2)_x = nu u_xx.

    Returns f and its arguments: n initial values, float32, and data that stay fixed.
    f gives the means over m regions of 256 / m cells after 4 steps of Euler's method,
    implicit in the diffusion and explicit in the rest (U. Ascher, S. Ruuth, B. Wetton,
    SIAM J. Numer. Anal. 32, 1995). Space derivatives are by Fourier collocation, that
    is, dense matrices. A stencil would do less work, but XLA fuses stencils over all
    steps and recomputes them: its FLOPs aren't those of the algorithm any more.
    """
    angles = 2 * np.pi * np.arange(CELLS) / CELLS
    start = (1 + np.sin(angles)).astype(np.float32)
    d_x, d_xx = fourier_derivatives(CELLS)
    implicit = np.linalg.inv(np.eye(CELLS) - STEP * VISCOSITY * d_xx)
    matrix = np.hstack([implicit, -STEP / 2 * implicit @ d_x]).astype(np.float32)
    chosen = spread_out(n, CELLS)

    def f(x, chosen, start, matrix):
        u = start.at[chosen].set(x)
        for _ in range(STEPS):
            u = matrix @ jnp.concatenate([u, u * u])
        return u.reshape(m, -1).mean(axis=1)

    return f, jax.device_put((start[chosen], chosen, start, matrix))


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


FUNCTIONS = {"digits": digits, "burgers": burgers}
