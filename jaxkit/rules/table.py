"""The table of derivative rules: what a rule is, and how one is found.

A rule says what a primitive computes and how its tangents move, once, for both modes:

    rule.derivative(primitive, arithmetic, primals, tangents, params)
        -> (output, output tangent)

A tangent is None where it is zero.  The arithmetic (`dual.Arithmetic`) applies linear
operators to tangents: at once in forward mode, or by writing them down for reverse
mode.  Linear operators are primitives too; how one is transposed stands in the same
rule, and so the tangents' code of all rules can be transposed, step by step.

Rules are declared by verbs (`verbs.py`).  `jaxkit.rules[primitive]` is the rule of a
primitive: it prints as what was declared, and where.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from copy import copy
from pathlib import Path
from typing import Any

from jaxkit import tracing
from jaxkit.fused import fused, remembered
from jaxkit.program.code import Constant, Var, Zero
from jaxkit.tangents import Refused, moves, refusal

ROOT = Path(__file__).parents[2]

Positions = tuple[int, ...] | Callable[..., Sequence[int]] | None


class NotLinear(NotImplementedError):
    """Code that should be linear isn't; `fact` says where, the message what to do."""

    fact: str


def not_linear(what: str, advice: str = "") -> Exception:
    """The exception that says so."""
    why = (
        "Only linear operations may act on a tangent: in a JVP rule on its tangents, "
        "or in a function given to linear_transpose (of others vjp gives the transpose "
        "of the derivative)."
    )
    return refusal(NotLinear, what, f"{why} {advice}".strip())


class Rule:
    """What is known of a primitive.  Subclasses have what is particular to a verb.

    Attributes:
        name: that of the primitive, or operator.
        verb: the verb that declared it.
        file: the file in which it is declared.
        line: and its line.
        transpose: its transpose, as `verbs.transposable` describes it; None if it isn't
            known, or if it isn't linear in anything.  `transposed_by`: the functions
            that were given for it.
        positions: a function of how many operands there are, and of the parameters: the
            operands in which it is linear.
        jointly: whether it is so in all of these at once (add), or in each while the
            others are fixed (mul).
        add: where the cotangent of the first operand, the only one in which it is
            linear, is mostly zeros: adds it to another (`verbs.adding`).
        reaches: of what runs code a function (there, params) -> at which operands a
            cotangent may arrive, True or None, if it is `there` for these outputs; of
            others it may at all.
        spread: where the operator's matrix isn't zero (`rules.spreads`).
    """

    verb = "transposable"
    name = file = ""
    line = 0
    transpose: Callable | None = None
    transposed_by: tuple[Callable, ...] = ()
    positions: Callable[..., Sequence[int]]
    jointly: bool
    add: Callable | None = None
    reaches: Callable | None = None
    spread: Callable | None = None

    def derivative(self, primitive, arithmetic, primals, tangents, params) -> Any:
        """(output, its tangent) of the primitive; lists if it has several outputs."""
        raise missing_rule(primitive, params)

    def on_tangents(self, primitive, arithmetic, primals, tangents, params) -> Any:
        """The same where the primitive acts on tangents alone, which have no primal.

        There it is its own derivative, if it is linear.  The output has no primal.
        """
        if not any([type(t) is Refused for t in tangents]):
            self._check_linear(primitive, primals, params)
        operands = [
            x if t is None else t for x, t in zip(primals, tangents, strict=True)
        ]
        avals = [tracing.aval_of(x) for x in operands]
        aval = tracing.output_aval(primitive, avals, params)
        if not primitive.multiple_results and not moves(aval.dtype):
            if any(moves(tracing.aval_of(t).dtype) for t in tangents if t is not None):
                raise not_linear(f"'{primitive}' to {aval.dtype} is not linear")
        moved = arithmetic.bind(primitive, operands, aval, **params)
        return ([None] * len(moved) if primitive.multiple_results else None), moved

    def pull(self, operator, ct, operands, params) -> Sequence[Any]:
        """The cotangents of the operands of an equation, given that of its output.

        An operand is an array, or a Var, a Constant or a Zero; the type of a Var is
        that of its cotangent.

        What is static of the operands is set apart from the arrays, so that Python runs
        a transpose once for operands of each type (`remembered`).  JAX's primitives are
        moreover transposed by one compiled call where all values are concrete
        (`fused`); the transpose of a user's primitive sees them.
        """
        if self.transpose is None:
            raise self.no_transpose(operator)
        if operator.multiple_results:
            operands = [x.value if type(x) is Constant else x for x in operands]
            return self.transpose(ct, *operands, **params)
        arrays, static = _set_apart(operands)
        ours = operator in tracing.JAX_PRIMITIVES
        pull = _fused_pull if ours else _pull
        cts = pull(ct, arrays, rule=self, static=static, params=tuple(params.items()))
        if not ours:
            for x, moved in zip(operands, cts, strict=True):
                if type(x) is Var and moved is not None:
                    check_type(operator, "transpose", "a cotangent", moved, x.aval)
        return cts

    def pull_into(self, total, ct, operands, params) -> Any:
        """The sum of `total`, which arrived at the first operand, and its cotangent."""
        arrays, static = _set_apart(operands)
        params = tuple(params.items())
        return _fused_add(total, ct, arrays, rule=self, static=static, params=params)

    def _check_linear(self, primitive, primals, params) -> None:
        where = [i for i, x in enumerate(primals) if x is None]
        if self.transpose is None:
            raise self.no_transpose(primitive)
        if not set(where) <= set(self.positions(len(primals), **params)):
            raise not_linear(
                f"'{primitive}' is not linear in operand {where[0]}, which depends on "
                "the linear inputs"
            )
        if len(where) > 1 and not self.jointly:
            raise not_linear(
                f"'{primitive}' of two values that both depend on the linear inputs is "
                "not linear in them"
            )

    def no_transpose(self, primitive) -> Exception:
        """The exception for what can't be transposed, as far as the table knows."""
        if self is not NONE and tracing.belongs_to_jax(primitive):
            return not_linear(f"'{primitive}' is not linear")
        return not_linear(
            f"no transpose of '{primitive}' is known",
            "If it is linear, add its transpose with jaxkit.rules.transposable.",
        )

    def lines(self) -> list[str]:
        """What was declared, in words and formulas, for print."""
        return []

    def __str__(self):
        where = f"{self.file}:{self.line}" if self.file else "somewhere"
        lines = [f"{self.name}: {self.verb}, {where}", *self.lines()]
        if self.transposed_by:
            lines.append(
                f"transposed by {', '.join(map(place_of, self.transposed_by))}"
            )
        return "\n    ".join(lines)

    __repr__ = __str__


