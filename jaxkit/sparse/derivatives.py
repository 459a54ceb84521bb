"""`sparsity`, `sparse_jacobian` and `sparse_hessian`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np
from jax.experimental.sparse import BCOO
from scipy.sparse import csr_array

from jaxkit.border.tracebacks import entry
from jaxkit.calls import Arguments, Call, Function
from jaxkit.program import Code, LinearProgram, folded
from jaxkit.program.cost import cost, width
from jaxkit.sparse.patterns import pattern as pattern_of
from jaxkit.sparse.plan import Plan, Sparsity, hessian_plan, jacobian_plan
from jaxkit.tracing import is_traced


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
        program = program_of(call, call.values() if where == "local" else call.avals)
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
        works under `jax.jit` and `jax.vmap`, and can be differentiated (with
        `format="dense"` by all transforms; of a BCOO its `data`).  Pattern and colours
        are found once for arguments of given shapes and dtypes, and for what isn't an
        array by `==`, as `jax.jit` does with static arguments; `plan(*args)` returns
        them, computing nothing.

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
        as `sparse_jacobian`; a TypeError too if the output isn't a scalar.  Where
        custom rules make the Hessian asymmetric, use `sparse_jacobian(grad(f))`.

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
    function = Function("sparse_hessian", fun, argnums, argnames, has_aux, True)

    def make(pattern: Sparsity, itemsize: int, pass_cost: int) -> Plan:
        return hessian_plan(pattern, recovery, itemsize, pass_cost)

    return Sparse(function, format, pattern, make)


def _check_option(transform: str, name: str, value: Any, *known: str) -> None:
    if value not in known:
        text = ", ".join(map(repr, known))
        raise ValueError(f"{transform}: {name} is {value!r}; pass one of {text}")


def program_of(call: Call, arrays: Sequence[Any]) -> LinearProgram:
    """The program of a call, of arrays of which some are known, and others types."""
    return folded(lambda *arrays: call.program(arrays)[0].prune(), arrays)


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
        def make() -> tuple[Plan, Callable]:
            program = program_of(call, call.avals)
            if self._pattern is None:
                found = Sparsity(pattern_of(program), "global")
            else:
                found = _given(self._function.name, self._pattern, program.code)
            dtypes = [aval.dtype for aval in call.avals[: call.count]]
            size = np.result_type(*dtypes).itemsize
            plan = self._make(found, size, cost(program.code))
            return plan, jax.jit(_evaluated(call, plan))

        return call.once(self._plans, make)

    @entry
    def __call__(self, *args, **kwargs):
        call = self._function.split(args, kwargs)
        plan, evaluate = self._planned(call)
        entries, aux = evaluate(call.given())
        matrix = self._formatted(plan, entries)
        return (matrix, aux) if self._function.has_aux else matrix

    def _formatted(self, plan: Plan, entries: Any) -> Any:
        matrix = plan.pattern.matrix
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
        return BCOO(
            (entries, plan.indices),
            shape=matrix.shape,
            indices_sorted=True,
            unique_indices=True,
        )


def _evaluated(call: Call, plan: Plan) -> Callable:
    """The entries, in the pattern's order, and aux, as a function of the arrays."""

    def evaluate(arrays):
        program, aux = call.program(arrays)
        return plan.entries(program), aux

    return evaluate


def _given(name: str, pattern: Any, code: Code) -> Sparsity:
    """The pattern that a user passes, of the matrix of this code."""
    shape = width(code.outputs), width(code.inputs)
    if not isinstance(pattern, Sparsity):
        try:
            pattern = Sparsity(csr_array(pattern), "global")
        except (IndexError, TypeError, ValueError):
            raise TypeError(
                f"{name}: pattern is of type {type(pattern).__name__}; pass a "
                f"Sparsity, a SciPy matrix, or an array of shape {shape}"
            ) from None
    if pattern.shape != shape:
        raise ValueError(
            f"{name}: the pattern has shape {pattern.shape}, but the matrix has "
            f"{shape}: a row for each number that comes out, a column for each that "
            "goes in"
        )
    return pattern
