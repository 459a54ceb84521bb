"""Four ways to nest two modes into a Hessian, and the Hessian-vector product.

For f: R^n -> R, each nesting differentiates the gradient, computed by the inner mode,
by the outer one. Theory, in units of f: where the inner mode is forward, n^2, for the
gradient takes n tangents, and each is differentiated n times; where it is reverse, n,
since the gradient is one pullback. A Hessian-vector product pushes one tangent through
one pullback, whatever n is (A. Griewank and A. Walther, Evaluating Derivatives, 2nd
ed., 2008, chapter 5; B. Pearlmutter, Neural Computation 6, 1994).

Here f is the sum of squares of the losses of a classifier over n of its parameters, or
of a flow over n of its initial values; its own cost doesn't depend on n. A function
given by `--function` has n of its inputs vary, and the squares of its outputs summed.
"""

from experiments.functions import FUNCTIONS
from experiments.hessian.captions import captions, failures, summary
from experiments.hessian.show import draw, tables
from experiments.hessian.sweep import measure, points

__all__ = [
    "captions", "draw", "failures", "measure", "points", "summary", "tables"
]  # fmt: skip

FULL = {
    "functions": list(FUNCTIONS),
    "function": None,
    "inputs": None,
    "sizes": [1, 2, 4, 8, 16, 32, 64],
    "samples": 15,
    "min_time": 0.005,
    "memory_limit": None,
}
QUICK = FULL | {"sizes": [1, 4, 16], "samples": 5, "min_time": 0.002}
