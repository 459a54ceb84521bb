"""What of a program is known although its inputs aren't: constants, folded.

A pattern that is to hold at every input may use the indices of a gather, or a mask, if
these don't depend on the inputs.  So the program is traced for inputs of which the type
alone is known, and those of its equations that depend on nothing else are carried out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
from jax.extend.core import primitives

from jaxkit import tracing
from jaxkit.program.linear import LinearProgram

# What Python raises where it asks for a value that isn't known.
UNTRACED = (
    jax.errors.ConcretizationTypeError,
    jax.errors.TracerArrayConversionError,
    jax.errors.TracerIntegerConversionError,
    jax.errors.TracerBoolConversionError,
)


def folded(make: Callable[..., LinearProgram], values: Sequence[Any]) -> LinearProgram:
    """The linear program that `make(*values)` returns, with residuals that are known.

    Of the values, some are known, and of others there is an abstract type.  So it is
    of the program's residuals.
    """
    if all(map(_is_known, values)):
        return make(*values)
    program: Any = None

    def residuals(*values):
        nonlocal program
        program = make(*values).prune()
        return list(program.residuals)

    avals = [tracing.typeof(x) if _is_known(x) else x for x in values]
    jaxpr = jax.make_jaxpr(residuals)(*avals)
    found = outputs(jaxpr, [x if _is_known(x) else None for x in values])
    unknown = [v.aval for v in tracing.open_jaxpr(jaxpr).outvars]
    return LinearProgram(
        program.code,
        [aval if x is None else x for x, aval in zip(found, unknown, strict=True)],
    )


def outputs(jaxpr, values: Sequence[Any]) -> list[Any]:
    """The outputs of a closed jaxpr that are known if these inputs are, else None."""
    env, inside = tracing.environment(jaxpr, values), tracing.open_jaxpr(jaxpr)
    env = {v: x for v, x in env.items() if x is not None and not tracing.is_traced(x)}
    equations = []
    for eqn in tracing.needed(inside.eqns, inside.outvars, set()):
        if all(v in env for v in tracing.variables(eqn.invars)) and not eqn.effects:
            env.update(dict.fromkeys(eqn.outvars, ...))
            equations.append(eqn)
        elif eqn.primitive is primitives.jit_p:
            # Of a call, too, some outputs may be known though not all inputs are.
            _run(equations, env)
            operands = [
                v.val if tracing.is_literal(v) else env.get(v) for v in eqn.invars
            ]
            found = outputs(eqn.params["jaxpr"], operands)
            pairs = zip(eqn.outvars, found, strict=True)
            env.update((v, x) for v, x in pairs if x is not None)
    _run(equations, env)
    return [v.val if tracing.is_literal(v) else env.get(v) for v in inside.outvars]


def _run(equations: list[Any], env: dict[Any, Any]) -> None:
    """Carry out what was put off, now, whatever is being traced."""
    with jax.ensure_compile_time_eval():
        tracing.run_equations(equations, env)
    equations.clear()


def _is_known(x: Any) -> bool:
    return not isinstance(x, tracing.ShapedArray)
