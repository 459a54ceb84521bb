"""How leaves and values are named in messages: `argument 0['w'][1] is int32[3]`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from jax.dtypes import float0
from jax.tree_util import keystr, tree_flatten_with_path

from jaxkit.tracing import ShapedArray, sharding_of, typeof

Named = Iterable[tuple[int | str, Any]]  # pytrees by position, or by what they are


def leaf_name(named: Named, index: int) -> str:
    """The name of a leaf, such as `argument 0['w'][1]`, among named pytrees."""
    paths = [
        (key, path) for key, x in named for path, _ in tree_flatten_with_path(x)[0]
    ]
    key, path = paths[index]
    name = key if isinstance(key, str) else f"argument {key}"
    return name + keystr(path)


def describe(x: Any) -> str:
    """A value in a message: `float32[3]`, or the type of what is no JAX value."""
    aval = aval_or_none(x)
    return f"{x!r} of {type(x)}" if aval is None else short(aval)


LONGEST = 400  # characters of a pytree in a message


def describe_tree(tree: Any, leaves: Iterable[str]) -> str:
    """A structure with its leaves described: `{'a': float32[3], 'b': float32[]}`."""
    names = [*leaves, ""]
    gaps = str(tree).removeprefix("PyTreeDef(").removesuffix(")").split("*")
    if len(gaps) != len(names):  # a node's own text has a star
        return str(tree)
    text = "".join(gap + name for gap, name in zip(gaps, names, strict=True))
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."


def short(aval: Any) -> str:
    """An abstract type in a message: `float32[3]`."""
    if isinstance(aval, ShapedArray) and sharding_of(aval):
        return aval.str_short()  # with its axes of the mesh
    dtype = "float0" if aval.dtype == float0 else aval.dtype.name
    return f"{dtype}[{','.join(map(str, aval.shape))}]"


def aval_or_none(x: Any) -> Any:
    """The abstract type of x, None if it is no JAX value."""
    try:
        return typeof(x)
    except TypeError:
        return None
