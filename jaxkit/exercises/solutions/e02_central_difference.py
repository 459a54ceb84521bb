"""Reference for exercise 2.

The quotient of quotients of x²y by x twice is y ((x + 2h)² - 2 (x + h)² + x²) / h²,
which is 2y: the h cancels.  By x and then y, in either order, it is ((x + h)² - x²) /
h, which is 2x + h: an error of h = 0.0001.  By y twice nothing is left.
"""

import numpy as np


def central_difference(f, x):
    h = np.finfo(float).eps ** (1 / 3) * max(1.0, abs(x))
    return (f(x + h) - f(x - h)) / (2 * h)
