"""What of a program is known although its inputs aren't: constants, folded.

A pattern that is to hold at every input may use the indices of a gather, or a mask, if
these don't depend on the inputs.  So the program is traced for inputs of which the type
alone is known, and those of its equations that depend on nothing else are carried out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax

from jaxkit import tracing
from jaxkit.program.linear import LinearProgram
from jaxkit.tangents import full

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
        operands = [tracing.is_literal(v) or v in env for v in eqn.invars]
        known = [not eqn.effects and x for x in told(eqn, operands)]
        if all(operands) and all(known):
            equations.append(eqn)
            env.update(dict.fromkeys(eqn.outvars, ...))
        elif any(known):
            _run(equations, env)
            env.update(_partly(eqn, env, known))
    _run(equations, env)
    return [v.val if tracing.is_literal(v) else env.get(v) for v in inside.outvars]


def _run(equations: list[Any], env: dict[Any, Any]) -> None:
    """Carry out what was put off, now, whatever is being traced."""
    with jax.ensure_compile_time_eval():
        tracing.run_equations(equations, env)
    equations.clear()


def _partly(eqn, env: dict[Any, Any], known: Sequence[bool]) -> dict[Any, Any]:
    """The known outputs of an equation, by their variables.

    What isn't known may be anything.  It is zero here, and XLA drops what hangs on it.
    """
    wanted = [v for v, there in zip(eqn.outvars, known, strict=True) if there]

    def run():
        inside = {v: env.get(v) for v in tracing.variables(eqn.invars)}
        unknown = [v for v, x in inside.items() if x is None]
        inside.update((v, full(v.aval, 0)) for v in unknown)
        tracing.run_equations([eqn], inside)
        return [inside[v] for v in wanted]

    with jax.ensure_compile_time_eval():
        return dict(zip(wanted, jax.jit(run)(), strict=True))


# --- What is known, without its value -------------------------------------------------


def told(eqn, known: Sequence[bool]) -> list[bool]:
    """Of each output of an equation, whether it depends on known operands alone."""
    inside = _INSIDE.get(eqn.primitive.name)
    if all(known) or inside is None:
        return [all(known)] * len(eqn.outvars)
    return inside(eqn.params, list(known))


def _through(jaxpr, known: Sequence[bool]) -> list[bool]:
    inside = tracing.open_jaxpr(jaxpr)
    env = dict.fromkeys(inside.constvars, True)
    env.update(zip(inside.invars, known, strict=True))
    at = lambda v: tracing.is_literal(v) or env[v]  # noqa: E731
    for eqn in inside.eqns:
        env.update(zip(eqn.outvars, told(eqn, list(map(at, eqn.invars))), strict=True))
    return list(map(at, inside.outvars))


def _cond(params, known):
    index, *operands = known
    found = [_through(branch, operands) for branch in params["branches"]]
    return [index and all(x) for x in zip(*found, strict=True)]


def _scan(params, known):
    body, n_consts, n_carry, _ = tracing.scan_layout(params)
    consts, carry = known[:n_consts], known[n_consts:][:n_carry]
    slices = known[n_consts + n_carry :]

    def step(carry):
        return _through(body, [*consts, *carry, *slices])

    carry = _kept(lambda carry: step(carry)[:n_carry], carry)
    return [*carry, *step(carry)[n_carry:]]


def _while(params, known):
    ends, n = params["cond_nconsts"], params["body_nconsts"]
    of_end, consts, carry = known[:ends], known[ends:][:n], known[ends + n :]
    carry = _kept(lambda c: _through(params["body_jaxpr"], [*consts, *c]), carry)
    length = _through(params["cond_jaxpr"], [*of_end, *carry])[0]
    return [length and x for x in carry]


def _kept(step: Callable, carry: Sequence[bool]) -> list[bool]:
    """What of a carry is known after any number of steps."""
    while (
        after := [x and y for x, y in zip(carry, step(carry), strict=True)]
    ) != carry:
        carry = after
    return after


_INSIDE: dict[str, Callable[[Any, list[bool]], list[bool]]] = {
    "jit": lambda params, known: _through(params["jaxpr"], known),
    "custom_vmap_call": lambda params, known: _through(params["call"], known),
    "cond": _cond,
    "scan": _scan,
    "while": _while,
}


def _is_known(x: Any) -> bool:
    return not isinstance(x, tracing.ShapedArray)
