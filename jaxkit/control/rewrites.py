"""A loop's body, written so that it and its derivative write to arrays in place.

`jnp.where(p, x.at[i].set(u), x)` selects between whole arrays.  XLA finds that this is
x.at[i].set(jnp.where(p, u, x[i])), but not of its derivative; so it is written that way
before it is differentiated.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jax.extend.core import primitives as p

from jaxkit import tracing
from jaxkit.control.structure import per_jaxpr
from jaxkit.rules.scatter import read_back
from jaxkit.tangents import full


def in_place(jaxpr: Any) -> Any:
    """A closed jaxpr that computes the same; itself, where nothing is to be changed."""
    return _changed(jaxpr) or jaxpr


@per_jaxpr
def _changed(ref):
    jaxpr = ref()
    inside = tracing.open_jaxpr(jaxpr)
    writes = {
        eqn.outvars[0]: eqn for eqn in inside.eqns if eqn.primitive in tracing.WRITES
    }
    if not writes:
        return None
    choices = [_choice(eqn, writes) for eqn in inside.eqns]
    if not any(choices):
        return None

    def run(*operands):
        env = tracing.environment(jaxpr, operands)
        for eqn, choice in zip(inside.eqns, choices, strict=True):
            if choice is None:
                tracing.run_equations([eqn], env)
            else:
                env[eqn.outvars[0]] = _written(*choice, env)
        return tracing.read(env, inside.outvars)

    return jax.make_jaxpr(run)(*[v.aval for v in inside.invars])


def _choice(eqn, writes) -> tuple[Any, bool, Any] | None:
    """(condition, whether it is of the array as it was, the write) of such a choice."""
    which, old, new = _selected(eqn) or (None, None, None)
    if which is None or which.aval.shape != () or which.aval.dtype != bool:
        return None
    for first, second, stays in (new, old, False), (old, new, True):
        write = writes.get(first)
        if write is not None and write.invars[0] is second:
            return which, stays, write
    return None


def _selected(eqn) -> list[Any] | None:
    """The three operands of a selection between two, also of `jnp.where`'s."""
    if eqn.primitive is p.select_n_p and len(eqn.invars) == 3:
        return [None if tracing.is_literal(v) else v for v in eqn.invars]
    if eqn.primitive is not p.jit_p:
        return None
    inside = tracing.open_jaxpr(eqn.params["jaxpr"])
    if not inside.eqns or inside.outvars != inside.eqns[-1].outvars:
        return None
    outside = dict(zip(inside.invars, eqn.invars, strict=True))
    for inner in inside.eqns[:-1]:  # a condition that is repeated for all entries
        if inner.primitive is not p.broadcast_in_dim_p or len(inner.invars) != 1:
            return None
        if not tracing.is_literal(inner.invars[0]):
            outside[inner.outvars[0]] = outside.get(inner.invars[0])
    found = _selected(inside.eqns[-1])
    found = found and [outside.get(v) for v in found]
    return found and [None if tracing.is_literal(v) else v for v in found]


def _written(which: Any, stays: bool, write: Any, env: dict) -> Any:
    """The array, with what is written where it is, and with what was there else."""
    (on,) = tracing.read(env, [which])
    x, *rest = tracing.read(env, write.invars)
    on = lax.bitwise_not(on) if stays else on
    if write.primitive is p.dynamic_update_slice_p:
        update, *start = rest
        before = p.dynamic_slice_p.bind(x, *start, slice_sizes=update.shape)
        return write.primitive.bind(x, _select(on, update, before), *start)
    indices, update = rest
    if write.primitive is p.scatter_p:
        before = read_back(x, indices, write.invars[2].aval, **write.params)
    else:
        before = full(write.invars[2].aval, 0)
    return write.primitive.bind(x, indices, _select(on, update, before), **write.params)


def _select(on, x, y) -> Any:
    return lax.select(on, jnp.asarray(x, y.dtype), y)
