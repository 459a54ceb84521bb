"""14. A Jacobian, and the gradient of each example.

`jax.vmap(g)(xs)` is g of each entry of xs, at once, stacked along the first axis.

The derivative of f along the j-th unit vector is the j-th column of the Jacobian.
Write the Jacobian of f, from arrays of shape (n,) to arrays of shape (m,), with
`jk.jvp` (or `jk.linearize`) and `jax.vmap`, without a loop in Python.

Then, of a loss of one example, `loss(w, x)`, and a batch of examples, xs: the length
(the root of the sum of squares) of each example's gradient by w; w has shape (n,).

Example: jacobian(lambda x: x[:2] * x[2], jnp.array([3.0, 4.0, 5.0])) is
[[5, 0, 3], [0, 5, 4]].
"""


def jacobian(f, x):
    """The Jacobian of f at x, of shape (m, n)."""
    raise NotImplementedError("your code here")


def gradient_lengths(loss, w, xs):
    """The length of the gradient of loss(w, x) by w, for each x of xs."""
    raise NotImplementedError("your code here")
