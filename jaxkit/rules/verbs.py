"""The verbs that declare rules.

    zero(floor_p, why=...)                       derivative zero wherever it exists
    elementwise(sin_p, lambda y, x: cos(x))      one partial for each operand
    linear(rev_p, transpose)                     its own derivative
    bilinear(mul_p, left, right)                 linear in each operand
    custom(sort_p)(rule)                         plain JAX code, linear in the tangents
    custom(abs_p, lambda dx, y, x: ...)          the same, a term for each operand
    equivalent(reduce_p)(program)                the derivative of another program
    structured(scan_p)(make)                     of what runs code, see `control`
    general(device_put_p)(rule)                  the rule in its full form, see `table`
    refused(callback_p, why=...)                 no derivative: a clear error
    transposable(op, transpose)                  no rule of its own, but a transpose

These are what `jaxkit.rules` exports.  Each makes a `Rule` and enters it by
`table.declare`.

Every linear operator needs a transpose, given with `linear`, `bilinear` or
`transposable`; then the tangents' code of all other rules is transposed by transposing
each of its steps.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import copy
from typing import Any

from jaxkit import tracing
from jaxkit.program.code import Var
from jaxkit.rules.kinds import Elementwise, General, Linear, Still
from jaxkit.rules.table import (
    RULES,
    Positions,
    Rule,
    check_type,
    declare,
    place_of,
    replaced,
)
from jaxkit.rules.terms import add_arrays
from jaxkit.tangents import Refused

# --- No derivative, or none but zero --------------------------------------------------


def zero(*primitives: Any, why: str = "it has none but zero") -> None:
    """Declare that these primitives' derivatives are zero wherever they exist.

    Example: `zero(floor_p, why="it is constant between its steps")`.
    """
    for primitive in primitives:
        declare(primitive, Still("zero", why))


INSTEAD = (
    "Put it into a jax.custom_jvp or jax.custom_vjp function, which gives the "
    "derivative, or stop the gradient before it with jax.lax.stop_gradient."
)


def refused(
    *primitives: Any,
    why: str,
    instead: str = INSTEAD,
    error: type[Exception] = ValueError,
    writes: bool = False,
) -> None:
    """Declare that these primitives can't be differentiated: an error says so.

    `instead` says what to do.  Of primitives that write into arrays (`writes`) it is
    raised at once, and of others where a result depends on what they return.

    Example: `refused("pure_callback", why="it calls back into Python")`.
    """
    for primitive in primitives:
        declare(primitive, Still("refused", why, instead, error, writes))


# --- Element by element ---------------------------------------------------------------


def elementwise(
    primitive: Any,
    *partials: Callable | float | None,
    together: Callable | None = None,
    static: Sequence[str] = (),
) -> None:
    """Declare a primitive that acts on each element, by one partial per operand.

    `partials[i](y, *operands)` is dy/dx_i for each element; `y` is the output, for
    reuse.  It is written in `jax.numpy`, and should depend on types alone: partials of
    JAX's primitives are always traced, those of others where values are.
    It returns an array, `over(d)` for 1/d, `minus(f)` for -f, `times(c, f)` for a
    number c times f, `only(where, f)` for f where a truth value holds and the operand
    isn't read elsewhere, or None for zero.  In place of the function may stand a
    number, or None.
    Where partials share work, one function, `together(y, *operands)`, returns all of
    them, and what those that are asked for don't need isn't computed.  The parameters
    named in `static` are passed on as keyword arguments.

    Example: `elementwise(exp_p, lambda y, x: y)`.
    """
    if bool(partials) == bool(together):
        raise TypeError(
            f"elementwise: give '{primitive}' either one partial for each operand, or "
            "together=, a function that returns all of them."
        )
    declare(primitive, Elementwise(partials, together, tuple(static)))


# --- Linear ---------------------------------------------------------------------------


def linear(primitive: Any, transpose: Callable, operands: Positions = (0,)) -> None:
    """Declare a primitive that is jointly linear in some operands (None: in all).

    Its derivative is itself, and `transpose` is as in `transposable`.

    Example: `linear(rev_p, lambda ct, x, *, dimensions: lax.rev(ct, dimensions))`.
    """
    declare(primitive, Linear(jointly=True))
    transposable(primitive, transpose, operands)


def bilinear(primitive: Any, left: Callable, right: Callable) -> None:
    """Declare a primitive that is linear in each of its first two operands.

    `left(ct, x, y, **params)` is the cotangent of x, where x is known by its `.aval`
    alone and y has a value; `right` that of y.  Operands after these are held fixed.

    Example: `bilinear(mul_p, lambda ct, x, y: ct * y, lambda ct, x, y: x * ct)`.
    """

    def transpose(ct, x, y, *fixed, **params):
        rest = [None] * len(fixed)
        if type(x) is Var:
            return left(ct, x, y, *fixed, **params), None, *rest
        return None, right(ct, x, y, *fixed, **params), *rest

    declare(primitive, Linear(jointly=False))
    transposable(primitive, transpose, operands=(0, 1), jointly=False)
    RULES[primitive].transposed_by = left, right


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
    if primitive not in RULES:
        declare(primitive, Rule())
    rule = replaced(primitive)
    rule.transpose, rule.transposed_by = transpose, (transpose,)
    if isinstance(operands, tuple) and len(operands) == 1:
        rule.transpose = _place(transpose, operands[0])
    rule.positions, rule.jointly = _positions(operands), jointly


def adding(primitive: Any, add: Callable) -> None:
    """Declare how the cotangent of a first operand is added to what arrived there.

    For a primitive that reads a part of it: the rest of its cotangent is zero, and need
    not be an array (`Rule.pull_into`).  `add(total, ct, *operands, **params)` returns
    the total with the cotangent added; `ct` and the operands are as in `transposable`.
    """
    replaced(primitive).add = add


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


# --- Code -----------------------------------------------------------------------------


def general(primitive: Any, alone: bool = False) -> Callable[[Callable], Callable]:
    """Decorator: declare a primitive by a rule in its full form (see `table`).

    With `alone`, the rule serves where the primitive acts on tangents alone as well:
    the primals of these operands, and of outputs that depend on them, are None.
    """

    def decorate(rule):
        declare(primitive, General("general", rule, rule, alone=alone))
        return rule

    return decorate


def custom(primitive: Any, *terms: Callable | None) -> Callable[[Callable], Callable]:
    """Declare a primitive by plain JAX code: a decorator, or with a term per operand.

    The rule, `rule(primals, tangents, **params) -> (out, tangent_out)`, must be linear
    in the tangents, each of which may be None (zero); so may `tangent_out`.  Both are
    lists where the primitive has several outputs.

    Where the operands' tangents share no work, pass a function for each of them,
    `terms[i](dx, out, *primals, **params)`, linear in dx; the tangent is the sum of
    those for operands that move.  None stands for an operand without effect.

    Examples:

        @custom(tan_p)
        def _(primals, tangents, **params):
            y = tan_p.bind(*primals, **params)
            return y, tangents[0] * (1 + y * y)

        custom(tan_p, lambda dx, y, x, **params: dx * (1 + y * y))
    """
    if terms:
        declare(primitive, General("custom", by_terms(terms), *terms))

    def decorate(body):
        declare(primitive, General("custom", by_code(body), body))
        return body

    return decorate


def by_code(body: Callable) -> Callable:
    """The rule, in its full form, of plain JAX code; see `custom`."""

    def rule(primitive, arithmetic, primals, tangents, params):
        several = primitive.multiple_results

        def flat(tangents):
            result = body(primals, tangents, **params)
            try:
                out, moved = result
            except (TypeError, ValueError):
                raise TypeError(
                    f"the rule of '{primitive}' must return a pair (output, tangent), "
                    f"but it returned {result!r}; see {place_of(body)}"
                ) from None
            return (out, moved) if several else ([out], [moved])

        out, moved = arithmetic.trace(flat, tangents)
        _check_tangents(primitive, out, moved)
        return (out, moved) if several else (out[0], moved[0])

    return rule


def _check_tangents(primitive, out, moved) -> None:
    """Raise TypeError if a user's rule returned tangents that don't fit its outputs."""
    if primitive in tracing.JAX_PRIMITIVES:
        return
    for y, dy in zip(out, moved, strict=True):
        if dy is not None:
            check_type(primitive, "rule", "a tangent", dy, tracing.typeof(y))


def by_terms(terms: Sequence[Callable | None]) -> Callable:
    """The rule, in its full form, of a term for each operand; see `custom`."""

    def rule(primitive, arithmetic, primals, tangents, params):
        out = primitive.bind(*primals, **params)
        several = primitive.multiple_results
        n = len(out) if several else 1

        def flat(tangents):
            sums = [None] * n
            for term, dx in zip(terms, tangents, strict=True):
                if term is not None and dx is not None:
                    moved = term(dx, out, *primals, **params)
                    pairs = zip(sums, moved if several else [moved], strict=True)
                    sums = [add_arrays(*pair) for pair in pairs]
            return [], sums

        if len(terms) != len(primals):
            raise TypeError(
                f"the rule of '{primitive}' has {len(terms)} terms, but the primitive "
                f"has {len(primals)} operands; give custom one for each."
            )
        _, moved = arithmetic.trace(flat, tangents)
        _check_tangents(primitive, out if several else [out], moved)
        return out, moved if several else moved[0]

    return rule


def structured(*primitives: Any) -> Callable[[Callable], Callable]:
    """Decorator: declare primitives that run code, as calls and loops do.

    `make(primals, tangents, params)` returns the `control.structure.Structure` of the
    code, for what is known of these operands and which of them move; or else a function
    of a list of operands that computes the same, and is differentiated instead.
    """

    def decorate(make):
        def rule(primitive, arithmetic, primals, tangents, params):
            structure = make(primals, tangents, params)
            if callable(structure):
                program = lambda values: (structure(values), [])  # noqa: E731
                return arithmetic.run(program, primals, tangents)[:2]
            return taken_apart(
                structure, primitive, arithmetic, primals, tangents, params
            )

        for primitive in primitives:
            declare(primitive, General("structured", rule, make, alone=True))
        return make

    return decorate


def taken_apart(structure, primitive, arithmetic, primals, tangents, params) -> Any:
    """(outputs, their tangents) of a primitive that has this structure."""

    def types() -> list[Any]:
        operands = [
            tracing.aval_of(dx if x is None else x)
            for x, dx in zip(primals, tangents, strict=True)
        ]
        return tracing.output_avals(primitive, operands, params)

    arranged = structure.arranged(primals, tangents)
    outs, moved = arithmetic.differentiate(structure, *arranged, types)
    if structure.refusals:
        reason = next((t.error for t in tangents if type(t) is Refused), None)
        alone = any([y is None for y in outs])
        avals = types() if alone else [tracing.typeof(y) for y in outs]
        for i, error in structure.refusals.items():
            # None: for the reason that an operand has.  Of others what may be raised is
            # a copy, since the structure keeps its own for the next time.
            moved[i] = Refused(avals[i], reason if error is None else copy(error))
    return outs, moved


def equivalent(primitive: Any) -> Callable[[Callable], Callable]:
    """Decorator: declare a primitive that computes the same as a program.

    `program(*operands, **params)` is plain JAX code and returns a list of the outputs;
    its derivative is the primitive's.
    """

    def decorate(program):
        rule = stands_for(program)
        declare(primitive, General("equivalent", rule, program, alone=True))
        return program

    return decorate


def stands_for(program: Callable) -> Callable:
    """The rule, in its full form, of what computes the same as a program."""

    def rule(primitive, arithmetic, primals, tangents, params):
        def flat(values):
            return program(*values, **params), []

        outs, moved, _ = arithmetic.run(flat, primals, tangents)
        return (outs, moved) if primitive.multiple_results else (outs[0], moved[0])

    return rule
