"""Partial derivatives as formulas that one can read: `dz = cos(x) dx`.

A partial is a function of arrays.  Traced on numbers it is a list of operations, and
these are written as an expression.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np
from jax.tree_util import tree_flatten, tree_unflatten

from jaxkit import tracing
from jaxkit.rules.terms import Factor

NAMES = "z", "x", "y", "w"  # where the partials don't say
SUM, PRODUCT, POWER, ATOM = range(4)  # how strongly an expression holds together
UNKNOWN = "?", SUM
INFIX = {
    "add": ("+", SUM), "add_any": ("+", SUM), "sub": ("-", SUM), "mul": ("*", PRODUCT),
    "div": ("/", PRODUCT), "pow": ("**", POWER), "eq": ("==", SUM), "lt": ("<", SUM),
    "gt": (">", SUM), "ge": (">=", SUM), "le": ("<=", SUM),
}  # fmt: skip


def differential(
    partials: Sequence[Callable | float | None], together: Callable | None
) -> str:
    """The differential of an output with these partials: `dz = y dx + x dy`."""
    functions = [together, *partials] if together else partials
    names = next((_arguments(f) for f in functions if callable(f)), NAMES)
    unknown = []

    def factor(function: Callable) -> Any:
        try:
            return _traced(function, names)
        except Exception as error:  # whatever a user's function raises when traced
            unknown.append(f"; ?: {error}".splitlines()[0])
            return UNKNOWN

    if together:
        factors = factor(together)
        factors = [UNKNOWN] * len(names[1:]) if factors is UNKNOWN else list(factors)
    else:
        factors = [factor(f) if callable(f) else f for f in partials]
    pairs = zip(names[1:], factors, strict=False)
    terms = [_term(factor, name) for name, factor in pairs if factor is not None]
    formula = f"d{names[0]} = {' + '.join(terms) or '0'}".replace("+ -", "- ")
    return formula + "".join(unknown[:1])


def _arguments(function: Callable) -> Sequence[str]:
    code = getattr(function, "__code__", None)
    return code.co_varnames[: code.co_argcount] if code else NAMES


def _term(factor: Any, name: str) -> str:
    """`cos(x) dx`, for a factor whose parts are expressions, or numbers."""
    if not isinstance(factor, Factor):
        factor = (
            Factor(factor) if isinstance(factor, int | float) else Factor(1, factor)
        )
    d = f" / {_bound(factor.d, POWER)}" if factor.d is not None else ""
    f = f"{_bound(factor.f, PRODUCT)} " if factor.f is not None else ""
    c = "" if factor.c == 1 else "-" if factor.c == -1 else f"{factor.c:.6g} "
    term = f"{c}{f}d{name}{d}"
    return term if factor.where is None else f"where({factor.where[0]}, {term}, 0)"


def _bound(expression: tuple[str, int], least: int) -> str:
    """The text of an expression, in parentheses if it holds together less than that."""
    text, strength = expression
    return text if strength >= least else f"({text})"


def _traced(partial: Callable, names: Sequence[str]) -> Any:
    """What a partial returns, with expressions in place of arrays."""
    tree: Any = None

    def flat(*xs):
        nonlocal tree
        leaves, tree = tree_flatten(partial(*xs))
        return leaves

    number = jax.ShapeDtypeStruct((), np.float32)
    jaxpr = jax.make_jaxpr(flat)(*[number] * len(names))
    return tree_unflatten(tree, _expressions(jaxpr, [(name, ATOM) for name in names]))


def _expressions(jaxpr: Any, inputs: Sequence[Any]) -> list[tuple[str, int]]:
    """The outputs of a closed jaxpr as expressions in those of its inputs."""
    env = tracing.environment(jaxpr, inputs)

    def read(atom):
        found = tracing.read(env, [atom])[0]
        return found if isinstance(found, tuple) else (f"{float(found):.6g}", ATOM)

    for eqn in tracing.open_jaxpr(jaxpr).eqns:
        operands = list(map(read, eqn.invars))
        inner = eqn.params.get("jaxpr")
        outs = _expressions(inner, operands) if inner else [_operation(eqn, operands)]
        env.update(zip(eqn.outvars, outs, strict=True))
    return list(map(read, tracing.open_jaxpr(jaxpr).outvars))


def _operation(eqn: Any, operands: Sequence[tuple[str, int]]) -> tuple[str, int]:
    name = eqn.primitive.name.removesuffix("_p")
    if name in INFIX:
        sign, strength = INFIX[name]
        left, right = operands
        return (
            f"{_bound(left, strength)} {sign} {_bound(right, strength + 1)}",
            strength,
        )
    if name == "convert_element_type":
        return operands[0]
    if name == "neg":
        return f"-{_bound(operands[0], PRODUCT)}", PRODUCT
    if name in ("square", "integer_pow"):
        return f"{_bound(operands[0], ATOM)} ** {eqn.params.get('y', 2)}", POWER
    if name == "select_n":
        name, (test, no, yes) = "where", operands
        operands = test, yes, no
    return f"{name}({', '.join(text for text, _ in operands)})", ATOM
