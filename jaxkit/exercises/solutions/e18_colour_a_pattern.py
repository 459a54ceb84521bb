"""Reference for exercise 18.

[[1, 0, 1, 0], [0, 0, 1, 1], [0, 1, 0, 1]].  Columns 0 and 1 don't meet, and both get
colour 0.  Column 2 meets column 0, and gets 1; column 3 meets column 1, which has 0,
and column 2, which has 1, and needs a third.  In the order 0, 2, 3, 1 two colours do.
"""

import numpy as np


def colour(pattern):
    pattern = np.asarray(pattern, bool)
    colours = []
    for column in pattern.T:
        meets = [i for i in range(len(colours)) if np.any(pattern[:, i] & column)]
        taken = {colours[i] for i in meets}
        colours.append(min(set(range(len(colours) + 1)) - taken))
    return colours


def recovered(pattern, colours, passes):
    return np.where(pattern, np.transpose(passes)[:, colours], 0.0)
