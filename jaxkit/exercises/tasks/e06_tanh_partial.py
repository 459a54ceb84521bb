"""6. The derivative rule of a primitive: tanh.

`jaxkit.rules.elementwise(primitive, partial)` adds a rule for a primitive that acts on
each element.  `partial(y, x)` gets the output y and the operand x, and returns dy/dx.
The check makes a primitive of its own that computes y = tanh(x), gives it your partial,
and differentiates, once and twice.  JAX's tanh is left as it is.

The output is there already, so no hyperbolic function need be computed again.

Example: for x = 0 and y = tanh(0) = 0 the partial is 1.
"""


def partial(y, x):
    """dy/dx for each element, where y = tanh(x)."""
    raise NotImplementedError("your code here")
