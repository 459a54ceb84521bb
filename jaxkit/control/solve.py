"""`lax.custom_linear_solve`: the solution of A x = b is differentiated by its equation.

    A dx = db - dA x          forward: one more solve with A
    A^T c = ct                reverse: one solve with its transpose

How it is solved, a factorisation or a long iteration, is never looked at.
"""

from __future__ import annotations

from itertools import accumulate

from jax.extend.core import primitives

from jaxkit import tracing
from jaxkit.control.structure import runner
from jaxkit.program import Zero
from jaxkit.rules.terms import add_tangents, scale
from jaxkit.rules.verbs import general, transposable
from jaxkit.tangents import filled


def _parts(operands, lengths):
    """The operands of a linear solve: constants of each of its functions, then b."""
    ends = list(accumulate(lengths))
    starts = [0, *ends[:-1]]
    consts = [operands[i:j] for i, j in zip(starts, ends, strict=True)]
    return consts, operands[ends[-1] :]


@general(primitives.linear_solve_p)
def _(primitive, arithmetic, primals, tangents, params):
    x = primitive.bind(*primals, **params)
    (consts, *_), b = _parts(primals, params["const_lengths"])
    (d_consts, *_), db = _parts(tangents, params["const_lengths"])
    # x is as long as b where the solver returns no more than the solution.
    extra, solution = x[len(b) :], x[: len(b)]
    matvec = params["jaxprs"].matvec
    still = [None] * len(solution)
    dA_x = still
    if any(d is not None for d in d_consts):
        operands, moved = [*consts, *solution], [*d_consts, *still]
        _, dA_x, _ = arithmetic.run(runner(lambda: matvec), operands, moved)
    right = []
    for d, change, y in zip(db, dA_x, solution, strict=True):
        aval = tracing.typeof(y)
        falling = None if change is None else scale(arithmetic, change, -1, aval)
        right.append(add_tangents(arithmetic, d, falling, aval))
    if all(d is None for d in right):
        return x, [None] * len(x)
    avals = [tracing.typeof(y) for y in x]
    right = [
        Zero(aval) if d is None else d
        for d, aval in zip(right, avals[: len(b)], strict=True)
    ]
    n = len(primals) - len(b)
    moved = arithmetic.bind(primitive, [*primals[:n], *right], avals, **params)
    return x, [*moved[: len(b)], *(None for _ in extra)]


def _transpose(cts, *operands, const_lengths, jaxprs):
    if jaxprs.transpose_solve is None:
        raise TypeError(
            "reverse mode through lax.custom_linear_solve needs its transpose_solve, "
            f"or symmetric=True; the one at {tracing.user_line()} was given neither."
        )
    matvec, vecmat, solve, transpose_solve = _parts(operands, const_lengths)[0]
    n = sum(const_lengths)
    b = [x.aval for x in operands[n:]]
    lengths = type(const_lengths)(*(const_lengths[i] for i in (1, 0, 3, 2)))
    swapped = type(jaxprs)(*(jaxprs[i] for i in (1, 0, 3, 2)))
    moved = primitives.linear_solve_p.bind(
        *vecmat, *matvec, *transpose_solve, *solve, *filled(cts[: len(b)], b),
        const_lengths=lengths, jaxprs=swapped,
    )  # fmt: skip
    return [None] * n + list(moved[: len(b)])


def _right_hand_side(n, *, const_lengths, **params):
    return range(sum(const_lengths), n)


transposable(primitives.linear_solve_p, _transpose, operands=_right_hand_side)
