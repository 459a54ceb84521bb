"""Draws of arguments: each maps a NumPy generator to an array (see `Case.sampler`)."""

from __future__ import annotations

import math

import numpy as np


def sampler(*draws):
    """A tuple of arguments, one from each draw."""
    return lambda rng: tuple(draw(rng) for draw in draws)


def uniform(*shape, low=-2.0, high=2.0):
    return lambda rng: rng.uniform(low, high, shape)


def offgrid(*shape):
    """Numbers in (-3, 3), of both signs, away from multiples of 1/2."""
    cells = np.arange(-6, 6) / 2

    def draw(rng):
        return rng.choice(cells, shape) + rng.uniform(0.1, 0.4, shape)

    return draw


def distinct(*shape):
    """No two numbers closer than 0.1, in random order: no ties."""

    def draw(rng):
        n = math.prod(shape)
        x = 0.2 * np.arange(n) - 0.1 * n + rng.uniform(-0.05, 0.05, n)
        return rng.permuted(x).reshape(shape)

    return draw


def integers(*shape, low, high):
    return lambda rng: rng.integers(low, high, shape, dtype=np.int32)


def constant(value):
    """The same array in each draw, for indices and the like."""
    value = np.asarray(value)
    return lambda rng: value
