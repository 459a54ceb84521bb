"""2. A central difference with a good step.

    f'(x) ~ (f(x + h) - f(x - h)) / (2 h)

The formula neglects terms of the size h**2; rounding adds an error of the size eps / h,
where eps = np.finfo(float).eps is about 2e-16.  Choose the h at which both are about
equal.  Numbers of the size of x are eps * abs(x) apart, so h must grow with x.

Example: central_difference(np.sin, 1.0) is cos(1) = 0.5403023058..., to nine digits.
"""


def central_difference(f, x):
    """The derivative of f at the number x, to nine digits."""
    raise NotImplementedError("your code here")
