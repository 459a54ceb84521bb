"""Linear maps between pytrees: what `linearize` and `vjp` return."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.tree_util import treedef_tuple

from jaxkit.arithmetic import record_linear, transposed
from jaxkit.border.space import COTANGENT, TANGENT, Space, flatten
from jaxkit.border.tracebacks import entry
from jaxkit.drawing import linked
from jaxkit.passes import passes, rows
from jaxkit.program import LinearProgram, NotTransposable
from jaxkit.program.text import lines_of
from jaxkit.rules.table import NotLinear
from jaxkit.tangents import SCALARS, zero_cotangent, zeros
from jaxkit.tracing import wide_enough

SYMMETRIC, POSITIVE = "symmetric", "positive_semidefinite"  # what may be known of one


@jax.tree_util.register_pytree_node_class
class LinearMap:
    """The derivative of a function at a point, or its transpose.

    It is called like what JAX returns: from `linearize` on tangents, one for each
    argument; from `vjp` on one cotangent of the output, giving a tuple of cotangents.
    It is also a program to look into:

        print(f_jvp)       the equations, with shapes and dtypes
        f_jvp.T            the transpose, again a LinearMap; f_jvp.T.T is f_jvp
        f_jvp.matrix()     the dense matrix, of f_jvp.shape
        f_jvp.program      the flat `LinearProgram`
        A @ B, A + B, 2 * A     of maps, are maps
        A @ x              what A makes of x, where one argument isn't in a tuple

    It is a pytree whose leaves are the residuals, so it may be passed to and returned
    from `jax.jit` and other transforms.  `jax.vmap` and `jax.lax.scan` return several
    at once, stacked; they are applied under `jax.vmap` or `jax.lax.scan`, and raise
    ValueError if they are used as one.

    Example:

        >>> y, f_jvp = linearize(lambda x: x * x, 3.0)
        >>> f_jvp(1.0)
        Array(6., dtype=float32, weak_type=True)
    """

    of = "a function"  # its name, for messages; lost where the map is a pytree
    __array_ufunc__ = None  # NumPy leaves `array @ map` and the like to the map
    _is_pruned = False

    def __init__(
        self,
        recorded: LinearProgram,
        transposed: bool,
        inputs: Space,
        outputs: Space,
        name: str,
        tags: frozenset[str] = frozenset(),
    ):
        # The program as it was recorded, from tangents of the inputs to those of the
        # outputs, is run forward, or backward (transposed).
        self._recorded, self._transposed = recorded, transposed
        self._inputs, self._outputs, self.name = inputs, outputs, name
        self.tags = tags  # of `SYMMETRIC` and `POSITIVE` those that are known

    @property
    def domain(self) -> Space:
        return self._outputs if self._transposed else self._inputs

    @property
    def codomain(self) -> Space:
        return self._inputs if self._transposed else self._outputs

    @property
    def _zero(self) -> Callable:
        return zero_cotangent if self._transposed else zeros

    def tree_flatten(self) -> Any:
        if not self._is_pruned:  # what isn't needed doesn't leave a jit
            self._recorded, self._is_pruned = self._recorded.prune(), True
        aux = self._transposed, self._inputs, self._outputs, self.name, self.tags
        return (self._recorded,), aux

    @classmethod
    def tree_unflatten(cls, aux, children):
        found = cls(*children, *aux)
        found._is_pruned = True
        return found

    def run(self, values: Sequence[Any]) -> list[Any]:
        """The same on lists of what moves in the domain and codomain; None is zero."""
        self._recorded.check_residuals()
        run = self._recorded.transpose if self._transposed else self._recorded.apply
        return run(values)

    @entry
    def __call__(self, *element):
        """Apply the map to an element of its domain (checked, see `border.space`)."""
        role = COTANGENT if self._transposed else TANGENT
        if self._transposed:
            if len(element) != 1:
                raise TypeError(
                    f"{self.name}: what it returned for {self.of} takes one {role[0]}, "
                    f"a pytree like the {role[1]}, but got {len(element)} arguments; "
                    f"pass {self.domain}."
                )
            (element,) = element
        moved = flatten(self.name, role, self.domain, element)
        with wide_enough(self._inputs.avals):
            return self.codomain.unflatten(self.run(moved), self._zero)

    @property
    def T(self) -> LinearMap:
        """The transpose: the same program, run the other way."""
        about = self._inputs, self._outputs, self.name, self.tags
        flipped = LinearMap(self._recorded, not self._transposed, *about)
        flipped.of = self.of
        return flipped

    @property
    def shape(self) -> tuple[int, int]:
        """That of the matrix: how many numbers move in the codomain, and the domain."""
        return sum(self.codomain.sizes), sum(self.domain.sizes)

    @property
    def spaces(self) -> tuple[Space, Space]:
        """(domain, codomain), where one argument isn't in a tuple."""
        arguments, inputs = self._inputs.tree.children(), self._inputs
        if len(arguments) == 1:
            inputs = inputs._replace(tree=arguments[0])
        if self._transposed:
            return self._outputs, inputs
        return inputs, self._outputs

    # --- Sums, products, multiples ----------------------------------------------------

    @property
    def _arguments(self) -> Space:
        """The domain, as that of a map that is called with arguments."""
        return as_argument(self.domain) if self._transposed else self.domain

    def _made(self, run: Callable, inputs: Space, tags=frozenset()) -> LinearMap:
        """The map to this one's codomain that `run` computes, of lists of arrays."""
        outputs = self.spaces[1]
        program = record_linear(run, inputs.moving_avals, outputs.moving_avals).prune()
        return LinearMap(program, False, inputs, outputs, self.name, tags)

    def between(self, inputs: Space, outputs: Space, tags=frozenset()) -> LinearMap:
        """The same between spaces of other structures, with the same leaves."""
        return LinearMap(self.program, False, inputs, outputs, self.name, tags)

    @entry
    def __matmul__(self, other: Any) -> Any:
        """The map `other`, and then this one; of a vector, what this makes of it."""
        if not isinstance(other, LinearMap):
            return self._of(other)
        if not _is_one(self._arguments, other.codomain):
            raise TypeError(
                f"@: the first map takes {self.domain}, but the second returns "
                f"{other.codomain}"
            )
        return self._made(lambda xs: self.run(other.run(xs)), other._arguments)

    def _of(self, x: Any) -> Any:
        """What the map makes of x, where one argument isn't in a tuple."""
        is_alone = len(self._inputs.tree.children()) == 1
        if self._transposed:
            found = self(x)
            return found[0] if is_alone else found
        return self(*x) if isinstance(x, tuple) and not is_alone else self(x)

    def __rmatmul__(self, other: Any) -> Any:
        raise TypeError("@: a vector comes behind the map, A @ x; for x' A: A.T @ x")

    @entry
    def __add__(self, other: Any) -> LinearMap:
        if not isinstance(other, LinearMap):
            return NotImplemented
        same = _is_one(self._arguments, other._arguments)
        if not (same and _is_one(self.spaces[1], other.spaces[1])):
            raise TypeError(
                f"+: the first map is from {self.domain} to {self.codomain}, the "
                f"second from {other.domain} to {other.codomain}"
            )

        def run(xs):
            return list(map(_sum, self.run(xs), other.run(xs)))

        return self._made(run, self._arguments, self.tags & other.tags)

    def __radd__(self, other: Any) -> LinearMap:
        return self if isinstance(other, int) and other == 0 else NotImplemented  # sum

    @entry
    def __mul__(self, number: Any) -> LinearMap:
        kinds = *SCALARS, jax.Array, np.ndarray
        if not isinstance(number, kinds) or jnp.ndim(number):
            return NotImplemented

        def run(xs):
            return [y if y is None else _times(number, y) for y in self.run(xs)]

        known = isinstance(number, int | float | np.floating) and number >= 0
        tags = self.tags if known else self.tags - {POSITIVE}
        return self._made(run, self._arguments, tags)

    __rmul__ = __mul__

    def __neg__(self):
        return self * -1

    def __sub__(self, other: Any) -> LinearMap:
        return self + -other if isinstance(other, LinearMap) else NotImplemented

    def __truediv__(self, number: Any) -> LinearMap:
        return self * (1 / number)

    @property
    @entry
    def program(self) -> LinearProgram:
        """The flat linear program that this map runs, without what reaches no output.

        The program of a transposed map is its backward pass, recorded.
        """
        self._recorded.check_residuals()
        if self._transposed:
            return transposed(self._recorded)
        return self._recorded.prune()

    def __repr__(self):
        try:
            return repr(self.program)
        except (NotLinear, NotTransposable, TypeError) as error:
            why = getattr(error, "fact", error)
            return f"the transpose, which can't be written down ({why}), of\n" + repr(
                self._recorded.prune()
            )

    def _repr_html_(self):
        """The program beside its transpose, where a notebook shows it."""
        found = []
        for name, program in ("the linear map", self), ("its transpose", self.T):
            with contextlib.suppress(NotLinear, NotTransposable, TypeError):
                lines = lines_of(program.program.code)
                keyed = [(source and id(source), line) for source, line in lines]
                found.append((name, keyed))
        return linked(found)

    @entry
    def matrix(self) -> jax.Array:
        """The dense matrix, of shape (size of the codomain, size of the domain).

        Rows and columns go through the leaves in order, each in row-major order,
        leaving out integers and booleans.  It costs one pass of the program for each
        row or each column, whichever are fewer.

        Of complex spaces the columns are the images of the real unit vectors.  For a
        map that is linear over the complex numbers, as is the derivative of a
        holomorphic function, that is its matrix; others (conj, abs) have none.
        """
        avals = *self.domain.moving_avals, *self.codomain.moving_avals
        real = all(aval.dtype.kind != "c" for aval in avals)
        if real and sum(self.codomain.sizes) < sum(self.domain.sizes):
            return self.T._columns().T
        return self._columns()

    def _columns(self):
        avals, count = self.codomain.moving_avals, sum(self.domain.sizes)
        dtype = jnp.result_type(*[x.dtype for x in avals] or [float])
        return rows(passes(self.run, self.domain.moving_avals), avals, count, dtype).T


def as_argument(space: Space) -> Space:
    """The space of the arguments of a function of one argument in this space."""
    return space._replace(tree=treedef_tuple([space.tree]))


def _is_one(arguments: Space, values: Space) -> bool:
    """Whether these values are these arguments, or the only one of them."""
    trees = values.tree, treedef_tuple([values.tree])
    types = [[(x.shape, x.dtype) for x in s.avals] for s in (arguments, values)]
    return arguments.tree in trees and types[0] == types[1]


def _sum(x: Any, y: Any) -> Any:
    return y if x is None else x if y is None else x + y


def _times(number: Any, y: Any) -> Any:
    if jnp.iscomplexobj(number) and not jnp.iscomplexobj(y):
        raise TypeError(f"*: {number} is complex, and the map is real")
    return y * jnp.asarray(number, y.dtype)
