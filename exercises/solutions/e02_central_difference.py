"""Reference for exercise 2."""

import numpy as np


def central_difference(f, x):
    h = np.finfo(float).eps ** (1 / 3) * max(1.0, abs(x))
    return (f(x + h) - f(x - h)) / (2 * h)
