"""The transforms that users call, with the names, signatures and meaning of JAX's.

Each flattens its pytrees, runs forward mode or linearization on the flat function
(`dual.py`), and puts the result back into pytrees.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jax.tree_util import tree_flatten, tree_structure, tree_unflatten

from jaxkit.arguments import select
from jaxkit.dual import jvp_flat, linearize_flat
from jaxkit.linear import record
from jaxkit.maps import LinearMap, identity
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
from jaxkit.tangents import moves, ones, tangent_dtype
from jaxkit.tracing import ShapedArray, concrete, typeof


class _Flat:
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


def _check_callable(transform: str, fun: Any) -> None:
    if not callable(fun):
        raise TypeError(
            f"{transform}: the first argument must be a function, got {fun!r} of "
            f"{type(fun)}."
        )


def _avals(values: Sequence[Any]) -> list[Any]:
    return [typeof(x) for x in values]


class _Point:
    """Positional arguments of a transform: their leaves and the space of tangents."""

    def __init__(self, transform: str, primals: Any, errors: Any):
        if not isinstance(primals, tuple | list):
            raise TypeError(
                f"{transform}: primals must be a tuple, one entry for each argument of "
                f"the function, got {type(primals)}; for one argument pass (x,)."
            )
        self.leaves, self.tree = as_leaves(transform, primals, enumerate(primals))
        self.space = Space(
            self.tree, _avals(self.leaves), "tangent", "primal", True, errors
        )


def _output_space(flat: _Flat, outs: Sequence[Any], errors: Any) -> Space:
    return Space(flat.out_tree, _avals(outs), "cotangent", "output", False, errors)


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
    _check_callable("jvp", fun)
    point = _Point("jvp", primals, JVP_ERRORS)
    if not isinstance(tangents, tuple | list):
        raise TypeError(
            "jvp: tangents must be a tuple, one entry for each argument of the "
            f"function, got {type(tangents)}; for one argument pass (dx,)."
        )
    moved = iter(point.space.flatten("jvp", tangents))
    given = [next(moved) if moves(a.dtype) else None for a in point.space.avals]
    flat = _Flat("jvp", lambda args: fun(*args), point.tree, has_aux)
    outs, tangents_out, aux = jvp_flat(flat, point.leaves, given)
    space = _output_space(flat, outs, JVP_ERRORS)
    pairs = zip(tangents_out, space.avals, strict=True)
    result = (
        flat.result(map(jnp.asarray, outs)),
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
    _check_callable(transform, fun)
    errors = LINEARIZE_ERRORS if transform == "linearize" else VJP_ERRORS
    point = _Point(transform, primals, errors)
    flat = _Flat(transform, lambda args: fun(*args), point.tree, has_aux)
    outs, program, aux = linearize_flat(flat, point.leaves)
    codomain = _output_space(flat, outs, errors)
    pushforward = LinearMap(program, False, point.space, codomain, transform)
    result = flat.result(map(jnp.asarray, outs)), pushforward
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
    _check_callable("linear_transpose", fun)
    leaves, tree = tree_flatten(primals)
    if not all(isinstance(x, jax.ShapeDtypeStruct) for x in leaves):
        leaves = _Point("linear_transpose", primals, TRANSPOSE_ERRORS).leaves
    avals = [ShapedArray(x.shape, x.dtype) for x in leaves]
    for i, aval in enumerate(avals):
        if not moves(aval.dtype):
            raise TypeError(
                f"linear_transpose: {leaf_name(enumerate(primals), i)} is "
                f"{short(aval)}; a linear function takes float or complex arrays, so "
                "close over the others."
            )
    flat = _Flat("linear_transpose", lambda args: fun(*args), tree, has_aux=False)
    out_avals = []

    def linear(values):
        outs, _ = flat(values)
        out_avals.extend(_avals(outs))
        return outs

    program = record(linear, avals, out_avals)
    domain = Space(tree, avals, "tangent", "primal", True, TRANSPOSE_ERRORS)
    codomain = Space(
        flat.out_tree, out_avals, "cotangent", "output", False, TRANSPOSE_ERRORS
    )
    return LinearMap(program, False, domain, codomain, "linear_transpose").T


def value_and_grad(
    fun: Callable,
    argnums: int | Sequence[int] | None = None,
    has_aux: bool = False,
    holomorphic: bool = False,
    allow_int: bool = False,
    reduce_axes: Sequence[Any] = (),
    *,
    argnames: str | Sequence[str] | None = None,
) -> Callable:
    """Like `grad`, but the function returned gives (value, gradient).

    With `has_aux` it gives ((value, aux), gradient).

    Example:

        >>> value_and_grad(lambda x: x**2)(3.0)
        (Array(9., ...), Array(6., ...))
    """
    return _value_and_grad(
        "value_and_grad", fun, argnums, argnames, has_aux, holomorphic, allow_int
    )


def grad(
    fun: Callable,
    argnums: int | Sequence[int] | None = None,
    has_aux: bool = False,
    holomorphic: bool = False,
    allow_int: bool = False,
    reduce_axes: Sequence[Any] = (),
    *,
    argnames: str | Sequence[str] | None = None,
) -> Callable:
    """The gradient of a scalar function, by reverse mode, as a function.

    Args:
        fun: function whose output is a scalar, of shape () and a float dtype.
        argnums: which positional arguments to differentiate: an int (default 0), or a
            tuple of ints; negative ones count from the end.
        has_aux: whether `fun` returns a pair (output, auxiliary data).
        holomorphic: whether `fun` is complex-differentiable, from complex to complex.
        allow_int: whether to accept integer arguments, with float0 gradients.
        reduce_axes: accepted, as in JAX, and without effect.
        argnames: which arguments to differentiate by name: a string, or a tuple of
            strings.  Alone it replaces the default of `argnums`.

    Returns:
        a function of the same arguments.  It returns the gradient with respect to the
        argument selected, a pytree of its shapes and dtypes; a tuple for several
        `argnums`, a dict for a tuple of `argnames`, the pair of both where both are
        given; with `has_aux`, (gradient, aux).

    Raises (when called):
        TypeError: an argument selected is an integer or no JAX type, or is missing; the
            output isn't a scalar, or isn't real (without `holomorphic`).

    Example:

        >>> grad(jnp.tanh)(0.0)
        Array(1., dtype=float32, weak_type=True)
        >>> grad(lambda x, w: w * x, argnames="w")(2.0, w=3.0)
        Array(2., dtype=float32, weak_type=True)
    """
    f = _value_and_grad("grad", fun, argnums, argnames, has_aux, holomorphic, allow_int)

    @wraps(fun)
    def grad_f(*args, **kwargs):
        value, gradient = f(*args, **kwargs)
        return (gradient, value[1]) if has_aux else gradient

    return grad_f


def _value_and_grad(transform, fun, argnums, argnames, has_aux, holomorphic, allow_int):
    selection = select(transform, fun, argnums, argnames)

    @wraps(fun)
    def value_and_grad_f(*args, **kwargs):
        tree, call, named = selection(args, kwargs)
        leaves, in_tree = as_leaves(transform, tree, named)
        for i, x in enumerate(leaves):
            _check_reverse_input(transform, x, named, i, holomorphic, allow_int)
        flat = _Flat(transform, call, in_tree, has_aux)
        outs, program, aux = linearize_flat(flat, leaves)
        _check_scalar(transform, flat, outs, holomorphic)
        cts = program.transpose([ones(program.code.outputs[0].aval)])
        space = Space(in_tree, _avals(leaves), "", "", False, VJP_ERRORS)
        value = jnp.asarray(outs[0])
        return (value, flat.aux(aux)) if has_aux else value, space.unflatten(cts)

    return value_and_grad_f


def jacfwd(
    fun: Callable,
    argnums: int | Sequence[int] | None = None,
    has_aux: bool = False,
    holomorphic: bool = False,
    *,
    argnames: str | Sequence[str] | None = None,
) -> Callable:
    """The Jacobian of `fun`, column by column, by forward mode.

    One pass for each input, all passes batched by `jax.vmap`: cheap for few inputs.

    Args:
        fun: function whose output is a pytree of arrays.
        argnums, argnames: which arguments to differentiate, as in `grad`.
        has_aux: whether `fun` returns a pair (output, auxiliary data).
        holomorphic: whether `fun` is complex-differentiable, from complex to complex.

    Returns:
        a function of the same arguments that returns the Jacobian: in place of each
        output leaf, a structure like the arguments selected, whose leaves have shape
        (*output leaf's shape, *input leaf's shape); with `has_aux`, (Jacobian, aux).

    Raises (when called):
        TypeError: an argument selected isn't real (or complex, with `holomorphic`).

    Example:

        >>> jacfwd(lambda x: x**2)(jnp.array([1.0, 2.0]))
        Array([[2., 0.],
               [0., 4.]], dtype=float32)
    """
    selection = select("jacfwd", fun, argnums, argnames)

    @wraps(fun)
    def jacfwd_f(*args, **kwargs):
        tree, call, named = selection(args, kwargs)
        leaves, in_tree = as_leaves("jacfwd", tree, named)
        for i, x in enumerate(leaves):
            _check_forward_input(x, named, i, holomorphic)
        space = Space(in_tree, _avals(leaves), "", "", False, JVP_ERRORS)
        flat = _Flat("jacfwd", call, in_tree, has_aux)

        def push(basis_element):
            return jvp_flat(flat, leaves, basis_element)

        push = jax.vmap(push, out_axes=(None, -1, None))
        outs, columns, aux = push(identity(space))
        if holomorphic:
            _check_complex_outputs("jacfwd", outs)

        def block(y, column):
            if column is None:
                column = jnp.zeros((*jnp.shape(y), _size(space)), _tangent_dtype(y))
            return _cut(space, column, jnp.ndim(y))

        blocks = [block(y, c) for y, c in zip(outs, columns, strict=True)]
        jacobian = flat.result(blocks)
        return (jacobian, flat.aux(aux)) if has_aux else jacobian

    return jacfwd_f


def jacrev(
    fun: Callable,
    argnums: int | Sequence[int] | None = None,
    has_aux: bool = False,
    holomorphic: bool = False,
    allow_int: bool = False,
    *,
    argnames: str | Sequence[str] | None = None,
) -> Callable:
    """The Jacobian of `fun`, row by row, by reverse mode.

    One backward pass for each output, batched by `jax.vmap`: cheap for few outputs.
    Arguments and results are those of `jacfwd`, and `allow_int` that of `grad`.

    Raises (when called):
        TypeError: an argument selected is an integer, or an output isn't real (or
            complex, with `holomorphic`).

    Example:

        >>> jacrev(lambda x: x**2)(jnp.array([1.0, 2.0]))
        Array([[2., 0.],
               [0., 4.]], dtype=float32)
    """
    selection = select("jacrev", fun, argnums, argnames)

    @wraps(fun)
    def jacrev_f(*args, **kwargs):
        tree, call, named = selection(args, kwargs)
        leaves, in_tree = as_leaves("jacrev", tree, named)
        for i, x in enumerate(leaves):
            _check_reverse_input("jacrev", x, named, i, holomorphic, allow_int)
        flat = _Flat("jacrev", call, in_tree, has_aux)
        outs, program, aux = linearize_flat(flat, leaves)
        for i, y in enumerate(outs):
            name = leaf_name([("the output", flat.result(outs))], i)
            _check_reverse_output("jacrev", y, name, holomorphic)
        codomain = _output_space(flat, outs, VJP_ERRORS)
        rows = jax.vmap(program.transpose)(identity(codomain)) if outs else []
        domain = Space(in_tree, _avals(leaves), "", "", False, VJP_ERRORS)

        # rows[i] has shape (all outputs, *input leaf); cut it at the output leaves.
        sizes = [jnp.size(y) for y in outs]
        blocks, start = [], 0
        for y, size in zip(outs, sizes, strict=True):
            cut = [
                jnp.zeros((*jnp.shape(y), *aval.shape), aval.dtype)
                if row is None
                else lax.slice_in_dim(row, start, start + size).reshape(
                    *jnp.shape(y), *aval.shape
                )
                for row, aval in zip(rows, domain.moving_avals, strict=True)
            ]
            blocks.append(domain.unflatten(cut))
            start += size
        jacobian = flat.result(blocks)
        return (jacobian, flat.aux(aux)) if has_aux else jacobian

    return jacrev_f


jacobian = jacrev


def hessian(
    fun: Callable,
    argnums: int | Sequence[int] | None = None,
    has_aux: bool = False,
    holomorphic: bool = False,
    *,
    argnames: str | Sequence[str] | None = None,
) -> Callable:
    """The Hessian of `fun`: forward mode over reverse mode.

    Arguments as in `jacfwd`.  Returns a function that returns the Jacobian of the
    Jacobian: for a scalar function of an array of shape s, an array of shape (*s, *s);
    for pytrees, a structure like the arguments in place of each leaf of a structure
    like the arguments.

    Example:

        >>> hessian(lambda x: x[0] ** 2 * x[1] + x[1] + 2)(jnp.array([3.0, 4.0]))
        Array([[8., 6.],
               [6., 0.]], dtype=float32)
    """
    which = dict(argnums=argnums, argnames=argnames)
    options = dict(has_aux=has_aux, holomorphic=holomorphic)
    return jacfwd(jacrev(fun, **which, **options), **which, **options)


def hvp(fun: Callable, primals: Sequence[Any], tangents: Sequence[Any]) -> Any:
    """The Hessian of a scalar function times a vector, without the Hessian.

    Forward mode over reverse mode: it costs a small multiple of one call of `fun`,
    whatever the number of inputs (Pearlmutter 1994).

    Args:
        fun: function with a scalar, real output.
        primals: tuple of its arguments.
        tangents: tuple like `primals`: the vector.

    Returns:
        the product: for one argument, a pytree like it; for several, a tuple.

    Raises:
        TypeError, ValueError: as `grad` for `fun` and `primals`, as `jvp` for
            `tangents`.

    Example:

        >>> hvp(lambda x: jnp.sum(x**3), (jnp.array([1.0, 2.0]),), (jnp.ones(2),))
        Array([ 6., 12.], dtype=float32)
    """
    _check_callable("hvp", fun)
    several = isinstance(primals, tuple | list) and len(primals) > 1
    argnums = tuple(range(len(primals))) if several else 0
    return jvp(grad(fun, argnums), primals, tangents)[1]


def _size(space: Space) -> int:
    return sum(aval.size for aval in space.moving_avals)


def _tangent_dtype(y):
    return tangent_dtype(typeof(y).dtype)


def _cut(space: Space, columns: Any, ndim: int) -> Any:
    """Cut the last axis, of all inputs, into a pytree of the space's leaves."""
    shape, start, leaves = columns.shape[:ndim], 0, []
    for aval in space.moving_avals:
        part = lax.slice_in_dim(columns, start, start + aval.size, axis=ndim)
        leaves.append(part.reshape(*shape, *aval.shape))
        start += aval.size
    return space.unflatten(leaves)


