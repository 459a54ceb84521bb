"""The Gauss-Newton matrix of a loss, a mean over samples: its diagonal, its blocks.

With J the Jacobian of what the model returns, of one sample, and H the Hessian of the
loss there, it is the mean of J' H J.  A row of J is a gradient (`factors`), so that of
a weight in matrix products the entries needn't be made.

Source: N. N. Schraudolph, Fast curvature matrix-vector products for second-order
gradient descent (2002).
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Sequence
from functools import partial, wraps
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.tree_util import tree_unflatten

from jaxkit.border.tracebacks import entry
from jaxkit.calls import Arguments, Call
from jaxkit.curvature.factors import Product, crossed, entrywise, long, mean, wide
from jaxkit.curvature.samples import Samples, pullback
from jaxkit.operators import hessian_of
from jaxkit.passes import passes
from jaxkit.tracing import undivided


def gauss_newton_diagonal(
    model: Callable,
    loss: Callable,
    argnums: Arguments = ...,
    *,
    argnames: str | Sequence[str] | None = None,
    in_axes: Any = None,
) -> Callable:
    """The diagonal of the Gauss-Newton matrix of a mean of losses.

    Of each sample it makes the Hessian of the loss by the model's outputs, and a pass
    for each of these; all samples go together.

    Args:
        model: a function of parameters and of one sample to a pytree of real arrays.
        loss: a scalar function of what the model returns and of the sample's target.
        argnums, argnames: which of the model's arguments are parameters, as in `grad`.
        in_axes: the axes of the samples, as in `per_sample_grad`, with one more entry
            for the targets.

    Returns:
        a function of the model's arguments and, last, of the targets, of all samples at
        once.  It returns a pytree like the parameters.

    Raises (when called):
        TypeError: a parameter or an output of the model isn't real, the loss no real
            scalar, or there is no target.
        ValueError: samples and targets differ in number.

    Example:

        >>> model, loss = lambda w, x: w * x, lambda y, target: (y - target) ** 2
        >>> x = jnp.array([1.0, 3.0])
        >>> gauss_newton_diagonal(model, loss)(1.0, x, x)
        Array(10., dtype=float32, ...)
    """
    samples = targeted("gauss_newton_diagonal", model, argnums, argnames, in_axes)

    def one(call, args):
        found = []
        for row, weighted in zip(*jacobian_rows(call, loss, args[-1]), strict=True):
            entries = jax.vmap(entrywise)(row, weighted)
            is_product = isinstance(entries, Product)
            found.append(entries if is_product else jnp.sum(entries, 0))
        return found

    @partial(entry, like=model)
    def diagonal(*args, **kwargs):
        found = samples.each(one, args, kwargs)
        return samples.unflatten(map(mean, found), args, kwargs)

    return diagonal


def targeted(name, model, argnums, argnames, in_axes) -> Samples:
    """The model's samples; calls have one more argument, the targets."""

    @wraps(model)
    def of_sample(*args, **kwargs):
        if _takes(model, *args, **kwargs) and not _takes(model, *args[:-1], **kwargs):
            raise TypeError(
                f"{name}: the model takes all {len(args)} arguments, so that the "
                "targets are missing; pass them last"
            )
        return model(*args[:-1], **kwargs)

    return Samples(name, of_sample, argnums, argnames, in_axes, targets=True)


def _takes(function: Callable, *args, **kwargs) -> bool:
    try:
        inspect.signature(function).bind(*args, **kwargs)
    except TypeError:
        return False
    except ValueError:  # its signature isn't known
        pass
    return True


def jacobian_rows(call: Call, loss: Callable, target: Any) -> tuple[list, list]:
    """The rows of J, for each of the model's outputs one, and those of H J.

    They are batches of cotangents of each parameter, factored.
    """
    linearized, outs = call.linearized_at(call.arrays)
    at = linearized.flat.result(outs)
    if not _takes(loss, at, target):
        raise TypeError(
            f"{call.function.name}: the loss doesn't take two arguments; it is called "
            "with what the model returns and a target, loss(y, target)"
        )
    H = hessian_of(call.function.name, lambda y: loss(y, target))(at).matrix()
    found = passes(pullback(linearized), linearized.codomain.avals)
    return found, [_weighted(H, row) for row in found]


