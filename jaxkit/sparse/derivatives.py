"""`sparsity`, `sparse_jacobian` and `sparse_hessian`."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from types import EllipsisType
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental.sparse import BCOO
from jax.tree_util import tree_flatten, tree_unflatten
from scipy.sparse import csr_array

from jaxkit.arithmetic import linearize_flat
from jaxkit.border.arguments import select
from jaxkit.border.checks import check_forward_input, check_output, check_scalar
from jaxkit.border.flat import Flat, as_leaves
from jaxkit.border.messages import leaf_name
from jaxkit.border.tracebacks import entry
from jaxkit.program import LinearProgram, folded
from jaxkit.program.cost import cost
from jaxkit.sparse.patterns import pattern as pattern_of
from jaxkit.sparse.plan import Plan, Sparsity, hessian_plan, jacobian_plan
from jaxkit.tangents import ones
from jaxkit.tracing import ShapedArray, is_traced, typeof

Arguments = int | Collection[int] | EllipsisType


def sparsity(
    fun: Callable,
    argnums: Arguments = ...,
    *,
    argnames: str | Sequence[str] | None = None,
    where: str = "global",
) -> Callable[..., Sparsity]:
    """Where the Jacobian of a function isn't zero, as a function of its arguments.

    Args:
        fun: a function of pytrees of real arrays to one.
        argnums, argnames: by which arguments, as in `grad`.
        where: "global": at every input; only shapes and dtypes of arrays count, and of
            an argument there may be a `jax.ShapeDtypeStruct`.  "local": at this input:
            of a conditional only the branch taken, of a product nothing where the other
            factor is zero.

    Returns:
        A function of the same arguments that returns a `Sparsity`.  Its rows are the
        numbers of the outputs, leaf by leaf, its columns those of the arguments
        selected.  It may have entries that are zero after all, never too few.

    Raises (when called):
        TypeError: an argument selected, or an output, isn't real.
        ValueError: `where` is neither of the two.
        jax.errors.ConcretizationTypeError: Python asks for a value ("global").

    Example:

        >>> sparsity(lambda x: x[1:] - x[:-1])(jnp.ones(4))
        x x . .
        . x x .
        . . x x
        3 x 4, 6 entries (50 %), at every input

    Source: A. Griewank, A. Walther, Evaluating Derivatives (2008), ch. 7.
    """
    if where not in ("global", "local"):
        raise ValueError(f"sparsity: where is {where!r}; pass 'global' or 'local'")
    function = _Function("sparsity", fun, argnums, argnames, False)

    @entry
    def of(*args, **kwargs) -> Sparsity:
        call = function.split(args, kwargs)
        program = linearized(call, call.arrays if where == "local" else call.avals)
        return Sparsity(pattern_of(program), where)

    return of


def sparse_jacobian(
    fun: Callable,
    argnums: Arguments = ...,
    has_aux: bool = False,
    *,
    argnames: str | Sequence[str] | None = None,
    mode: str = "auto",
    format: str = "bcoo",
    pattern: Any = None,
) -> Sparse:
    """The Jacobian of a function most entries of which are zero, by a few passes.

    Args:
        fun, argnums, argnames, has_aux: as in `jacfwd`.
        mode: "forward": the columns are coloured; "reverse": the rows; "both": some
            entries are had from columns, others from rows; "auto": whatever takes the
            fewest passes.
        format: of the result: "bcoo" (`jax.experimental.sparse.BCOO`), "scipy" (a
            `scipy.sparse.csr_array`, of concrete values), "dense" (an array).
        pattern: where it isn't zero, if you know better: a `Sparsity`, or a matrix.
            What is left out of it is added to other entries, without a word.

    Returns:
        A function of the same arguments.  It returns the matrix, of shape (numbers that
        come out, numbers that go in), leaf by leaf; with `has_aux`, (matrix, aux).  It
        works under `jax.jit` and `jax.vmap`, and can be differentiated.  Pattern and
        colours are found once for arguments of given shapes and dtypes; `plan(*args)`
        returns them, computing nothing.

    Raises (when called):
        TypeError: an argument selected, or an output, isn't real.
        ValueError: a pattern of another shape; an option that there isn't.

    Example:

        >>> f = lambda x: x[1:] * x[:-1]
        >>> sparse_jacobian(f, format="dense")(jnp.array([1.0, 2.0, 3.0]))
        Array([[2., 1., 0.],
               [0., 3., 2.]], dtype=float32)

    Source: A. R. Curtis, M. J. D. Powell, J. K. Reid (1974); A. Montoison, G. Dalle,
    A. Gebremedhin (2025) for both modes.
    """
    _check_option("sparse_jacobian", "mode", mode, "auto", "forward", "reverse", "both")
    function = _Function("sparse_jacobian", fun, argnums, argnames, has_aux)

    def make(pattern: Sparsity, itemsize: int, pass_cost: int) -> Plan:
        return jacobian_plan(pattern, mode, itemsize)

    return Sparse(function, format, pattern, make)


def sparse_hessian(
    fun: Callable,
    argnums: Arguments = ...,
    has_aux: bool = False,
    *,
    argnames: str | Sequence[str] | None = None,
    recovery: str = "auto",
    format: str = "bcoo",
    pattern: Any = None,
) -> Sparse:
    """The Hessian of a scalar function most entries of which are zero.

    It is the Jacobian of the gradient, and symmetric: an entry is had from its column
    or its row.  A pass is a Hessian-vector product.

    Args:
        fun, argnums, argnames, has_aux: as in `hessian`.
        recovery: "direct": each entry stands alone in some pass (a star colouring);
            "substitution": they are had one after the other (an acyclic one, of fewer
            colours; rounding errors add up along the way); "auto": the second where the
            passes that it saves take longer than to wait for each other's results.
        format, pattern: as in `sparse_jacobian`.

    Returns, Raises:
        as `sparse_jacobian`; a TypeError too if the output isn't a scalar.

    Example:

        >>> f = lambda x: jnp.sum(x[1:] * x[:-1])
        >>> print(sparse_hessian(f, recovery="substitution").plan(jnp.ones(4)))
        4 x 4, 6 entries (37.5 %), at every input
        passes: 2 forward; entries are had by substitution
        passes return 32 B, entries take 24 B, the dense matrix 64 B

    Source: T. F. Coleman, J. J. Moré (1984); A. H. Gebremedhin, A. Tarafdar, F. Manne,
    A. Pothen (2007).
    """
    _check_option(
        "sparse_hessian", "recovery", recovery, "auto", "direct", "substitution"
    )
    function = _Function("sparse_hessian", fun, argnums, argnames, has_aux, True)

    def make(pattern: Sparsity, itemsize: int, pass_cost: int) -> Plan:
        return hessian_plan(pattern, recovery, itemsize, pass_cost)

    return Sparse(function, format, pattern, make)


def _check_option(transform: str, name: str, value: Any, *known: str) -> None:
    if value not in known:
        text = ", ".join(map(repr, known))
        raise ValueError(f"{transform}: {name} is {value!r}; pass one of {text}")


# --- A call, taken apart --------------------------------------------------------------


class _Call:
    """A call of a user's function: what moves, what else is an array, and the rest.

    `arrays` are the leaves that are selected, and then the other arrays; what is left
    (numbers that Python may branch on, functions) is a part of the `key`.
    """

    def __init__(self, function: _Function, args, kwargs):
        tree, _, named = function.selection(args, kwargs)
        leaves, in_tree = tree_flatten(tree)
        if not any(isinstance(x, jax.ShapeDtypeStruct) for x in leaves):
            leaves, _ = as_leaves(function.name, tree, named)
        self.in_tree = in_tree
        for i, x in enumerate(leaves):
            check_forward_input(function.name, x, named, i, False)
        everything, self.tree = tree_flatten((args, kwargs))
        self.dynamic = [isinstance(x, _ARRAYS) for x in everything]
        self.static = [
            None if there else x
            for x, there in zip(everything, self.dynamic, strict=True)
        ]
        others = [
            x if isinstance(x, jax.ShapeDtypeStruct) else jnp.asarray(x)
            for x, there in zip(everything, self.dynamic, strict=True)
            if there
        ]
        self.function, self.count = function, len(leaves)
        self.arrays = [*leaves, *others]
        self.avals = [
            ShapedArray(x.shape, x.dtype)
            if isinstance(x, jax.ShapeDtypeStruct)
            else typeof(x)
            for x in self.arrays
        ]

    @property
    def key(self) -> Any:
        return tuple(self.avals), self.tree, tuple(map(_frozen, self.static))

    def flat(self, arrays) -> tuple[Flat, list[Any]]:
        """(the function of the leaves that are selected, these leaves)"""
        rest = iter(arrays[self.count :])
        everything = [
            next(rest) if there else x
            for x, there in zip(self.static, self.dynamic, strict=True)
        ]
        args, kwargs = tree_unflatten(self.tree, everything)
        _, call, _ = self.function.selection(args, kwargs)
        name, has_aux = self.function.name, self.function.has_aux
        flat = Flat(name, call, self.in_tree, has_aux)
        return flat, list(arrays[: self.count])

    def program(self, arrays) -> tuple[LinearProgram, Any, Any]:
        """(the linear program, types of the outputs, aux)"""
        flat, leaves = self.flat(arrays)
        run: Callable = flat
        if self.function.of_gradient:
            run = _gradient(self.function.name, flat)
        outs, program, aux = linearize_flat(run, leaves)
        if not self.function.of_gradient:
            for i, y in enumerate(outs):
                name = leaf_name([("the output", flat.result(outs))], i)
                check_output(self.function.name, y, name, False)
        found = flat.aux(aux) if self.function.has_aux else None
        return program, [typeof(y) for y in outs], found


_ARRAYS = (jax.Array, np.ndarray, np.generic, float, complex, jax.ShapeDtypeStruct)


def _frozen(x: Any) -> Any:
    """What tells a value that isn't an array from others."""
    try:
        hash(x)
    except TypeError:
        return id(x)
    return type(x), x


