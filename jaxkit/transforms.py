"""The transforms that users call, with the names, signatures and meaning of JAX's.

Each flattens its pytrees, runs forward mode or linearization on the flat function
(`dual.py`), and puts the result back into pytrees.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax.tree_util import tree_flatten, tree_unflatten

from jaxkit.arguments import check_callable
from jaxkit.dual import jvp_flat, linearize_flat
from jaxkit.maps import LinearMap
from jaxkit.recording import record
from jaxkit.spaces import (
    JVP_ERRORS,
    LINEARIZE_ERRORS,
    TRANSPOSE_ERRORS,
    VJP_ERRORS,
    Space,
    as_leaves,
    check_outputs,
    leaf_name,
    short,
)
from jaxkit.tangents import moves, spread
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
                raise TypeError(
                    f"{self.transform}: with has_aux=True the function must return a "
                    f"pair (output, aux), but it returned {out!r} of {type(out)}."
                )
            out, aux = out
        outs, self.out_tree = tree_flatten(out)
        check_outputs(self.transform, outs, self.out_tree)
        aux, self.aux_tree = tree_flatten(aux)
        return outs, aux

    def result(self, outs):
        return tree_unflatten(self.out_tree, outs)

    def aux(self, aux):
        return tree_unflatten(self.aux_tree, aux)


def avals_of(values: Sequence[Any]) -> list[Any]:
    return [typeof(x) for x in values]


class Point:
    """Positional arguments of a transform: their leaves and the space of tangents."""

    def __init__(self, transform: str, primals: Any, errors: Any):
        if not isinstance(primals, tuple | list):
            raise TypeError(
                f"{transform}: primals must be a tuple, one entry for each argument of "
                f"the function, got {type(primals)}; for one argument pass (x,)."
            )
        self.leaves, self.tree = as_leaves(transform, primals, enumerate(primals))
        self.space = Space(
            self.tree, avals_of(self.leaves), "tangent", "primal", True, errors
        )


def output_space(flat: Flat, outs: Sequence[Any], errors: Any) -> Space:
    return Space(flat.out_tree, avals_of(outs), "cotangent", "output", False, errors)


def jvp(
    fun: Callable, primals: Sequence[Any], tangents: Sequence[Any], has_aux=False
) -> tuple[Any, ...]:
    """Forward mode: `fun` at `primals` and its derivative in direction `tangents`.

    Args:
        fun: function of arrays, or pytrees of arrays, to a pytree of arrays.
        primals: tuple (or list) of its arguments.
        tangents: tuple (or list) like `primals`, of the same shapes and dtypes; of
            integers and booleans, arrays of dtype float0.
        has_aux: whether `fun` returns a pair (output, auxiliary data).

    Returns:
        (output, output tangent), and with `has_aux` also aux.

    Raises:
        TypeError: tree structure or dtype of `tangents` differ from those of `primals`.
        ValueError: the shape of a tangent differs from that of its primal.

    Example:

        >>> jvp(jnp.sin, (0.0,), (2.0,))
        (Array(0., ...), Array(2., ...))

    Source: Wengert 1964; Griewank & Walther, Evaluating Derivatives (2008), ch. 3.1.
    """
    check_callable("jvp", fun, "jvp(f, (x,), (dx,))")
    return push_forward("jvp", fun, primals, tangents, has_aux)


def push_forward(transform, fun, primals, tangents, has_aux=False) -> tuple[Any, ...]:
    """`jvp` in the name of a transform."""
    point = Point(transform, primals, JVP_ERRORS)
    if not isinstance(tangents, tuple | list):
        raise TypeError(
            f"{transform}: tangents must be a tuple, one entry for each argument of "
            f"the function, got {type(tangents)}; for one argument pass (dx,)."
        )
    moved = point.space.flatten(transform, tangents)
    given = spread(moved, [moves(a.dtype) for a in point.space.avals])
    flat = Flat(transform, lambda args: fun(*args), point.tree, has_aux)
    outs, tangents_out, aux = jvp_flat(flat, point.leaves, given)
    space = output_space(flat, outs, JVP_ERRORS)
    pairs = zip(tangents_out, space.avals, strict=True)
    result = (
        flat.result(outs),
        space.unflatten([t for t, a in pairs if moves(a.dtype)]),
    )
    return (*result, flat.aux(aux)) if has_aux else result


def linearize(fun: Callable, *primals: Any, has_aux: bool = False) -> tuple[Any, ...]:
    """Run `fun` once; returns its output and its derivative there as a `LinearMap`.

    The map takes tangents, one argument for each primal, to the output's tangent; it
    can be called many times, printed, transposed and turned into a matrix.

    Args:
        fun: function of pytrees of arrays to a pytree of arrays.
        *primals: its arguments.
        has_aux: whether `fun` returns a pair (output, auxiliary data).

    Returns:
        (output, map), and with `has_aux` also aux.

    Raises:
        TypeError: an argument is not a JAX type.

    Example:

        >>> y, f_jvp = linearize(lambda x: x * x, 3.0)
        >>> f_jvp(1.0)
        Array(6., dtype=float32, weak_type=True)

    Source: Radul et al., You Only Linearize Once, POPL 2023.
    """
    return _linear_map("linearize", fun, primals, has_aux)


def vjp(fun: Callable, *primals: Any, has_aux: bool = False) -> tuple[Any, ...]:
    """Reverse mode: `fun` at `primals` and its pullback as a `LinearMap`.

    The map takes a cotangent of the output (a pytree like it, of the same shapes and
    dtypes) to a tuple of cotangents, one for each primal; those of integers and
    booleans are float0 zeros.  Its transpose `.T` is the pushforward.

    Args:
        fun: function of pytrees of arrays to a pytree of arrays.
        *primals: its arguments.
        has_aux: whether `fun` returns a pair (output, auxiliary data).

    Returns:
        (output, pullback), and with `has_aux` also aux.

    Raises:
        TypeError: an argument is not a JAX type.
        ValueError (from the pullback): the cotangent doesn't fit the output.

    Example:

        >>> y, f_vjp = vjp(jnp.multiply, 2.0, 3.0)
        >>> f_vjp(1.0)
        (Array(3., ...), Array(2., ...))

    Source: Griewank & Walther, Evaluating Derivatives (2008), ch. 3.2.
    """
    y, forward, *aux = _linear_map("vjp", fun, primals, has_aux)
    return y, forward.T, *aux


def _linear_map(transform, fun, primals, has_aux):
    check_callable(transform, fun, f"{transform}(f, x)")
    errors = LINEARIZE_ERRORS if transform == "linearize" else VJP_ERRORS
    point = Point(transform, primals, errors)
    flat = Flat(transform, lambda args: fun(*args), point.tree, has_aux)
    outs, program, aux = linearize_flat(flat, point.leaves)
    codomain = output_space(flat, outs, errors)
    pushforward = LinearMap(program, False, point.space, codomain, transform)
    result = flat.result(outs), pushforward
    return (*result, flat.aux(aux)) if has_aux else result


def linear_transpose(fun: Callable, *primals: Any) -> LinearMap:
    """The transpose of a function that is linear already.

    Args:
        fun: linear function of pytrees of arrays to a pytree of arrays.
        *primals: its arguments, or anything with their shapes and dtypes
            (`jax.ShapeDtypeStruct`); the values aren't used.

    Returns:
        a `LinearMap` from a cotangent of the output to a tuple of cotangents, one for
        each argument.

    Raises:
        NotImplementedError: `fun` isn't linear; the message names the operation.
        TypeError: an argument is not a float or complex array.

    Example:

        >>> linear_transpose(lambda x: 3 * x, 1.0)(2.0)
        (Array(6., ...),)
    """
    check_callable("linear_transpose", fun, "linear_transpose(f, x)")
    arrays = jax.tree.map(
        lambda x: jnp.empty(x.shape, x.dtype) if type(x) is jax.ShapeDtypeStruct else x,
        primals,
    )
    leaves, tree = as_leaves("linear_transpose", arrays, enumerate(arrays))
    avals = avals_of(leaves)
    for i, aval in enumerate(avals):
        if not moves(aval.dtype):
            raise TypeError(
                f"linear_transpose: {leaf_name(enumerate(primals), i)} is "
                f"{short(aval)}; a linear function takes float or complex arrays, so "
                "close over the others."
            )
    flat = Flat("linear_transpose", lambda args: fun(*args), tree, has_aux=False)
    out_avals = []

    def linear(values):
        outs, _ = flat(values)
        out_avals.extend(avals_of(outs))
        return outs

    program = record(linear, avals, out_avals)
    domain = Space(tree, avals, "tangent", "primal", True, TRANSPOSE_ERRORS)
    codomain = Space(
        flat.out_tree, out_avals, "cotangent", "output", False, TRANSPOSE_ERRORS
    )
    return LinearMap(program, False, domain, codomain, "linear_transpose").T
