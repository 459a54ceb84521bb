"""Cost and equation count of the k-th derivative, by nesting one mode or both.

For f: R -> R, each further derivative differentiates the program of the one before it,
which has at most so many times the operations; nested k times that is exponential in k
(J. Bettencourt, M. Johnson, D. Duvenaud, Taylor-mode automatic differentiation, 2019),
though the derivatives of f up to k could be had in about k^2 times f, as a truncated
Taylor series (A. Griewank, J. Utke, A. Walther, Math. Comp. 69, 2000).

The ways are

  forward    jvp of jvp of ... f, with the tangent 1
  reverse    grad of grad of ... f
  mixed      jvp of ... of jvp of grad of f: one reverse pass, innermost

Equations are those of the traced program, before XLA finds parts that are the same;
its FLOPs leave functions such as exp and sin out.
A function given by `--function` must map one number to one.
"""

from experiments.higher.show import captions, draw, summary, tables
from experiments.higher.sweep import FUNCTIONS, measure, points

__all__ = ["captions", "draw", "measure", "points", "summary", "tables"]

FULL = {
    "functions": list(FUNCTIONS),
    "function": None,
    "inputs": None,
    "orders": [1, 2, 3, 4, 5, 6],
    "samples": 9,
    "min_time": 0.005,
    "memory_limit": None,
}
QUICK = FULL | {"orders": [1, 2, 3, 4], "samples": 5, "min_time": 0.002}
