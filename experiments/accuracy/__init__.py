"""Error of finite differences against their step, with forward and reverse mode below.

Newton's quotient, central differences and the complex step, in float32 and float64, at
one point of each function; the exact derivative comes from arithmetic of 50 digits.
Two errors compete: that of a large step falls with it, rounding's grows as the step
shrinks. Forward and reverse mode have no step, and only the error of rounding.
"""

from experiments.accuracy.show import captions, draw, summary, tables
from experiments.accuracy.sweep import FUNCTIONS, measure, points

__all__ = ["captions", "draw", "measure", "points", "summary", "tables"]

FULL = {
    "functions": list(FUNCTIONS),
    "dtypes": ["float32", "float64"],
    "exponents": [k / 4 for k in range(2, 73)],  # steps 10^-k
}
QUICK = FULL | {"exponents": [k / 2 for k in range(1, 37)]}
