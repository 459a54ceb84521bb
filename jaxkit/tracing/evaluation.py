"""Evaluation: the equations of a jaxpr are run again, under whichever trace."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from operator import attrgetter
from types import MappingProxyType
from typing import Any

import jax
import jax.core
from jax.experimental.xla_metadata import set_xla_metadata
from jax.extend import source_info_util
from jax.extend.core import Literal, primitives, set_current_trace, take_current_trace

from jaxkit.tracing.jaxprs import (
    environment,
    is_deep,
    needed,
    open_jaxpr,
    read,
    variables,
)
from jaxkit.tracing.shardings import mesh_here, varying_along, varying_axes
from jaxkit.tracing.types import typeof


def run_jaxpr(trace: jax.core.Trace, jaxpr, operands: Sequence[Any]) -> list[Any]:
    """Run a closed jaxpr's equations one by one under `trace`.

    So are those of calls that are nested too deeply, and without recursion.
    """
    env, inside, here = environment(jaxpr, operands), open_jaxpr(jaxpr), mesh_here()
    stack = [(iter(inside.eqns), env, inside, ())]
    while True:
        equations, env, inside, _ = stack[-1]
        for eqn in equations:
            if eqn.primitive is primitives.jit_p and is_deep(eqn.params["jaxpr"]):
                called, values = eqn.params["jaxpr"], read(env, eqn.invars)
                env, inside = environment(called, values), open_jaxpr(called)
                stack.append((iter(inside.eqns), env, inside, eqn.outvars))
                break
            run_equation(trace, eqn, env, here)
        else:
            outs, (*_, results) = read(env, inside.outvars), stack.pop()
            if not stack:
                return outs
            stack[-1][1].update(zip(results, outs, strict=True))


def run_jaxpr_here(jaxpr, operands: Sequence[Any], inline=False) -> list[Any]:
    """Run a closed jaxpr under the current trace, as if from the lines it was from.

    What its outputs don't need isn't run, unless it does something else, as printing.
    With `inline`, what it calls by `jax.jit` is run equation by equation too.
    """
    env, inside = environment(jaxpr, operands), open_jaxpr(jaxpr)
    equations = needed(inside.eqns, inside.outvars, env.keys(), effects=True)
    run_equations(equations, env, inline)
    return read(env, inside.outvars)


def run_equations(equations, env: dict[Any, Any], inline=False) -> None:
    """Run equations of a jaxpr here: inputs are read in `env`, outputs added to it."""
    here = mesh_here()
    for eqn in equations:
        if inline and eqn.primitive is primitives.jit_p:
            inner = eqn.params["jaxpr"]
            outs = run_jaxpr_here(inner, read(env, eqn.invars), inline)
            env.update(zip(eqn.outvars, outs, strict=True))
            continue
        with source_info_util.user_context(eqn.source_info.traceback):
            with take_current_trace() as trace:
                run_equation(trace, eqn, env, here)


# What is noted for XLA where equations run now; jaxprs remember it of each of theirs.
NOTHING: Mapping[str, Any] = MappingProxyType({})
noted: ContextVar[Mapping[str, Any]] = ContextVar("noted", default=NOTHING)


@contextmanager
def noting(**notes) -> Iterator[None]:
    """A block whose equations are run, and written down, with these notes."""
    token = noted.set({**noted.get(), **notes})
    try:
        with set_xla_metadata(**notes):
            yield
    finally:
        noted.reset(token)


def run_in_order(equations, env: dict[Any, Any], order: Callable) -> None:
    """As `run_equations`, where what is read of an array comes before what is written.

    What needs nothing that is written runs first.  What is read of an array passes
    `order(read, array)`, if the array is written to later on.
    """
    if not any([eqn.primitive in WRITES for eqn in equations]):
        return run_equations(equations, env)
    written, later = set(), set()
    first, rest = [], []
    for eqn in equations:
        writes, inputs = eqn.primitive in WRITES, variables(eqn.invars)
        if writes:
            written.update(inputs[:1])
        if writes or eqn.effects or not later.isdisjoint(inputs):
            later.update(eqn.outvars)
            rest.append(eqn)
        else:
            first.append(eqn)
    for eqn in first + rest:
        run_equations([eqn], env)
        if eqn.primitive in READS and eqn.invars[0] in written:
            y, x = eqn.outvars[0], eqn.invars[0]
            env[y], env[x] = order(env[y], env[x])


READS = primitives.dynamic_slice_p, primitives.slice_p, primitives.gather_p
WRITES = (
    primitives.dynamic_update_slice_p,
    primitives.scatter_p,
    primitives.scatter_add_p,
)


def run_again(jaxpr, equations, operands: Sequence[Any]) -> list[Any]:
    """Run some of a closed jaxpr's equations here, as if from the line that runs."""
    env = environment(jaxpr, operands)
    here = mesh_here()
    with take_current_trace() as trace:
        for eqn in equations:
            run_equation(trace, eqn, env, here)
    return read(env, open_jaxpr(jaxpr).outvars)


def run_equation(trace, eqn, env, here) -> None:
    ctx = eqn.ctx
    if (mesh := ctx.cur_abstract_mesh) is not here and mesh != here:
        with jax.sharding.use_abstract_mesh(mesh):
            run_equation(trace, eqn, env, mesh)
        return
    if ctx.xla_metadata and not ctx.xla_metadata.items() <= noted.get().items():
        with noting(**ctx.xla_metadata):
            run_equation(trace, eqn, env, here)
        return
    inputs = [v.val if type(v) is Literal else env[v] for v in eqn.invars]
    avals = list(map(_aval, eqn.invars))
    if here.manual_axes:
        with set_current_trace(trace):
            inputs, avals = _varying_alike(inputs, avals)
            if eqn.primitive.name == "pvary":
                env[eqn.outvars[0]] = varying_along(inputs[0], set(eqn.params["axes"]))
                return
    params = eqn.primitive.get_bind_params(eqn.params)
    out = eqn.primitive.bind_with_trace(trace, inputs, avals, params)
    if eqn.primitive.multiple_results:
        env.update(zip(eqn.outvars, out, strict=True))
    else:
        env[eqn.outvars[0]] = out


_aval = attrgetter("aval")


def _varying_alike(inputs, avals) -> tuple[list[Any], list[Any]]:
    """Operands of an equation, of which some vary more than when it was written down.

    Where all varied alike they do again.
    """
    before = {aval.manual_axis_type.varying for aval in avals}
    if len(before) > 1 or {varying_axes(x) for x in inputs} <= before:
        return inputs, avals
    axes = frozenset().union(*map(varying_axes, inputs))
    inputs = [varying_along(x, axes) for x in inputs]
    return inputs, list(map(typeof, inputs))
