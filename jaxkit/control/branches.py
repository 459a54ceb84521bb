"""Conditionals: the derivative of the branch that is taken, `lax.cond` and `switch`.

Each branch leaves residuals of its own, in number and shape.  In reverse mode they
share places: a place is an array of one shape and dtype, and each branch fills as many
as it needs and leaves zeros in the others.  An operand that is a residual needs none.
"""

from __future__ import annotations

from functools import partial, reduce
from itertools import compress
from operator import or_
from typing import Any

import jax.numpy as jnp
from jax import lax
from jax.extend.core import primitives

from jaxkit import tracing
from jaxkit.control.plans import share_places
from jaxkit.control.structure import (
    OneOf,
    Operator,
    check_that_devices_meet,
    derivative_of,
    per_jaxpr,
    states,
    structure,
)
from jaxkit.fused import fused
from jaxkit.program import LinearProgram, reached
from jaxkit.rules.table import not_linear
from jaxkit.rules.verbs import structured
from jaxkit.tangents import as_typed, filled, full, spread


@structured(primitives.cond_p)
def _(primals, tangents, params):
    first, *others = params["branches"]
    known, moving = states(primals, tangents)
    if not known[0]:
        raise not_linear(
            "which branch of a conditional is taken depends on the linear inputs"
        )
    platforms = params.get("branches_platforms")
    return _switch(first, tuple(others), known, moving, platforms)


def _choose(index, branches, operands, platforms) -> Any:
    """The branch with this index, on the operands.

    Given `platforms`, of each branch those that it is for (None: for all others), it is
    that of the platform for which this is compiled, as in `lax.platform_dependent`.
    """
    if platforms is None:
        return lax.switch(index, branches, *operands)
    ways = list(zip(platforms, branches, strict=True))
    default = next((branch for names, branch in ways if names is None), None)
    named = {name: branch for names, branch in ways for name in names or ()}
    return lax.platform_dependent(*operands, default=default, **named)


@per_jaxpr
def _switch(first, others, known, moving, platforms):
    branches = [derivative_of(b, known[1:], moving[1:]) for b in (first(), *others)]
    has_primal = tuple(map(all, zip(*(b.known for b in branches), strict=True)))
    # What one branch refuses isn't known until it is known which is taken.
    refusals = reduce(or_, [b.refusals for b in branches])
    live = tuple(
        None if i in refusals else any(lives)
        for i, lives in enumerate(zip(*(b.live for b in branches), strict=True))
    )
    codes = tuple(b.code_of(live) for b in branches)

    # Residuals are numbered: first operands that are some, then the shared places.
    operands = sorted({i for b in branches for i in b.places if i is not None})
    new = [b.new([v.aval for v in b.residuals]) for b in branches]
    numbers, avals = share_places(new)
    n = len(operands)
    places = tuple(
        tuple(
            b.all([n + i for i in numbers_], {i: operands.index(i) for i in operands})
        )
        for b, numbers_ in zip(branches, numbers, strict=True)
    )

    def outputs(branch, outs):
        """A branch's outputs, of those that are known whichever branch is taken."""
        pairs = zip(spread(outs, branch.known), has_primal, strict=True)
        return [y for y, there in pairs if there]

    def leave(branch, numbers, primals):
        outs, residuals = branch.run(primals)
        left = dict(zip(numbers, branch.new(residuals), strict=True))
        return outputs(branch, outs), [
            as_typed(jnp.asarray(left[i]), aval) if i in left else full(aval, 0)
            for i, aval in enumerate(avals)
        ]

    def both(branch, code, primals, tangents):
        outs, moved = branch.jvp(code, primals, tangents)
        return outputs(branch, outs), moved

    @fused
    def forward(primals):
        index, *primals = primals
        takes = [partial(leave, *pair) for pair in zip(branches, numbers, strict=True)]
        outs, left = _choose(index, takes, [primals], platforms)
        return outs, [index, *(primals[i] for i in operands), *left]

    @fused
    def jvp(primals, tangents):
        index, *primals = primals
        takes = [partial(both, *pair) for pair in zip(branches, codes, strict=True)]
        return _choose(index, takes, [primals, tangents], platforms)

    parts = known, moving, has_primal, live, forward, jvp, refusals
    linear = {"codes": codes, "places": places, "platforms": platforms}
    return structure(*parts, operator, **linear)


# The linear operator: one of several linear programs.  Its residuals are which of them,
# and those of all; `places` has for each program the numbers of its own among them.


def _programs(codes, places):
    """Each program as a function of all residuals."""

    def program(code, numbers, residuals):
        return LinearProgram(code, [residuals[i] for i in numbers])

    return [partial(program, *pair) for pair in zip(codes, places, strict=True)]


@fused
def _apply(residuals, tangents, codes, places, platforms):
    index, *residuals = residuals

    def branch(program, residuals, tangents):
        return program(residuals).apply(tangents)

    branches = [partial(branch, program) for program in _programs(codes, places)]
    return _choose(index, branches, [residuals, list(tangents)], platforms)


@fused
def _transpose(residuals, cts, codes, places, platforms):
    index, *residuals = residuals
    avals = codes[0].cotangents
    where = _reaches([ct is not None for ct in cts], codes)

    def branch(program, residuals, cts):
        return filled(program(residuals).transpose(cts), avals, where)

    check_that_devices_meet(
        index, compress(avals, where), "the conditional", "which branch is taken"
    )
    branches = [partial(branch, program) for program in _programs(codes, places)]
    return _choose(index, branches, [residuals, cts], platforms)


def _reaches(there, codes, **params):
    """Where cotangents arrive whichever branch was taken."""
    found = [reached(code, tuple(there)) for code in codes]
    return [any(branches) or None for branches in zip(*found, strict=True)]


def _inside(i, codes, places, **params):
    pairs = zip(codes, places, strict=True)
    return [(code, own.index(i - 1)) for code, own in pairs if i - 1 in own]


def _opened(residuals, tangents, codes, places, **params):
    index, *residuals = residuals
    programs = [program(residuals) for program in _programs(codes, places)]
    if not isinstance(index, tracing.ShapedArray) and not params["platforms"]:
        programs = [programs[min(max(int(index), 0), len(programs) - 1)]]
    return OneOf(programs)


operator = Operator("cond", _apply, _transpose, _reaches, _inside, opened=_opened)
