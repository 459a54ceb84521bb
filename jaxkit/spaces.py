"""Pytrees at the border: what users pass is flattened and checked, with exact messages.

A message says which leaf of which argument is wrong, what it is, and what to pass.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.dtypes import float0
from jax.tree_util import (
    keystr,
    tree_flatten,
    tree_flatten_with_path,
    tree_unflatten,
)

from jaxkit.tangents import moves, tangent_dtype, zeros
from jaxkit.tracing import typeof


def leaf_name(named: Iterable[tuple[Any, Any]], index: int) -> str:
    """The name of a leaf, such as `argument 0['w'][1]`, among named pytrees."""
    paths = [
        (key, path) for key, x in named for path, _ in tree_flatten_with_path(x)[0]
    ]
    key, path = paths[index]
    name = key if isinstance(key, str) else f"argument {key}"
    return name + keystr(path)


def describe(x: Any) -> str:
    """A value in a message: `float32[3]`, or the type of what is no JAX value."""
    aval = _aval_or_none(x)
    return f"{x!r} of {type(x)}" if aval is None else short(aval)


def short(aval: Any) -> str:
    dtype = "float0" if aval.dtype == float0 else aval.dtype.name
    return f"{dtype}[{','.join(map(str, aval.shape))}]"


def _aval_or_none(x: Any) -> Any:
    try:
        return typeof(x)
    except TypeError:
        return None


def as_leaves(transform: str, tree: Any, named: Iterable) -> tuple[list[Any], Any]:
    """Flatten a pytree of arrays; Python and NumPy values become JAX arrays.

    `named` holds the same leaves as named pytrees (see `leaf_name`).  Raises TypeError
    for a leaf that is no JAX value (a string, an object array).
    """
    leaves, treedef = tree_flatten(tree)
    for i, x in enumerate(leaves):
        if not isinstance(x, jax.Array):
            if getattr(x, "dtype", None) == float0:
                continue
            try:
                leaves[i] = jnp.asarray(x)
            except (TypeError, ValueError):
                raise TypeError(
                    f"{transform}: {leaf_name(named, i)} is {x!r} of {type(x)}, "
                    "which is not a valid JAX type; pass an array or a number, or "
                    "keep it out of the differentiated arguments."
                ) from None
    return leaves, treedef


def check_outputs(transform: str, leaves: Sequence[Any], treedef: Any) -> None:
    """Raise TypeError if a leaf that a user's function returned is no JAX value."""
    for i, y in enumerate(leaves):
        if _aval_or_none(y) is None:
            name = leaf_name([("the output", tree_unflatten(treedef, leaves))], i)
            raise TypeError(
                f"{transform}: {name} of the function is {y!r} of {type(y)}, which is "
                "not a valid JAX type; return arrays or numbers, or return it as aux "
                "with has_aux=True."
            )


class Errors(NamedTuple):
    """Which exceptions a transform raises, the same kinds as JAX's."""

    structure: type[Exception]
    shape: type[Exception]
    dtype: type[Exception]


JVP_ERRORS = Errors(TypeError, ValueError, TypeError)
LINEARIZE_ERRORS = Errors(TypeError, ValueError, ValueError)
VJP_ERRORS = Errors(ValueError, ValueError, ValueError)
TRANSPOSE_ERRORS = Errors(TypeError, TypeError, TypeError)


