"""Reference for exercise 8.

Ones on and below the diagonal: row i sums the entries to i.  The transpose has them on
and above it: it sums from each entry to the last.
"""

import numpy as np


def transpose_scale(ct, factor):
    return ct * factor


def transpose_broadcast(ct, shape):
    added = ct.ndim - len(shape)
    ct = np.sum(ct, axis=tuple(range(added)))
    repeated = tuple(i for i, n in enumerate(shape) if n == 1)
    return np.sum(ct, axis=repeated, keepdims=True)
