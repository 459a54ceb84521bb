"""8. Transposes of two linear maps.

The transpose of a linear map A takes a cotangent of its output to one of its input, so
that sum(ct * A(x)) = sum(transpose(ct) * x) for all x and ct.  Find it without a matrix
for

    A(x) = x * factor                    the factor, of the same shape as x, is fixed
    A(x) = np.broadcast_to(x, shape)     NumPy adds axes in front, and repeats axes of
                                         length 1

Example: transpose_scale(np.array([1.0, 2.0]), np.array([3.0, 4.0])) is [3.0, 8.0], and
transpose_broadcast(np.ones((2, 3)), (3,)) is [2.0, 2.0, 2.0].
"""


def transpose_scale(ct, factor):
    """The cotangent of x, where ct is that of x * factor."""
    raise NotImplementedError("your code here")


def transpose_broadcast(ct, shape):
    """The cotangent of x, which has this shape; ct is that of x broadcast."""
    raise NotImplementedError("your code here")
