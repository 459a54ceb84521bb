"""The table of derivative rules, and the verbs that declare them.

A rule says what a primitive computes and how its tangents move, once, for both modes:

    rule(primitive, arithmetic, primals, tangents, params) -> (output, output tangent)

A tangent is None where it is zero.  `arithmetic.bind` applies a linear operator to
tangents, at once in forward mode or by recording it (`dual.py`).  Nobody writes such
rules by hand: each of these verbs makes one from what is particular to a primitive.

    zero(floor_p, sign_p)                        derivative zero wherever it exists
    elementwise(sin_p, lambda y, x: cos(x))      one partial for each operand
    linear(rev_p, transpose)                     its own derivative
    bilinear(mul_p, left, right)                 linear in each operand
    custom(sort_p)(rule)                         plain JAX code, linear in the tangents
    general(div_p)(rule)                         the rule itself
    structured(scan_p)(rule)                     the same, of what runs code
    refused(callback_p, why=...)                 no derivative: a clear error

Every linear operator needs a transpose, given with `linear` and `bilinear`; then the
tangent code of all other rules is transposed by transposing each of its steps.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import jax

from jaxkit import tracing
from jaxkit.equations import (
    OPERATORS,
    STRUCTURES,
    LinearOperator,
    Var,
    look_up,
)
from jaxkit.rules.terms import add_tangents, scale
from jaxkit.tangents import Zero, moves

RULES: dict[Any, Callable] = {}

Positions = tuple[int, ...] | Callable[..., Sequence[int]] | None


def derivative_rule(primitive: Any, params: dict[str, Any]) -> Callable:
    """The rule of a primitive; one that JAX doesn't export is known by its name.

    JAX's composite primitives are one primitive with what is composed as a parameter,
    the name of whose type it is.
    Raises NotImplementedError, with the user's line, for a primitive without a rule.
    """
    composite = type(params.get("_prim")).__name__
    rule = RULES.get(composite) or look_up(RULES, primitive)
    if rule is None:
        raise missing_rule(primitive, params)
    return rule


def missing_rule(primitive: Any, params: dict[str, Any]) -> NotImplementedError:
    """The exception for a primitive without a rule, at the user's line."""
    name = params.get("_prim", primitive)  # JAX's composite primitives share one name
    return NotImplementedError(
        f"jaxkit has no derivative rule for the primitive '{name}', reached at "
        f"{tracing.user_line()}. Add one with jaxkit.rules: elementwise, linear, "
        "bilinear, zero, or custom. (docs/coverage.md says which have none, and why.)"
    )


def zero(*primitives: Any) -> None:
    """Declare that these primitives' derivatives are zero wherever they exist.

    Example: `zero(floor_p)`.
    """

    def rule(primitive, arithmetic, primals, tangents, params):
        out = primitive.bind(*primals, **params)
        return out, [None] * len(out) if primitive.multiple_results else None

    for primitive in primitives:
        RULES[primitive] = rule


def refused(*primitives: Any, why: str) -> None:
    """Declare that these primitives can't be differentiated: a ValueError says so.

    Example: `refused("pure_callback", why="it calls back into Python")`.
    """

    def rule(primitive, arithmetic, primals, tangents, params):
        raise ValueError(
            f"'{primitive}' has no derivative, since {why}; at {tracing.user_line()}. "
            "Put it into a jax.custom_jvp or jax.custom_vjp function, which gives the "
            "derivative, or stop the gradient before it with jax.lax.stop_gradient."
        )

    for primitive in primitives:
        RULES[primitive] = rule


def elementwise(
    primitive: Any, *partials: Callable | float | None, static: Sequence[str] = ()
) -> None:
    """Declare a primitive that acts on each element, by one partial per operand.

    `partials[i](y, *operands)` is dy/dx_i for each element; `y` is the output, for
    reuse.  It returns an array, `over(d)` for 1/d, `minus(f)` for -f, or `times(c, f)`
    for a number c times f.  In place of the function may stand a number, or None for
    zero.  The parameters named in
    `static` are passed on as keyword arguments.

    Example: `elementwise(exp_p, lambda y, x: y)`.
    """

    def evaluate(primitive, primals, params, moving):
        y = primitive.bind(*primals, **params)
        kept = {name: params[name] for name in static}
        return y, [
            partial(y, *primals, **kept) if moved and callable(partial) else None
            for partial, moved in zip(partials, moving, strict=True)
        ]

    @lru_cache(maxsize=1024)
    def compiled(primitive, params, moving):
        return jax.jit(lambda *xs: evaluate(primitive, xs, dict(params), moving))

    def rule(primitive, arithmetic, primals, tangents, params):
        if len(primals) != len(partials):
            raise TypeError(
                f"the rule of '{primitive}' has {len(partials)} partials, but the "
                f"primitive has {len(primals)} operands; give elementwise one for each."
            )
        moving = tuple(dx is not None for dx in tangents)
        if tracing.compilable(primitive, primals):  # all in one call
            y, factors = compiled(primitive, tuple(params.items()), moving)(*primals)
        else:
            y, factors = evaluate(primitive, primals, params, moving)
        aval, total = y.aval, None
        for dx, factor, partial in zip(tangents, factors, partials, strict=True):
            if dx is not None and partial is not None:
                factor = partial if factor is None else factor
                term = scale(arithmetic, dx, factor, aval)
                total = add_tangents(arithmetic, total, term, aval)
        return y, total

    RULES[primitive] = rule


