"""17. The derivative of a solution.

An equation f(x, a) = 0 makes x a function of a.  Move a by da: f moves by f_a da, where
f_a is its partial by a, and x must move so that f stays 0:

    f_x dx + f_a da = 0

`slope` is dx/da of a number x.  `slopes` is the same for n equations f(x, a) = 0 in n
unknowns, with one number a: there f_x is a matrix, and f_a a vector.

Example: x**2 - a = 0 is solved by the root of a, whose slope at a = 4, x = 2 is 0.25:
slope(lambda x, a: x**2 - a, 2.0, 4.0).
"""


def slope(f, x, a):
    """dx/da where f(x, a) = 0; x and a are numbers."""
    raise NotImplementedError("your code here")


def slopes(f, x, a):
    """dx/da, of shape (n,), where f(x, a) = 0 in n entries; x has n, a is a number."""
    raise NotImplementedError("your code here")
