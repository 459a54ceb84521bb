"""16. Functions with a derivative of your own.

`jax.custom_jvp` marks a function whose tangent you give, `jax.custom_vjp` one whose
backward pass you give.

`rounded` has the value of jnp.round, and lets tangents pass as if it weren't there (a
"straight-through" estimator: networks with rounded weights are trained so).

`clipped` has the value of x, and lets cotangents pass only after they are cut to lie
between -1 and 1 (so that one bad example can't throw a network out of its way).

Example: the gradient of rounded(x) ** 2 at 2.6 is 2 * 3 = 6, and that of
10 * clipped(x) is 1.
"""

import jax


@jax.custom_jvp
def rounded(x):
    """jnp.round(x), whose derivative is 1."""
    raise NotImplementedError("your code here")


@rounded.defjvp
def _rounded_jvp(primals, tangents):
    """(rounded(x), its tangent); primals is (x,), and tangents is (dx,)."""
    raise NotImplementedError("your code here")


@jax.custom_vjp
def clipped(x):
    """x, whose cotangents are cut to lie between -1 and 1."""
    raise NotImplementedError("your code here")


def _clipped_forward(x):
    """(clipped(x), what the backward pass needs)."""
    raise NotImplementedError("your code here")


def _clipped_backward(kept, ct):
    """A tuple of one: the cotangent of x."""
    raise NotImplementedError("your code here")


clipped.defvjp(_clipped_forward, _clipped_backward)
