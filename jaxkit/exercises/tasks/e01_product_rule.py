"""1. The derivative of a product, by hand.

If u and v both depend on t, then (u v)' = u' v + u v'.

Of f(x, y) = x*x*y + (y + 2), work out both partial derivatives on paper.

Example: product_derivative(3.0, 1.0, 4.0, 0.0) is 4.0, and partials(3.0, 4.0) is
(24.0, 10.0).
"""


def product_derivative(u, du, v, dv):
    """The derivative of u * v, where du and dv are those of u and v."""
    raise NotImplementedError("your code here")


def partials(x, y):
    """(df/dx, df/dy) of f(x, y) = x*x*y + (y + 2)."""
    raise NotImplementedError("your code here")