# --- What may be differentiated -------------------------------------------------------


def _check_reverse_input(transform, x, named, i, holomorphic, allow_int) -> None:
    dtype = x.dtype
    if holomorphic:
        if dtype.kind != "c":
            raise TypeError(
                f"{transform}: with holomorphic=True arguments must be complex, but "
                f"{leaf_name(named, i)} is {short(typeof(x))}; pass it as complex."
            )
    elif not moves(dtype) and not allow_int:
        raise TypeError(
            f"{transform}: {leaf_name(named, i)} is {short(typeof(x))}, and "
            f"derivatives are with respect to real or complex numbers; "
            f"{_instead(x)}. With allow_int=True its gradient is a float0 zero."
        )


def _check_forward_input(x, named, i, holomorphic) -> None:
    kind = x.dtype.kind
    if holomorphic and kind != "c":
        raise TypeError(
            f"jacfwd: with holomorphic=True arguments must be complex, but "
            f"{leaf_name(named, i)} is {short(typeof(x))}; pass it as complex."
        )
    if not moves(x.dtype):
        raise TypeError(
            f"jacfwd: {leaf_name(named, i)} is {short(typeof(x))}, and derivatives are "
            f"with respect to real numbers; {_instead(x)}."
        )
    if kind == "c" and not holomorphic:
        raise TypeError(
            f"jacfwd: {leaf_name(named, i)} is {short(typeof(x))}, and the Jacobian is "
            "with respect to real numbers; pass holomorphic=True if the function is "
            "complex-differentiable, else use jvp."
        )


