"""A graph in Mermaid's language, which code hosts and notebooks draw."""

from __future__ import annotations

from jaxkit.drawing.graph import Graph

SHAPES = {
    "input": ('(["', '"])'),
    "const": ('["', '"]'),
    "operation": ('("', '")'),
    "output": ('(["', '"])'),
}
SPECIAL = set('#&<>"`*_')


def mermaid(graph: Graph) -> str:
    """The text of a flowchart, left to right: one line for each box and each arrow."""
    lines = ["flowchart LR"]
    for box in graph.boxes:
        opening, closing = SHAPES[box.kind]
        text = "<br/>".join(map(escaped, [box.title, *box.lines]))
        lines.append(f"    {box.name}{opening}{text}{closing}")
    for arrow in graph.arrows:
        label = f'|"{escaped(arrow.label)}"|' if arrow.label else ""
        lines.append(f"    {arrow.start} -->{label} {arrow.end}")
    return "\n".join(lines) + "\n"


def escaped(text: str) -> str:
    """Text in which nothing is Mermaid's or HTML's."""
    for character in '#&<>"`*_':
        text = text.replace(
            character, f"#{ord(character)};" if character != "#" else "#35;"
        )
    return text
