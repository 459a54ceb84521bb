"""Reference for the puzzles.

All ten follow from two: what is copied is summed, and what is moved is moved back.  A
transpose isn't an inverse: 1 and 2 have one that is both, but 3 undoes nothing, and 5
throws away what it padded.
"""

import numpy as np


def reverse(ct):
    return ct[::-1]


def roll(ct):
    return np.roll(ct, -1)


def cumsum(ct):
    return np.cumsum(ct[::-1])[::-1]


def differences(ct):
    return -np.diff(ct, prepend=0, append=0)


def pad(ct):
    return ct[2:-1]


def every_other(ct, n):
    return np.where(np.arange(n) % 2 == 0, np.repeat(ct, 2)[:n], 0)


def gather(ct, i, n):
    return np.bincount(i, ct, n)


def between(ct, W, V):
    return W.T @ ct @ V.T


def mean(ct, n):
    return np.full(n, ct / n)


def convolve(ct, k):
    return np.correlate(ct, k, "valid")
