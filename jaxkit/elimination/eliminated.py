"""`eliminated`: the Jacobian of code on scalars, by elimination on its graph."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from types import EllipsisType
from typing import Any

import jax
import numpy as np

from jaxkit.border.tracebacks import entry
from jaxkit.calls import Call, Function
from jaxkit.elimination.accumulation import Elimination
from jaxkit.elimination.graph import Graph, graph_of
from jaxkit.elimination.orders import RULES, best, ordered, search
from jaxkit.gradients import LinearizedCall
from jaxkit.jacobians import from_matrix, inlined
from jaxkit.program import LinearProgram, folded

ORDERS = "auto", *RULES, "search"


def eliminated(
    fun: Callable,
    argnums: int | Iterable[int] | EllipsisType = ...,
    has_aux: bool = False,
    *,
    argnames: str | Sequence[str] | None = None,
    order: str | Sequence[int] = "auto",
    tries: int = 20_000,
    seed: int = 0,
) -> Eliminated:
    """The Jacobian of code on scalars and small arrays, with few multiplications.

    The linear program of `fun` is taken for a graph: a vertex for each number, an edge
    for each local partial.  One inner vertex after the other is eliminated: each edge
    that leads to it is multiplied by each that leads away.  The edges that are left are
    the entries of the Jacobian.  Forward and reverse mode are two of the orders in
    which that can be done; others take fewer multiplications.

    Args:
        fun: a function of pytrees of real arrays to one.
        argnums, argnames, has_aux: as in `jacfwd`.
        order: "forward"; "reverse"; "markowitz": next the vertex with the fewest
            products; "fill": next that with the fewest new edges; "auto": whichever of
            these takes the fewest multiplications; "search": the best that is found
            from there; or the `order` of a plan, to use it again.
        tries: how many orders a search tries: of a hundred vertices some thousands a
            second.
        seed: of the search's random numbers: it finds the same for the same.

    Returns:
        A function of the same arguments that returns the Jacobian as `jacobian` does;
        with `has_aux`, (Jacobian, aux).  It works under `jax.jit` and `jax.vmap`, and
        can be differentiated.  The graph is made, and the order found, once for
        arguments of given shapes and dtypes.  Two more functions of these arguments are
        its attributes: `plan` returns the accumulated program, an `Elimination`, which
        can be printed, counted and run, and computes nothing; `partials` returns the
        list of what that runs on.

    Raises:
        ValueError: an order that there isn't; when called, an order of another graph,
            or a graph of more than 5000 edges.
        TypeError: when called: an argument selected, an output, or a number on the way
            isn't real; Python asks for a value.

    Example:

        >>> f = lambda x, y: jnp.sin(x * y) * x
        >>> jacobian = eliminated(f, (0, 1))
        >>> jacobian(2.0, 0.0)
        (Array(0., ...), Array(4., ...))
        >>> plan = jacobian.plan(2.0, 0.0)
        >>> plan.multiplications, plan.additions
        (3, 1)

    Source: A. Griewank, A. Walther, Evaluating Derivatives (2008), ch. 9 and 10.
    """
    if order not in ORDERS and (isinstance(order, str) or not np.iterable(order)):
        known = ", ".join(map(repr, ORDERS))
        raise ValueError(
            f"eliminated: order is {order!r}; pass one of {known}, or a plan's order"
        )
    if not isinstance(tries, int) or tries < 0:
        raise ValueError(f"eliminated: tries is {tries!r}; pass a number, from 0")
    function = Function("eliminated", fun, argnums, argnames, has_aux)
    return Eliminated(function, order, tries, seed)


class Eliminated:
    """A function that returns a Jacobian, by elimination: see `eliminated`."""

    def __init__(self, function: Function, order: Any, tries: int, seed: int):
        self._function, self._order = function, order
        self._tries, self._seed = tries, seed
        self._plans: dict[Any, tuple[Elimination, Callable, Callable]] = {}

    @entry
    def plan(self, *args, **kwargs) -> Elimination:
        """The program that accumulates the Jacobian, for arguments of these types."""
        return self._planned(self._function.split(args, kwargs))[0]

    @entry
    def partials(self, *args, **kwargs) -> list[jax.Array]:
        """The local partials c0, c1, ... at these arguments: what the plan runs on."""
        call = self._function.split(args, kwargs)
        return self._planned(call)[1](call.given())

    @entry
    def __call__(self, *args, **kwargs):
        call = self._function.split(args, kwargs)
        return self._planned(call)[2](call.given())

    def _planned(self, call: Call) -> tuple[Elimination, Callable, Callable]:
        def make() -> tuple[Elimination, Callable, Callable]:
            program = folded(lambda *xs: _linearized(call, xs)[1], call.avals)
            graph, partials = graph_of(self._function.name, program)
            plan = Elimination(graph, self._chosen(graph))

            def local(arrays) -> tuple[LinearizedCall, list[Any]]:
                linearized, again = _linearized(call, arrays)
                return linearized, partials(again.residuals)

            def jacobian(arrays):
                linearized, values = local(arrays)
                domain, codomain = linearized.domain, linearized.codomain
                return linearized.result(
                    from_matrix(plan.run(values), domain, codomain)
                )

            return plan, jax.jit(lambda arrays: local(arrays)[1]), jax.jit(jacobian)

        return call.once(self._plans, make)

    def _chosen(self, graph: Graph) -> Sequence[int]:
        order = self._order
        if not isinstance(order, str):
            if sorted(order) != graph.inner:
                raise ValueError(
                    "eliminated: the order isn't one of the inner vertices of this "
                    "graph; pass that of a plan for arguments of the same types"
                )
            return order
        if order == "search":
            return search(graph, self._tries, self._seed)
        return best(graph) if order == "auto" else ordered(graph, order)


def _linearized(call: Call, arrays) -> tuple[LinearizedCall, LinearProgram]:
    linearized = call.linearized(arrays)
    return linearized, inlined(linearized.program.prune()).prune()