def _pull(ct, arrays, rule, static, params):
    operands = _put_together(arrays, static, ct)
    cts = rule.transpose(ct, *operands, **dict(params))
    return [
        ct if ct is None or type(x) is not Var else tracing.divided_like(ct, x.aval)
        for ct, x in zip(cts, operands, strict=True)
    ]


def _add(total, ct, arrays, rule, static, params):
    return rule.add(total, ct, *_put_together(arrays, static, ct), **dict(params))


def _set_apart(operands) -> tuple[list[Any], tuple[Any, ...]]:
    """(the arrays among operands, what is static of each: of an array nothing)"""
    static = tuple(map(_static, operands))
    return [x for x, kind in zip(operands, static, strict=True) if kind is None], static


def _static(x: Any) -> Any:
    return x.aval if type(x) is Var else x if type(x) in (Constant, Zero) else None


def _put_together(arrays, static, ct) -> list[Any]:
    """The operands that were set apart, of an equation with this cotangent."""
    arrays = iter(arrays)

    def value(x):
        if x is None:
            return next(arrays)
        if type(x) is Constant:
            return tracing.varying_like(x.value, tracing.aval_of(ct))
        if isinstance(x, tracing.ShapedArray):
            return Var(0, tracing.cotangent_of(x))
        return x

    return list(map(value, static))


def _transpose_of(rule, **static) -> str:
    return f"transpose of {rule.name}"


_fused_pull = fused(remembered(_pull), _transpose_of)
_fused_add = fused(remembered(_add), _transpose_of)


def place_of(function: Callable) -> str:
    """`file:line` of a function that was given to a verb."""
    function = getattr(function, "__wrapped__", function)  # of one that is fused
    function = getattr(function, "func", function)  # of a functools.partial
    code = getattr(function, "__code__", None)
    if code is None:
        return getattr(function, "__name__", repr(function))
    return f"{_short(code.co_filename)}:{code.co_firstlineno}"


def _short(file: str) -> str:
    path = Path(file)
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else path.name


class Rules(dict[Any, Rule]):
    """The table: rules by primitive, or by its name for one that JAX doesn't export.

    `edition` counts its changes.  `beyond` gives the rule of a primitive that isn't in
    it, and not JAX's (`registered`).
    """

    edition = 0
    beyond: Callable[[Any], Rule] = staticmethod(lambda _: NONE)

    def __missing__(self, primitive: Any) -> Rule:
        name = getattr(primitive, "name", None)
        if name is None or not tracing.belongs_to_jax(primitive):
            return self.beyond(primitive)  # it may be called like one of JAX's
        # Before JAX 0.12 some are named like the variable that holds them, with a _p.
        return self.get(name.removesuffix("_p"), NONE)


NONE = Rule()  # of a primitive without a rule: it refuses
RULES = Rules()


DECLARERS = "jaxkit.rules.verbs", "jaxkit.control.structure"


def declare(primitive: Any, rule: Rule) -> None:
    """Enter a rule into the table; a transpose that was declared before is kept."""
    frame: Any = sys._getframe(1)
    while frame.f_globals.get("__name__") in DECLARERS:
        frame = frame.f_back
    rule.name = primitive if isinstance(primitive, str) else primitive.name
    rule.file, rule.line = _short(frame.f_code.co_filename), frame.f_lineno
    before = RULES.get(primitive)
    if before is not None and before.transpose and not rule.transpose:
        rule.transpose, rule.transposed_by = before.transpose, before.transposed_by
        rule.positions, rule.jointly = before.positions, before.jointly
    RULES[primitive] = rule
    RULES.edition += 1


def replaced(primitive: Any) -> Rule:
    """A copy of a primitive's rule, put in its place: one to be changed.

    What was remembered, or compiled, by the rule as it was isn't taken for this one.
    """
    RULES[primitive] = copy(RULES[primitive])
    RULES.edition += 1
    return RULES[primitive]


def check_type(primitive, part: str, what: str, x: Any, aval: Any) -> None:
    """Raise TypeError if what a user's rule returned isn't of the type it must be."""
    got = tracing.aval_of(x)
    if got.shape != aval.shape or got.dtype != aval.dtype:
        raise TypeError(
            f"the {part} of '{primitive}' returned {what} of type {got.str_short()}, "
            f"but it must be {aval.str_short()}"
        )


def missing_rule(primitive: Any, params: dict[str, Any]) -> Exception:
    """The exception for a primitive without a rule, at the user's line."""
    name = params.get("_prim", primitive)  # JAX's composite primitives share one name
    return refusal(
        NotImplementedError,
        f"jaxkit has no derivative rule for the primitive '{name}'",
        "Add one with jaxkit.rules: elementwise, linear, bilinear, zero, or custom. "
        "(docs/coverage.md says which have none, and why.)",
    )
