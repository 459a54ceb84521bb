"""Functions R^n -> R^m whose own cost depends on neither n nor m; and the user's own.

Each takes n of many inputs, spread out and put into a fixed vector, and condenses
many results to m, so that XLA can leave nothing out where n or m is small. The point
and the data are arguments, not constants: XLA would compute with those at compile
time. They are written for any of the libraries, see `experiments.libraries`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree

from experiments.bench import ExperimentError
from experiments.bench.settings import OfFunction
from jaxkit.explaining.command import argument, load

DIGITS = Path(__file__).parent / "data" / "digits.npz"
EXAMPLES, PIXELS, HIDDEN, CLASSES = 512, 64, 32, 10
CELLS, VISCOSITY, STEP, STEPS = 256, 0.02, 0.05, 4


@dataclass(frozen=True)
class Function:
    """`at(n, m)` gives f and its arguments, up to n = inputs and m = outputs.

    Those that aren't `portable` are for jaxkit and JAX alone.
    """

    at: Callable[[int, int], tuple[Callable, tuple]]
    inputs: int
    outputs: int
    portable: bool = True


def digits(n: int, m: int) -> tuple[Callable, tuple]:
    """Losses of a classifier: a tanh layer and a softmax, on 512 digits of 8x8 pixels.

    f gives the mean cross-entropy of m groups of images, over n of 2410 parameters.
    """
    with np.load(DIGITS) as data:
        images = data["images"][:EXAMPLES].reshape(EXAMPLES, PIXELS) / np.float32(16)
        targets = np.eye(CLASSES, dtype=np.float32)[data["labels"][:EXAMPLES]]
    shapes = [(PIXELS, HIDDEN), (HIDDEN,), (HIDDEN, CLASSES), (CLASSES,)]
    ends = np.cumsum([0] + [np.prod(shape) for shape in shapes])
    draw = np.random.default_rng(0).normal
    weights = draw(scale=0.1, size=ends[-1]).astype(np.float32)
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
    are dense matrices, by Fourier collocation: XLA fuses stencils over all steps and
    recomputes them, so that its FLOPs wouldn't be those of the algorithm.
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


def fourier_derivatives(size: int) -> list[np.ndarray]:
    """First and second derivative on a circle of so many points (even), as matrices."""
    k = np.fft.fftfreq(size, 1 / size)
    symbols = 1j * np.where(2 * abs(k) < size, k, 0), -(k**2)
    waves = np.fft.fft(np.eye(size), axis=0)
    return [np.fft.ifft(s[:, None] * waves, axis=0).real for s in symbols]


def spread_out(n: int, size: int) -> np.ndarray:
    """n different indices below size, evenly spread, the first one not at the edge."""
    return (np.arange(n) * size + size // 2) // n


FUNCTIONS = {
    "digits": Function(digits, 2410, 512),
    "burgers": Function(burgers, 256, 256),
}


def find(name: str, settings: Any) -> Function:
    """A function of the table, or the one that `--function` named."""
    return FUNCTIONS.get(name) or scaled(name, *own(settings))


def scaled(name: str, f: Callable, args: tuple) -> Function:
    """A function of any arguments as one of n of its inputs, summed up to m outputs."""
    leaves, treedef = jax.tree.flatten(args)
    moving = [i for i, x in enumerate(leaves) if jnp.issubdtype(x.dtype, jnp.floating)]
    vector, unravel = ravel_pytree([leaves[i] for i in moving])
    if not vector.size:
        raise ExperimentError(f"--inputs of {name}: none of them is of floats")
    outputs = sum(y.size for y in of_floats(name, f, args))

    def at(n: int, m: int) -> tuple[Callable, tuple]:
        def summed(xp, x, chosen, *data):
            at, full = ravel_pytree([data[i] for i in moving])[0], list(data)
            for i, part in zip(moving, unravel(at.at[chosen].set(x)), strict=True):
                full[i] = part
            y = ravel_pytree(f(*treedef.unflatten(full)))[0]
            # Output i goes into group i mod m, so that no group is empty.
            return jnp.sum(jnp.pad(y, (0, -outputs % m)).reshape(-1, m), axis=0)

        chosen = spread_out(n, vector.size)
        return summed, (vector[chosen], chosen, *leaves)

    return Function(at, vector.size, outputs, portable=False)


def short(text: str) -> str:
    """A function's name without its file's folder; an expression as it is."""
    where, colon, name = text.rpartition(":")
    return f"{Path(where).name}:{name}" if colon and name.isidentifier() else text


def subjects(settings: Any) -> list[str]:
    """What is measured, by name: our functions, or the user's alone."""
    return [short(settings.function)] if settings.function else settings.functions


def own(settings: OfFunction) -> tuple[Callable, tuple]:
    """The function that `--function` names, and the arguments of `--inputs`."""
    text = settings.function
    if not settings.inputs:
        raise ExperimentError("--function: say with --inputs where, e.g. 'f32[100]'")
    f = loaded(text)
    args = tuple(example(given, seed) for seed, given in enumerate(settings.inputs))
    try:
        jax.eval_shape(f, *args)
    except jax.errors.ConcretizationTypeError as error:
        why = "what Python code does in it depends on values, so it can't be compiled"
        advice = "use jax.lax.cond or while_loop, or jax.numpy.where"
        raise ExperimentError(f"--function {text}: {why}; {advice}") from error
    except Exception as error:
        raise ExperimentError(f"--function {text}: {error}") from error
    return f, args


def loaded(text: str) -> Callable:
    """The function that `--function` names; ExperimentError if there is none."""
    try:
        return load(text)
    except Exception as error:
        raise ExperimentError(f"--function {text}: {error}") from error


def of_floats(name: str, f: Callable, args: tuple) -> list:
    """The shapes and dtypes of a function's outputs, which must be of floats."""
    outputs = jax.tree.leaves(jax.eval_shape(f, *args))
    kinds = sorted({str(y.dtype) for y in outputs if y.size})
    if not kinds or not all(jnp.issubdtype(kind, jnp.floating) for kind in kinds):
        gives = f"--function {name} gives {', '.join(kinds) or 'nothing'}"
        raise ExperimentError(f"{gives}: only functions to real floats can be taken")
    return outputs


def example(text: str, seed: int) -> Any:
    """An argument: `f32[10,3]`, draws of that shape, or an expression: `ones(5)`."""
    try:
        return argument(text, seed)
    except ValueError as error:
        raise ExperimentError(f"--inputs {error}") from error
