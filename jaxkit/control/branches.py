"""Conditionals: the derivative of the branch that is taken, `lax.cond` and `switch`.

Each branch leaves residuals of its own, in number and shape.  In reverse mode they
share places: a place is an array of one shape and dtype, and each branch fills as many
as it needs and leaves zeros in the others.  An operand that is a residual needs none.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import jax.numpy as jnp
from jax import lax
from jax.extend.core import primitives

from jaxkit import tracing
from jaxkit.control.jit import Options, call_rule
from jaxkit.control.linearized import (
    compiled,
    derivative,
    filled,
    linearized,
    per_jaxpr,
)
from jaxkit.linear import Code, LinearProgram
from jaxkit.rules.table import structured, transposable
from jaxkit.tangents import full


@structured(primitives.cond_p)
def _(primitive, arithmetic, primals, tangents, params):
    branches = params["branches"]
    platforms = params.get("branches_platforms")
    if platforms is not None:
        # `lax.platform_dependent`: ways to compute the same that suit different
        # platforms (jax.numpy.diagonal has one).  Any of them will do.
        which = platforms.index(None) if None in platforms else -1
        options = Options("platform_dependent")
        return call_rule(
            arithmetic, primals[1:], tangents[1:], branches[which], options
        )
    moving = tuple(dx is not None for dx in tangents[1:])
    choice = _choices(branches[0], branches[1:], moving, arithmetic.linear)
    params = {"codes": choice.codes, "places": choice.places}
    return derivative(choice, arithmetic, primals, tangents, linear_switch, **params)


class Choice:
    """The branches of a conditional, taken apart."""

    def __init__(self, first, others, moving, linear):
        self.branches = [linearized(b, moving, linear) for b in (first(), *others)]
        lives = zip(*(branch.live for branch in self.branches), strict=True)
        self.live = tuple(map(any, lives))
        self.codes = tuple(branch.code_of(self.live) for branch in self.branches)
        # Residuals are numbered: first all operands, then the places.
        self.n_operands = len(moving)
        self.avals: list[Any] = []
        self.places = tuple(map(self._assign, self.branches))
        self.linearize = compiled(self._linearize)
        self.jvp = compiled(self._jvp)

    def _assign(self, branch) -> tuple[int, ...]:
        """The number of each residual of a branch."""
        numbers = {v: i for i, v in enumerate(branch.inputs)}
        taken, assigned = set(), []
        for v in branch.residuals:
            number = None if tracing.is_literal(v) else numbers.get(v)
            if number is None:
                number = self._place(v.aval, taken)
                taken.add(number)
            assigned.append(number)
        return tuple(assigned)

    def _place(self, aval, taken) -> int:
        """A place for an array of this type that isn't taken."""
        for i, other in enumerate(self.avals):
            same = other.shape == aval.shape and other.dtype == aval.dtype
            if same and self.n_operands + i not in taken:
                return self.n_operands + i
        self.avals.append(aval)
        return self.n_operands + len(self.avals) - 1

    def _linearize(self, primals):
        """(outputs, which branch it was and the residuals)"""
        index, *primals = primals

        def take(branch, places, primals):
            outs, residuals = branch.run(primals)
            left = dict(zip(places, residuals, strict=True))
            n = self.n_operands
            return outs, [
                jnp.asarray(left[n + i], aval.dtype) if n + i in left else full(aval, 0)
                for i, aval in enumerate(self.avals)
            ]

        pairs = zip(self.branches, self.places, strict=True)
        outs, left = lax.switch(
            index, [partial(take, *pair) for pair in pairs], primals
        )
        return outs, [index, *primals, *left]

    def _jvp(self, primals, tangents):
        """(outputs, tangents of those that are live)"""
        index, *primals = primals

        def take(branch, code, primals, tangents):
            outs, residuals = branch.run(primals)
            return outs, LinearProgram(code, residuals).apply(tangents)

        pairs = zip(self.branches, self.codes, strict=True)
        takes = [partial(take, *pair) for pair in pairs]
        return lax.switch(index, takes, primals, tangents)


_choices = per_jaxpr(Choice)


class LinearSwitch:
    """Linear operator: one of several linear programs.

    Operands: which of them, the residuals of all, then their inputs.  `places` has for
    each program the numbers of its residuals among them.
    """

    name = "cond"
    multiple_results = True

    def __repr__(self):
        return self.name

    def bind(self, *operands, codes, places):
        return _apply(*_split(operands, codes), codes=codes, places=places)


linear_switch = LinearSwitch()


def _split(operands, codes: Sequence[Code]):
    """(index, residuals, tangents)"""
    index, *rest = operands
    n = len(rest) - len(codes[0].inputs)
    return index, rest[:n], rest[n:]


def _programs(codes, places):
    """Each program as a function of all residuals."""

    def program(code, numbers, residuals):
        return LinearProgram(code, [residuals[i] for i in numbers])

    return [partial(program, *pair) for pair in zip(codes, places, strict=True)]


@partial(compiled, static=("codes", "places"))
def _apply(index, residuals, tangents, codes, places):
    def branch(program, residuals, tangents):
        return program(residuals).apply(tangents)

    branches = [partial(branch, program) for program in _programs(codes, places)]
    return lax.switch(index, branches, residuals, tangents)


@partial(compiled, static=("codes", "places"))
def _pull_back(index, residuals, cts, codes, places):
    avals = [v.aval for v in codes[0].inputs]

    def branch(program, residuals, cts):
        return filled(program(residuals).transpose(cts), avals)

    branches = [partial(branch, program) for program in _programs(codes, places)]
    return lax.switch(index, branches, residuals, cts)


def _transpose(cts, *operands, codes, places):
    index, residuals, _ = _split(operands, codes)
    moved = _pull_back(index, residuals, cts, codes=codes, places=places)
    return [None] * (1 + len(residuals)) + moved


transposable(linear_switch, _transpose, operands=None)
