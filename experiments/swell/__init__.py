"""Sizes of symbolic derivatives against what the traced modes evaluate.

A symbolic derivative is an expression. As a tree it repeats what it shares with the
function, at every level anew, and swells; as a graph, with equal parts made one, it
does not. Beside it stands the number of operations in the traced programs of forward
and of reverse mode. Sizes are counts, the same on every machine.
"""

from experiments.swell.show import captions, draw, summary, tables
from experiments.swell.sweep import FUNCTIONS, measure, points

__all__ = ["captions", "draw", "measure", "points", "summary", "tables"]

FULL = {"functions": list(FUNCTIONS), "depths": [1, 2, 3, 4, 6, 8, 11, 16, 23, 32]}
QUICK = FULL | {"depths": [1, 2, 4, 8, 16]}
