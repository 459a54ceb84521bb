"""A traced program, run one primitive after the other.

To compile a fresh program takes longer than all else, and thousands of these have few
primitives on few shapes. So code inside code is run as Python would run it (a loop as a
loop), and JAX compiles single primitives, each once.
"""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import Literal

from jaxkit import tracing
from tests.generated.plain import PLAIN

# Primitives that run a jaxpr on their operands, and the parameter that holds it.
CALLS = {
    "jit": "jaxpr",
    "closed_call": "call_jaxpr",
    "custom_jvp_call": "call_jaxpr",
    "custom_vjp_call": "call_jaxpr",
    "remat2": "jaxpr",
    "checkpoint": "jaxpr",
}


def trace(f, args):
    """f on arguments as `jit` would trace it: a jaxpr, and what takes its outputs."""
    jaxpr, shapes = jax.make_jaxpr(f, return_shape=True)(*args)
    return jaxpr, jax.tree.structure(shapes)


def evaluate(closed, args) -> list:
    jaxpr = getattr(closed, "jaxpr", closed)
    consts = getattr(closed, "consts", ())
    env = dict(zip(jaxpr.constvars, consts, strict=True))
    env |= zip(jaxpr.invars, args, strict=True)

    def read(x):
        return x.val if isinstance(x, Literal) else env[x]

    for eqn in jaxpr.eqns:
        outs = step(eqn, [read(x) for x in eqn.invars])
        env |= zip(eqn.outvars, outs, strict=True)
    return [read(x) for x in jaxpr.outvars]


def step(eqn, xs) -> list:
    name, params = eqn.primitive.name, eqn.params
    if inner := CALLS.get(name):
        return evaluate(params[inner], xs)
    if name == "cond":
        return evaluate(params["branches"][int(xs[0])], xs[1:])
    if name == "while":
        return loop(params, xs)
    if name == "scan":
        return scan(eqn, params, xs)
    if name == "custom_linear_solve":
        return solve(params, xs)
    if (run := PLAIN.get(name)) and not any(map(extended, eqn.invars)):
        return in_numpy(run, xs, eqn)
    return by_jax(xs, eqn)


def by_jax(xs, eqn) -> list:
    run = partial(tracing.bind, eqn.primitive, params=eqn.params)
    outs = jax.jit(run)(xs) if eqn.primitive.name == "shard_map" else run(xs)
    return outs if eqn.primitive.multiple_results else [outs]


def extended(v) -> bool:
    return jnp.issubdtype(v.aval.dtype, jax.dtypes.extended)


class Broken(BaseException):
    """NumPy doesn't do what JAX does: a fault of this module, that no one may catch."""


def in_numpy(run, xs, eqn) -> list[np.ndarray]:
    """What NumPy returns, which must be what JAX says; NumPy's scalars are arrays."""
    try:
        xs = [np.asarray(x, v.aval.dtype) for x, v in zip(xs, eqn.invars, strict=True)]
        outs = run(*xs, **eqn.params)
    except jax.errors.JaxRuntimeError:  # of what was to compute the operands
        raise
    except Exception as error:
        raise Broken(f"{eqn}: {error}") from error
    outs = list(map(np.asarray, outs if eqn.primitive.multiple_results else [outs]))
    for x, v in zip(outs, eqn.outvars, strict=True):
        if x.shape != v.aval.shape or x.dtype != v.aval.dtype:
            raise Broken(f"{eqn}: {x.dtype}{x.shape}")
    return outs


def solve(params, xs) -> list:
    lengths, jaxprs = params["const_lengths"], params["jaxprs"]
    before = lengths.matvec + lengths.vecmat
    n = sum(lengths)
    return evaluate(jaxprs.solve, [*xs[before : before + lengths.solve], *xs[n:]])


def loop(params, xs) -> list:
    n, m = params["cond_nconsts"], params["body_nconsts"]
    of_test, of_body, carry = xs[:n], xs[n : n + m], xs[n + m :]
    while True:
        going = evaluate(params["cond_jaxpr"], [*of_test, *carry])[0]
        if not jnp.any(going):
            return carry
        new = evaluate(params["body_jaxpr"], [*of_body, *carry])
        if jnp.ndim(going):  # after `vmap` each of a batch stops by itself
            pairs = zip(new, carry, strict=True)
            new = [
                jnp.where(
                    jnp.reshape(going, going.shape + (1,) * (x.ndim - going.ndim)),
                    x,
                    old,
                )
                for x, old in pairs
            ]
        carry = new


def scan(eqn, params, xs) -> list:
    _, n, m, _ = tracing.scan_layout(params)
    consts, carry, over = xs[:n], xs[n : n + m], xs[n + m :]
    steps = range(params["length"])
    rows: list = [None] * params["length"]
    for i in reversed(steps) if params["reverse"] else steps:
        outs = evaluate(params["jaxpr"], [*consts, *carry, *(x[i] for x in over)])
        carry, rows[i] = outs[:m], outs[m:]
    if not rows:
        ys = [jnp.zeros(v.aval.shape, v.aval.dtype) for v in eqn.outvars[m:]]
    else:
        ys = [jnp.stack(ys) for ys in zip(*rows, strict=True)]
    return [*carry, *ys]