def linear(primitive: Any, transpose: Callable, operands: Positions = (0,)) -> None:
    """Declare a primitive that is jointly linear in some operands (None: in all).

    Its derivative is itself, and `transpose` is as in `transposable`.

    Example: `linear(rev_p, lambda ct, x, *, dimensions: lax.rev(ct, dimensions))`.
    """
    positions = _positions(operands)

    def rule(primitive, arithmetic, primals, tangents, params):
        out = primitive.bind(*primals, **params)
        where = positions(len(primals), **params)
        still = all(tangents[i] is None for i in where)
        if primitive.multiple_results:
            if still:
                return out, [None] * len(out)
        elif still or not moves(out.aval.dtype):
            return out, None
        moved = list(primals)
        for i in where:
            dx = tangents[i]
            moved[i] = Zero(tracing.typeof(primals[i])) if dx is None else dx
        if primitive.multiple_results:
            avals = [y.aval for y in out]
            return out, arithmetic.bind(primitive, moved, avals, **params)
        return out, arithmetic.bind(primitive, moved, out.aval, **params)

    RULES[primitive] = rule
    transposable(primitive, transpose, operands)


def transposable(
    primitive: Any,
    transpose: Callable,
    operands: Positions = (0,),
    jointly: bool = True,
) -> None:
    """Declare how an operator is transposed; it may then act on tangents in rules.

    `operands` are the positions in which it is linear (None: all; or a function of how
    many there are, and of the parameters), `jointly` in all of them at once, or in each
    while the others are fixed.

    `transpose(ct, *operands, **params)` gets the output's cotangent (for several
    outputs a list, with None for zero).  Of the operands, those that carry a tangent
    are `Var`s, with `.aval` (shape and dtype) but no value.  It returns one entry for
    each operand, None for no matter; or, if the operator is linear in one operand only,
    the cotangent of that one.
    """
    if isinstance(operands, tuple) and len(operands) == 1:
        transpose = _place(transpose, operands[0])
    OPERATORS[primitive] = LinearOperator(transpose, _positions(operands), jointly)


def _positions(operands: Positions) -> Callable[..., Sequence[int]]:
    """The positions as a function of how many operands there are, and of params."""
    if operands is None:
        return lambda n, **params: range(n)
    return operands if callable(operands) else lambda n, **params: operands


def _place(transpose: Callable, position: int) -> Callable:
    """A transpose with one cotangent, as one with a cotangent for each operand."""

    def placed(ct, *operands, **params):
        cts = [None] * len(operands)
        cts[position] = transpose(ct, *operands, **params)
        return cts

    return placed


def bilinear(primitive: Any, left: Callable, right: Callable) -> None:
    """Declare a primitive that is linear in each of its first two operands.

    `left(ct, x, y, **params)` is the cotangent of x, where x is known by its `.aval`
    alone and y has a value; `right` that of y.  Operands after these are held fixed.

    Example: `bilinear(mul_p, lambda ct, x, y: ct * y, lambda ct, x, y: x * ct)`.
    """

    def rule(primitive, arithmetic, primals, tangents, params):
        x, y, *fixed = primals
        dx, dy, *_ = tangents
        out = primitive.bind(x, y, *fixed, **params)
        aval, total = out.aval, None
        if dx is not None:
            total = arithmetic.bind(primitive, (dx, y, *fixed), aval, **params)
        if dy is not None:
            term = arithmetic.bind(primitive, (x, dy, *fixed), aval, **params)
            total = add_tangents(arithmetic, total, term, aval)
        return out, total

    def transpose(ct, x, y, *fixed, **params):
        rest = [None] * len(fixed)
        if type(x) is Var:
            return left(ct, x, y, *fixed, **params), None, *rest
        return None, right(ct, x, y, *fixed, **params), *rest

    RULES[primitive] = rule
    transposable(primitive, transpose, operands=(0, 1), jointly=False)


def custom(primitive: Any) -> Callable[[Callable], Callable]:
    """Decorator: declare a primitive by a rule in plain JAX code.

    The rule, `rule(primals, tangents, **params) -> (out, tangent_out)`, must be linear
    in the tangents, each of which may be None (zero); so may `tangent_out`.  Both are
    lists where the primitive has several outputs.

    Example:

        @custom(tan_p)
        def _(primals, tangents, **params):
            y = tan_p.bind(*primals, **params)
            return y, tangents[0] * (1 + y * y)
    """

    def declare(body):
        def rule(primitive, arithmetic, primals, tangents, params):
            several = primitive.multiple_results

            def flat(tangents):
                out, tangent = body(primals, tangents, **params)
                return (out, tangent) if several else ([out], [tangent])

            out, tangent = arithmetic.trace(flat, tangents)
            return (out, tangent) if several else (out[0], tangent[0])

        RULES[primitive] = rule
        return body

    return declare


def general(primitive: Any) -> Callable[[Callable], Callable]:
    """Decorator: declare a primitive by a rule in its full form, as above."""

    def declare(rule):
        RULES[primitive] = rule
        return rule

    return declare


def structured(*primitives: Any) -> Callable[[Callable], Callable]:
    """Decorator: the same for primitives that run code, as calls and loops do.

    Where such code acts on tangents alone, in a user's JVP rule, it is linear, its own
    derivative, and recorded by this rule as well.
    """

    def declare(rule):
        for primitive in primitives:
            RULES[primitive] = STRUCTURES[primitive] = rule
        return rule

    return declare
