"""Tangent spaces of pytrees of arrays, and their elements as users pass them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.dtypes import float0
from jax.tree_util import tree_flatten, tree_leaves, tree_unflatten

from jaxkit.border.messages import (
    Named,
    aval_or_none,
    describe,
    describe_tree,
    leaf_name,
    short,
)
from jaxkit.tangents import as_typed, full, moves, zeros
from jaxkit.tracing import (
    cotangent_of,
    divided_like,
    is_divided_like,
    sharding_of,
)


class Space(NamedTuple):
    """The tangent space of a pytree of arrays: its structure and its abstract values.

    Leaves of integers, booleans and random keys don't move; where a function is linear
    already, integers do.
    """

    tree: Any
    avals: tuple[Any, ...]
    integers: bool = False

    def __str__(self):
        return describe_tree(self.tree, map(short, self.avals))

    def with_integers(self) -> Space:
        """The same for functions that are linear already, where integers move too."""
        return self._replace(integers=True)

    def moves(self, aval: Any) -> bool:
        integer = self.integers and jnp.issubdtype(aval.dtype, np.integer)
        return integer or moves(aval.dtype)

    @property
    def moving(self) -> list[bool]:
        """Of each leaf whether it moves."""
        return list(map(self.moves, self.avals))

    @property
    def moving_avals(self) -> list[Any]:
        return list(filter(self.moves, self.avals))

    @property
    def sizes(self) -> list[int]:
        """How many numbers each leaf that moves has."""
        return [aval.size for aval in self.moving_avals]

    def structure(self) -> Any:
        """A pytree of `jax.ShapeDtypeStruct`s."""
        types = [jax.ShapeDtypeStruct(x.shape, x.dtype) for x in self.avals]
        return tree_unflatten(self.tree, types)

    def unflatten(self, moved: Sequence[Any], zero: Callable = zeros) -> Any:
        """The element whose moving leaves are given; None becomes `zero(aval)`."""
        values = iter(moved)
        leaves = []
        for aval in self.avals:
            x = next(values) if self.moves(aval) else None
            leaves.append(self.zero(aval, zero) if x is None else x)
        return tree_unflatten(self.tree, leaves)

    def zero(self, aval: Any, zero: Callable = zeros) -> Any:
        """The zero of a leaf, `zero(aval)`, or one of integers that move."""
        integer = self.moves(aval) and not moves(aval.dtype)
        return full(aval, 0) if integer else zero(aval)


# What an element is called, what it belongs to, and how it is passed.
TANGENT = "tangent", "primal"  # as positional arguments, in a tuple
COTANGENT = "cotangent", "output"  # as one pytree

# Which exceptions say that an element's structure, a shape or a dtype is wrong: the
# same kinds as JAX's.
ERRORS: dict[str, tuple[type[Exception], ...]] = {
    "jvp": (TypeError, ValueError, TypeError),
    "hvp": (TypeError, ValueError, TypeError),
    "linearize": (TypeError, ValueError, ValueError),
    "vjp": (ValueError, ValueError, ValueError),
    "linear_transpose": (TypeError, TypeError, TypeError),
}
OTHERS = TypeError, ValueError, TypeError  # of what JAX hasn't


def flatten(transform: str, role: tuple[str, str], space: Space, element: Any) -> list:
    """Check an element of a space; returns those of its leaves that move.

    `role` is `TANGENT` or `COTANGENT`, and `transform` whose exceptions are raised.
    """
    wrong_structure, _, _ = ERRORS.get(transform, OTHERS)
    what, of = role
    leaves, treedef = tree_flatten(element)
    if treedef != space.tree:
        raise wrong_structure(
            f"{transform}: the {what} must be a pytree like the {of}, {space}, but is "
            f"{describe_tree(treedef, map(describe, leaves))}; "
            f"{_difference(role, space, element)}."
        )
    moved = []
    for i, (x, aval) in enumerate(zip(leaves, space.avals, strict=True)):
        x = _checked(transform, role, element, i, x, aval, space.moves(aval))
        if space.moves(aval):
            moved.append(x)
    return moved


def _named(role, element: Any) -> Named:
    return enumerate(element) if role == TANGENT else [("the output", element)]


def _difference(role, space: Space, element: Any) -> str:
    """Which leaves an element of the wrong structure lacks, or has too many."""

    def names(tree):
        try:
            n = len(tree_flatten(tree)[0])
            return [leaf_name(_named(role, tree), i) for i in range(n)]
        except TypeError:  # no sequence, where one was wanted
            return []

    template = tree_unflatten(space.tree, range(space.tree.num_leaves))
    want, have = names(template), names(element)
    lacking = [name for name in want if name not in have]
    extra = [name for name in have if name not in want]
    parts = [f"it lacks one for {', '.join(lacking)}"] if lacking else []
    if lacking and any(x is None for x in tree_leaves(element, lambda x: x is None)):
        parts[0] += " (None is a pytree without leaves; for a zero pass zeros)"
    parts += [f"it has one too many, for {', '.join(extra)}"] if extra else []
    kind = type(template).__name__
    return " and ".join(parts) or f"its containers differ; pass a {kind}"


def _checked(transform, role, element, i, x, aval, moves) -> Any:
    """The i-th leaf of an element, as an array of the type it must have."""
    dtype = aval.dtype if moves else float0
    if moves and type(x) in (float, complex) and aval.shape == ():
        kind = np.inexact if type(x) is float else np.complexfloating
        if jnp.issubdtype(aval.dtype, kind):
            number = jnp.asarray(x) if aval.weak_type else None
            same = number is not None and number.dtype == dtype
            return number if same else jnp.asarray(x, dtype)
    want, got = None, getattr(x, "aval", None) or aval_or_none(x)
    if getattr(x, "dtype", None) == float0:
        got = jax.ShapeDtypeStruct(np.shape(x), float0)
    if got is not None and got.shape == aval.shape:
        if dtype is float0:
            # As in JAX a cotangent of integers may be anything, and counts for nothing.
            if got.dtype == dtype or role == COTANGENT:
                return x
        elif got.dtype == dtype:
            numpy = not isinstance(x, jax.Array)
            x = jnp.asarray(x) if numpy else x
            x = as_typed(x, aval) if role == TANGENT else x
            if sharding_of(aval) is None:
                return x
            want = cotangent_of(aval) if role == COTANGENT else aval
            # As JAX's, forward mode divides what isn't divided so.
            if numpy or transform in ("jvp", "hvp") or is_divided_like(got, want):
                return divided_like(x, want)
    what, of = role
    want = want or jax.ShapeDtypeStruct(aval.shape, dtype)
    text = (
        f"{transform}: the {what} of {leaf_name(_named(role, element), i)} is "
        f"{describe(x) if got is None else short(got)}, but the {of} is "
        f"{short(aval)}; pass {short(want)}"
    )
    if dtype is float0 and role == COTANGENT:
        text += " or any array of that shape, which counts for nothing"
    elif dtype is float0:
        text += ": integers and booleans have float0 tangents, "
        text += "np.zeros(shape, jax.dtypes.float0); to differentiate, pass floats"
    _, wrong_shape, wrong_dtype = ERRORS.get(transform, OTHERS)
    if got is None:
        raise TypeError(text + ".")
    raise (wrong_dtype if got.shape == aval.shape else wrong_shape)(text + ".")
