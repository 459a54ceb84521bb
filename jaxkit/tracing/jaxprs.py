"""Jaxprs, which hold a program as JAX traced it: read, and walked through."""

from __future__ import annotations

from collections.abc import Sequence, Set
from typing import Any
from weakref import WeakKeyDictionary

from jax.extend.core import Literal, primitives


def open_jaxpr(jaxpr) -> Any:
    """The variables and equations of a closed jaxpr; from JAX 0.11 it is both."""
    return getattr(jaxpr, "jaxpr", jaxpr)


def environment(jaxpr, operands: Sequence[Any]) -> dict[Any, Any]:
    """The values of a closed jaxpr's variables before its equations are run."""
    consts = getattr(jaxpr, "consts", ())  # an open jaxpr has none
    jaxpr = open_jaxpr(jaxpr)
    env = dict(zip(jaxpr.constvars, consts, strict=True))
    env.update(zip(jaxpr.invars, operands, strict=True))
    return env


def is_literal(atom) -> bool:
    """Whether an operand in a jaxpr is a number, not a variable."""
    return type(atom) is Literal


def variables(atoms: Sequence[Any]) -> list[Any]:
    """Those of a jaxpr's operands that are variables, not numbers."""
    return [v for v in atoms if type(v) is not Literal]


def read(env: dict[Any, Any], atoms: Sequence[Any]) -> list[Any]:
    """The values of operands in a jaxpr: those of variables, and numbers."""
    return [v.val if type(v) is Literal else env[v] for v in atoms]


def needed(equations, wanted, have: Set[Any], effects=False) -> list[Any]:
    """The equations that must run to compute `wanted` when the set `have` is known.

    With `effects`, also those that do something else, such as printing.
    """
    missing = {*variables(wanted)} - have
    found = []
    for eqn in reversed(equations):
        if (effects and eqn.effects) or not missing.isdisjoint(eqn.outvars):
            found.append(eqn)
            missing.update(variables(eqn.invars))
            missing -= have
    return found[::-1]


def used(jaxpr) -> set[Any]:
    """The variables of a closed jaxpr that some equation reads, or that it returns."""
    jaxpr = open_jaxpr(jaxpr)
    found = set(variables(jaxpr.outvars))
    for eqn in jaxpr.eqns:
        found.update(variables(eqn.invars))
    return found


DEEPEST = 20  # each level of calls takes some of Python's stack
_depths: WeakKeyDictionary = WeakKeyDictionary()


def is_deep(jaxpr) -> bool:
    """Whether calls of `jax.jit` are nested more than `DEEPEST` times in a jaxpr."""
    stack = [] if jaxpr in _depths else [jaxpr]
    while stack:
        inner = [
            eqn.params["jaxpr"]
            for eqn in open_jaxpr(stack[-1]).eqns
            if eqn.primitive is primitives.jit_p
        ]
        unknown = [x for x in inner if x not in _depths]
        if not unknown:
            x = stack.pop()
            _depths[x] = 1 + max([_depths[y] for y in inner], default=0)
        stack += unknown
    return _depths[jaxpr] > DEEPEST
