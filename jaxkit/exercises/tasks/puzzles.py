"""Puzzles. Ten transposes, of a line each.

Each function A below is linear.  Write its transpose, in one line of NumPy: it takes
ct, of the shape of A's output, to an array of the shape of x, so that

    sum(ct * A(x)) = sum(transpose(ct) * x)    for all x and ct

Ask of each entry of x: to which outputs does it go, and times what?

    1   A(x) = x[::-1]
    2   A(x) = np.roll(x, 1)
    3   A(x) = np.cumsum(x)
    4   A(x) = x[1:] - x[:-1]
    5   A(x) = np.pad(x, (2, 1))
    6   A(x) = x[::2]                   x has n entries
    7   A(x) = x[i]                     i holds places, some of them twice; x has n
    8   A(x) = W @ x @ V                W, x and V are matrices
    9   A(x) = np.mean(x)               x has n entries; A(x) and ct are numbers
    10  A(x) = np.convolve(x, k)        of len(x) + len(k) - 1 entries; k is a vector

Example: reverse(np.array([1.0, 2.0, 3.0])) is [3.0, 2.0, 1.0].
"""


def reverse(ct):
    """1: of x[::-1]."""
    raise NotImplementedError("your code here")


def roll(ct):
    """2: of np.roll(x, 1)."""
    raise NotImplementedError("your code here")


def cumsum(ct):
    """3: of np.cumsum(x)."""
    raise NotImplementedError("your code here")


def differences(ct):
    """4: of x[1:] - x[:-1]."""
    raise NotImplementedError("your code here")


def pad(ct):
    """5: of np.pad(x, (2, 1))."""
    raise NotImplementedError("your code here")


def every_other(ct, n):
    """6: of x[::2], where x has n entries."""
    raise NotImplementedError("your code here")


def gather(ct, i, n):
    """7: of x[i], where x has n entries."""
    raise NotImplementedError("your code here")


def between(ct, W, V):
    """8: of W @ x @ V."""
    raise NotImplementedError("your code here")


def mean(ct, n):
    """9: of np.mean(x), where x has n entries."""
    raise NotImplementedError("your code here")


def convolve(ct, k):
    """10: of np.convolve(x, k)."""
    raise NotImplementedError("your code here")
