"""An explanation as text: a table of nodes, and what each mode takes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import prod
from typing import Any

import numpy as np

from jaxkit.explaining.nodes import Arrival, Node, Step
from jaxkit.tracing import typeof

UNKNOWN = "·"
INFIX = {"mul": "*", "add": "+", "add_any": "+", "sub": "-", "div": "/", "pow": "**"}


def number(x: Any) -> str:
    """A number in six digits, a float with its point: 42.0, 0.1, 1e-07, nan."""
    x = np.asarray(x)
    if x.dtype.kind in "biu":
        return str(x.item())
    if x.dtype.kind == "c":
        return f"{x.real:.6g}{x.imag:+.6g}j"
    text = f"{float(x):.6g}"
    return text if set(text) & set(".en") else text + ".0"


def summary(x: Any) -> str:
    """An array in a few words: type and shape, range, and how many are not a number."""
    if x is None:
        return UNKNOWN
    kind = getattr(getattr(x, "dtype", None), "kind", "")
    if not kind:  # a random key, for one
        return typeof(x).str_short(short_dtypes=True)
    if kind == "V":  # bfloat16 and the like
        return summary_of(np.asarray(x, np.float32), typeof(x))
    return summary_of(np.asarray(x), typeof(x))


def summary_of(x: np.ndarray, aval: Any) -> str:
    if x.shape == ():
        return number(x)
    head = aval.str_short(short_dtypes=True)
    if x.dtype.kind == "c" or x.size == 0:
        return head
    nans = int(np.isnan(x).sum()) if x.dtype.kind == "f" else 0
    text = head
    if nans < x.size:
        low, high = short(np.nanmin(x)), short(np.nanmax(x))
        text += f" {low}" if low == high else f" {low}..{high}"
    return f"{text}, {nans} NaN" if nans else text


def short(x: Any) -> str:
    return f"{float(x):.3g}" if np.asarray(x).dtype.kind != "c" else number(x)


def title(explanation, node: Node) -> str:
    """What a node is: an input's name, or what it came from."""
    if node in explanation.inputs:
        return explanation.names[explanation.inputs.index(node)]
    return operation(node)


def operation(node: Node) -> str:
    """A constant, or an operation on other nodes."""
    step = node.step
    if step is None:
        return node.kind
    names = list(map(repr, step.operands))
    if step.name in INFIX and len(names) == 2:
        return f" {INFIX[step.name]} ".join(names)
    if step.name == "neg":
        return f"-{names[0]}"
    if step.name == "integer_pow":
        return f"{names[0]} ** {step.params['y']}"
    if len(names) > 4:
        names = [*names[:3], "..."]
    text = f"{step.name}({', '.join(names)})"
    return f"{text}[{step.outputs.index(node)}]" if len(step.outputs) > 1 else text


def arrivals(node: Node, output: bool, several: bool) -> str:
    """From which nodes the adjoint arrived, as adjoint * local partial."""
    grouped: dict[str, list[Arrival]] = {}
    for arrival in node.arrivals:
        grouped.setdefault(repr(arrival.step.outputs[0]), []).append(arrival)
    parts = ["seed"] if output else []
    alone = len(node.arrivals) + output == 1
    for name, found in sorted(grouped.items(), key=lambda item: int(item[0][1:])):
        terms = [term(arrival, several) for arrival in found]
        if not any(terms) or (alone and found[0].is_one):
            parts.append(name)
        else:
            parts.append(f"{name}: {' + '.join(filter(None, terms))}")
    return ",  ".join(parts)


def term(arrival: Arrival, several: bool) -> str:
    """`adjoint*partial` of numbers; of arrays nothing, since they don't fit."""
    if arrival.partial is None:
        return ""
    partial = short(arrival.partial)
    if several:  # an adjoint for each output: only the partial is the same for all
        return f"*{partial}"
    adjoint = short(arrival.cotangent)
    return adjoint if arrival.is_one else f"{adjoint}*{partial}"


def rows(explanation) -> list[list[str]]:
    """The table's rows, as strings, its head first."""
    several = len(explanation.seeds) > 1
    head = [
        "node", "op", "value", *explanation.directions, *explanation.seeds,
        "adjoint arrives from",
    ]  # fmt: skip
    table = [head]
    for group in groups(explanation):
        if len(group) > 1:
            name = f"{group[0]}..{group[-1]}"
            table.append([name, together(group), *[""] * (len(head) - 2)])
            continue
        (node,) = group
        table.append(
            [
                repr(node),
                title(explanation, node),
                summary(node.value) if node.known else UNKNOWN,
                *columns(node, node.tangents, len(explanation.directions)),
                *columns(node, node.adjoints, len(explanation.seeds)),
                arrivals(node, node in explanation.outputs, several)
                if node.adjoints
                else "",
            ]
        )
    return table


