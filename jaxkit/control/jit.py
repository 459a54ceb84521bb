"""`jax.jit` inside a differentiated function stays a `jit`, in both modes.

The derivative of a call is a call of the derivative: a compiled forward pass leaves the
residuals, and a second compiled function takes them.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from itertools import compress
from typing import Any, NamedTuple

import jax
from jax.extend.core import primitives

from jaxkit import tracing
from jaxkit.arithmetic import Evaluate
from jaxkit.control.structure import (
    Derivative,
    OneOf,
    Operator,
    Structure,
    per_jaxpr,
    refusals_of,
    runner,
    states,
)
from jaxkit.program import Code, LinearProgram
from jaxkit.rules.verbs import structured
from jaxkit.tangents import Refused, marked, spread


class Options(NamedTuple):
    """What a jit was told: its name, shardings (None: as they come), and for XLA."""

    name: str
    in_shardings: tuple[Any, ...] | None = None
    out_shardings: tuple[Any, ...] | None = None
    compiler: tuple[tuple[str, Any], ...] = ()

    def jit(self, fun: Callable, ins: Any = None, outs: Any = None) -> Callable:
        fun.__name__ = self.name
        return jax.jit(
            fun,
            in_shardings=ins,
            out_shardings=outs,
            compiler_options=dict(self.compiler) or None,
        )


def _specified(shardings) -> tuple[Any, ...] | None:
    known = [isinstance(x, jax.sharding.Sharding) for x in shardings]
    if not any(known):
        return None
    return tuple(x if k else None for x, k in zip(shardings, known, strict=True))


@structured(primitives.jit_p)
def _(primals, tangents, params):
    options = Options(
        params["name"],
        _specified(params["in_shardings"]),
        _specified(params["out_shardings"]),
        params["compiler_options_kvs"],
    )
    return call(params["jaxpr"], primals, tangents, options)


def call(jaxpr, primals, tangents, options: Options) -> Structure:
    """The call of a jaxpr, as that of a `jax.jit` with these options."""
    return _call(jaxpr, *states(primals, tangents), options)


@per_jaxpr
def _call(jaxpr, known, moving, options):
    ins, outs = options.in_shardings, options.out_shardings
    d_ins = ins and list(compress(ins, moving))
    ins = ins and tuple(compress(ins, known))
    outs = (list(outs), None) if outs and all(known) else None

    @cache
    def body():
        jit = partial(options.jit, ins=ins, outs=outs)
        return Derivative(jaxpr, known, moving, jit=jit)

    def forward(primals):
        outs, new = body().call(*primals)
        return spread(outs, body().known), body().all(new, primals)

    refusals: dict[int, Exception | None] = {}

    def both(primals, tangents):
        avals = [v.aval for v in tracing.open_jaxpr(jaxpr()).invars]
        primals, tangents = spread(primals, known), marked(tangents, moving, avals)
        outs, moved, _ = Evaluate().run(runner(jaxpr), primals, tangents)
        refusals.update(refusals_of(moved))
        return outs, [None if type(t) is Refused else t for t in moved]

    def parameters():
        live = body().live
        refusals.update(body().refusals)
        return live, {"code": body().code_of(live), "name": options.name}

    jvp = options.jit(both, ins and (list(ins), d_ins), outs)
    return Structure(known, moving, jvp, forward, operator, parameters, refusals)


@cache
def _compiled(name: str) -> tuple[Callable, Callable]:
    """To apply, and to transpose, any linear program in a jit of this name."""
    options = Options(name)
    apply = options.jit(lambda program, tangents: program.apply(tangents))
    transpose = options.jit(lambda program, cts: program.transpose(cts))
    return apply, transpose


def _apply(residuals, tangents, code: Code, name: str):
    return _compiled(name)[0](LinearProgram(code, residuals), tangents)


def _transpose(residuals, cts, code: Code, name: str):
    return _compiled(name)[1](LinearProgram(code, residuals), cts)


def _opened(residuals, tangents, code: Code, name: str):
    return OneOf([LinearProgram(code, residuals)])


operator = Operator("jit", _apply, _transpose, opened=_opened)
