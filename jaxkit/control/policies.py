"""What a checkpoint's policy lets be saved, also inside loops and conditionals.

A policy is asked of each operation whether its results may be saved.  An equation that
runs code is replaced by two: one that also returns what may be saved in there, stacked
by a loop, and one that takes that and computes the rest again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
from jax import lax
from jax.ad_checkpoint import Offloadable, Saveable
from jax.extend.core import primitives

from jaxkit import tracing
from jaxkit.control.plans import share_places
from jaxkit.tangents import full


class Step(NamedTuple):
    """What runs in place of an equation: a function from `invars` to `outvars`."""

    function: Callable
    invars: Sequence[Any]
    outvars: Sequence[Any]
    effects: Any


class Cut(NamedTuple):
    """Equations, cut by a policy.

    Attributes:
        first: to be run forward; `again`: given what was saved.
        saved: the variables that may be, and where in memory (None: where they are).
    """

    first: list[Any]
    again: list[Any]
    saved: dict[Any, Offloadable | None]


class Inside:
    """A variable that is saved inside an equation, and what it is there."""

    def __init__(self, aval: Any):
        self.aval = aval


def cut(equations, policy) -> Cut:
    """Equations as a policy cuts them; None allows nothing."""
    found = Cut([], [], {})
    for eqn in equations:
        allowed = policy and _allowed(policy, eqn)
        if allowed:
            found.saved.update(allowed)
        way = None if allowed or not policy else WAYS.get(eqn.primitive)
        first, again, saved = way(eqn, policy) if way else (eqn, eqn, {})
        found.first.append(first)
        found.again.append(again)
        found.saved.update(saved)
    return found


def _allowed(policy, eqn) -> dict[Any, Offloadable | None]:
    verdict = policy(eqn.primitive, *[v.aval for v in eqn.invars], **eqn.params)
    if isinstance(verdict, Offloadable):
        return dict.fromkeys(eqn.outvars, verdict)
    return dict.fromkeys(eqn.outvars) if verdict is True or verdict is Saveable else {}


def run(steps, env: dict[Any, Any]) -> None:
    """Run equations, and what is in place of some."""
    for step in steps:
        if isinstance(step, Step):
            outs = step.function(tracing.read(env, step.invars))
            env.update(zip(step.outvars, outs, strict=True))
        else:
            tracing.run_equations([step], env)


class Body:
    """A jaxpr, cut by a policy: `first(values)` and `again(values, saved)`."""

    def __init__(self, jaxpr, policy):
        avals = [v.aval for v in tracing.open_jaxpr(jaxpr).invars]
        flat = jax.make_jaxpr(
            lambda *xs: tracing.run_jaxpr_here(jaxpr, xs, inline=True)
        )
        self.jaxpr = flat(*avals)
        self.inside = tracing.open_jaxpr(self.jaxpr)
        self.cut = cut(self.inside.eqns, policy)
        self.saved = list(self.cut.saved)
        self.outside = {Inside(v.aval): self.cut.saved[v] for v in self.saved}

    def first(self, values):
        """(outputs, what is saved)"""
        env = tracing.environment(self.jaxpr, values)
        run(self.cut.first, env)
        return tracing.read(env, self.inside.outvars), [env[v] for v in self.saved]

    def again(self, values, saved):
        """The outputs."""
        env = tracing.environment(self.jaxpr, values)
        env |= zip(self.saved, saved, strict=True)
        run(tracing.needed(self.cut.again, self.inside.outvars, env.keys()), env)
        return tracing.read(env, self.inside.outvars)


def _scan(eqn, policy):
    body, n_consts, n_carry, options = tracing.scan_layout(eqn.params)
    code, n = Body(body, policy), len(eqn.invars)
    if not code.saved:
        return eqn, eqn, {}

    def loop(step, values, *more):
        consts, carry = values[:n_consts], values[n_consts : n_consts + n_carry]

        def one(carry, slices):
            outs, left = step([*consts, *carry, *slices[0]], *slices[1:])
            return outs[:n_carry], (outs[n_carry:], left)

        xs = values[n_consts + n_carry :], *more
        carry, (ys, left) = lax.scan(one, list(carry), xs, **dict(options))
        return [*carry, *ys, *left]

    def again(values):
        step = lambda values, saved: (code.again(values, saved), [])  # noqa: E731
        return loop(step, values[:n], values[n:])

    outside = {
        Inside(_stacked(v.aval, dict(options)["length"])): to
        for v, to in code.outside.items()
    }
    return _both(eqn, outside, lambda values: loop(code.first, values), again)


def _stacked(aval, length: int) -> Any:
    """The type of so many arrays of a type, stacked."""
    found = jax.make_jaxpr(lambda x: lax.broadcast(x, (length,)))(aval)
    return tracing.open_jaxpr(found).outvars[0].aval


def _cond(eqn, policy):
    if eqn.params.get("branches_platforms"):
        return eqn, eqn, {}
    codes, n = [Body(b, policy) for b in eqn.params["branches"]], len(eqn.invars)
    outside, places = _shared(codes)
    if not outside:
        return eqn, eqn, {}

    def first(values):
        def branch(code, places):
            def taken(values):
                outs, left = code.first(values)
                left = dict(zip(places, left, strict=True))
                blank = enumerate(full(v.aval, 0) for v in outside)
                return [*outs, *(left.get(i, x) for i, x in blank)]

            return taken

        return lax.switch(values[0], list(map(branch, codes, places)), values[1:])

    def again(values):
        def branch(code, places):
            return lambda values, left: code.again(values, [left[i] for i in places])

        branches = list(map(branch, codes, places))
        return lax.switch(values[0], branches, values[1:n], values[n:])

    return _both(eqn, outside, first, again)


def _shared(codes) -> tuple[dict[Inside, Offloadable | None], list[list[int]]]:
    """(places, and where in memory; which each branch saves its variables in)"""
    outside: dict[Inside, Offloadable | None] = {}
    found: list[dict[Any, int]] = [{} for _ in codes]
    for to in dict.fromkeys(to for code in codes for to in code.cut.saved.values()):
        groups = [[v for v in code.saved if code.cut.saved[v] == to] for code in codes]
        numbers, types = share_places([[v.aval for v in group] for group in groups])
        for places, group, places_ in zip(found, groups, numbers, strict=True):
            places.update(zip(group, [len(outside) + i for i in places_], strict=True))
        outside.update({Inside(aval): to for aval in types})
    pairs = zip(found, codes, strict=True)
    return outside, [[places[v] for v in code.saved] for places, code in pairs]


def _both(eqn, saved, first, again):
    parts = eqn.invars, [*eqn.outvars, *saved], eqn.effects
    rest = [*eqn.invars, *saved], eqn.outvars, eqn.effects
    return Step(first, *parts), Step(again, *rest), saved


WAYS = {primitives.scan_p: _scan, primitives.cond_p: _cond}
