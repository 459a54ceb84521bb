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
    derivative,
    linearized,
    per_jaxpr,
    settled,
    with_zeros,
)
from jaxkit.equations import NotTransposable
from jaxkit.linear import LinearProgram
from jaxkit.rules.table import structured, transposable


@structured(primitives.while_p)
def _(primitive, arithmetic, primals, tangents, params):
    n_test, n_consts = params["cond_nconsts"], params["body_nconsts"]
    body, moving = params["body_jaxpr"], [dx is not None for dx in tangents[n_test:]]
    linear = arithmetic.linear
    moving = settled(body, moving, linear, slice(n_consts, None))
    if not any(moving[n_consts:]):
        outs = primitive.bind(*primals, **params)
        return outs, [None] * len(outs)
    loop = _loops(body, params["cond_jaxpr"], n_test, n_consts, moving, linear)
    tangents = with_zeros(primals[n_test:], tangents[n_test:], moving)
    params = {"loop": loop, "line": tracing.user_line()}
    return derivative(loop, arithmetic, primals, tangents, linear_while, **params)


class While:
    """A loop whose body is taken apart, run in forward mode.

    Its operands are what the condition closes over, what the body closes over, and what
    is carried; `moving` is about the latter two.
    """

    def __init__(self, body, condition, n_test, n_consts, moving, linear):
        self.reference, self.condition = body, condition
        self.n_test, self.n_consts = n_test, n_consts
        self.n_operands = n_test + len(moving)
        self.live = moving[n_consts:]
        self.n_moving_consts = sum(moving[:n_consts])
        self.body = linearized(body(), moving, linear)
        self.code = self.body.code_of(self.live)
        self.jvp = compiled(self._jvp)

    def linearize(self, operands):
        """(outputs, residuals), which are the operands."""
        outs = primitives.while_p.bind(
            *operands,
            cond_nconsts=self.n_test,
            cond_jaxpr=self.condition,
            body_nconsts=self.n_consts,
            body_jaxpr=self.reference(),
        )
        return outs, operands

    def _jvp(self, operands, tangents):
        """(outputs, tangents of those that move)"""
        test, operands = operands[: self.n_test], operands[self.n_test :]
        consts, carry = operands[: self.n_consts], operands[self.n_consts :]
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

    def bind(self, *operands, loop: While, line):
        n = loop.n_operands
        return loop.jvp(list(operands[:n]), list(operands[n:]))[1]


linear_while = LinearWhile()


def _transpose(cts, *operands, loop, line):
    raise NotTransposable(
        f"reverse mode can't pass through the while loop at {line}: how often it runs, "
        "and so how much it would have to remember, is known only at run time.",
        "Use forward mode (jvp, jacfwd), lax.scan, or lax.fori_loop with bounds that "
        "are Python integers.",
    )


transposable(linear_while, _transpose, operands=None)
