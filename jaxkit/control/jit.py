"""`jax.jit` inside a differentiated function stays a `jit`, in both modes.

The derivative of a call is a call of the derivative.  Since a linear program is a
pytree, the compiled forward pass simply returns it, and the backward pass is a second
compiled function that takes it: JAX carries the residuals from one to the other.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from typing import Any, NamedTuple

import jax
from jax.extend.core import primitives
from jax.tree_util import register_dataclass

from jaxkit.control.linearized import per_jaxpr, runner
from jaxkit.dual import Evaluate, jvp_flat, linearize_flat
from jaxkit.equations import Var
from jaxkit.linear import Code, LinearProgram
from jaxkit.rules.table import structured, transposable
from jaxkit.tangents import given, moves, spread


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
def _(primitive, arithmetic, primals, tangents, params):
    options = Options(
        params["name"],
        _specified(params["in_shardings"]),
        _specified(params["out_shardings"]),
        params["compiler_options_kvs"],
    )
    return call_rule(arithmetic, primals, tangents, params["jaxpr"], options)


def call_rule(arithmetic, primals, tangents, jaxpr, options: Options):
    """The derivative of a call of a jaxpr, as that of a `jax.jit` with these options.

    Arguments and results but the last two are as in the rule of a primitive.
    """
    moving = tuple(t is not None for t in tangents)
    if isinstance(arithmetic, Evaluate):
        return _jvp(jaxpr, options, moving)(list(primals), given(tangents))
    linearize = _linearize(jaxpr, options, moving, arithmetic.linear)
    outs, forward = linearize(list(primals))
    program = forward.program(primals)
    where = [moves(y.aval.dtype) for y in outs]
    live = [type(t) is Var for t in spread(program.code.outputs, where)]
    moved = arithmetic.bind(
        call,
        [*program.residuals, *given(tangents)],
        [y.aval for y, there in zip(outs, live, strict=True) if there],
        code=program.code,
        name=options.name,
    )
    return outs, spread(moved, live)


@per_jaxpr
def _jvp(jaxpr, options, moving):
    def jvp(primals, tangents):
        tangents = spread(tangents, moving)
        outs, tangents_out, _ = jvp_flat(runner(jaxpr), primals, tangents)
        return outs, tangents_out

    ins = outs = None
    if options.in_shardings:
        pairs = zip(options.in_shardings, moving, strict=True)
        ins = list(options.in_shardings), [s for s, moved in pairs if moved]
    if options.out_shardings:
        outs = list(options.out_shardings), None
    return options.jit(jvp, ins, outs)


@partial(register_dataclass, data_fields=["new"], meta_fields=["code", "places"])
@dataclass
class Forward:
    """A linear program on its way out of a jit, without residuals that it was given.

    `places` has, for each residual, its number among the jit's operands, or None if it
    is `new`.  So a loop around the jit sees which of them are its constants.
    """

    new: list[Any]
    code: Code
    places: tuple[int | None, ...]

    @classmethod
    def of(cls, program: LinearProgram, primals) -> Forward:
        known = {id(x): i for i, x in enumerate(primals)}
        places = tuple(known.get(id(x)) for x in program.residuals)
        pairs = zip(program.residuals, places, strict=True)
        return cls([x for x, i in pairs if i is None], program.code, places)

    def program(self, primals) -> LinearProgram:
        new = iter(self.new)
        residuals = [next(new) if i is None else primals[i] for i in self.places]
        return LinearProgram(self.code, residuals)


@per_jaxpr
def _linearize(jaxpr, options, moving, linear):
    def linearize(primals):
        outs, program, _ = linearize_flat(runner(jaxpr), primals, moving, linear)
        return outs, Forward.of(program.prune(), primals)

    ins = options.in_shardings and (list(options.in_shardings),)
    outs = options.out_shardings and (list(options.out_shardings), None)
    return options.jit(linearize, ins, outs)


class Call:
    """Linear operator: a compiled call of a linear program.

    Operands: the program's residuals, then its inputs.  Outputs that are always zero
    are left out.
    """

    name = "jit"
    multiple_results = True

    def __repr__(self):
        return self.name

    def bind(self, *operands, code: Code, name: str):
        return _compiled(name)[0](*_program(operands, code))


call = Call()


def _program(operands, code):
    n = len(operands) - len(code.inputs)
    return LinearProgram(code, operands[:n]), list(operands[n:])


@cache
def _compiled(name: str) -> tuple[Callable, Callable]:
    """To apply, and to transpose, any linear program in a jit of this name."""

    def apply(program, tangents):
        outs = zip(program.apply(tangents), program.code.outputs, strict=True)
        return [dy for dy, var in outs if type(var) is Var]

    def transpose(program, cts):
        live = [type(x) is Var for x in program.code.outputs]
        return program.transpose(spread(cts, live))

    options = Options(name)
    return options.jit(apply), options.jit(transpose)


def _transpose(cts, *operands, code: Code, name: str):
    program, _ = _program(operands, code)
    return [None] * len(program.residuals) + _compiled(name)[1](program, cts)


transposable(call, _transpose, operands=None)
