"""Rules that others have registered with JAX, for primitives of their own.

Packages such as lineax and equinox have primitives, and tell JAX how these move and how
they are transposed.  That is their code, as a user's `custom_jvp` is, and none of JAX's
differentiation.  So a primitive that isn't JAX's, and for which there is no rule here,
is differentiated by what was registered for it:

    jvp         (primals, tangents, **params) -> (outputs, their tangents)
    transpose   (cotangents, *operands, **params) -> cotangents of the operands

This module is the only one that reads JAX's registry.
"""

from __future__ import annotations

from typing import Any

from jax.interpreters import ad

from jaxkit import tracing
from jaxkit.program.code import Constant, Var, Zero
from jaxkit.rules.table import NONE, RULES, Rule, missing_rule
from jaxkit.tangents import zeros


class Registered(Rule):
    """What was registered with JAX for any primitive that isn't JAX's."""

    verb = "registered with JAX"

    def derivative(self, primitive, arithmetic, primals, tangents, params) -> Any:
        if primitive not in ad.primitive_jvps:
            raise missing_rule(primitive, params)
        jvp = ad.primitive_jvps[primitive]
        several = primitive.multiple_results

        def rule(tangents):
            given = [
                ad.Zero(tracing.tangent_of(tracing.aval_of(x))) if dx is None else dx
                for x, dx in zip(primals, tangents, strict=True)
            ]
            outs, moved = jvp(tuple(primals), tuple(given), **params)
            outs, moved = (outs, moved) if several else ([outs], [moved])
            return list(outs), list(map(tracing.none_if_zero, moved))

        outs, moved = arithmetic.trace(rule, tangents)
        return (outs, moved) if several else (outs[0], moved[0])

    def _check_linear(self, primitive, primals, params) -> None:
        # In which operands it is linear isn't registered: the transpose is trusted.
        if primitive not in ad.primitive_transposes:
            raise self.no_transpose(primitive)

    def pull(self, operator, ct, operands, params) -> Any:
        operands = list(map(_as_jax_has_it, operands))
        if operator.multiple_results and any(x is None for x in ct):
            types = list(map(tracing.aval_of, operands))
            avals = tracing.output_aval(operator, types, params)
            ct = [
                ad.Zero(tracing.cotangent_of(aval)) if x is None else x
                for x, aval in zip(ct, avals, strict=True)
            ]
        cts = ad.primitive_transposes[operator](ct, *operands, **params)
        return list(map(tracing.none_if_zero, cts))


def _as_jax_has_it(x: Any) -> Any:
    """An operand of an equation, as a registered transpose expects it."""
    if type(x) is Var:
        return ad.UndefinedPrimal(x.aval)
    return x.value if type(x) is Constant else zeros(x.aval) if type(x) is Zero else x


REGISTERED = Registered()


def beyond(primitive: Any) -> Rule:
    """The rule of a primitive that isn't JAX's, and not in the table."""
    there = primitive in ad.primitive_jvps or primitive in ad.primitive_transposes
    return REGISTERED if there else NONE


RULES.beyond = beyond
