"""Which arguments a transform differentiates: `argnums` and `argnames`."""

from __future__ import annotations

import inspect
import operator
from collections.abc import Callable, Iterable, Sequence
from types import EllipsisType
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxkit.border.messages import describe


class Selection(NamedTuple):
    """The selected arguments of one call, and the function of them alone.

    `tree` holds them in the structure that results have: the argument itself for one
    position or name, a tuple for several positions, a dict for several names, and the
    pair of both where both are given.  `named` lists them as (position or name, value),
    `keys` are the positions and the names alone.
    """

    tree: Any
    call: Callable[[Any], Any]
    named: list[tuple[int | str, Any]]
    keys: list[int | str]


def check_callable(transform: str, fun: Any, usage: str) -> None:
    """Raise TypeError for what is not a function, such as the value `f(x)`."""
    if not callable(fun):
        raise TypeError(
            f"{transform}: the first argument must be a function, got {fun!r} of "
            f"{type(fun)}; pass f itself, as in {usage}, and not f(x)."
        )


def select(
    transform: str,
    fun: Callable,
    argnums: int | Iterable[int] | EllipsisType,
    argnames: str | Sequence[str] | None,
) -> Callable[[tuple, dict], Selection]:
    """The function (args, kwargs) -> Selection.

    `argnums` is `...` where it isn't given: position 0, if nothing is named.

    Raises TypeError where `argnums` are no ints or `argnames` no strings; on a call,
    TypeError (Jacobians: ValueError) for a missing argument, and ValueError for a
    negative one out of range.
    """
    check_callable(transform, fun, f"{transform}(f)(x)")
    if argnums is ...:
        argnums = 0 if argnames is None else ...
    positions = None if argnums is ... else _positions(transform, argnums)
    names = None if argnames is None else _names(transform, argnames)

    def selection(args: tuple, kwargs: dict) -> Selection:
        where = []
        if positions is not None:
            found = [_find(transform, i, args) for i in _as_tuple(positions)]
            where.append(found if isinstance(positions, tuple) else found[0])
        if names is not None:
            keys = {n: _find_name(transform, fun, n, args, kwargs)
                    for n in _as_tuple(names)}  # fmt: skip
            where.append(keys if isinstance(names, tuple) else keys[names])
        chosen = where[0] if len(where) == 1 else tuple(where)
        keys = [key for key, _ in _pairs(chosen, _map(lambda key: key, chosen))]
        if len(set(keys)) < len(keys):
            given = [f"argnums={argnums}"] if argnums is not ... else []
            given += [f"argnames={argnames!r}"] if argnames is not None else []
            raise TypeError(
                f"{transform}: {' and '.join(given)} select an argument twice; name "
                "each once."
            )

        def get(key):
            return args[key] if isinstance(key, int) else kwargs[key]

        def call(tree):
            new_args, new_kwargs = list(args), dict(kwargs)
            for key, value in _pairs(chosen, tree):
                (new_args if isinstance(key, int) else new_kwargs)[key] = value
            return fun(*new_args, **new_kwargs)

        tree = _map(get, chosen)
        named = [
            (key if isinstance(key, int) else f"argument {key!r}", value)
            for key, value in _pairs(chosen, tree)
        ]
        return Selection(tree, call, named, keys)

    return selection


def _map(get, where):
    if isinstance(where, dict):
        return {name: get(key) for name, key in where.items()}
    if isinstance(where, list | tuple):
        return tuple(_map(get, w) for w in where)
    return get(where)


def _pairs(where, tree):
    if isinstance(where, dict):
        return [(key, tree[name]) for name, key in sorted(where.items())]
    if isinstance(where, list | tuple):
        return [pair for w, t in zip(where, tree, strict=True) for pair in _pairs(w, t)]
    return [(where, tree)]


def _as_tuple(x) -> tuple:
    return x if isinstance(x, tuple) else (x,)


def _positions(transform, argnums):
    try:
        if isinstance(argnums, str):
            raise TypeError
        try:
            return operator.index(argnums)
        except TypeError:
            positions = tuple(map(operator.index, argnums))
    except TypeError:
        array = isinstance(argnums, np.ndarray | jax.Array)
        got = describe(argnums) if array else repr(argnums)
        raise TypeError(
            f"{transform}: argnums must be an int or a tuple of ints, got {got}; "
            "to select arguments by name pass argnames."
        ) from None
    if not positions:
        raise ValueError(f"{transform}: argnums is empty; name a position.")
    return positions


def _names(transform, argnames):
    names = [argnames] if isinstance(argnames, str) else argnames
    valid = isinstance(names, Sequence) and names
    if not valid or not all(isinstance(name, str) for name in names):
        raise TypeError(
            f"{transform}: argnames must be a string or a tuple of strings, got "
            f"{argnames!r}; to select arguments by position pass argnums."
        )
    if len(set(names)) < len(names):
        raise TypeError(
            f"{transform}: argnames={argnames!r} names an argument twice; name it once."
        )
    return argnames if isinstance(argnames, str) else tuple(names)


def _find(transform, i, args) -> int:
    if i >= len(args):
        # As in JAX: TypeError from gradients, ValueError from Jacobians.
        error = TypeError if "grad" in transform else ValueError
        raise error(
            f"{transform}: argnums={i} needs at least {i + 1} positional arguments, "
            f"but the call has {len(args)}; arguments passed by keyword are selected "
            "by argnames."
        )
    if i < -len(args):
        raise ValueError(
            f"{transform}: argnums={i} is out of range for a call with {len(args)} "
            f"positional arguments; the least is {-len(args)}."
        )
    return i % len(args)


def _find_name(transform, fun, name, args, kwargs) -> int | str:
    if name in kwargs:
        return name
    try:
        parameters = list(inspect.signature(fun).parameters)
    except (TypeError, ValueError):
        parameters = []
    if name in parameters[: len(args)]:
        return parameters.index(name)
    raise TypeError(
        f"{transform}: argnames names {name!r}, but the call passes no such argument; "
        f"it passes {len(args)} by position and {sorted(kwargs)} by keyword. An "
        "argument that is differentiated must be passed, also where it has a default."
    )