class Space:
    """The tangent space of a pytree of arrays, as the domain of a linear map.

    `what` names its elements in messages (tangent, cotangent), `of` what they belong
    to (primal, output).  With `arguments` an element is passed as positional arguments,
    one for each entry of the tuple; otherwise as one pytree.
    """

    def __init__(
        self,
        tree: Any,
        avals: Iterable[Any],
        what: str = "element",
        of: str = "space",
        arguments: bool = False,
        errors: Errors = JVP_ERRORS,
    ):
        self.tree = tree
        self.avals = tuple(avals)
        self.what, self.of, self.arguments, self.errors = what, of, arguments, errors

    def _key(self):
        return self.tree, self.avals, self.what, self.of, self.arguments

    def __eq__(self, other):
        return isinstance(other, Space) and self._key() == other._key()

    def __hash__(self):
        return hash(self._key())

    @property
    def moving_avals(self) -> list[Any]:
        return [aval for aval in self.avals if moves(aval.dtype)]

    @property
    def sizes(self) -> list[int]:
        """How many numbers each leaf that moves has."""
        return [aval.size for aval in self.moving_avals]

    def flatten(self, transform: str, element: Any) -> list[Any]:
        """Check an element; returns those of its leaves that move."""
        leaves, treedef = tree_flatten(element)
        if treedef != self.tree:
            raise self.errors.structure(
                f"{transform}: the {self.what} must have the tree structure of the "
                f"{self.of}, {self.tree}, but has {treedef}; "
                f"{self._difference(element)}."
            )
        moved = []
        for i, (x, aval) in enumerate(zip(leaves, self.avals, strict=True)):
            x = self._check(transform, element, i, x, aval)
            if moves(aval.dtype):
                moved.append(x)
        return moved

    def _named(self, element: Any) -> Iterable[tuple[Any, Any]]:
        return enumerate(element) if self.arguments else [("the output", element)]

    def _difference(self, element: Any) -> str:
        """Which leaves an element of the wrong structure lacks, or has too many."""

        def names(tree):
            try:
                n = len(tree_flatten(tree)[0])
                return [leaf_name(self._named(tree), i) for i in range(n)]
            except TypeError:  # no sequence, where one was wanted
                return []

        template = tree_unflatten(self.tree, range(self.tree.num_leaves))
        want, have = names(template), names(element)
        lacking = [name for name in want if name not in have]
        extra = [name for name in have if name not in want]
        parts = [f"it lacks one for {', '.join(lacking)}"] if lacking else []
        parts += [f"it has one too many, for {', '.join(extra)}"] if extra else []
        kind = type(template).__name__
        return " and ".join(parts) or f"its containers differ; pass a {kind}"

    def _check(self, transform, element, i, x, aval) -> Any:
        dtype = tangent_dtype(aval.dtype)
        if dtype is not float0 and type(x) in (float, complex) and aval.shape == ():
            if type(x) is float or aval.dtype.kind == "c":
                number = jnp.asarray(x)
                return number if number.dtype == dtype else number.astype(dtype)
        got = getattr(x, "aval", None) or _aval_or_none(x)
        if getattr(x, "dtype", None) == float0:
            got = jax.ShapeDtypeStruct(np.shape(x), float0)
        if got is not None and got.shape == aval.shape and got.dtype == dtype:
            return x if dtype is float0 or isinstance(x, jax.Array) else jnp.asarray(x)
        want = jax.ShapeDtypeStruct(aval.shape, dtype)
        text = (
            f"{transform}: the {self.what} of {leaf_name(self._named(element), i)} is "
            f"{describe(x) if got is None else short(got)}, but the {self.of} is "
            f"{short(aval)}; pass {short(want)}"
        )
        if dtype is float0:
            text += ": integers and booleans have float0 tangents, "
            text += "np.zeros(shape, jax.dtypes.float0); to differentiate, pass floats"
        wrong_shape = got is not None and got.shape != aval.shape
        raise (self.errors.shape if wrong_shape else self.errors.dtype)(text + ".")

    def unflatten(self, moved: Sequence[Any], axes: tuple[int, ...] = ()) -> Any:
        """The element whose moving leaves are given; None becomes zeros.

        With `axes`, lengths of leading axes, leaves are arrays of elements.
        """
        values = iter(moved)
        leaves = []
        for aval in self.avals:
            x = next(values) if moves(aval.dtype) else None
            if x is None:
                x = zeros(aval.update(shape=(*axes, *aval.shape)))
            leaves.append(x)
        return tree_unflatten(self.tree, leaves)
