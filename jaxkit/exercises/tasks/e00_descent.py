"""0. Gradient descent.

A loss says how bad x is; its slope (of an array x: its gradient, a slope for each
entry) says how it moves with x.  From a starting point, go against it, again and again:

    x  becomes  x - rate * slope(x)

Example: the loss (x - 3)**2 has the slope 2 * (x - 3).  From x = 0 at the rate 0.25 the
first steps lead to 1.5, then to 2.25: descend(lambda x: 2 * (x - 3), 0.0, 0.25, 2) is
[0.0, 1.5, 2.25].
"""


def descend(slope, x, rate, steps):
    """The points that are passed, a list: x itself, then one for each step."""
    raise NotImplementedError("your code here")


def descend_until(slope, x, rate, size):
    """(the first point at which no slope is larger than `size`, steps taken to it).

    A slope of -3 counts as 3.
    """
    raise NotImplementedError("your code here")
