"""`lax.while_loop`, and `fori_loop` with bounds that are computed: forward mode.

The number of steps is known only when the loop has run, so there is no array in which
residuals could be stacked, and no transpose.  As a linear operator the loop keeps its
operands alone and runs once more, primal and tangent together.
"""

from __future__ import annotations

from jax import lax
from jax.extend.core import primitives

from jaxkit import tracing
from jaxkit.control.linearized import (
    compiled,
    linearized,
    per_jaxpr,
    settled,
    with_zeros,
)
from jaxkit.dual import Evaluate
from jaxkit.linear import LinearProgram
from jaxkit.rules.table import structured, transposable
from jaxkit.tangents import Zero, given, spread, zeros


@structured(primitives.while_p)
def _(primitive, arithmetic, primals, tangents, params):
    n_cond, n_body = params["cond_nconsts"], params["body_nconsts"]
    test, operands = primals[:n_cond], primals[n_cond:]
    tangents = tangents[n_cond:]
    moving = [dx is not None for dx in tangents]
    moving = settled(params["body_jaxpr"], moving, slice(n_body, None))
    live = moving[n_body:]
    if not any(live):
        outs = primitive.bind(*primals, **params)
        return outs, [None] * len(outs)
    loop = _loops(params["body_jaxpr"], n_body, moving, params["cond_jaxpr"])
    tangents = with_zeros(operands, tangents, moving)
    if isinstance(arithmetic, Evaluate):
        values = [zeros(dx.aval) if type(dx) is Zero else dx for dx in tangents]
        outs, moved = loop.jvp(test, operands, given(values))
        return outs, spread(moved, live)
    outs = primitive.bind(*primals, **params)
    moved = arithmetic.bind(
        linear_while,
        [*primals, *given(tangents)],
        [y.aval for y, moves in zip(outs, live, strict=True) if moves],
        loop=loop,
        n_test=n_cond,
        line=tracing.user_line(),
    )
    return outs, spread(moved, live)


class While:
    """A loop whose body is taken apart, run in forward mode."""

    def __init__(self, body, n_consts, moving, condition):
        self.condition, self.n_consts = condition, n_consts
        self.body = linearized(body(), moving)
        self.n_operands = len(moving)
        self.n_moving_consts = sum(moving[:n_consts])
        self.code = self.body.code_of(moving[n_consts:])
        self.jvp = compiled(self._jvp)

    def _jvp(self, test, primals, tangents):
        """(outputs, tangents of those that move)"""
        consts, carry = primals[: self.n_consts], primals[self.n_consts :]
        d_consts = tangents[: self.n_moving_consts]

        def goes_on(duals):
            return tracing.run_jaxpr_here(self.condition, [*test, *duals[0]])[0]

        def step(duals):
            outs, residuals = self.body.run([*consts, *duals[0]])
            moved = LinearProgram(self.code, residuals).apply([*d_consts, *duals[1]])
            return outs, moved

        start = list(carry), list(tangents[self.n_moving_consts :])
        return lax.while_loop(goes_on, step, start)


_loops = per_jaxpr(While)


class LinearWhile:
    """Linear operator: a while loop's tangents.  Operands: its own, then tangents."""

    name = "while"
    multiple_results = True

    def __repr__(self):
        return self.name

    def bind(self, *operands, loop: While, n_test, line):
        n = n_test + loop.n_operands
        primals, tangents = operands[:n], operands[n:]
        return loop.jvp(primals[:n_test], primals[n_test:], tangents)[1]


linear_while = LinearWhile()


def _transpose(cts, *operands, loop, n_test, line):
    raise ValueError(
        f"reverse mode can't pass through the while loop at {line}: how often it runs, "
        "and so how much it would have to remember, is known only at run time. Use "
        "forward mode (jvp, jacfwd), lax.scan, or lax.fori_loop with bounds that are "
        "Python integers."
    )


transposable(linear_while, _transpose, operands=None)
