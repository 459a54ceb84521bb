"""`explain`: an ordinary program, with value, tangent and adjoint on each node."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Sequence
from types import EllipsisType
from typing import Any

import jax.numpy as jnp
from jax.tree_util import tree_flatten, tree_leaves

from jaxkit.arithmetic import linearize_flat
from jaxkit.border.arguments import check_callable, select
from jaxkit.border.flat import Flat, as_leaves
from jaxkit.border.messages import leaf_name
from jaxkit.border.tracebacks import entry
from jaxkit.explaining.explanation import Explanation, fitted
from jaxkit.explaining.running import run
from jaxkit.explaining.stages import Stages, make
from jaxkit.tangents import filled, moves
from jaxkit.tracing import is_traced
from jaxkit.transforms import jvp, linearize

MODES = "forward", "reverse", "both"


@entry
def explain(
    fun: Callable,
    *,
    mode: str = "both",
    step: bool = False,
    order: int = 1,
    tangents: Any = None,
    cotangent: Any = None,
    argnums: int | Iterable[int] | EllipsisType = ...,
    argnames: str | Sequence[str] | None = None,
    fold: int = 60,
) -> Callable[..., Any]:
    """Show what differentiating a function at a point computes, node by node.

    The function is run once, as it is.  Each value that arises is a node, with its
    operation, value, tangent in each direction, and adjoint, and from which nodes the
    adjoint arrived with which local partial.

    Args:
        fun: function of pytrees of arrays to a pytree of arrays.
        mode: "forward" (values and tangents), "reverse" (values and adjoints), "both".
        step: walk one node at a time: the result is an iterator that yields the
            explanation (the same object each time) as far as it is computed.  What
            isn't yet prints as ·, never 0.
        order: 2 explains the gradient of `fun` (a scalar function) in place of `fun`.
        tangents: a direction, a tuple like the arguments that are explained; by default
            one for each leaf that moves, all of whose entries move by one; where more
            than three move, one in which all do.
        cotangent: of the output, a pytree like it; by default each leaf of the output
            has a column of adjoints, those of the sum of its entries.
        argnums, argnames: the arguments that are explained, as in `grad`; by default
            all that are given by position.  The others are constants.
        fold: in a larger graph than this, nodes of one line are shown together.

    Returns:
        a function of the arguments of `fun` that returns an `Explanation`: it prints as
        a table and, in a notebook, as a picture; see its methods `svg`, `mermaid`,
        `json`, and `open` for boxes.

    Raises:
        ValueError: there is no such mode or order.
        TypeError (when called): no argument is a float, they are traced, or `tangents`
            or `cotangent` are not like the arguments and the output.

    The function runs once. Printing shows JAX's gradient and central differences too,
    and for these it runs again: the differences in double precision, where code that
    asks for its dtype, or draws random numbers, is another function.

    Example:

        >>> print(explain(lambda x, y: x * x * y + (y + 2))(3.0, 4.0))  # doctest: +SKIP
    """
    check_callable("explain", fun, "explain(f)(x)")
    if mode not in MODES:
        raise ValueError(f"explain: mode={mode!r}; pass one of {', '.join(MODES)}")
    if order not in (1, 2):
        raise ValueError(f"explain: order={order!r}; pass 1, or 2 for the gradient")

    @entry
    def explained(*args, **kwargs):
        leaves, names, tree, call = point(
            "explain", fun, args, kwargs, argnums, argnames
        )
        flat = flattened("explain", call, tree)
        along, seed, results = None, None, None
        if tangents is not None:
            along = {"tangent": direction(leaves, tree, tangents)}
        if cotangent is not None:
            seed = {"adjoint": tree_leaves(cotangent)}
        if order == 2:
            flat = gradient_of(flat)
            pairs = zip(names, leaves, strict=True)
            results = [f"(df/d{name})" for name, x in pairs if moves(x.dtype)]
        explanation = Explanation(
            flat,
            leaves,
            names,
            mode,
            along,
            seed,
            fold,
            results=results,
            name=called(fun),
        )
        return explanation.walk() if step else explanation.complete()

    return explained


@entry
def stages(fun: Callable) -> Callable[..., Stages]:
    """Show a function at each stage of the kit: primal, tangents, linear, transpose.

    Args:
        fun: function of pytrees of arrays to a pytree of arrays.

    Returns:
        a function of the arguments of `fun` that returns `Stages`, four programs of
        which each line names the node of the primal program that it belongs to. Each
        prints, and can be called.

    Raises:
        TypeError (when called): no argument is a float, or they are traced.

    Example:

        >>> found = stages(lambda x, y: x * y)(3.0, 4.0)
        >>> found.transpose(1.0)
        (Array(4., dtype=float32, weak_type=True), Array(3., ...))
    """
    check_callable("stages", fun, "stages(f)(x)")

    @entry
    def staged(*args):
        leaves, names, tree, call = point("stages", fun, args)
        flat = flattened("stages", call, tree)
        nodes, outputs, steps = run(flat, leaves, constants=False)
        _, linear = linearize(fun, *args)
        runs = fun, lambda xs, vs: jvp(fun, xs, vs), linear, linear.T
        return make(steps, nodes[: len(names)], outputs, runs)

    return staged


def called(fun: Callable) -> str:
    name = getattr(fun, "__name__", "f")
    return "f" if name == "<lambda>" else name


def point(
    transform: str,
    fun: Callable,
    args: tuple,
    kwargs: dict[str, Any] | None = None,
    argnums: int | Iterable[int] | EllipsisType = ...,
    argnames: str | Sequence[str] | None = None,
) -> tuple[list[Any], list[str], Any, Callable]:
    """(leaves, their names, their tree, the function of it), of chosen arguments."""
    if argnums is ... and argnames is None:
        argnums = range(len(args))
    elif isinstance(argnums, int):
        argnums = (argnums,)
    argnames = (argnames,) if isinstance(argnames, str) else argnames
    if not args and argnames is None:
        raise TypeError(f"{transform}: there are no arguments; pass what to explain")
    chosen = select(transform, fun, argnums, argnames)(args, kwargs or {})
    given = argument_names(fun, args)
    named = [
        (given[key] if isinstance(key, int) else key.split("'")[1], x)
        for key, x in chosen.named
    ]
    leaves, space = as_leaves(transform, chosen.tree, named)
    names = [leaf_name(named, i) for i in range(len(leaves))]
    check_leaves(transform, leaves, names)
    return leaves, names, space.tree, chosen.call


def direction(leaves: list[Any], tree: Any, tangents: Any) -> list[Any]:
    """The leaves of a direction, which is a tuple like the arguments."""
    given = isinstance(tangents, list)
    found, structure = tree_flatten(tuple(tangents) if given else tangents)
    if structure != tree:
        raise TypeError(
            f"explain: tangents must be a tuple like the arguments, {tree}, but are "
            f"{structure}"
        )
    return [
        fitted("tangents", v, x) if moves(x.dtype) else None
        for v, x in zip(found, leaves, strict=True)
    ]


def argument_names(fun: Callable, args: tuple) -> list[str]:
    """What the function calls its positional arguments: x, y."""
    try:
        found = inspect.signature(fun).bind_partial(*args).arguments
    except (TypeError, ValueError):
        return [f"arg{i}" for i in range(len(args))]
    names: list[str] = []
    for name, value in found.items():
        kind = inspect.signature(fun).parameters[name].kind
        several = kind is inspect.Parameter.VAR_POSITIONAL
        names += [f"{name}[{i}]" for i in range(len(value))] if several else [name]
    return names


def check_leaves(transform: str, leaves: list[Any], names: list[str]) -> None:
    for name, x in zip(names, leaves, strict=True):
        if is_traced(x):
            raise TypeError(
                f"{transform}: {name} is traced, by a transform such as jax.jit or "
                "jax.vmap around this call; values are shown, so call it outside."
            )
    if not any(moves(x.dtype) for x in leaves):
        raise TypeError(
            f"{transform}: no argument is a float or complex array, so that nothing "
            "has a derivative; the first is "
            f"{leaves[0].dtype if leaves else 'missing'}, pass 3.0 for 3."
        )


def flattened(transform: str, fun: Callable, tree: Any) -> Callable:
    """A function of pytrees, as one of leaves to a list of leaves."""
    flat = Flat(transform, fun, tree, has_aux=False)

    def outputs(*leaves):
        outs, _ = flat(leaves)
        if not outs:
            raise TypeError(
                f"{transform}: the function returned {flat.out_space(outs)}, in which "
                "there is no array (is there a return in it?)."
            )
        return outs

    return outputs


def gradient_of(flat: Callable) -> Callable:
    """The gradient of a flat function whose output is a scalar, as a flat function."""

    def gradient(*values):
        moving = [moves(x.dtype) for x in values]
        outs, program, _ = linearize_flat(
            lambda values: (flat(*values), []), values, moving
        )
        if len(outs) != 1 or jnp.shape(outs[0]) != ():
            shapes = ", ".join(str(jnp.shape(y)) for y in outs)
            raise TypeError(
                f"explain: order=2 needs a function with a scalar output; the output "
                f"has shape {shapes}"
            )
        cts = program.transpose([jnp.ones((), jnp.result_type(outs[0]))])
        return filled(cts, program.code.cotangents)

    return gradient


__all__ = ["Explanation", "Stages", "explain", "stages"]