def columns(node: Node, values: Sequence[Any] | None, n: int) -> list[str]:
    """A cell for each; nothing where there is no derivative, · where none is known."""
    if not node.moves:
        return [""] * n
    return [UNKNOWN] * n if values is None else list(map(summary, values))


def groups(explanation) -> list[list[Node]]:
    """The nodes one by one; in a large graph those of one line, and constants,
    together.
    """
    if len(explanation.nodes) <= explanation.fold:
        return [[node] for node in explanation.nodes]
    found: list[list[Node]] = []
    for node in explanation.nodes:
        last = found[-1][-1].step if found else None
        if node.kind == "const" and found[-1][-1].kind == "const":
            found[-1].append(node)
        elif last is None or node.step is None or node in explanation.outputs:
            found.append([node])
        elif place(last.line) != place(node.step.line):
            found.append([node])
        else:
            found[-1].append(node)
    return found


def together(group: list[Node]) -> str:
    """What several nodes are, shown as one."""
    step = group[0].step
    where = f"nodes, {place(step.line)}" if step else "constants"
    return f"{len(group)} {where}"


def place(line: str) -> str:
    """`file.py:12` of a user's line, without folders and columns."""
    path, *rest = line.split(" (")[0].split(":")
    return ":".join([path.replace("\\", "/").rsplit("/", 1)[-1], *rest[:1]])


def aligned(table: list[list[str]]) -> str:
    """A table as lines, numbers to the right."""
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    lines = []
    for row in table:
        cells = [
            cell.ljust(width) if i < 2 or i == len(row) - 1 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def lines_of_user(explanation) -> str:
    """Which nodes came from which of the user's lines."""
    where: dict[str, list[Node]] = {}
    for step in explanation.steps:
        where.setdefault(place(step.line), []).extend(step.outputs)
    return "\n".join(f"{line}: {spans(nodes)}" for line, nodes in where.items())


def spans(nodes: Iterable[Node], most: int = 12) -> str:
    """`n4..n7, n9` for nodes by their numbers; of many the first, and how many more."""
    found: list[list[int]] = []
    for i in sorted({node.number for node in nodes}):
        if found and found[-1][1] == i - 1:
            found[-1][1] = i
        else:
            found.append([i, i])
    parts = [f"n{i}" if i == j else f"n{i}..n{j}" for i, j in found]
    if len(parts) > most:
        more = sum(j - i + 1 for i, j in found[most:])
        parts = [*parts[:most], f"and {more} more"]
    return ", ".join(parts)


def comparison(explanation) -> str:
    """The gradient, beside JAX's and that of central differences."""
    if explanation.mode == "forward":
        return ""
    table = [["gradient", "", "jaxkit", "JAX", "central differences"]]
    for k, seed in enumerate(explanation.seeds):
        others = explanation.compared[k]
        pairs = zip(explanation.names, explanation.inputs, strict=True)
        for i, (name, x) in enumerate(pairs):
            if x.moves and x.adjoints:
                found = [x.adjoints[k], *(y[i] if y else None for y in others)]
                table.append([name, seed, *map(summary, found)])
    return aligned(table) if len(table) > 1 else ""


def passes(explanation) -> str:
    """One forward pass for each number that goes in, one backward for each out."""
    ins = sum(prod(x.aval.shape) for x in explanation.inputs if x.moves)
    outs = sum(prod(y.aval.shape) for y in explanation.outputs if y.moves)
    return (
        f"passes for all derivatives: forward mode {ins} (one for each number in), "
        f"reverse mode {outs} (one for each number out)"
    )


def saved(explanation) -> str:
    """What reverse mode keeps: values of nodes, and partials that steps computed."""
    kept: dict[int, tuple[Any, Node | None, Node]] = {}
    for step in explanation.steps:
        for array in step.residuals():
            kept[id(array)] = array, whose(array, step), step.outputs[0]
    values = [node for _, node, _ in kept.values() if node]
    partials = [output for _, node, output in kept.values() if not node]
    parts = [spans(values)] if values else []
    parts += [f"partials of {spans(partials)}"] if partials else []
    size = sum(array.nbytes for array, _, _ in kept.values())
    return f"saved for reverse mode: {' and '.join(parts) or 'nothing'} ({size} bytes)"


def whose(array: Any, step: Step) -> Node | None:
    """The node of a step whose value an array is."""
    return next((x for x in step.nodes if x.value is array), None)


def text(explanation) -> str:
    """The table, and below it lines, boxes, gradients, passes, and what is saved."""
    boxes = explanation.boxes
    parts = [
        aligned(rows(explanation)),
        lines_of_user(explanation),
        f"boxes that can be opened: {spans(boxes)}" if boxes else "",
        comparison(explanation) if explanation.finished else "",
        f"{passes(explanation)}\n{saved(explanation)}",
    ]
    return "\n\n".join(filter(None, parts))
