"""The transforms that users call, with the names, signatures and meaning of JAX's.

Each flattens its pytrees, runs forward mode or linearization on the flat function
(`arithmetic.py`), and puts the result back into pytrees.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from itertools import compress
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxkit.arithmetic import jvp_flat, linearize_flat, record_linear
from jaxkit.border.arguments import check_callable
from jaxkit.border.flat import Flat, arguments
from jaxkit.border.messages import leaf_name, short
from jaxkit.border.space import TANGENT, Space, flatten
from jaxkit.border.tracebacks import entry
from jaxkit.maps import LinearMap
from jaxkit.pullbacks import Pullback, flags
from jaxkit.tangents import full, spread
from jaxkit.tracing import typeof


@entry
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
    leaves, domain = arguments(transform, primals)
    if not isinstance(tangents, tuple | list):
        raise TypeError(
            f"{transform}: tangents must be a tuple, one entry for each argument of "
            f"the function, got {type(tangents)}; for one argument pass (dx,)."
        )
    moved = spread(flatten(transform, TANGENT, domain, tangents), domain.moving)
    flat = Flat(transform, lambda args: fun(*args), domain.tree, has_aux)
    outs, tangents_out, aux = jvp_flat(flat, leaves, moved)
    codomain = flat.out_space(outs)
    pairs = zip(tangents_out, codomain.moving, strict=True)
    d_out = codomain.unflatten([dy for dy, there in pairs if there])
    result = flat.result(outs), d_out
    return (*result, flat.aux(aux)) if has_aux else result


@entry
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
    y, (program, domain, codomain, _), *aux = _linearized(
        "linearize", fun, primals, has_aux
    )
    pushforward = LinearMap(program, False, domain, codomain, "linearize")
    pushforward.of = name_of(fun)
    return y, pushforward, *aux


@entry
def vjp(
    fun: Callable,
    *primals: Any,
    has_aux: bool = False,
    saveable_args: Any = True,
    in_nzs: Any = None,
) -> tuple[Any, ...]:
    """Reverse mode: `fun` at `primals` and its pullback as a `LinearMap`.

    The map takes a cotangent of the output (a pytree like it, of the same shapes and
    dtypes) to a tuple of cotangents, one for each primal; those of integers and
    booleans are float0 zeros.  Its transpose `.T` is the pushforward.

    Args:
        fun: function of pytrees of arrays to a pytree of arrays.
        *primals: its arguments.
        has_aux: whether `fun` returns a pair (output, auxiliary data).
        saveable_args: a prefix of `primals` of truth values, such as (True, False):
            where it is False, an array that the backward pass reads isn't kept, and
            must be put into `pullback.args_res` before (see `Pullback`).
        in_nzs: a prefix of `primals` of truth values (None: all True): where it is
            False, `fun` isn't differentiated, and the cotangent is zero.

    Returns:
        (output, pullback), and with `has_aux` also aux.

    Raises:
        TypeError: an argument is not a JAX type.
        ValueError: `saveable_args` or `in_nzs` is no such prefix; from the pullback:
            the cotangent doesn't fit the output, or what wasn't kept isn't there.

    Example:

        >>> y, f_vjp = vjp(jnp.multiply, 2.0, 3.0)
        >>> f_vjp(1.0)
        (Array(3., ...), Array(2., ...))

    Source: Griewank & Walther, Evaluating Derivatives (2008), ch. 3.2.
    """
    y, (program, domain, codomain, leaves), *aux = _linearized(
        "vjp", fun, primals, has_aux, in_nzs
    )
    pullback = Pullback(program, domain, codomain, "vjp", leaves)
    pullback.of = name_of(fun)
    if saveable_args is not True:
        pullback.take_apart(flags("vjp", "saveable_args", saveable_args, primals))
    return y, pullback, *aux


def _linearized(transform, fun, primals, has_aux, in_nzs=None):
    check_callable(transform, fun, f"{transform}(f, x)")
    leaves, domain = arguments(transform, primals)
    flat = Flat(transform, lambda args: fun(*args), domain.tree, has_aux)
    if in_nzs is None:
        outs, program, aux = linearize_flat(flat, leaves)
    else:
        moved = flags(transform, "in_nzs", in_nzs, primals)
        outs, program, aux = linearize_flat(
            flat, leaves, list(map(operator.and_, moved, domain.moving))
        )
        there = list(compress(moved, domain.moving))
        program = program.with_inputs(domain.moving_avals, there)
    parts = program, domain, flat.out_space(outs), leaves
    result = flat.result(outs), parts
    return (*result, flat.aux(aux)) if has_aux else result


def name_of(fun: Callable) -> str:
    """What a function is called in messages."""
    return f"'{getattr(fun, '__name__', fun)}'"


@entry
def linear_transpose(fun: Callable, *primals: Any) -> LinearMap:
    """The transpose of a function that is linear already.

    Args:
        fun: linear function of pytrees of arrays to a pytree of arrays.
        *primals: its arguments, or anything with their shapes and dtypes
            (`jax.ShapeDtypeStruct`); the values aren't used.  Integers are numbers too
            here.

    Returns:
        a `LinearMap` from a cotangent of the output to a tuple of cotangents, one for
        each argument.

    Raises:
        NotImplementedError: `fun` isn't linear; the message names the operation.
        TypeError: an argument is not an array of numbers.

    Example:

        >>> linear_transpose(lambda x: 3 * x, 1.0)(2.0)
        (Array(6., ...),)
    """
    check_callable("linear_transpose", fun, "linear_transpose(f, x)")

    def array(x):  # of which the values don't matter
        if type(x) is jax.ShapeDtypeStruct:
            return full(typeof(x), 0)
        if isinstance(x, jax.Array | np.ndarray) or not hasattr(x, "dtype"):
            return x
        return jnp.empty(x.shape, x.dtype)

    _, domain = arguments("linear_transpose", jax.tree.map(array, primals))
    domain = domain.with_integers()
    for i, aval in enumerate(domain.avals):
        if not domain.moving[i]:
            raise TypeError(
                f"linear_transpose: {leaf_name(enumerate(primals), i)} is "
                f"{short(aval)}; a linear function takes arrays of numbers, so close "
                "over the others."
            )
    flat = Flat("linear_transpose", lambda args: fun(*args), domain.tree, False)
    out_avals = []

    def outputs(values):
        outs, _ = flat(values)
        out_avals.extend(flat.out_space(outs).avals)
        return outs

    program = record_linear(outputs, domain.avals, out_avals)
    codomain = Space(flat.out_tree, tuple(out_avals)).with_integers()
    forward = LinearMap(program, False, domain, codomain, "linear_transpose")
    forward.of = name_of(fun)
    return forward.T
