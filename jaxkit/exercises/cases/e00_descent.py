import numpy as np

from jaxkit.exercises.cases import call, formula

HINTS = (
    "Each step needs the slope at the point where you are now.",
    "Write a loop with x = x - rate * slope(x), and put each x into the list; the "
    "starting point is the first. Don't write x -= ...: that changes the caller's array.",
    "In the second function, np.max(np.abs(slope(x))) is the largest slope: go on while "
    "it is larger than `size`.",
)


def cases():
    square = formula("x: 2 * (x - 3)")
    bowl = formula("x: np.array([2.0, 0.5]) * x")
    start = np.array([1.0, -2.0])
    return [
        call("descend", square, 0.0, 0.25, 2),
        call("descend", square, 0.0, 0.25, 0),
        call("descend", square, 0.0, 1.5, 3),
        call("descend", bowl, start, 0.5, 3),
        call("descend_until", square, 0.0, 0.25, 0.01),
        call("descend_until", square, 3.0, 0.25, 0.01),
        call("descend_until", bowl, start, 0.5, 0.1),
    ]
