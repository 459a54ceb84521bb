"""A gradient as products that aren't multiplied yet.

Of a weight w in y = x w the gradient is x' g, with g the cotangent of y.  Much of what
is asked about it can be had from x and g: its norm, the squares of its entries, the
factors of a Kronecker product.  So the linear program is walked backwards with one
more meaning: where a weight is a factor of a matrix product, its cotangent stays a
pair (`Product`).

Source: I. Goodfellow, Efficient per-example gradient computations (2015);
F. Dangel, F. Kunstner, P. Hennig, BackPACK (2020).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.extend.core import primitives as p

from jaxkit.program import Code, Equation, LinearProgram, Recorder, Residual, Var
from jaxkit.program.linear import added
from jaxkit.program.walk import backward
from jaxkit.tracing import along, sharding_of, typeof

# They put each entry of an array in another place, if there are as many places, or give
# it another dtype.
MOVES = {
    *(p.transpose_p, p.reshape_p, p.squeeze_p, p.rev_p, p.broadcast_in_dim_p),
    p.convert_element_type_p,
}


class Place(NamedTuple):
    """Where in a weight the entries of a matrix are, whose product with x is y.

    In `x @ w.T` it is w.T whose gradient is x' g; what moved the entries of w to there,
    as linear code, is run backwards on that.

    Attributes:
        shape: the axes of its rows, and then those of its columns.
        axes: which of these each axis of the product's operand is.
        dtype: of the weight.
        precision: of the product.
        moves: what moved the weight's entries there, last to first.
    """

    shape: tuple[int, ...]
    axes: tuple[int, ...]
    dtype: Any
    precision: Any = None
    moves: tuple[Code, ...] = ()

    def __call__(self, matrix: jax.Array) -> jax.Array:
        placed = lax.transpose(matrix.reshape(self.shape), self.axes)
        for code in self.moves:
            (placed,) = LinearProgram(code, ()).transpose([placed])
        return placed

    def order(self, rows: int, columns: int) -> str:
        """How a weight lists the entries of a matrix of this shape.

        "rows", "columns", or "" if neither one after the other.
        """
        matrix = np.arange(rows * columns).reshape(rows, columns)
        with jax.ensure_compile_time_eval():
            listed = np.ravel(self(jnp.asarray(matrix)))
        for name, entries in ("rows", matrix), ("columns", matrix.T):
            if np.array_equal(listed, entries.ravel()):
                return name
        return ""

    def before(self, eqn: Equation) -> Place:
        """The same in the operand of an equation that moves entries."""
        x: Any = eqn.operands[0]
        if eqn.operator is p.convert_element_type_p:
            return self._replace(dtype=x.aval.dtype)
        recorder = Recorder([x.aval])
        moved = recorder.again(eqn, recorder.inputs)
        return self._replace(moves=(*self.moves, recorder.program(moved).code))


@jax.tree_util.register_pytree_node_class
class Product:
    """A cotangent that is ins' outs: the sum over t of ins[t, i] outs[t, o].

    Of a batch of them both have an axis more, the first.  They are of float32 at least,
    and so is what is computed of them, for where their product fits into a float16 its
    factors, or their squares, may not.
    """

    def __init__(self, ins: jax.Array, outs: jax.Array, place: Place, uses: int = 1):
        self.ins, self.outs, self.place = ins, outs, place
        self.uses = uses  # how many products of the program it is from

    def tree_flatten(self):
        return (self.ins, self.outs), (self.place, self.uses)

    @classmethod
    def tree_unflatten(cls, about, arrays):
        (ins, outs), (place, uses) = arrays, about
        return cls(ins, outs, place, uses)

    def wide(self) -> jax.Array:
        return self.place(crossed(self.ins, self.outs, self.place.precision))

    def dense(self) -> jax.Array:
        return self.wide().astype(self.place.dtype)

    def mean(self) -> jax.Array:
        """Of a batch the mean, by one product of matrices."""
        total = crossed(long(self.ins), long(self.outs), self.place.precision)
        return self.place(total / len(self.ins))

    def square(self) -> jax.Array:
        """The square of the norm: of rank one the product of two.

        Of several t the sum over pairs of t would do, but where terms cancel half of
        the digits would be lost.
        """
        if self.ins.shape[0] == 1:
            # XLA would sum within the products that they come from, which takes longer.
            ins, outs = lax.optimization_barrier((self.ins, self.outs))
            return square(ins) * square(outs)
        return square(self.wide())


def long(x: jax.Array) -> jax.Array:
    """The rows of all of a batch, one below the other."""
    return x.reshape(math.prod(x.shape[:-1]), x.shape[-1])


def crossed(x: jax.Array, y: jax.Array, precision: Any = None) -> jax.Array:
    """x' y, divided as the columns of x, and as those of y, are."""
    of_x, of_y = (sharding_of(typeof(z), [1, None]) for z in (x, y))
    if of_x and of_y:
        (i, _), (o, _) = of_x.spec, of_y.spec
        of_x = along(of_x, [i, None if o == i else o])
    return jnp.matmul(x.T, y, precision=precision, out_sharding=of_x)


