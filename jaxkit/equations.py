"""Equations of linear programs: their operands, their operators, their transposes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from typing import Any, NamedTuple

import jax

from jaxkit.tracing import ShapedArray, aval_of, compilable, varying_like


class Atom:
    """An operand with a number: a `Var` (a tangent) or a `Residual` (an array)."""

    __slots__ = ("aval", "index")

    def __init__(self, index: int, aval: Any):
        self.index, self.aval = index, aval

    def __eq__(self, other):
        same = type(self) is type(other) and self.index == other.index
        return same and self.aval == other.aval

    def __hash__(self):
        return hash((type(self), self.index))

    def __repr__(self):
        return f"{self.letter}{self.index}"

    letter = "?"


class Var(Atom):
    __slots__ = ()
    letter = "t"


class Residual(Atom):
    __slots__ = ()
    letter = "r"


class Constant:
    """An operand that is a plain number, the same in every run of the program."""

    __slots__ = ("value",)

    def __init__(self, value: Any):
        self.value = value

    def _key(self):  # 1, 1.0 and np.float32(1) are equal, but not the same constant
        return type(self.value), repr(self.value)

    def __eq__(self, other):
        return isinstance(other, Constant) and self._key() == other._key()

    def __hash__(self):
        return hash(self._key())

    def __repr__(self):
        return str(self.value)


class Equation(NamedTuple):
    """`outputs = operator(*operands, **params)`, linear in the operands that are Vars.

    An operand is a Var, a Zero, a Residual, or a Constant.
    """

    operator: Any
    operands: tuple[Any, ...]
    params: dict[str, Any]
    outputs: tuple[Var, ...]


class LinearOperator(NamedTuple):
    """What is known of an operator: where it is linear, and its transpose.

    `transpose(ct, *operands, **params)` returns one cotangent for each operand, None
    for those that are not Vars.  `operands`: the positions in which it is linear;
    `jointly`: in all of them at once (add), or in each with the others fixed (mul).
    """

    transpose: Callable[..., Sequence[Any]]
    operands: Callable[..., Sequence[int]]
    jointly: bool


class NotTransposable(ValueError):
    """An operator without a transpose; `fact` says why, the message also what to do."""

    def __init__(self, fact: str, advice: str):
        super().__init__(f"{fact} {advice}")
        self.fact = fact


OPERATORS: dict[Any, LinearOperator] = {}

# The derivative rules of primitives that run code (see `rules.table.structured`); they
# serve for linear code too, which is its own derivative.
STRUCTURES: dict[Any, Callable] = {}


def look_up(table: dict[Any, Any], operator: Any) -> Any:
    """What a table has of an operator; one that JAX doesn't export is named there."""
    # Before JAX 0.12 some are named like the variable that holds them, with a _p.
    return table.get(operator) or table.get(operator.name.removesuffix("_p"))


def transpose_equation(operator, ct, operands, residuals, params) -> Sequence[Any]:
    """The cotangents of an equation's operands; see `LinearOperator.transpose`.

    Where everything is concrete, the transpose is one call of a compiled program.
    """
    arrays = [residuals[x.index] for x in operands if type(x) is Residual]
    if operator.multiple_results or not compilable(operator, [ct, *arrays]):
        return _transpose_with(operator, operands, params, ct, arrays)
    static = tuple(
        x.aval if type(x) is Var else None if type(x) is Residual else x
        for x in operands
    )
    return _compiled_transpose(operator, static, tuple(params.items()))(ct, arrays)


def _transpose_with(operator, operands, params, ct, arrays):
    arrays = iter(arrays)

    def value(x):
        if type(x) is Residual:
            return next(arrays)
        if type(x) is not Constant:
            return x
        # The numbers of an operator with several results go to where they are used.
        several = operator.multiple_results
        return x.value if several else varying_like(x.value, aval_of(ct))

    values = [value(x) for x in operands]
    info = look_up(OPERATORS, operator)
    assert info is not None, operator
    return info.transpose(ct, *values, **params)


@lru_cache(maxsize=4096)
def _compiled_transpose(operator, static, params):
    operands = [
        Residual(0, None) if x is None else Var(0, x) if _is_aval(x) else x
        for x in static
    ]
    return jax.jit(partial(_transpose_with, operator, operands, dict(params)))


def _is_aval(x):
    return isinstance(x, ShapedArray)
