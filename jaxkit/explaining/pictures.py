"""An explanation as a graph to draw, and as data."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from jaxkit.drawing import Arrow, Box, Graph
from jaxkit.explaining import text
from jaxkit.explaining.nodes import Node
from jaxkit.explaining.values import UNKNOWN, as_numbers, in_line, short, summary

FULL = 4  # entries of an array that a box shows one by one


def graph(explanation, groups: list[list[Node]] | None = None) -> Graph:
    """Boxes for nodes, or for the nodes of a line; arrows from operands to results.

    A constant number stands where it is used.  The label of an arrow is the local
    partial, where both ends are numbers.  Branches that weren't taken are faint.
    """
    found = Graph()
    home: dict[int, str] = {}
    inline = {x for x in explanation.leaves if x.kind == "const" and x.is_number}
    inline -= set(explanation.outputs)
    groups = text.groups(explanation) if groups is None else groups
    groups = [[x for x in group if x not in inline] for group in groups]
    groups = [group for group in groups if group]
    for group in groups:
        name = repr(group[0])
        home |= {node.number: name for node in group}
        found.boxes.append(box(explanation, group))
    for node in explanation.nodes:
        if node.step is None or node is not node.step.outputs[0]:
            continue
        for i, operand in enumerate(node.step.operands):
            if operand in inline:
                continue
            start = home[operand.number]
            for end in dict.fromkeys(home[y.number] for y in node.step.outputs):
                arrow = Arrow(start, end, label(operand, node, i))
                if start != end:
                    found.arrows.append(arrow)
    if any(len(group) > 1 for group in groups):  # one arrow between folded boxes
        kept = dict.fromkeys(Arrow(a.start, a.end) for a in found.arrows)
        found.arrows = list(kept)
    else:
        add_branches(explanation, found, inline)
    return found


def add_branches(explanation, found: Graph, inline) -> None:
    """Those of conditionals that weren't taken."""
    for step in explanation.steps:
        for i in step.not_taken:
            name = f"{step.outputs[0]}_{i}"
            lines = f"of {step.outputs[0]}", "not taken"
            found.boxes.append(Box(name, f"branch {i}", lines, faint=True))
            found.arrows += [
                Arrow(repr(x), name, faint=True)
                for x in dict.fromkeys(step.operands)
                if x not in inline
            ]


def label(operand: Node, node: Node, i: int) -> str:
    """The partial of a node by its i-th operand, once it is known."""
    if not (operand.known and node.known) or operand.kind == "const":
        return ""
    partial = node.step.partial(i) if node.step else None
    return "" if partial is None else f"∂ {short(partial)}"


def shown(node: Node) -> str:
    """A node as an operand: its number, or a constant number itself."""
    number = node.kind == "const" and node.is_number
    return in_line(node.value) if number else repr(node)


def box(explanation, group: list[Node]) -> Box:
    node = group[0]
    if len(group) > 1:
        kind = "operation" if node.step else "const"
        return Box(repr(node), f"{node}..{group[-1]}", (text.together(group),), kind)
    named = node in explanation.inputs
    what = text.title(explanation, node, shown)
    lines = summary(node.value, FULL).splitlines() if node.known else [UNKNOWN]
    if node.moves:
        columns = [
            *zip(explanation.directions, node.tangents or [], strict=False),
            *zip(explanation.seeds, node.adjoints or [], strict=False),
        ]
        lines += [f"{name}: {in_line(x, FULL)}" for name, x in columns]
    output = node in explanation.outputs
    kind = "input" if named else "const" if node.step is None else "operation"
    current = explanation.current is node
    return Box(
        repr(node),
        f"{node}  {what}",
        tuple(lines),
        "output" if output else kind,
        current,
    )


def data(explanation, entries: int) -> dict[str, Any]:
    """All that is computed, as what JSON can hold: arrays as lists, · as null.

    Of an array with more entries than that there is the range alone, and `left_out`
    says how many there are, of all arrays together.
    """
    left_out = 0

    def plain(x):
        nonlocal left_out
        numbers = None if x is None else as_numbers(x)
        if numbers is None or numbers.size <= entries:
            return as_lists(x)
        left_out += numbers.size
        return outline(numbers)

    nodes = [row(explanation, node, plain) for node in explanation.nodes]
    names = zip(explanation.names, explanation.inputs, strict=True)
    return {
        "mode": explanation.mode,
        "directions": explanation.directions,
        "seeds": explanation.seeds,
        "inputs": {name: node.number for name, node in names},
        "outputs": [node.number for node in explanation.outputs],
        "left_out": left_out,
        "nodes": nodes,
    }


def row(explanation, node: Node, plain: Callable) -> dict[str, Any]:
    step = node.step
    return {
        "number": node.number,
        "kind": node.kind,
        "operation": step.name if step else None,
        "operands": [x.number for x in step.operands] if step else [],
        "line": str(step.source) if step else None,
        "code": step.source.text if step else None,
        "rule": str(node.rule) if node.rule else None,
        "dtype": str(node.aval.dtype),
        "shape": list(node.aval.shape),
        "value": plain(node.value) if node.known else None,
        "tangents": node.tangents and list(map(plain, node.tangents)),
        "adjoints": node.adjoints and list(map(plain, node.adjoints)),
        "arrivals": [
            {
                "from": arrival.step.outputs[0].number,
                "partial": plain(arrival.partial),
                "cotangents": list(map(plain, arrival.cotangents)),
            }
            for arrival in node.arrivals
        ],
    }


def outline(x: np.ndarray) -> dict[str, Any]:
    """An array without its entries."""
    found = {"left_out": x.size}
    if x.dtype.kind == "c":
        return found
    nans = int(np.isnan(x).sum()) if x.dtype.kind == "f" else 0
    if nans < x.size:
        found |= {"min": as_lists(np.nanmin(x)), "max": as_lists(np.nanmax(x))}
    return found | {"nan": nans}


def as_lists(x: Any) -> Any:
    """An array as numbers and lists; complex numbers as pairs, not-a-number as text."""
    if x is None:
        return None
    numbers = as_numbers(x)
    if numbers is None:  # a random key, for one
        return str(x)
    if numbers.dtype.kind == "c":
        return as_lists(np.stack([np.real(numbers), np.imag(numbers)], -1))
    if numbers.dtype in (np.float32, np.float16):  # 0.1, not 0.10000000149011612
        texts = map(str, numbers.flat)
        numbers = np.array(list(map(float, texts))).reshape(numbers.shape)
    return _finite(numbers.tolist())


def _finite(x: Any) -> Any:
    if isinstance(x, list):
        return list(map(_finite, x))
    return str(x) if isinstance(x, float) and not np.isfinite(x) else x
