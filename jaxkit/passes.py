"""Passes of a linear program: what becomes of unit vectors, or of sums of them.

A matrix is had from passes: a column from a unit vector of the inputs, pushed forward;
a row from one of the outputs, pulled back.  Unit vectors that never meet may go
together: those of one colour (`sparse`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxkit.tangents import as_typed
from jaxkit.tracing import divided_like, undivided, wide_enough, with_axes

Arrays = Sequence[Any]


def passes(
    run: Callable[[Arrays], Any],
    avals: Sequence[Any],
    colours: np.ndarray | None = None,
    chunk_size: int | None = None,
) -> Any:
    """What `run` makes of each unit vector of arrays of these types, along axis 0.

    Args:
        run: a pass, from arrays of these types to any pytree.
        avals: their types; together they have n numbers.
        colours: of each of the n a colour, from 0, or -1: unit vectors of one colour
            are added up, and there are as many passes as colours.
        chunk_size: how many passes are made at a time; None: all.
    """
    n = sum(x.size for x in avals)
    count = n if colours is None else number_of(colours)
    if chunk_size is None or chunk_size >= count:
        vectors = units(avals) if colours is None else seeds(avals, colours)
        return jax.vmap(run, axis_size=count)(vectors)
    parts = _parts(np.arange(n) if colours is None else colours, avals)

    def one(colour):
        pairs = zip(parts, avals, strict=True)
        return run(
            [divided_like((part == colour).astype(x.dtype), x) for part, x in pairs]
        )

    chunks = -(-count // chunk_size)
    each = -(-count // chunks)  # the last chunk may have colours that there aren't
    numbers = jnp.arange(chunks * each).reshape(chunks, each)
    found = lax.map(jax.vmap(one), numbers)
    return jax.tree.map(lambda y: y.reshape(numbers.size, *y.shape[2:])[:count], found)


def check_chunk_size(name: str, chunk_size: Any) -> None:
    """Raise ValueError if it is neither None nor a number of passes."""
    number = isinstance(chunk_size, int | np.integer) and chunk_size > 0
    if chunk_size is not None and not number:
        raise ValueError(
            f"{name}: chunk_size is {chunk_size!r}; pass a number of passes, from 1"
        )


def seeds(avals: Sequence[Any], colours: np.ndarray) -> list[jax.Array]:
    """Of each colour the sum of its unit vectors: shapes (colours, *shape)."""
    n = number_of(colours)
    return [
        divided_like(
            jnp.asarray(np.equal.outer(range(n), part), x.dtype), with_axes(x, [n])
        )
        for part, x in zip(_parts(colours, avals), avals, strict=True)
    ]


def _parts(colours: np.ndarray, avals: Sequence[Any]) -> list[np.ndarray]:
    """The colours of arrays of these types."""
    parts = cut(colours, [x.size for x in avals], 0)
    return [part.reshape(x.shape) for part, x in zip(parts, avals, strict=True)]


def number_of(colours: np.ndarray) -> int:
    """How many colours there are."""
    return 1 + int(colours.max(initial=-1))


def units(avals: Sequence[Any]) -> list[jax.Array]:
    """The n unit vectors of arrays of these types: of shapes (n, *shape)."""
    sizes = [x.size for x in avals]
    starts = accumulate(sizes, initial=0)
    with wide_enough(avals):
        return [
            _rows_of_identity(with_axes(aval, [sum(sizes)]), start)
            for aval, start in zip(avals, starts, strict=False)
        ]


def _rows_of_identity(aval: Any, start: int) -> jax.Array:
    n, *shape = aval.shape
    rows = jnp.eye(n, math.prod(shape), -start, dtype=aval.dtype)
    return divided_like(as_typed(rows.reshape(aval.shape), aval), aval)


def rows(arrays: Arrays, avals: Sequence[Any], count: int, dtype: Any) -> jax.Array:
    """Arrays with an axis more, of `count`, as rows of numbers; None is zeros."""
    found = [
        jnp.zeros((count, aval.size), dtype)
        if y is None
        else undivided(y).reshape(count, aval.size).astype(dtype)
        for y, aval in zip(arrays, avals, strict=True)
    ]
    return jnp.concatenate(found, axis=1) if found else jnp.zeros((count, 0), dtype)


def arrays_of(vector: Any, avals: Sequence[Any]) -> list[Any]:
    """Arrays of these types, from all their numbers one after the other."""
    parts = cut(vector, [x.size for x in avals], 0)
    return [
        divided_like(part.reshape(x.shape).astype(x.dtype), x)
        for part, x in zip(parts, avals, strict=True)
    ]


def cut(x: Any, sizes: Sequence[int], axis: int) -> list[Any]:
    """Cut an array along an axis into parts of these sizes."""
    split = np.split if isinstance(x, np.ndarray) else jnp.split
    return split(x, np.cumsum(sizes)[:-1], axis) if sizes else []