def _gradient(name: str, flat: Flat) -> Callable:
    def gradient(leaves):
        outs, program, aux = linearize_flat(flat, leaves)
        check_scalar(name, flat, outs, False)
        cts = program.transpose([ones(program.code.outputs[0].aval)])
        return [
            jnp.zeros_like(x) if ct is None else ct
            for x, ct in zip(leaves, cts, strict=True)
        ], aux

    return gradient


class _Function:
    """A user's function, and by which of its arguments it is differentiated."""

    def __init__(self, name, fun, argnums, argnames, has_aux, of_gradient=False):
        self.name, self.has_aux, self.of_gradient = name, has_aux, of_gradient
        self.selection = select(name, fun, argnums, argnames)

    def split(self, args, kwargs) -> _Call:
        return _Call(self, args, kwargs)


def linearized(call: _Call, arrays: Sequence[Any]) -> LinearProgram:
    """The program of a call, of arrays of which some are known, and others types."""
    return folded(lambda *arrays: call.program(arrays)[0].prune(), arrays)


# --- Evaluation -----------------------------------------------------------------------


class Sparse:
    """A function that returns a sparse derivative: see `sparse_jacobian`."""

    def __init__(self, function: _Function, format: str, pattern: Any, make: Callable):
        _check_option(function.name, "format", format, "bcoo", "scipy", "dense")
        self._function, self._format, self._pattern = function, format, pattern
        self._make, self._plans = make, {}

    def plan(self, *args, **kwargs) -> Plan:
        """By which passes it is computed for arguments of these shapes and dtypes."""
        return self._planned(self._function.split(args, kwargs))[0]

    def _planned(self, call: _Call) -> tuple[Plan, Callable]:
        if call.key not in self._plans:
            given, pass_cost = self._pattern, 0
            if given is None:
                program = linearized(call, call.avals)
                pass_cost = cost(program.code)
                given = pattern_of(program)
            if not isinstance(given, Sparsity):
                given = Sparsity(csr_array(given), "global")
            dtypes = [aval.dtype for aval in call.avals[: call.count]]
            plan = self._make(given, np.result_type(*dtypes).itemsize, pass_cost)
            self._plans[call.key] = plan, jax.jit(_evaluated(call, plan))
        return self._plans[call.key]

    @entry
    def __call__(self, *args, **kwargs):
        call = self._function.split(args, kwargs)
        plan, evaluate = self._planned(call)
        entries, aux = evaluate(call.arrays)
        matrix = self._formatted(plan, entries)
        return (matrix, aux) if self._function.has_aux else matrix

    def _formatted(self, plan: Plan, entries: Any) -> Any:
        matrix = plan.pattern.matrix
        row, column = matrix.tocoo().coords
        if self._format == "scipy":
            if is_traced(entries):
                raise TypeError(
                    f"{self._function.name}: format='scipy' needs values, but it is "
                    "traced (under jax.jit, vmap or a derivative); pass format='bcoo'"
                )
            parts = np.asarray(entries), matrix.indices, matrix.indptr
            return csr_array(parts, matrix.shape)
        if self._format == "dense":
            return plan.dense(entries)
        where = jnp.asarray(np.stack([row, column], 1), jnp.int32)
        return BCOO(
            (entries, where),
            shape=matrix.shape,
            indices_sorted=True,
            unique_indices=True,
        )


def _evaluated(call: _Call, plan: Plan) -> Callable:
    """The entries, in the pattern's order, and aux, as a function of the arrays."""

    def evaluate(arrays):
        program, outs, aux = call.program(arrays)
        _check_shape(call.function.name, plan, call.avals[: call.count], outs)
        return plan.entries(program), aux

    return evaluate


def _check_shape(name, plan, ins, outs) -> None:
    shape = sum(x.size for x in outs), sum(x.size for x in ins)
    if plan.pattern.shape != shape:
        raise ValueError(
            f"{name}: the pattern has shape {plan.pattern.shape}, but the matrix has "
            f"{shape}: a row for each number that comes out, a column for each that "
            "goes in"
        )
