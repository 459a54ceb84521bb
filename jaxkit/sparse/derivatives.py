"""`sparsity`, `sparse_jacobian` and `sparse_hessian`."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from types import EllipsisType
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental.sparse import BCOO
from scipy.sparse import csr_array

from jaxkit.border.tracebacks import entry
from jaxkit.calls import Call, Function
from jaxkit.gradients import cut
from jaxkit.program import folded
from jaxkit.sparse.patterns import pattern as pattern_of
from jaxkit.sparse.plan import Plan, Sparsity, hessian_plan, jacobian_plan
from jaxkit.sparse.recovery import seeds
from jaxkit.tracing import is_traced

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
    function = Function("sparsity", fun, argnums, argnames, False)

    @entry
    def of(*args, **kwargs) -> Sparsity:
        call = function.split(args, kwargs)
        return found(call, call.arrays if where == "local" else call.avals, where)

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
    function = Function("sparse_jacobian", fun, argnums, argnames, has_aux)
    make = lambda pattern, itemsize: jacobian_plan(pattern, mode, itemsize)  # noqa: E731
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
            colours; rounding errors add up along the way); "auto": the second where it
            takes fewer passes.
        format, pattern: as in `sparse_jacobian`.

    Returns, Raises:
        as `sparse_jacobian`; a TypeError too if the output isn't a scalar.

    Example:

        >>> f = lambda x: jnp.sum(x[1:] * x[:-1])
        >>> print(sparse_hessian(f).plan(jnp.ones(4)))
        4 x 4, 6 entries (37.5 %), at every input
        passes: 2 forward; entries are had by substitution
        passes return 32 B, entries take 24 B, the dense matrix 64 B

    Source: T. F. Coleman, J. J. Moré (1984); A. H. Gebremedhin, A. Tarafdar, F. Manne,
    A. Pothen (2007).
    """
    _check_option(
        "sparse_hessian", "recovery", recovery, "auto", "direct", "substitution"
    )
    function = Function("sparse_hessian", fun, argnums, argnames, has_aux, True)
    make = lambda pattern, itemsize: hessian_plan(pattern, recovery, itemsize)  # noqa: E731
    return Sparse(function, format, pattern, make)


def _check_option(transform: str, name: str, value: Any, *known: str) -> None:
    if value not in known:
        text = ", ".join(map(repr, known))
        raise ValueError(f"{transform}: {name} is {value!r}; pass one of {text}")


def found(call: Call, arrays: Sequence[Any], where: str) -> Sparsity:
    """The pattern of a call, of arrays of which some are known, and others types."""
    program = folded(lambda *arrays: call.program(arrays)[0].prune(), arrays)
    return Sparsity(pattern_of(program), where)


# --- Evaluation -----------------------------------------------------------------------


class Sparse:
    """A function that returns a sparse derivative: see `sparse_jacobian`."""

    def __init__(self, function: Function, format: str, pattern: Any, make: Callable):
        _check_option(function.name, "format", format, "bcoo", "scipy", "dense")
        self._function, self._format, self._pattern = function, format, pattern
        self._make, self._plans = make, {}

    def plan(self, *args, **kwargs) -> Plan:
        """By which passes it is computed for arguments of these shapes and dtypes."""
        return self._planned(self._function.split(args, kwargs))[0]

    def _planned(self, call: Call) -> tuple[Plan, Callable]:
        if call.key not in self._plans:
            given = self._pattern
            if given is None:
                given = found(call, call.avals, "global")
            elif not isinstance(given, Sparsity):
                given = Sparsity(csr_array(given), "global")
            dtypes = [aval.dtype for aval in call.avals[: call.count]]
            plan = self._make(given, np.result_type(*dtypes).itemsize)
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
            zeros = jnp.zeros(matrix.shape, entries.dtype)
            return zeros.at[row, column].set(entries)
        where = jnp.asarray(np.stack([row, column], 1), jnp.int32)
        return BCOO(
            (entries, where),
            shape=matrix.shape,
            indices_sorted=True,
            unique_indices=True,
        )


def _evaluated(call: Call, plan: Plan) -> Callable:
    """The entries, in the pattern's order, and aux, as a function of the arrays."""

    def evaluate(arrays):
        program, outs, aux = call.program(arrays)
        ins = call.avals[: call.count]
        dtype = np.result_type(*[x.dtype for x in (*ins, *outs)])
        _check_shape(call.function.name, plan, ins, outs)
        passes = [jnp.zeros(0, dtype)]
        if plan.forward:
            rows = seeds(plan.columns, dtype)
            passes.append(_joined(jax.vmap(program.apply)(_cut(rows, ins)), outs, rows))
        if plan.reverse:
            rows = seeds(plan.rows, dtype)
            pulled = jax.vmap(program.transpose)(_cut(rows, outs))
            passes.append(_joined(pulled, ins, rows))
        return plan.recovery(jnp.concatenate([x.ravel() for x in passes])), aux

    return evaluate


def _check_shape(name, plan, ins, outs) -> None:
    shape = sum(x.size for x in outs), sum(x.size for x in ins)
    if plan.pattern.shape != shape:
        raise ValueError(
            f"{name}: the pattern has shape {plan.pattern.shape}, but the matrix has "
            f"{shape}: a row for each number that comes out, a column for each that "
            "goes in"
        )


def _cut(rows: jax.Array, avals: Sequence[Any]) -> list[jax.Array]:
    """Rows of numbers, as arrays of these types with an axis more."""
    parts = cut(rows, [x.size for x in avals], 1)
    return [
        part.reshape(len(rows), *x.shape).astype(x.dtype)
        for part, x in zip(parts, avals, strict=True)
    ]


def _joined(arrays: Sequence[Any], avals: Sequence[Any], rows: jax.Array) -> jax.Array:
    """Arrays with an axis more, as rows of numbers; None is zeros."""
    return jnp.concatenate(
        [
            jnp.zeros((len(rows), x.size), rows.dtype)
            if y is None
            else y.reshape(len(rows), -1).astype(rows.dtype)
            for y, x in zip(arrays, avals, strict=True)
        ],
        axis=1,
    )
