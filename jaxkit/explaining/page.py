"""An explanation as one page that can be played: no network, nothing to install.

What it shows is computed here: nodes and arrows with their places (`drawing.layout`),
and what is inside boxes, as far as there is room.  The script in `web/` reveals it step
by step, and draws.
"""

from __future__ import annotations

import html
import json
import tempfile
import webbrowser
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from jaxkit.drawing import displayed
from jaxkit.drawing.svg import placed
from jaxkit.explaining import pictures, text
from jaxkit.explaining.nodes import Node
from jaxkit.explaining.origins import first_nans, has_nan
from jaxkit.explaining.values import as_numbers, in_line, summary

MOST = 2_500_000  # bytes of what a page shows
INSIDE = 800  # nodes of all boxes that are opened
ENTRIES = 1024, 256, 64, 16  # of an array; the first with which a page isn't too large
IMAGE = 32  # rows and columns at most of the picture of a larger array


def page(explanation) -> str:
    """The page's HTML.

    Raises:
        ValueError: the walk isn't at its end.
    """
    if not explanation.finished:
        raise ValueError("a page can be made when the walk has come to its end")
    graphs, shown = opened(explanation), ""
    for entries in ENTRIES:
        shown = packed(explanation, graphs, entries)
        if len(shown) < MOST:
            break
    while len(shown) >= MOST and len(graphs) > 1:  # the last are the innermost boxes
        graphs = graphs[: len(graphs) // 2]
        shown = packed(explanation, graphs, ENTRIES[-1])
    web = files("jaxkit.explaining") / "web"
    found = (web / "page.html").read_text(encoding="utf-8")
    for name, what in {
        "css": (web / "page.css").read_text(encoding="utf-8"),
        "js": (web / "page.js").read_text(encoding="utf-8"),
        "data": shown.replace("<", "\\u003c"),
    }.items():
        found = found.replace(f"/*{name}*/", what)
    return found


def framed(page: str, height: int = 640) -> str:
    """The page inside another one, as in a notebook."""
    return (
        f'<iframe srcdoc="{html.escape(page)}" title="an explained program" '
        f'style="width:100%;height:{height}px;border:1px solid #8c959f"></iframe>'
    )


def show(explanation) -> Path | None:
    """In a notebook below the cell, else in a browser; returns the browser's file."""
    if displayed(explanation):
        return None
    with tempfile.NamedTemporaryFile(
        "w", suffix=".html", prefix="jaxkit-", delete=False, encoding="utf-8"
    ) as file:
        file.write(explanation.html())
    webbrowser.open(Path(file.name).as_uri())
    return Path(file.name)


class Inside(NamedTuple):
    """A graph of the page: the whole program, or what is inside one of its boxes.

    Attributes:
        parent: the number of the graph that it is inside of; None of the program.
        node: the number of the box there.
        drawn: its boxes and arrows, and where these are; of any number of entries.
    """

    explanation: Any
    parent: int | None
    node: int | None
    drawn: tuple[Any, Any, Any]


def opened(explanation) -> list[Inside]:
    """First the boxes of the program, then those inside them, while there is room."""
    found = [Inside(explanation, None, None, drawn(explanation))]
    room = INSIDE
    for i, outer in enumerate(found):  # which grows meanwhile
        for node in outer.explanation.boxes:
            if least(node.step) <= room:
                inner = outer.explanation.open(node.number)
                room -= len(inner.nodes)
                found.append(Inside(inner, i, node.number, drawn(inner)))
    return found


def least(step) -> int:
    """How many nodes a box has at least, so that a long loop isn't opened in vain."""
    return (step.times or 1) * (1 + len(step.outputs))


def drawn(explanation) -> tuple[Any, Any, Any]:
    """(boxes and arrows, the places of the boxes, the arrows' ways)."""
    found = pictures.graph(explanation, [[node] for node in explanation.nodes])
    return found, *placed(found)


def packed(explanation, graphs: list[Inside], entries: int) -> str:
    return json.dumps(data(explanation, graphs, entries), separators=(",", ":"))


def data(explanation, graphs: list[Inside], entries: int) -> dict[str, Any]:
    inside = {(x.parent, x.node): i for i, x in enumerate(graphs) if i}
    return {
        "directions": explanation.directions * (explanation.mode != "reverse"),
        "seeds": explanation.seeds * (explanation.mode != "forward"),
        "notes": text.notes(explanation),
        "comparison": text.comparison(explanation),
        "graphs": [
            graph(each, entries, lambda n, i=i: inside.get((i, n)))
            for i, each in enumerate(graphs)
        ],
    }


def graph(each: Inside, entries: int, inside: Callable) -> dict:
    """A graph as what JSON can hold; `inside(n)` is the number of what is in node n."""
    explanation, (drawn, layout, arrows) = each.explanation, each.drawn
    places = {
        name: {
            "x": round(p.x - p.width / 2, 1), "y": round(p.y - p.height / 2, 1),
            "w": round(p.width, 1), "h": round(p.height, 1),
        }
        for name, p in layout.places.items()
    }  # fmt: skip
    boxes = {box.name: box for box in drawn.boxes}
    reasons = {x.node: text.origin(x) for x in first_nans(explanation)}
    nodes = []
    for node in explanation.nodes:
        found = row(explanation, node, entries) | places.get(repr(node), {})
        found["title"] = f"{node}  {text.title(explanation, node, pictures.shown)}"
        found["inside"] = inside(node.number)
        found["closed"] = node in explanation.boxes and found["inside"] is None
        found["reason"] = reasons.get(node, "")
        nodes.append(found)
    ghosts = [
        {"title": b.title, "lines": b.lines, "kind": b.kind, "ghost": True}
        | places[name]
        for name, b in boxes.items()
        if b.faint
    ]
    return {
        "name": explanation.name, "parent": each.parent, "node": each.node,
        "nodes": nodes,
        "ghosts": ghosts, "width": layout.width, "height": layout.height,
        "arrows": [
            {
                "start": end_of(a.start), "end": end_of(a.end), "d": d, "x": x, "y": y,
                "label": a.label, "faint": a.faint,
            }
            for a, (d, x, y) in zip(drawn.arrows, arrows, strict=True)
        ],
    }  # fmt: skip


def end_of(name: str) -> int:
    """The number of a node by its box's name."""
    return int(name[1:].partition("_")[0])


def row(explanation, node: Node, entries: int) -> dict[str, Any]:
    """What the page knows of a node."""

    def plain(x):
        return entries_of(x, entries)

    seeds = [
        column[i]
        for column in explanation.cotangents.values()
        for i, y in enumerate(explanation.outputs)
        if y is node
    ]
    found = pictures.row(explanation, node, plain)
    found["line"] = node.step and node.step.source.near  # a page may be passed on
    found["moves"] = node.moves
    found["seeds"] = list(map(plain, seeds)) if any(x is not None for x in seeds) else 0
    found["nan"] = any(
        map(has_nan, [node.value, *(node.tangents or []), *(node.adjoints or [])])
    )
    kind = "input" if node in explanation.inputs else node.kind
    found["kind"] = "output" if node in explanation.outputs else kind
    found["texts"] = {
        "value": summary(node.value, pictures.FULL).splitlines(),
        "tangents": node.tangents
        and [in_line(x, pictures.FULL) for x in node.tangents],
        "adjoints": node.adjoints
        and [in_line(x, pictures.FULL) for x in node.adjoints],
    }
    for arrival in found["arrivals"]:  # only numbers are summed up in the page
        numbers = (x if isinstance(x, float) else None for x in arrival["cotangents"])
        arrival["cotangents"] = list(numbers)
    return found


def entries_of(x: Any, entries: int) -> Any:
    """An array as lists; of one with more entries its range and a picture."""
    numbers = None if x is None else as_numbers(x)
    if numbers is None or numbers.size <= entries:
        return pictures.as_lists(x)
    found = pictures.outline(numbers)
    if numbers.dtype.kind != "c":
        found["image"] = pictures.as_lists(image(numbers))
    return found


def image(x: np.ndarray) -> np.ndarray:
    """The means of an array over a grid: its last axis goes right, the others down."""
    x = np.asarray(x, float).reshape(-1, x.shape[-1])
    for axis in 0, 1:
        n = x.shape[axis]
        if n > IMAGE:
            parts = np.array_split(x, IMAGE, axis)
            x = np.stack([part.mean(axis) for part in parts], axis)
    return np.vectorize(lambda x: float(f"{x:.3g}"))(x)
