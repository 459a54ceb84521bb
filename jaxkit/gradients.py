"""Gradients, Jacobians and Hessians, with the names and signatures of JAX's."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from types import EllipsisType
from typing import Any, NamedTuple

import jax
from jax.tree_util import tree_unflatten

from jaxkit.arithmetic import jvp_flat, linearize_flat
from jaxkit.border.arguments import Selection, check_callable, select
from jaxkit.border.checks import (
    check_forward_input,
    check_output,
    check_reverse_input,
    check_scalar,
)
from jaxkit.border.flat import Flat, arguments, as_leaves
from jaxkit.border.messages import leaf_name
from jaxkit.border.space import Space
from jaxkit.border.tracebacks import entry
from jaxkit.passes import cut, passes, units
from jaxkit.program import LinearProgram
from jaxkit.tangents import as_typed, ones, spread, still, zero_cotangent
from jaxkit.tracing import typeof, wide_enough, with_axes
from jaxkit.transforms import push_forward


@entry
def value_and_grad(
    fun: Callable,
    argnums: int | Iterable[int] | EllipsisType = ...,
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
    f = _value_and_grad(
        "value_and_grad", fun, argnums, argnames, has_aux, holomorphic, allow_int
    )
    return entry(f, like=fun)


@entry
def grad(
    fun: Callable,
    argnums: int | Iterable[int] | EllipsisType = ...,
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
        argnums: which positional arguments to differentiate: an int, or several in a
            tuple; negative ones count from the end.  By default the first, or none
            where `argnames` is given.
        has_aux: whether `fun` returns a pair (output, auxiliary data).
        holomorphic: whether `fun` is complex-differentiable, from complex to complex.
        allow_int: whether to accept integer arguments, with float0 gradients.
        reduce_axes: accepted, as in JAX, and without effect.
        argnames: which arguments to differentiate by name: a string, or a tuple of
            strings.

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

    @partial(entry, like=fun)
    def grad_f(*args, **kwargs):
        value, gradient = f(*args, **kwargs)
        return (gradient, value[1]) if has_aux else gradient

    return grad_f


def _value_and_grad(transform, fun, argnums, argnames, has_aux, holomorphic, allow_int):
    selection = select(transform, fun, argnums, argnames)

    def value_and_grad_f(*args, **kwargs):
        tree, call, named, _ = selection(args, kwargs)
        leaves, domain = as_leaves(transform, tree, named)
        for i, x in enumerate(leaves):
            check_reverse_input(transform, x, named, i, holomorphic, allow_int)
        flat = Flat(transform, call, domain.tree, has_aux)
        outs, program, aux = linearize_flat(flat, leaves)
        check_scalar(transform, flat, outs, holomorphic)
        value = (outs[0], flat.aux(aux)) if has_aux else outs[0]
        with wide_enough(domain.avals):
            cts = program.transpose([ones(program.code.outputs[0].aval)])
            return value, domain.unflatten(cts, zero_cotangent)

    return value_and_grad_f


@entry
def jacfwd(
    fun: Callable,
    argnums: int | Iterable[int] | EllipsisType = ...,
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
        a function of the same arguments that returns the Jacobian.  It has in place of
        each output leaf a structure like the arguments selected, whose leaves have the
        output leaf's shape, and then the input leaf's; with `has_aux` (Jacobian, aux).

    Raises (when called):
        TypeError: an argument selected isn't real (or complex, with `holomorphic`).

    Example:

        >>> jacfwd(lambda x: x**2)(jnp.array([1.0, 2.0]))
        Array([[2., 0.],
               [0., 4.]], dtype=float32)
    """
    return _jacfwd("jacfwd", fun, argnums, argnames, has_aux, holomorphic)


def _jacfwd(transform, fun, argnums, argnames, has_aux, holomorphic):
    selection = select(transform, fun, argnums, argnames)

    @partial(entry, like=fun)
    def jacfwd_f(*args, **kwargs):
        tree, call, named, _ = selection(args, kwargs)
        leaves, domain = as_leaves(transform, tree, named)
        for i, x in enumerate(leaves):
            check_forward_input(transform, x, named, i, holomorphic)
        flat = Flat(transform, call, domain.tree, has_aux)

        def push(tangents):
            return jvp_flat(flat, leaves, spread(tangents, domain.moving))

        n = sum(domain.sizes)
        basis = units(domain.moving_avals)
        try:
            push = jax.vmap(push, out_axes=(None, -1, None), axis_size=n)
            outs, columns, aux = push(basis)
        except ValueError as error:
            if "out_axes" not in str(error):
                raise
            # What a reference holds JAX takes for another in each pass (`jax.new_ref`).
            outs, program, aux = linearize_flat(flat, leaves)
            columns = jax.vmap(program.apply, out_axes=-1, axis_size=n)(basis)
        for i, y in enumerate(outs if holomorphic else ()):
            name = leaf_name([("the output", flat.result(outs))], i)
            check_output(transform, y, name, holomorphic)

        rows = [
            tree_unflatten(domain.tree, blocks(column, typeof(y), domain, -1))
            for y, column in zip(outs, columns, strict=True)
        ]
        jacobian = flat.result(rows)
        return (jacobian, flat.aux(aux)) if has_aux else jacobian

    return jacfwd_f


