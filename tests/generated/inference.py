"""What an equation returns, by tracing it, and which primitives it reaches."""

from __future__ import annotations

import warnings
from dataclasses import replace
from functools import cache
from typing import Any

import jax
import jax.numpy as jnp

from tests.generated.prelude import DTYPES
from tests.generated.program import Equation, Type, Var, compiled, namespace

NAMES = {jnp.dtype(dtype): name for name, dtype in DTYPES.items()}
LARGEST = 36


class IllTyped(Exception):
    """An equation that JAX refuses, or whose result the programs have no place for."""


def outcome(eqn: Equation, axis: bool) -> tuple[list[Type], bool, frozenset[str]]:
    """Types of what an equation without `outs` yields, if it is one, its primitives.

    Raises IllTyped.
    """
    reads = eqn.reads()
    if eqn.bodies:
        names = [x.name for x in reads]
        text = replace(eqn, outs=(Var("y", Type("f64")),)).source
    else:  # what is read has other names, so that like equations are traced once
        names = [f"x{n}" for n in range(len(reads))]
        new = dict(zip(reads, names, strict=True))
        operands = [new.get(x, x) for x in eqn.operands]
        text = "y = " + eqn.operation.text.format(*operands)
    types = tuple(zip(names, (x.type for x in reads), strict=True))
    found = traced(text, types, axis)
    if isinstance(found, str):
        raise IllTyped(found)
    return found


@cache
def traced(text: str, types: tuple[tuple[str, Type], ...], axis: bool):
    params = ", ".join(name for name, _ in types)
    lines = "\n    ".join(text.split("\n"))
    names = namespace() | {"lib": jax}
    exec(compiled(f"def equation({params}):\n    {lines}\n    return y"), names)
    trace = jax.make_jaxpr(
        names["equation"], return_shape=True, axis_env=[("i", 2)] if axis else None
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # of what JAX only warns, there is enough
        try:
            jaxpr, result = trace(*(struct(t) for _, t in types))
            alone = jax.tree.structure(result) == jax.tree.structure(0)
            outs = [type_of(x) for x in jaxpr.out_avals]
            return outs, alone, frozenset(reached(jaxpr))
        except Exception as error:
            return f"{type(error).__name__}: {error}"


def struct(t: Type) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(t.shape, DTYPES[t.dtype], weak_type=t.weak)


def type_of(aval: Any) -> Type:
    if aval.dtype not in NAMES:
        raise IllTyped(f"{aval.dtype} isn't drawn")
    found = Type(NAMES[aval.dtype], tuple(aval.shape), aval.weak_type)
    if found.size > LARGEST or found.ndim > 3:
        raise IllTyped(f"{found} is large")
    return found


def reached(jaxpr: Any):
    """The names of the primitives in a jaxpr."""
    for eqn in getattr(jaxpr, "jaxpr", jaxpr).eqns:
        yield eqn.primitive.name
        for inner in jax.tree.leaves(eqn.params, is_leaf=lambda x: hasattr(x, "eqns")):
            if hasattr(inner, "eqns") or hasattr(inner, "jaxpr"):
                yield from reached(inner)