def wide(x: Any) -> jax.Array:
    """A cotangent as an array, in float32 at least."""
    if isinstance(x, Product):
        return x.wide()
    return x.astype(jnp.promote_types(x.dtype, jnp.float32))


def dense(x: Any) -> Any:
    return x.dense() if isinstance(x, Product) else x


def mean(x: Any) -> Any:
    """The mean of a batch of cotangents, in float32 at least."""
    return x.mean() if isinstance(x, Product) else jnp.mean(wide(x), 0)


def square(x: Any) -> jax.Array:
    """The square of the Euclidean norm, in float32 at least."""
    return x.square() if isinstance(x, Product) else jnp.sum(jnp.square(wide(x)))


def norm(xs: Sequence[Any]) -> jax.Array:
    """The Euclidean norm of all together; its slope at 0 is 0."""
    total = jnp.asarray(sum(map(square, xs), 0.0))
    return jnp.where(total == 0, 0, jnp.sqrt(jnp.where(total == 0, 1, total)))


def entrywise(x: Any, y: Any) -> Any:
    """The products of their entries; of two of rank one they have rank one."""
    if isinstance(x, Product) and x.ins.shape[0] == 1:
        return Product(x.ins * y.ins, x.outs * y.outs, x.place, x.uses)
    return wide(x) * wide(y)


def factored(program: LinearProgram, cts: Sequence[Any]) -> list[Any]:
    """What `program.transpose(cts)` gives, with a `Product` where a weight was used
    in products of matrices alone, each time in the same place."""
    moved = weights(program.code)

    def do(eqn: Equation, arrived: Sequence[Any]) -> Sequence[Any]:
        ct = arrived[0]
        if isinstance(ct, Product):
            return [Product(ct.ins, ct.outs, ct.place.before(eqn), ct.uses)]
        side = factor(eqn, moved)
        if side is None:
            return program.pull(eqn, arrived)
        other = program.value(eqn.operands[1 - side])
        shares: list[Any] = [None, None]
        shares[side] = product(eqn, side, ct, other)
        return shares

    return backward(program.code, cts, do, _added)


@lru_cache(maxsize=256)
def weights(code: Code) -> frozenset[int]:
    """The variables that are an input, or its entries in other places."""
    found = {v.index for v in code.inputs}
    for eqn in code.equations:
        x: Any = eqn.operands[0] if eqn.operands else None
        if eqn.operator in MOVES and type(x) is Var and x.index in found:
            (y,) = eqn.outputs
            real = jnp.issubdtype(y.aval.dtype, jnp.floating)
            if real and y.aval.size == x.aval.size:
                found.add(y.index)
    return frozenset(found)


def factor(eqn: Equation, moved: frozenset[int]) -> int | None:
    """Which operand is a weight, if the equation is its product with a matrix."""
    if eqn.operator is not p.dot_general_p:
        return None
    _, batch = eqn.params["dimension_numbers"]
    if eqn.outputs[0].aval.dtype.kind == "c":
        return None
    for side in (0, 1):
        x, other = eqn.operands[side], eqn.operands[1 - side]
        beside = type(other) is Residual and not batch[0]
        if type(x) is Var and beside and x.index in moved:
            return side
    return None


def product(eqn: Equation, side: int, ct: jax.Array, other: jax.Array) -> Product:
    """The cotangent of the weight at this side of a product of matrices."""
    contracted, _ = eqn.params["dimension_numbers"]
    operand: Any = eqn.operands[side]
    weight = operand.aval
    rows, inner = contracted[side], contracted[1 - side]
    columns = [d for d in range(weight.ndim) if d not in rows]
    outer = [d for d in range(other.ndim) if d not in inner]
    if side == 0:  # axes of the result: of the left operand, then of the right one
        ct = jnp.moveaxis(ct, range(len(columns)), range(-len(columns), 0))
    sizes = [[weight.shape[d] for d in axes] for axes in (rows, columns)]
    count, high, across = (
        math.prod(other.shape[d] for d in outer),
        math.prod(sizes[0]),
        math.prod(sizes[1]),
    )
    ins = lax.transpose(other, (*outer, *inner)).reshape(count, high)
    axes = tuple(map(int, np.argsort([*rows, *columns])))
    place = Place((*sizes[0], *sizes[1]), axes, weight.dtype, eqn.params["precision"])
    outs = ct.reshape(count, across)
    dtype = jnp.promote_types(weight.dtype, jnp.float32)
    return Product(ins.astype(dtype), outs.astype(dtype), place)


def _added(x: Any, y: Any) -> Any:
    if isinstance(x, Product) and isinstance(y, Product) and x.place == y.place:
        ins, outs = map(jnp.concatenate, [(x.ins, y.ins), (x.outs, y.outs)])
        return Product(ins, outs, x.place, x.uses + y.uses)
    return added(dense(x), dense(y))