@entry
def jacrev(
    fun: Callable,
    argnums: int | Iterable[int] | EllipsisType = ...,
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
    return _jacrev("jacrev", fun, argnums, argnames, has_aux, holomorphic, allow_int)


def _jacrev(transform, fun, argnums, argnames, has_aux, holomorphic, allow_int):
    selection = select(transform, fun, argnums, argnames)

    @partial(entry, like=fun)
    def jacrev_f(*args, **kwargs):
        call = linearized_call(
            transform, selection(args, kwargs), has_aux, holomorphic, allow_int
        )
        codomain = call.codomain
        with wide_enough(call.domain.avals):
            found = passes(call.program.transpose, codomain.moving_avals)
        return call.result(by_rows(found, call.domain, codomain))

    return jacrev_f


class LinearizedCall(NamedTuple):
    """A call of a user's function, linearized, whose Jacobian is to be had."""

    flat: Flat
    domain: Space
    codomain: Space
    program: LinearProgram
    aux: Sequence[Any]

    def result(self, table: Sequence[Sequence[Any]]) -> Any:
        """The Jacobian, of its blocks by output leaf and input leaf (with aux)."""
        rows = [tree_unflatten(self.domain.tree, row) for row in table]
        jacobian = self.flat.result(rows)
        return (jacobian, self.flat.aux(self.aux)) if self.flat.has_aux else jacobian


def linearized_call(
    transform, selected: Selection, has_aux, holomorphic, allow_int
) -> LinearizedCall:
    tree, call, named, _ = selected
    leaves, domain = as_leaves(transform, tree, named)
    for i, x in enumerate(leaves):
        check_reverse_input(transform, x, named, i, holomorphic, allow_int)
    flat = Flat(transform, call, domain.tree, has_aux)
    outs, program, aux = linearize_flat(flat, leaves)
    for i, y in enumerate(outs):
        name = leaf_name([("the output", flat.result(outs))], i)
        check_output(transform, y, name, holomorphic)
    return LinearizedCall(flat, domain, flat.out_space(outs), program, aux)


def by_rows(rows: Sequence[Any], domain: Space, codomain: Space) -> list[list[Any]]:
    """Blocks, of what became of the outputs' basis at each input that moves."""
    found = zip(spread(rows, domain.moving), domain.avals, strict=True)
    by_input = [blocks(row, x, codomain, 0) for row, x in found]
    return [[parts[i] for parts in by_input] for i in range(len(codomain.avals))]


@entry
def hessian(
    fun: Callable,
    argnums: int | Iterable[int] | EllipsisType = ...,
    has_aux: bool = False,
    holomorphic: bool = False,
    *,
    argnames: str | Sequence[str] | None = None,
) -> Callable:
    """The Hessian of `fun`: forward mode over reverse mode.

    Arguments as in `jacfwd`.  Returns a function that returns the Jacobian of the
    Jacobian: for a scalar function of an array of shape s, an array of shape s + s;
    for pytrees, a structure like the arguments in place of each leaf of a structure
    like the arguments.

    Example:

        >>> hessian(lambda x: x[0] ** 2 * x[1] + x[1] + 2)(jnp.array([3.0, 4.0]))
        Array([[8., 6.],
               [6., 0.]], dtype=float32)
    """
    options = argnums, argnames, has_aux, holomorphic
    gradient = _jacrev("hessian", fun, *options, allow_int=None)
    return _jacfwd("hessian", gradient, *options)


@entry
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
    check_callable("hvp", fun, "hvp(f, (x,), (v,))")
    for i, x in enumerate(arguments("hvp", primals)[0]):
        check_reverse_input("hvp", x, enumerate(primals), i, False, None)
    several = len(primals) > 1
    argnums = tuple(range(len(primals))) if several else 0
    f = _value_and_grad("hvp", fun, argnums, None, False, False, None)
    return push_forward("hvp", lambda *args: f(*args)[1], primals, tangents)[1]


def blocks(moved: Any, of: Any, basis: Space, axis: int) -> list[Any]:
    """The blocks of one leaf, of type `of`, for each leaf of the space of a basis.

    `moved` is what became of the basis, along its first or its last axis; None is zero.
    """
    first = axis == 0
    avals = [
        with_axes(of, x.shape) if first else with_axes(of, (), x.shape)
        for x in basis.avals
    ]
    parts = [None] * len(avals) if moved is None else cut(moved, basis.sizes, axis)
    if moved is not None:
        parts = spread(parts, basis.moving)
    return list(map(block, parts, avals))


def block(part: Any, aval: Any) -> Any:
    """A block of a Jacobian, of abstract type `aval`; None becomes zeros."""
    return still(aval) if part is None else as_typed(part.reshape(aval.shape), aval)
