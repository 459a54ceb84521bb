"""`jax.jit` inside a differentiated function stays a `jit`, in both modes.

The derivative of a call is a call of the derivative.  Since a linear program is a
pytree, the compiled forward pass simply returns it, and the backward pass is a second
compiled function that takes it: JAX carries the residuals from one to the other.
"""

from __future__ import annotations

from weakref import WeakKeyDictionary, ref

import jax
from jax.extend.core import primitives

from jaxkit.dual import Evaluate, jvp_flat, linearize_flat
from jaxkit.equations import Var
from jaxkit.linear import Code, LinearProgram
from jaxkit.rules.table import missing_rule, structured, transposable
from jaxkit.tangents import moves
from jaxkit.tracing import run_jaxpr_here


@structured(primitives.jit_p)
def _(primitive, arithmetic, primals, tangents, params):
    return _call(arithmetic, primals, tangents, params["jaxpr"], params["name"])


@structured(primitives.cond_p)
def _(primitive, arithmetic, primals, tangents, params):
    # Of conditionals, only those of `lax.platform_dependent`: ways to compute the same
    # that suit different platforms (jax.numpy.diagonal has one). Any of them will do.
    platforms = params.get("branches_platforms")
    if platforms is None:
        raise missing_rule(primitive, params)
    default = params["branches"][platforms.index(None) if None in platforms else -1]
    return _call(arithmetic, primals[1:], tangents[1:], default, "platform_dependent")


def _call(arithmetic, primals, tangents, jaxpr, name):
    moving = tuple(t is not None for t in tangents)
    given = [t for t in tangents if t is not None]
    if isinstance(arithmetic, Evaluate):
        return _jit_jvp(jaxpr, name, moving)(primals, given)
    outs, program = _jit_linearize(jaxpr, name, moving)(primals)
    code, operands = program.code, [*program.residuals, *given]
    outputs = iter(code.outputs)
    live = [moves(y.aval.dtype) and type(next(outputs)) is Var for y in outs]
    avals = [y.aval for y, is_live in zip(outs, live, strict=True) if is_live]
    moved = iter(arithmetic.bind(call, operands, avals, code=code) if avals else ())
    return outs, [next(moved) if is_live else None for is_live in live]


def _flat(jaxpr):
    return lambda values: (run_jaxpr_here(jaxpr(), values), [])


def _per_jaxpr(make):
    """Remember what `make(jaxpr, *key)` made for as long as the jaxpr is alive.

    `make` gets a weak reference: a jaxpr holds the arrays its function closes over.
    """
    made = WeakKeyDictionary()

    def get(jaxpr, *key):
        entries = made.setdefault(jaxpr, {})
        if key not in entries:
            entries[key] = make(ref(jaxpr), *key)
        return entries[key]

    return get


@_per_jaxpr
def _jit_jvp(jaxpr, name, moving):
    def jvp(primals, given):
        given = iter(given)
        tangents = [next(given) if m else None for m in moving]
        outs, tangents_out, _ = jvp_flat(_flat(jaxpr), primals, tangents)
        return outs, tangents_out

    jvp.__name__ = f"jvp_{name}"
    return jax.jit(jvp)


@_per_jaxpr
def _jit_linearize(jaxpr, name, moving):
    def linearize(primals):
        outs, program, _ = linearize_flat(_flat(jaxpr), primals, moving)
        return outs, program.prune()

    linearize.__name__ = f"linearize_{name}"
    return jax.jit(linearize)


class Call:
    """Linear operator: a compiled call of a linear program.

    Operands: the program's residuals, then its inputs.  Outputs that are always zero
    are left out.
    """

    name = "jit"
    multiple_results = True

    def __repr__(self):
        return self.name

    def bind(self, *operands, code: Code):
        return _jit_apply(*_program(operands, code))


call = Call()


def _program(operands, code):
    n = len(operands) - len(code.inputs)
    return LinearProgram(code, operands[:n]), list(operands[n:])


@jax.jit
def _jit_apply(program, tangents):
    outs = program.apply(tangents)
    live = zip(outs, program.code.outputs, strict=True)
    return [dy for dy, var in live if type(var) is Var]


@jax.jit
def _jit_transpose(program, cts):
    cts = iter(cts)
    outputs = program.code.outputs
    return program.transpose([next(cts) if type(x) is Var else None for x in outputs])


def _transpose(cts, *operands, code: Code):
    program, _ = _program(operands, code)
    return [None] * len(program.residuals) + _jit_transpose(program, cts)


transposable(call, _transpose, operands=None)