def _weighted(H: jax.Array, row: Any) -> Any:
    if isinstance(row, Product):
        return Product(row.ins, _weighted(H, row.outs), row.place, row.uses)
    row = wide(row)
    return jnp.tensordot(H.astype(row.dtype), row, 1)


class Kronecker(NamedTuple):
    """A block of a matrix as a Kronecker product, in the order of the weight's entries.

    They are of float32 at least.

    Attributes:
        left: of shape (a, a), where the weight has a times b entries.
        right: of shape (b, b).
    """

    left: jax.Array
    right: jax.Array

    def matrix(self) -> jax.Array:
        """The block, of shape (a b, a b)."""
        return jnp.kron(undivided(self.left), undivided(self.right))


def kronecker_factors(
    model: Callable,
    loss: Callable,
    argnums: Arguments = ...,
    *,
    argnames: str | Sequence[str] | None = None,
    in_axes: Any = None,
) -> Callable:
    """Of each parameter's Gauss-Newton block the two factors of K-FAC.

    Of a weight w in y = x w they are the means of x x' and of G' H G, with G the
    derivative of the model's outputs by y.  Their Kronecker product is the block, if
    there is one sample, and else stands for it.  Where in that product a weight meets
    several vectors of a sample (one for each place of a sequence), the first mean is
    over these too, the second is their sum ("expand").  A parameter that no matrix
    product uses, of one axis at most (a bias), has its whole block, beside a factor of
    1.

    Args:
        model, loss, argnums, argnames, in_axes: as in `gauss_newton_diagonal`.

    Returns:
        a function of the model's arguments and, last, of the targets; it returns a
        pytree like the parameters with a `Kronecker` for each leaf.

    Raises (when called):
        as `gauss_newton_diagonal`, and
        TypeError: a parameter of several axes is used otherwise than once, in a product
            of matrices, or the block has no Kronecker form in the order of its entries.

    Example:

        >>> model, loss = lambda w, x: x @ w, lambda y, target: jnp.sum((y - target)**2)
        >>> x, y = jnp.array([[1.0, 2.0]]), jnp.zeros((1, 1))
        >>> kronecker_factors(model, loss)(jnp.zeros((2, 1)), x, y).matrix()
        Array([[2., 4.],
               [4., 8.]], dtype=float32)

    Source: J. Martens, R. Grosse, Optimizing neural networks with Kronecker-factored
    approximate curvature (2015); R. Eschenhagen and others, Kronecker-factored
    approximate curvature for modern neural network architectures (2023).
    """
    samples = targeted("kronecker_factors", model, argnums, argnames, in_axes)

    def one(call, args):
        pairs = zip(*jacobian_rows(call, loss, args[-1]), strict=True)
        return [block(*pair, call.name(i)) for i, pair in enumerate(pairs)]

    @partial(entry, like=model)
    def kronecker(*args, **kwargs):
        found = jax.tree.map(mean, samples.each(one, args, kwargs))
        return tree_unflatten(samples.parameters(args, kwargs)[1], found)

    return kronecker


def block(row: Any, weighted: Any, name: str) -> Kronecker:
    """Of one sample, the factors of a parameter's block."""
    if isinstance(row, Product) and row.uses == 1:
        ins = jnp.sum(row.ins[:1], 0)  # the same for all rows, of which none may be
        left = crossed(ins, ins) / len(ins)
        right = crossed(long(row.outs), long(weighted.outs))
        order = row.place.order(ins.shape[1], row.outs.shape[2])
        if order:
            return Kronecker(*((left, right) if order == "rows" else (right, left)))
    elif not isinstance(row, Product) and row.ndim <= 2:
        size = math.prod(row.shape[1:])
        flat = [wide(x).reshape(len(x), size) for x in (row, weighted)]
        return Kronecker(jnp.ones((1, 1), flat[0].dtype), crossed(*flat))
    raise TypeError(
        f"kronecker_factors: {name} isn't used just once, as it is, as a matrix in a "
        "product of matrices (but twice, or in a convolution, a loop, a checkpoint, "
        "scaled, cut, entry by entry, or not at all), so that its block is no "
        "Kronecker product; don't select it, or take gauss_newton_diagonal"
    )
