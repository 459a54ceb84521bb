"""Of each sample its own gradient, and what there is to be had without it.

A loss is given for one sample; it is run for all of them by `jax.vmap`, linearized, and
its linear program walked back once (`factors`).  A weight's gradients, one for each
sample, are made only where they are asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.tree_util import tree_flatten, tree_leaves, tree_unflatten

from jaxkit.border.checks import check_scalar
from jaxkit.border.messages import describe
from jaxkit.border.tracebacks import entry
from jaxkit.calls import Arguments, Call, Function
from jaxkit.curvature.factors import (
    dense,
    entrywise,
    factored,
    mean,
    norm,
)
from jaxkit.gradients import LinearizedCall
from jaxkit.jacobians import inlined
from jaxkit.tangents import filled, ones


class Samples:
    """A function of one sample and of parameters, which are those selected.

    `targets` says that the last positional argument is there for a loss alone.
    """

    def __init__(self, name, fun, argnums, argnames, in_axes, targets=False):
        self.function = Function(name, fun, argnums, argnames, False)
        self.in_axes, self.targets = in_axes, targets

    def each(self, run: Callable[[Call, tuple], Any], args, kwargs) -> Any:
        """What `run` returns of a sample's call and its positional arguments, of all
        along the first axis."""
        axes = self._axes(args, kwargs)
        return jax.vmap(partial(self._one, run), in_axes=axes)(args, kwargs)

    def _one(self, run, args, kwargs):
        return run(self.function.split(args, kwargs), args)

    def unflatten(self, found: Iterable[Any], args, kwargs) -> Any:
        """A pytree like the parameters, of arrays of their dtypes."""
        leaves, tree = self.parameters(args, kwargs)
        pairs = zip(found, leaves, strict=True)
        return tree_unflatten(tree, [y.astype(jnp.result_type(x)) for y, x in pairs])

    def parameters(self, args, kwargs) -> tuple[list[Any], Any]:
        """Their leaves, and their tree."""
        return tree_flatten(self.function.selection(args, kwargs).tree)

    def _axes(self, args, kwargs):
        name, keys = self.function.name, self.function.selection(args, kwargs).keys
        axes: Any = self.in_axes
        if axes is None:
            axes = tuple([None if i in keys else 0 for i in range(len(args))])
        elif isinstance(axes, int):
            axes = tuple([None if i in keys else axes for i in range(len(args))])
        if not isinstance(axes, tuple | list) or len(axes) != len(args):
            raise TypeError(
                f"{name}: in_axes is {self.in_axes!r}; pass an int, or a tuple with an "
                f"entry for each of the {len(args)} positional arguments"
            )
        for i in keys:
            if isinstance(i, int) and tree_leaves(axes[i]):
                raise ValueError(
                    f"{name}: in_axes has {axes[i]!r} for argument {i}, by which the "
                    "gradients are, so that all samples share it; pass None there"
                )
        if self.targets and len(args) - 1 in keys:
            raise TypeError(
                f"{name}: the last argument, here argument {len(args) - 1}, are the "
                "targets, and none of the parameters; pass the model's arguments, and "
                "then the targets"
            )
        named = {key: None if key in keys else 0 for key in kwargs}
        if not tree_leaves((axes, named)):
            raise TypeError(
                f"{name}: no argument has an axis of samples; pass them beside the "
                "parameters, as in f(params, x, y), or name their axes by in_axes"
            )
        self._check_there(axes, keys, args, kwargs)
        return tuple(axes), named

    def _check_there(self, axes: Sequence[Any], keys, args, kwargs) -> None:
        """Raise ValueError if there is something without its axis of samples."""
        name = self.function.name
        for i, (x, axis) in enumerate(zip(args, axes, strict=True)):
            if not isinstance(axis, int):  # none, or one for each part, by `jax.vmap`
                continue
            if lacking := [y for y in tree_leaves(x) if jnp.ndim(y) <= axis]:
                raise ValueError(
                    f"{name}: argument {i} has {describe(lacking[0])}, without an axis "
                    f"{axis} of samples; if all share it, say so by None in in_axes"
                )
        for key, x in kwargs.items():
            lacking = [y for y in tree_leaves(x) if not jnp.ndim(y)]
            if key not in keys and lacking:
                raise ValueError(
                    f"{name}: '{key}' has {describe(lacking[0])}, without an axis of "
                    "samples; if all share it, bind it before by functools.partial"
                )


def gradient(call: Call) -> list[Any]:
    """The gradient of one sample's loss, by parameter, factored."""
    linearized, outs = call.linearized_at(call.arrays)
    check_scalar(call.function.name, linearized.flat, outs, False)
    return pullback(linearized)([ones(x) for x in linearized.codomain.avals])


def pullback(linearized: LinearizedCall) -> Callable[[Sequence[Any]], list[Any]]:
    """From cotangents of a sample's outputs to those of the parameters, factored."""
    program = inlined(linearized.program.prune())
    return lambda cts: filled(factored(program, cts), linearized.domain.avals)


