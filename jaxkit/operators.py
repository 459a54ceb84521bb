"""Derivatives as linear operators, for solvers: evaluated without running `fun` again.

    jacobian_operator       J                 the linear map of `linearize`
    hessian_operator        H                 of a scalar function; it is symmetric
    gauss_newton_operator   J' H J            of loss(model(p)), H that of the loss
    identity_operator       I                 to damp them: G + 0.1 * I

Each is a `LinearMap`, of which there are `@`, `+`, multiples and the transpose `.T`,
and which other packages take as theirs (`as_lineax`, `as_scipy`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache, partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from scipy.sparse.linalg import LinearOperator

from jaxkit.arithmetic import record_linear
from jaxkit.border.flat import as_leaves
from jaxkit.border.space import Space
from jaxkit.border.tracebacks import entry
from jaxkit.calls import Arguments, Function
from jaxkit.maps import POSITIVE, SYMMETRIC, LinearMap, as_argument
from jaxkit.passes import arrays_of, rows


def jacobian_operator(
    fun: Callable,
    argnums: Arguments = ...,
    *,
    argnames: str | Sequence[str] | None = None,
) -> Callable[..., LinearMap]:
    """The Jacobian of a function as an operator, at its arguments.

    Args:
        fun: a function of pytrees of real arrays to one.
        argnums, argnames: by which arguments, as in `grad`.

    Returns:
        a function of the same arguments that runs `fun` once, and returns a `LinearMap`
        from tangents of what is selected to those of the output; `.T` is the pullback.

    Raises (when called):
        TypeError: an argument selected, or an output, isn't real.

    Example:

        >>> J = jacobian_operator(lambda x: x[1:] * x[:-1])(jnp.array([1.0, 2.0, 3.0]))
        >>> J(jnp.ones(3))
        Array([3., 5.], dtype=float32)
        >>> (J @ J.T).matrix()
        Array([[ 5.,  6.],
               [ 6., 13.]], dtype=float32)
    """
    function = Function("jacobian_operator", fun, argnums, argnames, False)

    @entry
    def of(*args, **kwargs) -> LinearMap:
        call = function.split(args, kwargs)
        linearized = call.linearized(call.arrays)
        inputs = as_argument(linearized.domain)
        return LinearMap(
            linearized.program, False, inputs, linearized.codomain, function.name
        )

    return of


def hessian_operator(
    fun: Callable,
    argnums: Arguments = ...,
    *,
    argnames: str | Sequence[str] | None = None,
    convex: bool = False,
) -> Callable[..., LinearMap]:
    """The Hessian of a scalar function as an operator, at its arguments.

    A product costs a pass of the gradient's linear program, about two of `fun`.

    Args:
        fun, argnums, argnames: as in `jacobian_operator`; the output is a scalar.
        convex: whether you know that `fun` is, so that the Hessian is positive
            semidefinite, as solvers like to know.

    Returns, Raises:
        as `jacobian_operator`; a TypeError too if the output isn't a scalar.

    Example:

        >>> H = hessian_operator(lambda x: jnp.sum(x**3))(jnp.array([1.0, 2.0]))
        >>> H(jnp.ones(2))
        Array([ 6., 12.], dtype=float32)

    Source: B. A. Pearlmutter, Fast exact multiplication by the Hessian (1994).
    """
    return hessian_of("hessian_operator", fun, argnums, argnames, convex)


def hessian_of(
    name: str, fun: Callable, argnums: Arguments = ..., argnames=None, convex=False
) -> Callable[..., LinearMap]:
    """The same, for the transform of this name."""
    function = Function(name, fun, argnums, argnames, False, True)

    @entry
    def of(*args, **kwargs) -> LinearMap:
        call = function.split(args, kwargs)
        program, _ = call.program(call.arrays)
        space = Space(call.in_tree, tuple(call.avals[: call.count]))
        tags = {SYMMETRIC, POSITIVE} if convex else {SYMMETRIC}
        return LinearMap(
            program, False, as_argument(space), space, function.name, frozenset(tags)
        )

    return of


def gauss_newton_operator(
    model: Callable,
    loss: Callable,
    argnums: Arguments = ...,
    *,
    argnames: str | Sequence[str] | None = None,
    convex: bool = True,
) -> Callable[..., LinearMap]:
    """The Gauss-Newton operator J' H J of `loss(model(...))`, at the model's arguments.

    J is the Jacobian of the model, H the Hessian of the loss at what the model returns;
    both functions are run once.

    Args:
        model: a function of pytrees of real arrays to one.
        loss: a scalar function of what the model returns.
        argnums, argnames: by which of the model's arguments, as in `grad`.
        convex: whether the loss is, as most are, so that J' H J is positive
            semidefinite.

    Returns:
        a function of the model's arguments that returns a symmetric `LinearMap` from
        what is selected to the like.

    Raises (when called):
        as `jacobian_operator` for the model, as `hessian_operator` for the loss.

    Example:

        >>> model, loss = lambda w: jnp.array([w[0], w[0] * w[1]]), lambda y: y @ y
        >>> gauss_newton_operator(model, loss)(jnp.array([1.0, 2.0])).matrix()
        Array([[10.,  4.],
               [ 4.,  2.]], dtype=float32)

    Source: N. N. Schraudolph, Fast curvature matrix-vector products for second-order
    gradient descent (2002).
    """
    name = "gauss_newton_operator"
    function = Function(name, model, argnums, argnames, False)
    curvature = hessian_of(name, loss)

    @entry
    def of(*args, **kwargs) -> LinearMap:
        call = function.split(args, kwargs)
        linearized, outs = call.linearized_at(call.arrays)
        inputs = as_argument(linearized.domain)
        J = LinearMap(linearized.program, False, inputs, linearized.codomain, name)
        H = curvature(linearized.flat.result(outs))
        tags = frozenset({SYMMETRIC, POSITIVE} if convex else {SYMMETRIC})
        return (J.T @ H @ J).between(inputs, linearized.domain, tags)

    return of


@entry
def identity_operator(like: Any) -> LinearMap:
    """The identity as an operator on pytrees like this one, to damp another.

    Args:
        like: a pytree of arrays; their values aren't used.

    Returns:
        a symmetric `LinearMap`.

    Raises:
        TypeError: a leaf isn't a JAX type.

    Example:

        >>> x = jnp.array([1.0, 2.0])
        >>> H = hessian_operator(jnp.prod)(x)
        >>> (H + 0.5 * identity_operator(x)).matrix()
        Array([[0.5, 1. ],
               [1. , 0.5]], dtype=float32)
    """
    name, tags = "identity_operator", frozenset({SYMMETRIC, POSITIVE})
    _, space = as_leaves(name, like, [("the argument", like)])
    program = record_linear(list, space.moving_avals, space.moving_avals)
    return LinearMap(program, False, as_argument(space), space, name, tags)


# --- As other packages have them ------------------------------------------------------


def as_scipy(operator: LinearMap) -> LinearOperator:
    """A map as a `scipy.sparse.linalg.LinearOperator`, on vectors of all numbers.

    A real map takes complex vectors, too: it acts on their two parts.

    Raises:
        TypeError: there is a leaf that doesn't move (an integer); some numbers are
            complex, and others aren't; or the map isn't linear over the complex
            numbers (a conjugate), which is tried on one vector.

    Example:

        >>> H = hessian_operator(lambda x: jnp.sum(x**4))(jnp.array([1.0, 2.0]))
        >>> as_scipy(H) @ np.ones(2, np.float32)
        array([12., 48.], dtype=float32)
    """
    _check_moves("as_scipy", operator)
    ins, outs = operator.domain.avals, operator.codomain.avals
    dtype = np.result_type(*[x.dtype for x in (*ins, *outs)])
    ahead = _on_vectors(operator.run, ins, outs, dtype)
    back = _on_vectors(operator.T.run, outs, ins, dtype)
    if dtype.kind == "c":
        _check_complex(operator, ahead)
    adjoint = lambda vector: np.conj(back(np.conj(vector)))  # noqa: E731
    options: Any = {"matvec": ahead, "rmatvec": adjoint, "dtype": dtype}
    return LinearOperator(operator.shape, **options)


def _on_vectors(run: Callable, ins, outs, dtype) -> Callable:
    product = jax.jit(partial(on_vector, run, ins, outs, dtype))

    def on_array(vector):
        vector = np.ravel(vector)
        if np.iscomplexobj(vector) and dtype.kind != "c":
            return np.asarray(product(np.real(vector))) + 1j * product(np.imag(vector))
        return np.asarray(product(vector))

    return on_array


def _check_complex(operator: LinearMap, ahead: Callable) -> None:
    avals = *operator.domain.avals, *operator.codomain.avals
    if any(x.dtype.kind != "c" for x in avals):
        raise TypeError(
            f"as_scipy: of {operator.domain} and {operator.codomain} some are complex "
            "and others aren't; a LinearOperator has one dtype, so make all complex, "
            "or take real and imaginary parts"
        )
    vector = np.exp(1j * np.arange(operator.shape[1]))
    if not np.allclose(ahead(1j * vector), 1j * ahead(vector), 1e-3, equal_nan=True):
        raise TypeError(
            "as_scipy: the map isn't linear over the complex numbers (there is a "
            "conjugate in it, or a real part); take real and imaginary parts"
        )


def on_vector(run: Callable, ins, outs, dtype, vector: Any) -> jax.Array:
    """What `run` makes of arrays, whose numbers are those of a vector, as a vector."""
    return rows(run(arrays_of(vector, ins)), outs, 1, dtype)[0]


def as_lineax(operator: LinearMap) -> Any:
    """A map as a `lineax.AbstractLinearOperator`, with what is known of it.

    A map of one argument acts on that, of several on their tuple.  It needs lineax, and
    is a pytree as the map is.

    Raises:
        ImportError: lineax isn't there.
        TypeError: there is a leaf that doesn't move (an integer).

    Example:

        >>> H = hessian_operator(lambda x: jnp.sum(x**4), convex=True)(jnp.ones(2))
        >>> lineax.linear_solve(as_lineax(H), jnp.ones(2), lineax.CG(1e-6, 1e-6)).value
        Array([0.08333..., 0.08333...], dtype=float32)
    """
    _check_moves("as_lineax", operator)
    return _lineax_class()(operator)


def _check_moves(name: str, operator: LinearMap) -> None:
    for space in operator.domain, operator.codomain:
        if not all(space.moving):
            raise TypeError(
                f"{name}: a leaf of {space} doesn't move, and a vector has no place "
                "for it; differentiate by the others"
            )


@cache
def _lineax_class() -> Any:
    import lineax

    class Operator(lineax.AbstractLinearOperator):
        """A jaxkit.LinearMap."""

        map: LinearMap

        def mv(self, vector):
            moved = self.map.run(jax.tree.leaves(vector))
            return self.map.spaces[1].unflatten(moved)

        def as_matrix(self):
            return self.map.matrix()

        def transpose(self):
            return Operator(self.map.T)

        def in_structure(self):
            return self.map.spaces[0].structure()

        def out_structure(self):
            return self.map.spaces[1].structure()

    def conjugate(operator):
        def product(vector):
            return jax.tree.map(jnp.conj, operator.mv(jax.tree.map(jnp.conj, vector)))

        if all(x.dtype.kind == "f" for x in operator.map.codomain.avals):
            return operator
        return lineax.FunctionLinearOperator(product, operator.in_structure())

    lineax.conj.register(Operator)(conjugate)
    for nothing_to_do in lineax.linearise, lineax.materialise:
        nothing_to_do.register(Operator)(lambda operator: operator)
    lineax.diagonal.register(Operator)(lambda x: jnp.diag(x.as_matrix()))
    lineax.is_symmetric.register(Operator)(lambda x: SYMMETRIC in x.map.tags)
    lineax.is_positive_semidefinite.register(Operator)(lambda x: POSITIVE in x.map.tags)
    for asked in (
        *(lineax.is_diagonal, lineax.is_tridiagonal, lineax.has_unit_diagonal),
        *(lineax.is_lower_triangular, lineax.is_upper_triangular),
        lineax.is_negative_semidefinite,
    ):
        asked.register(Operator)(lambda _: False)
    return Operator
