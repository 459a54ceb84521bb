"""Speed apart from meaning: how a function of arrays is run, not what it computes.

    fused        one call of a compiled program where all values are concrete
    remembered   Python runs once for operands of each type; then its operations are

The declarations of rules (`rules`) and the structures (`control`) apply these to
functions of their own.  Nothing else in jaxkit compiles, or asks whether a value is
traced, to be quick.

A function here takes arrays, or pytrees of arrays, by position, and by keyword what is
static, and hashable.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache, partial, wraps
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.tree_util import tree_flatten, tree_leaves, tree_unflatten

from jaxkit import tracing

MOST = 4096  # compiled, or remembered, for different static arguments


def fused(function: Callable, named: Callable[..., str] | None = None) -> Callable:
    """`function`, as one compiled call where all values are concrete.

    Under a trace it runs as it is, so that what it merely passes on stays the same
    value, which a loop outside it needs to see.

    `named(**static)` is what JAX's messages (`jax_debug_nans`) and profiles call it; by
    default the structure that it is of, and its own name: "scan transpose".
    """

    @lru_cache(maxsize=MOST)
    def compiled(*static):
        call: Any = partial(function, **dict(static))
        call.__name__ = named(**dict(static)) if named else _name(function)
        return jax.jit(call)

    @wraps(function)
    def run(*arrays, **static):
        if _apart.get():
            return function(*arrays, **static)
        for x in tree_leaves(arrays):
            if isinstance(x, tracing.Tracer):
                return function(*arrays, **static)
        return compiled(*static.items())(*arrays)

    return run


def _name(function: Callable) -> str:
    module = function.__module__.rpartition(".")[2]
    return f"{module} {function.__name__.strip('_')}"


def remembered(function: Callable) -> Callable:
    """`function`, run by Python once for arrays of each type, and then from memory.

    What it computes must depend on the types of its arrays alone.  What isn't needed
    for its results isn't computed.
    """

    @lru_cache(maxsize=MOST)
    def traced(avals, tree, static, narrow, mesh):
        result = None

        def flat(*leaves):
            nonlocal result
            outs = function(*tree_unflatten(tree, leaves), **dict(static))
            leaves, result = tree_flatten(outs)
            return leaves

        jaxpr = jax.make_jaxpr(flat)(*avals)
        inside = tracing.open_jaxpr(jaxpr)
        known = {*inside.constvars, *inside.invars}
        return jaxpr, tracing.needed(inside.eqns, inside.outvars, known), result

    @wraps(function)
    def run(*arrays, **static):
        leaves, tree = tree_flatten(arrays)
        leaves = [jnp.asarray(x) if type(x) is np.ndarray else x for x in leaves]
        avals = tuple([tracing.aval_of(x) for x in leaves])
        setting = tracing.x64_is_off(), tracing.mesh_here()
        jaxpr, equations, tree = traced(avals, tree, tuple(static.items()), *setting)
        return tree_unflatten(tree, tracing.run_again(jaxpr, equations, leaves))

    return run


_apart = ContextVar("apart", default=False)


@contextmanager
def apart() -> Iterator[None]:
    """A block in which nothing is fused: values keep their identity."""
    token = _apart.set(True)
    try:
        yield
    finally:
        _apart.reset(token)
