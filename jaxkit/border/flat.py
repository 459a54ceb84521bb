"""A user's function between pytrees as a flat function, between lists of leaves."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.dtypes import float0
from jax.ref import Ref
from jax.tree_util import tree_flatten, tree_unflatten

from jaxkit.border.messages import (
    Named,
    aval_or_none,
    describe,
    describe_tree,
    leaf_name,
)
from jaxkit.border.space import Space
from jaxkit.tracing import typeof


class Flat:
    """A user's function between pytrees as a flat function, for one call.

    After it has run, `out_tree` and `aux_tree` are the structures of its results.
    """

    def __init__(self, transform: str, call: Callable, in_tree: Any, has_aux: bool):
        self.transform, self.call, self.in_tree = transform, call, in_tree
        self.has_aux = has_aux

    def __call__(self, values):
        out, aux = self.call(tree_unflatten(self.in_tree, values)), None
        if self.has_aux:
            if not isinstance(out, tuple | list) or len(out) != 2:
                leaves, tree = tree_flatten(out)
                raise TypeError(
                    f"{self.transform}: with has_aux=True the function must return a "
                    "pair (output, aux), but it returned "
                    f"{describe_tree(tree, map(describe, leaves))}; for several values "
                    "return (output, (aux, ...))."
                )
            out, aux = out
        outs, self.out_tree = tree_flatten(out)
        self._check(outs)
        aux, self.aux_tree = tree_flatten(aux)
        return outs, aux

    def _check(self, outs) -> None:
        """Raise TypeError if a leaf that the function returned is no JAX value."""
        for i, y in enumerate(outs):
            if aval_or_none(y) is None:
                name = leaf_name([("the output", self.result(outs))], i)
                raise TypeError(
                    f"{self.transform}: {name} of the function is {y!r} of {type(y)}, "
                    "which is not a valid JAX type; return arrays or numbers, or "
                    "return it as aux with has_aux=True."
                )

    def result(self, outs: Sequence[Any]) -> Any:
        return tree_unflatten(self.out_tree, outs)

    def aux(self, aux: Sequence[Any]) -> Any:
        return tree_unflatten(self.aux_tree, aux)

    def out_space(self, outs: Sequence[Any]) -> Space:
        return space_of(self.out_tree, outs)


def space_of(tree: Any, leaves: Sequence[Any]) -> Space:
    """The tangent space of a pytree with these leaves."""
    return Space(tree, tuple([typeof(x) for x in leaves]))


def as_leaves(transform: str, tree: Any, named: Named) -> tuple[list[Any], Space]:
    """Flatten a pytree of arrays; returns its leaves and the space of its tangents.

    Python and NumPy values become JAX arrays.  `named` holds the same leaves as named
    pytrees (see `messages`).  Raises TypeError for a leaf that is no JAX value (a
    string, an object array).
    """
    leaves, treedef = tree_flatten(tree)
    for i, x in enumerate(leaves):
        if not isinstance(x, jax.Array):
            if getattr(x, "dtype", None) == float0:
                continue
            if isinstance(x, Ref):
                raise TypeError(
                    f"{transform}: {leaf_name(named, i)} is a reference (jax.new_ref), "
                    "which has no tangent; pass what it holds, r[...], and make a "
                    "reference of it in the function."
                )
            try:
                leaves[i] = jnp.asarray(x)
            except (TypeError, ValueError):
                if isinstance(x, np.ma.MaskedArray):
                    raise ValueError(
                        f"{transform}: {leaf_name(named, i)} is a masked array of "
                        "NumPy, whose mask JAX would lose; pass x.filled(...)."
                    ) from None
                raise TypeError(
                    f"{transform}: {leaf_name(named, i)} is {x!r} of {type(x)}, "
                    "which is not a valid JAX type; pass an array or a number, or "
                    f"keep it out of the differentiated arguments.{_of_a_model(tree)}"
                ) from None
    return leaves, space_of(treedef, leaves)


def _of_a_model(tree: Any) -> str:
    """What to do with Equinox's models, whose functions are leaves."""
    parts = [tree, *tree_flatten(tree, is_leaf=lambda x: x is not tree)[0]]
    bases = [base for x in parts for base in type(x).__mro__]
    if not any(base.__module__.split(".")[0] == "equinox" for base in bases):
        return ""
    return (
        " Of an Equinox model pass what moves: params, static = eqx.partition(model, "
        "eqx.is_inexact_array), and in the function eqx.combine(params, static)."
    )


def arguments(transform: str, primals: Any) -> tuple[list[Any], Space]:
    """The positional arguments of a transform: their leaves, and their space."""
    if not isinstance(primals, tuple | list):
        raise TypeError(
            f"{transform}: primals must be a tuple, one entry for each argument of "
            f"the function, got {type(primals)}; for one argument pass (x,)."
        )
    return as_leaves(transform, primals, enumerate(primals))