def _instead(x) -> str:
    """What to pass instead of an integer or boolean."""
    value = concrete(x)
    if value is None or jnp.ndim(x) > 0 or not jnp.issubdtype(x.dtype, jnp.number):
        return "pass an array of floats, such as x.astype(float)"
    return f"pass {float(value)}"


def _check_reverse_output(transform, y, name, holomorphic) -> None:
    kind = typeof(y).dtype.kind
    if holomorphic and kind != "c":
        raise TypeError(
            f"{transform}: with holomorphic=True outputs must be complex, but {name} "
            f"is {short(typeof(y))}."
        )
    if not holomorphic and not jnp.issubdtype(typeof(y).dtype, jnp.floating):
        hint = (
            "pass holomorphic=True if the function is complex-differentiable, else "
            "use vjp"
            if kind == "c"
            else "return a float, or use vjp"
        )
        raise TypeError(
            f"{transform}: {name} is {short(typeof(y))}, but must be real; {hint}."
        )


def _check_complex_outputs(transform, outs) -> None:
    for i, y in enumerate(outs):
        if typeof(y).dtype.kind != "c":
            raise TypeError(
                f"{transform}: with holomorphic=True outputs must be complex, but "
                f"output leaf {i} is {short(typeof(y))}."
            )


def _check_scalar(transform, flat, outs, holomorphic) -> None:
    if flat.out_tree != tree_structure(0):
        raise TypeError(
            f"{transform}: the function must return one scalar, but it returned a "
            f"pytree {flat.out_tree}; return one of its leaves, or use vjp or jacrev "
            "(or has_aux=True, for a pair of a scalar and other data)."
        )
    aval = typeof(outs[0])
    if aval.shape != ():
        raise TypeError(
            f"{transform}: the function must return a scalar, but its output has shape "
            f"{aval.shape}; reduce it to a scalar, or use vjp (one product with a "
            "cotangent) or jacrev (the whole Jacobian)."
        )
    _check_reverse_output(transform, outs[0], "the output", holomorphic)
