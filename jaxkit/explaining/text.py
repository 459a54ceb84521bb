"""An explanation as text: a table of nodes, and what each mode takes."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterable, Sequence
from math import prod
from typing import Any

from jaxkit.explaining.fitting import aligned, fitted, width
from jaxkit.explaining.nodes import Arrival, Node, Step
from jaxkit.explaining.origins import Origin, first_nans
from jaxkit.explaining.values import (
    UNKNOWN,
    in_line,
    largest_difference,
    short,
    summary,
)

WHY_NOT = {
    "JAX": "it has no derivative of the function",
    "differences": "they are for real numbers, up to 64 of them",
}
INFIX = {
    "mul": "*", "add": "+", "add_any": "+", "sub": "-", "div": "/", "pow": "**",
    "rem": "%", "lt": "<", "le": "<=", "gt": ">", "ge": ">=", "eq": "==", "ne": "!=",
    "and": "&", "or": "|", "xor": "^",
}  # fmt: skip


def title(explanation, node: Node, name: Callable = repr) -> str:
    """What a node is: an input's name, or what it came from."""
    if node in explanation.inputs:
        return explanation.names[explanation.inputs.index(node)]
    variable, found = explanation.assigned.get(node), operation(node, name)
    return f"{variable} = {found}" if variable else found


def operation(node: Node, name: Callable = repr) -> str:
    """A constant, or an operation on other nodes, which have these names."""
    step = node.step
    if step is None:
        return node.kind
    names = list(map(name, step.operands))
    if step.name in INFIX and len(names) == 2:
        return f" {INFIX[step.name]} ".join(names)
    if is_matmul(step):
        return " @ ".join(names)
    if step.name == "neg":
        return f"-{names[0]}"
    if step.name == "integer_pow":
        return f"{names[0]} ** {step.params['y']}"
    if len(names) > 4:
        names = [*names[:3], "..."]
    text = f"{step.name}({', '.join(names)})"
    text += f"[{step.outputs.index(node)}]" if len(step.outputs) > 1 else ""
    return f"{text} x {step.times}" if step.times is not None else text


def is_matmul(step: Step) -> bool:
    """Whether a product of arrays is the one that Python writes as @."""
    if step.name != "dot_general":
        return False
    x, y = (node.aval.ndim for node in step.operands)
    contracting, batch = step.params["dimension_numbers"]
    matmul = ((x - 1,), (max(y - 2, 0),))
    return x <= 2 and y <= 2 and (contracting, batch) == (matmul, ((), ()))


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
    pushes, pulls = explanation.mode != "reverse", explanation.mode != "forward"
    directions, seeds = explanation.directions, explanation.seeds
    head = ["node", "op", "value", *directions * pushes, *seeds * pulls]
    table = [[*head, *["adjoint arrives from"] * pulls]]
    head = table[0]
    for group in groups(explanation):
        if len(group) > 1:
            name = f"{group[0]}..{group[-1]}"
            table.append([name, together(group), *[""] * (len(head) - 2)])
            continue
        (node,) = group
        row = [repr(node), title(explanation, node)]
        row.append(summary(node.value) if node.known else UNKNOWN)
        if pushes:
            row += columns(node, node.tangents, len(directions))
        if pulls:
            row += columns(node, node.adjoints, len(seeds))
            output = node in explanation.outputs
            row.append(arrivals(node, output, several) if node.adjoints else "")
        table.append(row)
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
        elif last.source.place != node.step.source.place:
            found.append([node])
        else:
            found[-1].append(node)
    return found


def together(group: list[Node]) -> str:
    """What several nodes are, shown as one."""
    step = group[0].step
    where = f"nodes, {step.source.place}" if step else "constants"
    return f"{len(group)} {where}"


def lines_of_user(explanation) -> list[list[str]]:
    """Of each of the user's lines: where it is, which nodes came from it, and it."""
    where: dict[tuple[str, str], list[Node]] = {}
    for step in explanation.steps:
        key = step.source.place, step.source.text
        where.setdefault(key, []).extend(step.outputs)
    return [[place, spans(nodes), line] for (place, line), nodes in where.items()]


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


