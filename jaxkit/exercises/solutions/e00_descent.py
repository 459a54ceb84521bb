"""Reference for exercise 0.

At the rate 0.2 the loss grows with each step, without bound.  Along the direction in
which the loss bends most its second derivative is 13.4 (the largest eigenvalue of the
Hessian, lesson 1), and a step multiplies the distance from the best point by
1 - 13.4 * rate.  That is smaller than 1 in size as long as the rate is below
2 / 13.4 = 0.149.
"""

import numpy as np


def descend(slope, x, rate, steps):
    points = [x]
    for _ in range(steps):
        x = x - rate * slope(x)
        points.append(x)
    return points


def descend_until(slope, x, rate, size):
    steps = 0
    while np.max(np.abs(slope(x))) > size:
        x, steps = x - rate * slope(x), steps + 1
    return x, steps
