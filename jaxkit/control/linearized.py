"""The derivative of a jaxpr: what runs forward, and the linear program it leaves.

A control structure holds the code that it runs as a jaxpr.  Linearizing that once gives

    forward    a jaxpr: operands -> outputs, then the residuals of the linear program
    code       the linear program over those residuals, from the tangents of the
               operands that move to the tangents of the outputs

and a rule is then a matter of where the residuals go: one from each step of a loop are
stacked, those of the branches of a conditional share places, those of a checkpoint are
computed again.  In forward mode both run together, and residuals go nowhere.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any
from weakref import WeakKeyDictionary, ref

import jax

from jaxkit import tracing
from jaxkit.dual import Evaluate, linearize_flat
from jaxkit.equations import Var
from jaxkit.linear import Code
from jaxkit.tangents import Zero, given, moves, spread, zeros


def per_jaxpr(make: Callable) -> Callable:
    """Remember what `make(jaxpr, *key)` made for as long as the jaxpr is alive.

    `make` gets a weak reference: a jaxpr holds the arrays its function closes over, and
    what is made must not keep it alive.  Jaxprs in `key` are kept as long.
    """
    made = WeakKeyDictionary()

    def get(jaxpr, *key):
        entries = made.setdefault(jaxpr, {})
        if key not in entries:
            entries[key] = make(ref(jaxpr), *key)
        return entries[key]

    return get


def compiled(function: Callable, static: Sequence[str] = ()) -> Callable:
    """`function`, run as compiled code where all values are concrete.

    Under a trace it runs as it is, so that what it merely passes on stays the same
    value, which a loop outside it needs to see.  `static` names arguments, passed by
    keyword, that hold no arrays.
    """
    jitted = jax.jit(function, static_argnames=static)

    @wraps(function)
    def run(*args, **kwargs):
        traced = any(map(tracing.is_traced, jax.tree.leaves(args)))
        return (function if traced else jitted)(*args, **kwargs)

    return run


def runner(jaxpr: Callable, inline=False) -> Callable:
    """A jaxpr, got by `jaxpr()`, as a flat function (see `dual.py`)."""
    return lambda values: (tracing.run_jaxpr_here(jaxpr(), values, inline), [])


class Linearized:
    """A closed jaxpr, taken apart for the operands that move.

    If it is `linear` in these, it is its own linear program, and `forward` computes
    what doesn't depend on them.  With `inline`, `forward` consists of single
    operations, not of calls.
    """

    def __init__(self, jaxpr: ref, moving: Sequence[bool], linear: bool, inline=False):
        def forward(*primals):
            nonlocal code
            run = runner(jaxpr, inline)
            outs, program, _ = linearize_flat(run, primals, moving, linear)
            program = program.prune()
            code = program.code
            return outs, program.residuals

        code = Code((), (), ())
        given = tracing.open_jaxpr(jaxpr())
        self.forward = jax.make_jaxpr(forward)(*(v.aval for v in given.invars))
        self.code = code
        variables = tracing.open_jaxpr(self.forward)
        n = len(given.outvars)
        self.equations, self.constants = variables.eqns, variables.constvars
        self.inputs = variables.invars
        self.outputs, self.residuals = variables.outvars[:n], variables.outvars[n:]
        # Of each output the tangent; None if it has none.
        moving = [moves(v.aval.dtype) for v in self.outputs]
        self.tangents = spread(code.outputs, moving)

    @property
    def live(self) -> tuple[bool, ...]:
        """Which outputs move; the tangents of the others are zero."""
        return tuple(type(t) is Var for t in self.tangents)

    def code_of(self, outputs: Sequence[bool]) -> Code:
        """The linear program's code, with the tangents of these outputs alone."""
        chosen = [t for t, there in zip(self.tangents, outputs, strict=True) if there]
        return Code(self.code.inputs, chosen, self.code.equations)

    def run(self, primals) -> tuple[list[Any], list[Any]]:
        """(outputs, residuals)"""
        values = tracing.run_jaxpr_here(self.forward, primals)
        return values[: len(self.outputs)], values[len(self.outputs) :]


linearized = per_jaxpr(Linearized)


def derivative(parts, arithmetic, primals, tangents, operator, **params):
    """The rule of a structure that is taken apart, as far as it is the same for all.

    `parts` has `live`, `jvp(primals, tangents)` -> (outputs, tangents of those that are
    live), and `linearize(primals)` -> (outputs, residuals); `operator` is the linear
    operator over those residuals, with `params`.  A tangent may be a `Zero`.
    """
    if isinstance(arithmetic, Evaluate):
        known = [zeros(t.aval) if type(t) is Zero else t for t in given(tangents)]
        outs, moved = parts.jvp(list(primals), known)
    else:
        outs, residuals = parts.linearize(list(primals))
        pairs = zip(outs, parts.live, strict=True)
        avals = [tracing.typeof(y) for y, live in pairs if live]
        operands = [*residuals, *given(tangents)]
        moved = arithmetic.bind(operator, operands, avals, **params)
    return outs, spread(moved, parts.live)


def settled(
    jaxpr, moving: Sequence[bool], linear: bool, carry: slice
) -> tuple[bool, ...]:
    """Which operands of a loop's body move, given those that move in the first step.

    `carry` is where among the operands are those that the first outputs replace in
    each step.  What moves in one step moves from then on.
    """
    moving = tuple(moving)
    while True:
        live = linearized(jaxpr, moving, linear).live
        carried = zip(moving[carry], live, strict=False)
        settled = list(moving)
        settled[carry] = [before or after for before, after in carried]
        if tuple(settled) == moving:
            return moving
        moving = tuple(settled)


def with_zeros(primals, tangents, moving: Sequence[bool]) -> list[Any]:
    """The tangents, with a `Zero` for each that is None where the primal moves."""
    return [
        Zero(tracing.typeof(x)) if moves and dx is None else dx
        for x, dx, moves in zip(primals, tangents, moving, strict=True)
    ]


def filled(cts: Sequence[Any], avals: Sequence[Any]) -> list[Any]:
    """Cotangents with zeros in place of None."""
    return [
        zeros(aval) if ct is None else ct for ct, aval in zip(cts, avals, strict=True)
    ]


def needed(equations, wanted, have, effects=False) -> list[Any]:
    """The equations that must run to compute `wanted` when the set `have` is known.

    With `effects`, also those that do something else, such as printing.
    """
    missing = {*tracing.variables(wanted)} - have
    found = []
    for eqn in reversed(equations):
        if (effects and eqn.effects) or not missing.isdisjoint(eqn.outvars):
            found.append(eqn)
            missing.update(tracing.variables(eqn.invars))
            missing -= have
    return found[::-1]
