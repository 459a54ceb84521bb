"""`explain`: value, tangent and adjoint on each node of an ordinary program."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import jax.numpy as jnp

from jaxkit.drawing import Graph, mermaid, svg, write
from jaxkit.explaining import page, pictures, reference, text
from jaxkit.explaining.nodes import Arrival, Node, Step, added, code_of, gathered
from jaxkit.explaining.running import run
from jaxkit.explaining.source import Source
from jaxkit.explaining.source import names as assigned_names
from jaxkit.program import backward, forward
from jaxkit.tangents import ones


def fitted(what: str, x: Any, like: Any) -> Any:
    """A number or array given by the user, of the shape and dtype that it must have."""
    if jnp.shape(x) != like.shape:
        raise TypeError(
            f"explain: a leaf of {what} has shape {jnp.shape(x)}, not {like.shape}"
        )
    return jnp.asarray(x, like.dtype)


DIRECTIONS = 3  # of more inputs there is one direction


def assigned(steps: Sequence[Step]) -> dict[Node, str]:
    """The user's names of values: the variables that they are assigned to."""
    found = zip(steps, assigned_names(step.source for step in steps), strict=True)
    return {x.outputs[0]: name for x, name in found if name and len(x.outputs) == 1}


class Explanation:
    """One run of a function: its nodes, and what each mode computes at them.

    It prints as a table; in a notebook it shows the graph.

    Attributes:
        nodes: all of them, numbered: inputs, constants, operations.
        inputs: those of the arguments' leaves.
        outputs: those of the result's.
        directions: the names of the columns of tangents.
        seeds: the names of the columns of adjoints.
        current: the node at which a walk is.
    """

    def __init__(
        self,
        fun: Callable,
        inputs: Sequence[Any],
        names: Sequence[str],
        mode: str,
        tangents: dict[str, list[Any]] | None = None,
        cotangents: dict[str, list[Any]] | None = None,
        fold: int = 60,
        double: bool = True,
        results: Sequence[str] | None = None,
        name: str = "f",
        outer: Source | None = None,
    ):
        self.name = name  # of the function, or of the box that this is inside of
        self.nodes, self.outputs, self.steps = run(fun, list(inputs), outer=outer)
        self.code = code_of(self.nodes, self.outputs, self.steps)
        self.assigned = assigned(self.steps)
        self.leaves = [node for node in self.nodes if node.step is None]
        self.inputs = self.nodes[: len(inputs)]
        self.names, self.mode, self.fold, self.fun = list(names), mode, fold, fun
        self.double = double  # whether the function can be run in double precision
        self.by_default = tangents is None  # whether inputs move by one
        self.sums = cotangents is None  # whether it is the sum of outputs that is asked
        self.tangents = self._units() if tangents is None else tangents
        self.cotangents = self._seeds(results) if cotangents is None else cotangents
        self.cotangents = {k: self._checked(v) for k, v in self.cotangents.items()}
        self.current: Node | None = None
        self.finished = False
        self._page: str | None = None  # made once, since it opens all boxes

    # ------------------------------------------------------------------ what is asked

    def _units(self) -> dict[str, list[Any]]:
        """One direction for each input that moves: all of its entries, by one.

        Of more than three inputs all move at once, in one direction.
        """
        units = {x: ones(x.aval) for x in self.inputs if x.moves}
        if len(units) > DIRECTIONS:
            return {"all=1": [units.get(x) for x in self.inputs]}
        return {
            f"d{name}=1": [units[x] if y is x else None for y in self.inputs]
            for name, x in zip(self.names, self.inputs, strict=True)
            if x.moves
        }

    def _seeds(self, results: Sequence[str] | None) -> dict[str, list[Any]]:
        """One adjoint for each output that moves: that of the sum of its entries."""
        moving = [i for i, y in enumerate(self.outputs) if y.moves]
        names = ["f"] if len(moving) == 1 else [f"f{i}" for i in moving]
        names = names if results is None else [results[i] for i in moving]
        return {
            f"d{name}/dn": [
                ones(y.aval) if k == i else None for k, y in enumerate(self.outputs)
            ]
            for name, i in zip(names, moving, strict=True)
        }

    def _checked(self, cotangents: list[Any]) -> list[Any]:
        """One for each output, of its shape and dtype."""
        if len(cotangents) != len(self.outputs):
            raise TypeError(
                f"explain: cotangent must be like the output, which has "
                f"{len(self.outputs)} leaves, but has {len(cotangents)}"
            )
        return [
            None if ct is None else fitted("cotangent", ct, y.aval)
            for ct, y in zip(cotangents, self.outputs, strict=True)
        ]

    @property
    def directions(self) -> list[str]:
        return list(self.tangents)

    @property
    def seeds(self) -> list[str]:
        return list(self.cotangents)

    # ------------------------------------------------------------------- both modes

    def walk(self) -> Iterator[Explanation]:
        """Compute it all, one node at a time; yields itself after each of them.

        First forward: values, and tangents beside them.  Then backward: adjoints.
        """
        self.finished, self._page = False, None
        for node in self.nodes:
            node.forget()
        yield from self._forward()
        if self.mode != "forward":
            yield from self._backward()
        self.current, self.finished = None, True

    def complete(self) -> Explanation:
        """Walk to the end; returns itself."""
        for _ in self.walk():
            pass
        return self

    def _forward(self):
        """Reveal values, and tangents: those of a node are one for each direction."""
        moved = self._pushed() if self.mode != "reverse" else {}
        for node in self.nodes:
            node.known, self.current = True, node
            if node in moved and node.moves:
                node.tangents = [
                    node.zero() if dx is None else dx for dx in moved[node]
                ]
            yield self

    def _pushed(self) -> dict[Node, list[Any]]:
        """The tangents of all nodes, None for zero, by a walk forward."""
        moved = {node: [None] * len(self.tangents) for node in self.leaves}
        columns = zip(*self.tangents.values(), strict=True)
        moved |= dict(zip(self.inputs, map(list, columns), strict=False))

        def push(eqn, operands):
            step = eqn.operator
            columns = [step.push(column) for column in zip(*operands, strict=True)]
            return [list(column) for column in zip(*columns, strict=True)]

        def note(eqn, outs):
            moved.update(zip(eqn.operator.outputs, outs, strict=False))

        starts = [moved[node] for node in self.leaves]
        forward(self.code, starts, push, lambda x, eqn: None, observe=note)
        return moved

    def _backward(self):
        """Reveal adjoints, one for each seed, as they arrive in a walk backward.

        Before it is all there, an adjoint is the sum of what has arrived.
        """
        columns = list(self.cotangents.values())
        seeds = [gathered([x[i] for x in columns]) for i in range(len(self.outputs))]
        shares: dict[Step, list[Any]] = {}

        def pull(eqn, arrived):
            step, none = eqn.operator, [None] * len(self.cotangents)
            columns = zip(
                *(none if cts is None else cts for cts in arrived), strict=True
            )
            columns = [step.pull(column) for column in columns]
            shares[step] = list(map(gathered, zip(*columns, strict=True)))
            return shares[step]

        backward(self.code, seeds, pull, added)
        for node, seed in zip(self.outputs, seeds, strict=True):
            node.arrive(seed)
        for step in reversed(self.steps):
            for node in reversed(step.outputs):
                yield from self._complete(node)
            for i, node in enumerate(step.operands):
                node.incomplete |= node.moves and not step.moving[i]
                share = shares[step][i] if step in shares else None
                if share is not None:
                    node.arrivals.append(Arrival(step, share, step.partial(i)))
                    node.arrive(share)
        for node in reversed(self.leaves):
            yield from self._complete(node)

    def _complete(self, node):
        if node.incomplete:
            node.adjoints, node.arrivals = None, []
        elif node.moves:
            known = node.adjoints or [None] * len(self.cotangents)
            node.adjoints = [node.zero() if ct is None else ct for ct in known]
            self.current = node
            yield self

    # ------------------------------------------------------------------ to look into

    def __getitem__(self, number: int) -> Node:
        """The node of this number, from 1; ValueError if there is none."""
        if not 1 <= number <= len(self.nodes):
            raise ValueError(
                f"there is no node n{number}; there are n1 to n{len(self.nodes)}"
            )
        return self.nodes[number - 1]

    def open(self, number: int) -> Explanation:
        """What is inside a box: the explanation of the code that the node's step ran.

        Its tangents and adjoints are those at the box.  A loop opens into its steps,
        which are boxes again, a conditional into the branch that was taken; a function
        with a rule of its own (`custom_jvp`, `custom_vjp`) into itself, with the
        derivative that it would have without the rule.

        Raises:
            ValueError: the node is no box, but an input, or a single operation; or
                there is no such node, or the walk isn't at its end.
        """
        if not self.finished:
            raise ValueError("a box can be opened when the walk has come to its end")
        node = self[number]
        step = node.step
        if step is None or step.inside is None:
            raise ValueError(f"{node} is no box: there is nothing to open in it")
        tangents = {
            name: [x.tangents and x.tangents[k] for x in step.operands]
            for k, name in enumerate(self.tangents)
        }
        cotangents = {
            name: [y.adjoints and y.adjoints[k] for y in step.outputs]
            for k, name in enumerate(self.cotangents)
        }
        values = [x.value for x in step.operands]
        names = [f"{x} outside" for x in step.operands]
        inner = Explanation(
            step.inside,
            values,
            names,
            self.mode,
            tangents,
            cotangents,
            self.fold,
            double=False,  # what it holds was traced for these dtypes
            name=f"{node} {step.name}",
            outer=step.source.whole_line,
        )
        return inner.complete()

    @property
    def boxes(self) -> list[Node]:
        """The nodes that can be opened, the first output of each step."""
        return [step.outputs[0] for step in self.steps if step.inside and step.outputs]

    @cached_property
    def compared(self) -> list[tuple[list[Any] | None, list[Any] | None]]:
        """For each seed the gradients of JAX, and of central differences.

        They run the function again.
        """
        values = [x.value for x in self.inputs]
        return [
            (
                reference.of_jax(self.fun, values, cts),
                reference.by_differences(self.fun, values, cts, self.double),
            )
            for cts in self.cotangents.values()
        ]

    def gradient(self, seed: int = 0) -> list[Any]:
        """The adjoints of the inputs, None for those that don't move."""
        return [x.adjoints and x.adjoints[seed] for x in self.inputs]

    # ------------------------------------------------------------------ how it is shown

    def graph(self) -> Graph:
        """The graph to draw: nodes with what is known of them."""
        return pictures.graph(self)

    def svg(self) -> str:
        """A picture as the text of an SVG file."""
        return svg(self.graph(), "a program, its tangents and adjoints")

    def mermaid(self) -> str:
        """The graph in Mermaid's language."""
        return mermaid(self.graph())

    def html(self) -> str:
        """One page, without a network: step through it, look at nodes, open boxes.

        Raises:
            ValueError: the walk isn't at its end.
        """
        if self._page is None or not self.finished:
            self._page = page.page(self)
        return self._page

    def show(self) -> Any:
        """The page in a browser; in a notebook below the cell.

        Returns the file that the browser shows; nothing in a notebook.
        """
        return page.show(self)

    def json(self, entries: int = 10_000) -> str:
        """All nodes with all numbers, as JSON; of arrays with more entries the range.

        How many entries are left out is there, too.
        """
        return json.dumps(pictures.data(self, entries), indent=1)

    def save(self, path: str | Path) -> None:
        """Write a file, in the format that its name ends with.

        Raises:
            ValueError: it ends with none of .html, .svg, .mmd, .json, .txt.
        """
        formats = {".html": self.html, ".svg": self.svg}
        formats |= {".mmd": self.mermaid, ".json": self.json}
        write(path, formats | {".txt": self.__str__})

    def _repr_mimebundle_(self, include=None, exclude=None):
        shown = {"text/plain": str(self), "image/svg+xml": self.svg()}
        return shown | {"text/html": self._repr_html_()} if self.finished else shown

    def _repr_html_(self):
        return page.framed(self.html())

    def __str__(self):
        return text.text(self)

    __repr__ = __str__
