"""A call of a user's function, taken apart: what moves, other arrays, and the rest.

What is found once for arguments of given types (a pattern, an order of elimination) is
kept for calls like it, and a call's arrays alone go to what is compiled.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from types import EllipsisType
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.tree_util import tree_flatten, tree_unflatten

from jaxkit.arithmetic import linearize_flat
from jaxkit.border.arguments import select
from jaxkit.border.checks import check_forward_input, check_output, check_scalar
from jaxkit.border.flat import Flat, as_leaves, space_of
from jaxkit.border.messages import leaf_name
from jaxkit.gradients import LinearizedCall
from jaxkit.program import LinearProgram
from jaxkit.tangents import ones
from jaxkit.tracing import ShapedArray, is_traced, typeof

Arguments = int | Iterable[int] | EllipsisType  # which: the values of argnums


class Call:
    """A call of a user's function: what moves, what else is an array, and the rest.

    `arrays` are the leaves that are selected, and then the other arrays; what is left
    (numbers that Python may branch on, functions) tells one call from another.
    """

    def __init__(self, function: Function, args, kwargs):
        tree, _, named, _ = function.selection(args, kwargs)
        leaves, in_tree = tree_flatten(tree)
        if not any(isinstance(x, jax.ShapeDtypeStruct) for x in leaves):
            leaves, _ = as_leaves(function.name, tree, named)
        self.in_tree, self.named = in_tree, named
        for i, x in enumerate(leaves):
            check_forward_input(function.name, x, named, i, None)
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

    def name(self, i: int) -> str:
        """Of a leaf that is selected, for messages."""
        return leaf_name(self.named, i)

    def once(self, found: dict[Any, Any], make: Callable) -> Any:
        """What `make()` returns, kept in `found` for other calls like this one."""
        static = tuple([(type(x), x) for x in self.static])
        key = tuple(self.avals), self.tree, static
        try:
            hash(key)
        except TypeError:  # what has no hash may have changed by then
            return make()
        if key not in found:
            found[key] = make()
        return found[key]

    def given(self) -> list[Any]:
        """The arrays, none of which is a type alone."""
        for x in self.arrays:
            if isinstance(x, jax.ShapeDtypeStruct):
                raise TypeError(
                    f"{self.function.name}: an argument is {x}, a type without values; "
                    "pass an array"
                )
        return self.arrays

    def values(self) -> list[Any]:
        """The same, none of which is traced."""
        if any(map(is_traced, self.given())):
            raise TypeError(
                f"{self.function.name}: where='local' needs values, but an argument is "
                "traced (under jax.jit, vmap or a derivative); pass where='global'"
            )
        return self.arrays

    def flat(self, arrays) -> tuple[Flat, list[Any]]:
        """(the function of the leaves that are selected, these leaves)"""
        rest = iter(arrays[self.count :])
        everything = [
            next(rest) if there else x
            for x, there in zip(self.static, self.dynamic, strict=True)
        ]
        args, kwargs = tree_unflatten(self.tree, everything)
        call = self.function.selection(args, kwargs).call
        name, has_aux = self.function.name, self.function.has_aux
        flat = Flat(name, call, self.in_tree, has_aux)
        return flat, list(arrays[: self.count])

    def linearized(self, arrays) -> LinearizedCall:
        """The call with these arrays, linearized."""
        return self.linearized_at(arrays)[0]

    def linearized_at(self, arrays) -> tuple[LinearizedCall, list[Any]]:
        """The same, and the outputs."""
        flat, leaves = self.flat(arrays)
        outs, program, aux = linearize_flat(flat, leaves)
        for i, y in enumerate(outs):
            name = leaf_name([("the output", flat.result(outs))], i)
            check_output(self.function.name, y, name, None)
        domain, codomain = space_of(flat.in_tree, leaves), flat.out_space(outs)
        return LinearizedCall(flat, domain, codomain, program, aux), outs

    def program(self, arrays) -> tuple[LinearProgram, Any]:
        """(the linear program, aux)"""
        has_aux = self.function.has_aux
        if not self.function.of_gradient:
            flat, _, _, program, aux = self.linearized(arrays)
        else:
            flat, leaves = self.flat(arrays)
            gradient = _gradient(self.function.name, flat)
            _, program, aux = linearize_flat(gradient, leaves)
        return program, flat.aux(aux) if has_aux else None


_ARRAYS = (jax.Array, np.ndarray, np.generic, float, complex, jax.ShapeDtypeStruct)


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


class Function:
    """A user's function, and by which of its arguments it is differentiated."""

    def __init__(self, name, fun, argnums, argnames, has_aux, of_gradient=False):
        self.name, self.has_aux, self.of_gradient = name, has_aux, of_gradient
        self.selection = select(name, fun, argnums, argnames)

    def split(self, args, kwargs) -> Call:
        return Call(self, args, kwargs)