def per_sample_grad(
    loss: Callable,
    argnums: Arguments = ...,
    *,
    argnames: str | Sequence[str] | None = None,
    in_axes: Any = None,
) -> Callable:
    """The gradient of each sample's loss, as `vmap` of `grad` gives it.

    Args:
        loss: a scalar function of parameters and of one sample.
        argnums, argnames: which arguments are parameters, as in `grad`; the others are
            samples.
        in_axes: the axes of the samples, as in `jax.vmap`, None for the parameters; by
            default the first axis of every argument that isn't selected.

    Returns:
        a function of the same arguments, of all samples at once.  It returns a pytree
        like the parameters, whose leaves have the samples' axis first.

    Raises (when called):
        TypeError: a parameter isn't real, the loss no real scalar, or nothing has an
            axis of samples.
        ValueError: these have different lengths, or a parameter has one.

    Example:

        >>> per_sample_grad(lambda w, x: (w * x) ** 2)(1.0, jnp.array([1.0, 2.0]))
        Array([2., 8.], dtype=float32)
    """
    samples = Samples("per_sample_grad", loss, argnums, argnames, in_axes)

    def one(call, _):
        return list(map(dense, gradient(call)))

    @partial(entry, like=loss)
    def gradients(*args, **kwargs):
        return samples.unflatten(samples.each(one, args, kwargs), args, kwargs)

    return gradients


def per_sample_norms(
    loss: Callable,
    argnums: Arguments = ...,
    *,
    argnames: str | Sequence[str] | None = None,
    in_axes: Any = None,
) -> Callable:
    """The Euclidean norm of each sample's gradient, over all parameters together.

    Where a sample uses a weight in one product with a vector, its gradient isn't made:
    the norm of x' g is that of x times that of g.  Of other parameters it is, so that
    memory is as of `vmap` of `grad`: biases, kernels of convolutions, a weight that
    several vectors of a sample meet, or that is scaled or cut before, and what a
    scan or a checkpoint uses.  Squares are taken in float32 at least, so that entries
    of 1e19 overflow, and those below 1e-22 count for nothing, as in `jnp.linalg.norm`.

    Args:
        loss, argnums, argnames, in_axes: as in `per_sample_grad`.

    Returns:
        a function of the same arguments that returns an array of shape (samples,).

    Raises (when called):
        as `per_sample_grad`.

    Example:

        >>> loss = lambda w, x: jnp.sum(jnp.tanh(x @ w))
        >>> per_sample_norms(loss)(jnp.zeros((2, 3)), jnp.array([[3.0, 4.0]]))
        Array([8.66...], dtype=float32)

    Source: I. Goodfellow, Efficient per-example gradient computations (2015).
    """
    samples = Samples("per_sample_norms", loss, argnums, argnames, in_axes)

    def one(call, _):
        return norm(gradient(call))

    @partial(entry, like=loss)
    def norms(*args, **kwargs):
        return samples.each(one, args, kwargs)

    return norms


class Moments(NamedTuple):
    """Of the samples' gradients the mean and the variance, entry by entry."""

    mean: Any
    variance: Any


def gradient_moments(
    loss: Callable,
    argnums: Arguments = ...,
    *,
    argnames: str | Sequence[str] | None = None,
    in_axes: Any = None,
) -> Callable:
    """The mean and the variance of the samples' gradients, entry by entry.

    The variance is the mean of the squares less the square of the mean, divided by the
    number of samples and not one less; where it is some 10^-7 of the mean's square (in
    float32), nothing of it is left.

    Args:
        loss, argnums, argnames, in_axes: as in `per_sample_grad`.

    Returns:
        a function of the same arguments that returns `Moments`, two pytrees like the
        parameters.

    Raises (when called):
        as `per_sample_grad`.

    Example:

        >>> gradient_moments(lambda w, x: w * x)(1.0, jnp.array([1.0, 2.0, 3.0]))
        Moments(mean=Array(2., ...), variance=Array(0.66..., ...))
    """
    samples = Samples("gradient_moments", loss, argnums, argnames, in_axes)

    @partial(entry, like=loss)
    def moments(*args, **kwargs):
        found, squares = samples.each(_with_squares, args, kwargs)
        means = list(map(mean, found))
        pairs = zip(map(mean, squares), means, strict=True)
        variances = [jnp.maximum(s - m**2, 0) for s, m in pairs]
        return Moments(
            *[samples.unflatten(x, args, kwargs) for x in (means, variances)]
        )

    return moments


def fisher_diagonal(
    loss: Callable,
    argnums: Arguments = ...,
    *,
    argnames: str | Sequence[str] | None = None,
    in_axes: Any = None,
) -> Callable:
    """The diagonal of the empirical Fisher matrix: the mean of squared gradients.

    With a loss that is the negative logarithm of the sample's likelihood, the
    expectation of this over the model's own distribution is the Fisher matrix; of a
    softmax or a Gaussian that is what `gauss_newton_diagonal` computes.

    Args:
        loss, argnums, argnames, in_axes: as in `per_sample_grad`.

    Returns:
        a function of the same arguments that returns a pytree like the parameters.

    Raises (when called):
        as `per_sample_grad`.

    Example:

        >>> fisher_diagonal(lambda w, x: w * x)(1.0, jnp.array([1.0, 3.0]))
        Array(5., dtype=float32, ...)

    Source: F. Kunstner, L. Balles, P. Hennig, Limitations of the empirical Fisher
    approximation (2019).
    """
    samples = Samples("fisher_diagonal", loss, argnums, argnames, in_axes)

    @partial(entry, like=loss)
    def diagonal(*args, **kwargs):
        _, squares = samples.each(_with_squares, args, kwargs)
        return samples.unflatten(map(mean, squares), args, kwargs)

    return diagonal


def _with_squares(call: Call, _) -> tuple[list[Any], list[Any]]:
    found = gradient(call)
    return found, [entrywise(x, x) for x in found]
