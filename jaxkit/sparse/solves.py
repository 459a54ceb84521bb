"""How a linear solve spreads: the inverse of a matrix has the blocks of the matrix.

Entries of x and b that A connects, in any number of steps, are in one block; between
blocks both A and its inverse are zero (and inside, the inverse is seldom sparse).
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from jax.extend.core import primitives
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from jaxkit.arithmetic import record_linear
from jaxkit.program import folded
from jaxkit.rules.spreads import At, Chain, dense, size, spreads
from jaxkit.sparse.patterns import pattern
from jaxkit.tracing import run_jaxpr_here


def _solves(at: At) -> list[Chain]:
    lengths, matvec = at.params["const_lengths"], at.params["jaxprs"].matvec
    first = sum(lengths)
    b = at.operands[first:]

    def make(*consts):
        return record_linear(lambda xs: run_jaxpr_here(matvec, [*consts, *xs]), b, b)

    matrix = pattern(folded(make, at.operands[: lengths.matvec]))
    count, block = connected_components(matrix, directed=False)
    rows = np.arange(len(block))
    member = csr_array((np.ones(len(block), bool), (rows, block)), (len(block), count))
    ends = list(pairwise(np.cumsum([0, *map(size, b)])))
    own = slice(*ends[at.number - first])
    found = [(member[slice(*end)], member[own].T.tocsr()) for end in ends]
    return found + dense(at)[len(b) :]  # what else a solver returns doesn't move


spreads(primitives.linear_solve_p, how=_solves)
