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

from collections.abc import Callable
from functools import lru_cache, wraps
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
        def call(*arrays):
            return Once.of(function(*arrays, **dict(static)), arrays)

        call.__name__ = named(**dict(static)) if named else _name(function)
        return jax.jit(call)

    @wraps(function)
    def run(*arrays, **static):
        for x in tree_leaves(arrays):
            if isinstance(x, tracing.Tracer):
                return function(*arrays, **static)
        outs = compiled(*static.items())(*arrays)
        return outs.beside(arrays) if type(outs) is Once else outs

    return run


@jax.tree_util.register_pytree_node_class
class Once:
    """The results of a compiled call, where an array is an argument, or twice there.

    Each is returned once, and arguments not at all: XLA would make copies.  `places`
    says which of the arguments' arrays, and then of those computed, each result is.
    """

    def __init__(self, computed, places: tuple[int, ...], tree: Any):
        self.computed, self.places, self.tree = computed, places, tree

    @classmethod
    def of(cls, results: Any, arrays: Any) -> Any:
        """The results themselves, where that is so of none."""
        leaves, tree = tree_flatten(results)
        known = {id(x): i for i, x in enumerate(tree_leaves(arrays))}
        given = len(known)
        places = tuple([known.setdefault(id(x), len(known)) for x in leaves])
        if len(known) == given + len(leaves):
            return results
        computed = {i: x for i, x in zip(places, leaves, strict=True) if i >= given}
        return cls(list(computed.values()), places, tree)

    def beside(self, arrays: Any) -> Any:
        """The results, of a call with these arguments."""
        known = [*tree_leaves(arrays), *self.computed]
        return tree_unflatten(self.tree, [_array(known[i]) for i in self.places])

    def tree_flatten(self):
        return self.computed, (self.places, self.tree)

    @classmethod
    def tree_unflatten(cls, aux, computed):
        return cls(computed, *aux)


def _array(x: Any) -> jax.Array:
    return x if isinstance(x, jax.Array) else jnp.asarray(x)


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
