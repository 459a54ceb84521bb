"""10. A Hessian times a vector, without the Hessian.

The Hessian is the Jacobian of the gradient, so H v is the derivative of the gradient
along v.  `jk.grad` and `jk.jvp` are enough:

    y, dy = jk.jvp(g, (x,), (v,))        dy is the derivative of g at x along v

The check also looks at the program that you run, `jax.make_jaxpr`: for an x with 50
entries no array in it may have more than 50.

Example: of f(x) = x[0]**2 * x[1] at x = [3, 4] the Hessian is [[8, 6], [6, 0]]; along
v = [1, 0] you get [8, 6].
"""


def hvp(f, x, v):
    """The Hessian of f at x, times v; f maps an array to a number."""
    raise NotImplementedError("your code here")
