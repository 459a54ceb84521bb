"""The kinds of rules: how each makes a derivative of what a verb was given."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import numpy as np

from jaxkit import tracing
from jaxkit.fused import fused, remembered
from jaxkit.program.code import Zero
from jaxkit.rules.formulas import differential
from jaxkit.rules.table import NotLinear, Rule, place_of
from jaxkit.rules.terms import add_tangents, scale
from jaxkit.tangents import given, moves, refusal

LEGIBLE = 200  # characters of a formula that one can still read


class Still(Rule):
    """A primitive whose output doesn't move, or mustn't: `why` says the reason.

    For the rest see `verbs.refused`.
    """

    def __init__(
        self,
        verb: str,
        why: str,
        instead: str = "",
        error: type[Exception] = ValueError,
        writes: bool = False,
    ):
        self.verb, self.why, self.instead = verb, why, instead
        self.error, self.writes = error, writes

    def derivative(self, primitive, arithmetic, primals, tangents, params):
        if self.verb == "refused":
            raise self._refusal(self.error, primitive)
        out = primitive.bind(*primals, **params)
        return out, [None] * len(out) if primitive.multiple_results else None

    def no_transpose(self, primitive):
        if self.verb == "refused":
            return self._refusal(NotLinear, primitive)
        return super().no_transpose(primitive)

    def _refusal(self, kind: type[Exception], primitive) -> Exception:
        what = f"'{primitive}' has no derivative here, since {self.why}"
        error: Any = refusal(kind, what, self.instead)
        error.refuses = not self.writes
        return error

    def lines(self):
        return given([self.why, self.instead or None])


class Elementwise(Rule):
    """A primitive that acts on each element, by its partials; see `elementwise`."""

    verb = "elementwise"

    def __init__(self, partials, together, static):
        self.partials, self.together, self.static = partials, together, static

    def derivative(self, primitive, arithmetic, primals, tangents, params):
        moving = tuple([dx is not None for dx in tangents])
        if primitive in tracing.JAX_PRIMITIVES:
            settings = tuple(params.items())
            y, factors = _evaluate(
                *primals, rule=self, primitive=primitive, params=settings, moving=moving
            )
        else:
            y = primitive.bind(*primals, **params)
            factors = self.factors(primitive, y, primals, params, moving)
            self._check_shapes(primitive, y, factors)
        aval, total = tracing.aval_of(y), None
        for i, (dx, factor) in enumerate(zip(tangents, factors, strict=True)):
            if factor is None and self.partials and not callable(self.partials[i]):
                factor = self.partials[i]  # a number, or None
            if dx is not None and factor is not None:
                term = scale(arithmetic, dx, factor, aval)
                total = add_tangents(arithmetic, total, term, aval)
        return y, total

    def factors(self, primitive, y, primals, params, moving) -> list[Any]:
        """For each operand that moves the partial, unless that is a number, or zero."""
        kept = {name: params[name] for name in self.static if name in params}
        if self.together:
            found, n = self.together(y, *primals, **kept), len(primals)
            self._check_count(primitive, len(found), n)
            pairs = zip(found, moving, strict=True)
            return [factor if moved else None for factor, moved in pairs]
        self._check_count(primitive, len(self.partials), len(primals))
        return [
            partial(y, *primals, **kept) if moved and callable(partial) else None
            for partial, moved in zip(self.partials, moving, strict=True)
        ]

    def _check_count(self, primitive, count, n) -> None:
        if count != n:
            raise TypeError(
                f"the rule of '{primitive}' has {count} partials, but the "
                f"primitive has {n} operands; give elementwise one for each."
            )

    def _check_shapes(self, primitive, y, factors) -> None:
        for array in jax.tree.leaves(factors):
            if np.shape(array) not in ((), y.shape):
                raise TypeError(
                    f"a partial of '{primitive}' has shape {np.shape(array)}, but it "
                    f"must have that of the output, {y.shape}, or be a number"
                )

    def lines(self):
        functions = [f for f in (*self.partials, self.together) if callable(f)]
        known = [set(getattr(f, "__kwdefaults__", None) or ()) for f in functions]
        if all([set(self.static) <= names for names in known]):
            text = differential(self.partials, self.together)
            if len(text) <= LEGIBLE or "?" in text:
                return [text]
        return [f"by {place_of(f)}" for f in functions]


@partial(fused, named=lambda rule, **_: f"derivative of {rule.name}")
@remembered
def _evaluate(*primals, rule, primitive, params, moving):
    """The output, and the factors of those operands' tangents that move."""
    params = dict(params)
    y = primitive.bind(*primals, **params)
    return y, rule.factors(primitive, y, primals, params, moving)


class Linear(Rule):
    """A primitive that is linear in some operands, so that it is its own derivative."""

    def __init__(self, jointly: bool):
        self.verb = "linear" if jointly else "bilinear"

    def derivative(self, primitive, arithmetic, primals, tangents, params):
        out = primitive.bind(*primals, **params)
        several = primitive.multiple_results
        where = self.positions(len(primals), **params)
        moving = [i for i in where if tangents[i] is not None]
        if not moving or (not several and not moves(tracing.aval_of(out).dtype)):
            return out, [None] * len(out) if several else None
        aval = [*map(tracing.aval_of, out)] if several else tracing.aval_of(out)
        if self.jointly:
            moved = list(primals)
            for i in where:
                dx = tangents[i]
                moved[i] = Zero(tracing.typeof(primals[i])) if dx is None else dx
            return out, arithmetic.bind(primitive, moved, aval, **params)
        total = None
        for i in moving:
            moved = [*primals[:i], tangents[i], *primals[i + 1 :]]
            term = arithmetic.bind(primitive, moved, aval, **params)
            total = add_tangents(arithmetic, total, term, aval)
        return out, total

    def lines(self):
        return ["its own derivative" if self.jointly else "linear in each operand"]


class General(Rule):
    """A rule in its full form, made from `functions`, which `verb` was given.

    `alone`: whether it serves tangents without primals too.
    """

    def __init__(self, verb: str, rule: Callable, *functions: Any, alone=False):
        self.verb, self.rule, self.alone = verb, rule, alone
        self.functions = given(functions)

    def derivative(self, primitive, arithmetic, primals, tangents, params):
        return self.rule(primitive, arithmetic, primals, tangents, params)

    def on_tangents(self, primitive, arithmetic, primals, tangents, params):
        run = self.rule if self.alone else super().on_tangents
        return run(primitive, arithmetic, primals, tangents, params)

    def lines(self):
        return [f"by {place_of(f)}" for f in self.functions]
