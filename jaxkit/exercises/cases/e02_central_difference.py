from dataclasses import replace
from functools import partial

import numpy as np

from jaxkit.exercises.cases import Random, call, formula
from jaxkit.exercises.values import close
from jaxkit.study import dual

HINTS = (
    "Of what size are the two errors if h is 0.1, and if h is 1e-15? Between these "
    "there is a step at which neither is larger than the other.",
    "The errors h**2 and eps / h are equal at h = eps ** (1/3), which is the step at x "
    "of size one; for larger x multiply it by abs(x). Divide by 2 h.",
    "h = eps ** (1/3) * max(1, abs(x)); from 1 and not from abs(x) alone, since x may "
    "be 0.",
)
compare = partial(close, tolerance=1e-9)


def cases():
    def case(f, x):
        exact = dual.derivative(f)(x)
        return replace(call("central_difference", f, x), expected=exact)

    square = formula("x: x**2")
    return [
        case(np.sin, 1.0),
        case(np.exp, 0.0),
        case(formula("x: x**3"), -2.0),
        case(square, 0.0),
        case(square, 1e6),
        *[case(np.sin, x) for x in Random().numbers(3)],
    ]