def comparison(explanation) -> list[list[str]]:
    """The gradient, beside JAX's and that of central differences.

    Of arrays there is only the largest difference to these.
    """
    if explanation.mode == "forward" or not explanation.finished:
        return []
    numbers = all(x.is_number for x in explanation.inputs if x.moves)
    names = ("JAX", "differences")
    heads = [[x, "off by"] if numbers else [f"off {x} by"] for x in names]
    table = [["gradient", "", "jaxkit", *heads[0], *heads[1]]]
    for k, seed in enumerate(explanation.seeds):
        compared = explanation.compared[k]
        pairs = zip(explanation.names, explanation.inputs, strict=True)
        for i, (name, x) in enumerate(pairs):
            if x.moves and x.adjoints:
                row = [name, seed, summary(x.adjoints[k])]
                for found in compared:
                    other = found and found[i]
                    row += [summary(other)] * numbers
                    row.append(largest_difference(x.adjoints[k], other))
                table.append(row)
    return table if len(table) > 1 else []


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


def notes(explanation) -> list[str]:
    """What signs mean where it isn't plain, and where NaNs come from."""
    found = []
    moving = [x for x in explanation.inputs if x.moves]
    if explanation.mode != "reverse" and explanation.by_default:
        names = " ".join(explanation.directions)
        if explanation.directions == ["all=1"]:
            found.append("all=1: all entries of all inputs move by one")
        elif not all(x.is_number for x in moving):
            found.append(f"{names}: all entries of that input move by one")
    if explanation.mode != "forward":
        arrays = [y for y in explanation.outputs if y.moves and not y.is_number]
        if arrays and explanation.sums:
            names = " ".join(explanation.seeds)
            found.append(
                f"{names}: by the entries of each node, the derivative of the sum of "
                "the output's entries"
            )
        lost = [x for x in explanation.nodes if x.incomplete]
        if lost and explanation.finished:
            found.append(
                f"{UNKNOWN} as the adjoint of {spans(lost)}: a step that uses it has "
                "no derivative by it"
            )
    if not explanation.finished and any(UNKNOWN in x for x in rows(explanation)):
        found.append(f"{UNKNOWN}: not computed yet")
    if explanation.finished and explanation.mode != "forward":
        for i, (what, why) in enumerate(WHY_NOT.items()):
            if any(others[i] is None for others in explanation.compared):
                found.append(
                    f"{UNKNOWN} of {what}: {why}, or the function can't be run again"
                )
    return found + list(map(origin, first_nans(explanation)))


def origin(found: Origin) -> str:
    """A sentence: the first NaN, and of what it was made."""
    node, first = found.node, f"the first NaN in {found.column}: {found.node}"
    if found.arrivals:
        return f"{first}, of what comes from {' and '.join(map(sent, found.arrivals))}"
    if node.step is None:
        return f"{first}, where it goes in"
    made = ", ".join(f"{x} = {in_line(x.value)}" for x in node.step.operands)
    return f"{first} = {operation(node)}, {node.step.source.place}, of {made}"


def sent(arrival: Arrival) -> str:
    """The step that an adjoint comes from, and of what it is the product."""
    (y, *_), adjoint = arrival.step.outputs, arrival.cotangent
    partial = "" if arrival.partial is None else f" * {short(arrival.partial)}"
    made = f"{in_line(adjoint)}{partial}"
    return f"{y} = {operation(y)}, {arrival.step.source.place}: {made}"


def text(explanation) -> str:
    """The table, and below it lines, notes, boxes, gradients, passes, what is saved."""
    boxes, wide = explanation.boxes, width()
    parts = [
        fitted(rows(explanation), wide),
        aligned(lines_of_user(explanation), wide),
        "\n".join(wrapped(x, wide) for x in notes(explanation)),
        f"boxes that can be opened: {spans(boxes)}" if boxes else "",
        fitted(comparison(explanation), wide),
        "\n".join(wrapped(f(explanation), wide) for f in (passes, saved)),
    ]
    return "\n\n".join(filter(None, parts))


def wrapped(text: str, wide: int) -> str:
    return textwrap.fill(text, wide, subsequent_indent="  ")
