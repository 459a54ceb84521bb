"""Reverse mode by a tape: write down what ran, then walk it backwards.

A function is run on `Node`s, which carry numbers and note each operation: that is the
tape, a list of nodes in which operands come before what uses them.  Walked from the
end, each node hands its adjoint, times a local partial, to its operands:

    adjoint of a  +=  adjoint of n  *  dn/da          for each operand a of n

A node used twice gets two contributions, and is visited once: when it is reached, all
that use it have been.

The same walk over the graph of `symbolic` gives graphs, if partials are taken of
expressions instead of numbers (`backpropagate`); those can be differentiated again.

Sources: Linnainmaa (1976); Griewank and Walther, Evaluating Derivatives (2008), 3.2.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from jaxkit.drawing import Arrow, Box, Graph
from jaxkit.study import symbolic
from jaxkit.study.operations import (
    OPERATIONS,
    Valued,
    levels,
    one_number,
    plain,
)


class Node(Valued):
    """A number on a tape: the operation it came from, its local partials, its adjoint.

    `adjoint` is None until the walk backwards has reached something that uses it.
    """

    def __init__(self, tape: Tape, operation: str, value, operands=(), partials=()):
        self.tape, self.operation, self.value = tape, operation, value
        self.operands, self.partials = tuple(operands), tuple(partials)
        self.adjoint: Any = None
        self.number = 0

    @classmethod
    def apply(cls, name, *operands):
        tapes = [x.tape for x in operands if isinstance(x, Node)]
        return max(tapes, key=lambda tape: tape.level).note(name, operands)

    @property
    def level(self) -> int:
        return self.tape.level

    def __repr__(self):
        return f"n{self.number}"


class Tape:
    """The tape of one run of `f(*values)`, numbered: inputs, constants, operations.

    Tapes nest, for higher derivatives: to the inner one, numbers of the outer are
    constants.

    Attributes:
        nodes: all of them, operands before what uses them.
        inputs: those of the values.
        output: that of the result.

    Example:

        >>> Tape(lambda x, y: x * x * y + (y + 2), [3, 4]).gradient()
        [24, 10]
    """

    def __init__(self, f: Callable, values: Sequence[Any]):
        self.level = next(levels)
        self.inputs = [Node(self, "input", x) for x in values]
        self.constants: list[Node] = []
        self.operations: list[Node] = []
        self.output = self.node(one_number(f(*self.inputs)))
        self.nodes = [*self.inputs, *self.constants, *self.operations]
        for number, node in enumerate(self.nodes, 1):
            node.number = number

    def node(self, x: Any) -> Node:
        """x as a node of this tape: any other number becomes a constant."""
        if isinstance(x, Node) and x.tape is self:
            return x
        self.constants.append(Node(self, "const", x))
        return self.constants[-1]

    def note(self, name: str, operands) -> Node:
        """Carry out an operation, and write it down with its local partials."""
        operands = [self.node(x) for x in operands]
        values = [x.value for x in operands]
        value, partials = OPERATIONS[name]
        fixed_power = name == "power" and operands[1].operation == "const"
        if fixed_power:  # by the exponent there is none at x < 0, and nobody asked
            partials = partials[0], lambda a, b: 0
        with np.errstate(divide="ignore", invalid="ignore"):
            local = [partial(*values) for partial in partials]
        self.operations.append(Node(self, name, value(*values), operands, local))
        return self.operations[-1]

    def backward(self, seed: Any = 1) -> Iterator[Node]:
        """Walk backwards, yielding each node when its adjoint is complete.

        Each walk starts anew, so that nothing adds up over two of them.
        """
        for node in self.nodes:
            node.adjoint = None
        self.output.adjoint = seed
        for node in reversed(self.nodes):
            if node.adjoint is None:  # the output doesn't depend on it
                node.adjoint = 0
            for operand, partial in zip(node.operands, node.partials, strict=True):
                operand.adjoint = plus(operand.adjoint, node.adjoint * partial)
            yield node

    def gradient(self, seed: Any = 1) -> list[Any]:
        """The adjoints of the inputs."""
        for _ in self.backward(seed):
            pass
        return [x.adjoint for x in self.inputs]

    def graph(self) -> Graph:
        """The tape as a graph to draw: values, and adjoints that are known."""
        boxes, arrows = [], []
        for node in self.nodes:
            adjoint = "·" if node.adjoint is None else plain(node.adjoint)
            lines = str(plain(node.value)), f"adjoint: {adjoint}"
            kind = {"input": "input", "const": "const"}.get(node.operation, "operation")
            kind = "output" if node is self.output else kind
            boxes.append(Box(repr(node), f"{node} {node.operation}", lines, kind))
            arrows += [Arrow(repr(x), repr(node)) for x in node.operands]
        return Graph(boxes, arrows)


def plus(seen: Any, share: Any) -> Any:
    return share if seen is None else seen + share


def backpropagate(
    expr: symbolic.Expr, variables: Sequence[symbolic.Var], graphs: bool = False
) -> list[Any]:
    """The derivatives of an expression by its variables, in one walk over its graph.

    Args:
        expr: an expression; its variables have values.
        variables: those whose derivatives are wanted.
        graphs: compute with expressions, not with their values; the derivatives are
            expressions then, and can be differentiated again.

    Example:

        >>> x, y = symbolic.Var("x", 3), symbolic.Var("y", 4)
        >>> backpropagate(x * x * y + (y + 2), [x, y])
        [24.0, 10.0]
    """
    nodes = symbolic.nodes(expr)
    here: dict[symbolic.Expr, Any] = {}
    for node in nodes:
        operands = [here[x] for x in node.operands]
        here[node] = node if graphs else node.value_from(*operands)
    adjoints: dict[symbolic.Expr, Any] = {expr: symbolic.Const(1) if graphs else 1.0}
    for node in reversed(nodes):
        if not node.operands:
            continue
        # Constants as numbers, so that a fixed exponent is seen to be fixed.
        operands = [
            x.value if isinstance(x, symbolic.Const) else here[x] for x in node.operands
        ]
        partials = OPERATIONS[node.operation].partials
        for operand, partial in zip(node.operands, partials, strict=True):
            if not isinstance(operand, symbolic.Const):
                share = adjoints[node] * partial(*operands)
                adjoints[operand] = plus(adjoints.get(operand), share)
    zero = symbolic.Const(0) if graphs else 0.0
    return [adjoints.get(v, zero) for v in variables]
