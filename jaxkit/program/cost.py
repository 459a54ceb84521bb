"""What a pass through a linear program costs, counted from its equations.

In operations on numbers, of which moving one counts as one: enough to choose between
ways to run the same program, which differ by how often they run which part of it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from jaxkit.program.code import Code, Equation, Var


def cost(code: Code) -> int:
    """That of all equations."""
    return sum(map(cost_of, code.equations))


def cost_of(eqn: Equation) -> int:
    """That of an equation; of code that it runs, if that can be told."""
    types = [v.aval for v in eqn.outputs]
    size = sum(math.prod(aval.shape) for aval in types)
    shapes: list[Any] = [
        getattr(getattr(x, "aval", None), "shape", ()) for x in eqn.operands
    ]
    name = getattr(eqn.operator, "name", "")
    if name == "dot_general":
        contracted = eqn.params["dimension_numbers"][0][0]
        return 2 * size * math.prod(shapes[0][d] for d in contracted)
    if name == "conv_general_dilated":
        features = eqn.params["dimension_numbers"].rhs_spec[0]
        kernel = math.prod(shapes[1]) // max(shapes[1][features], 1)
        return 2 * size * kernel
    inner = _codes(eqn)
    if inner:
        return sum(times * cost(code) for code, times in inner)
    moving = [s for s, x in zip(shapes, eqn.operands, strict=True) if type(x) is Var]
    return max([size, *map(math.prod, moving)])


def _codes(eqn: Equation) -> list[tuple[Code, int]]:
    """The codes that an operator runs, and how often (a while loop's: once)."""
    params = eqn.params
    if "codes" in params:
        return [(max(params["codes"], key=cost), 1)]
    if isinstance(params.get("code"), Code):
        options = dict(params.get("options", ()))
        return [(params["code"], options.get("length", 1))]
    return []


def width(variables: Sequence[Any]) -> int:
    """How many numbers variables carry."""
    return sum(math.prod(v.aval.shape) for v in variables)
