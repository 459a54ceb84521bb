"""A graph as SVG: one file without scripts or links, for light and dark pages."""

from __future__ import annotations

from collections import defaultdict
from xml.sax.saxutils import escape

from jaxkit.drawing.graph import Box, Graph
from jaxkit.drawing.layout import WIDE, Layout, layout

LINE = 16.0  # the height of a line of text
CHARACTER = 7.3  # its width, of a monospaced font of 12 pixels
PAD = 9.0
LABEL = 6.7  # the width of a character of a label
STUB = 18.0  # how far an arrow goes straight down at its end, beside its label

# Colours that colour-blind readers tell apart (Okabe and Ito), light and dark.
STYLE = """
  svg { background: #ffffff; }
  text { font: 12px ui-monospace, Menlo, Consolas, monospace; fill: #1b1f24;
         white-space: pre; }
  .title { font-weight: 700; }
  .label { font-size: 11px; fill: #57606a; stroke: #ffffff; stroke-width: 4;
           paint-order: stroke; }
  .faint { opacity: 0.4; stroke-dasharray: 3 3; }
  rect { stroke-width: 1.5; fill: #f6f8fa; stroke: #57606a; }
  .input rect { fill: #e3f1fa; stroke: #0072b2; }
  .const rect { fill: #f6f8fa; stroke: #8c959f; stroke-dasharray: 4 3; }
  .output rect { fill: #fdf0df; stroke: #d55e00; }
  .current rect { stroke-width: 4; }
  path { fill: none; stroke: #6e7781; stroke-width: 1.4; }
  marker path { fill: #6e7781; stroke: none; }
  @media (prefers-color-scheme: dark) {
    svg { background: #0d1117; }
    text { fill: #e6edf3; }
    .label { fill: #9da7b3; stroke: #0d1117; }
    rect { fill: #161b22; stroke: #9da7b3; }
    .input rect { fill: #0b2942; stroke: #56b4e9; }
    .const rect { fill: #161b22; stroke: #6e7681; }
    .output rect { fill: #3b2300; stroke: #e69f00; }
    path { stroke: #9da7b3; }
    marker path { fill: #9da7b3; }
  }
"""


def svg(graph: Graph, title: str = "graph") -> str:
    """The picture as the text of an SVG file, at most 900 points wide."""
    found, arrows = placed(graph)
    width, height = found.width + 2 * PAD, found.height + 2 * PAD
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} '
        f'{height:.0f}" width="{width:.0f}" height="{height:.0f}" role="img">',
        f"<title>{escape(title)}</title>",
        f"<style>{STYLE}</style>",
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" '
        'markerHeight="7" orient="auto"><path d="M0 0 L8 4 L0 8 z"/></marker></defs>',
        f'<g transform="translate({PAD:.0f} {PAD:.0f})">',
    ]
    drawn = list(zip(graph.arrows, arrows, strict=True))
    for arrow, (path, _, _) in drawn:
        faint = ' class="faint"' if arrow.faint else ""
        parts.append(f'<path{faint} d="{path}" marker-end="url(#tip)"/>')
    for arrow, (_, x, y) in drawn:
        if arrow.label:
            parts.append(
                f'<text class="label" x="{x}" y="{y}">{escape(arrow.label)}</text>'
            )
    for box in graph.boxes:
        place = found.places[box.name]
        x, y = place.x - place.width / 2, place.y - place.height / 2
        marked = " current" * box.current + " faint" * box.faint
        parts.append(f'<g class="{box.kind}{marked}">')
        parts.append(
            f'<rect x="{x:.1f}" y="{y:.1f}" width="{place.width:.1f}" '
            f'height="{place.height:.1f}" rx="7"/>'
        )
        for i, text in enumerate(_lines(box)):
            role = ' class="title"' if i == 0 else ""
            parts.append(
                f'<text{role} x="{x + PAD:.1f}" y="{y + PAD + LINE * (i + 1) - 6:.1f}">'
                f"{escape(text)}</text>"
            )
        parts.append("</g>")
    return "\n".join([*parts, "</g>", "</svg>"]) + "\n"


def placed(graph: Graph) -> tuple[Layout, list[tuple[str, float, float]]]:
    """(places, of each arrow its path, and where its label begins)"""
    labels = [len(a.label) * LABEL for a in graph.arrows]
    room: dict[str, float] = defaultdict(float)
    for arrow, wide in zip(graph.arrows, labels, strict=True):
        room[arrow.end] += wide + 20
    found = layout(graph, {b.name: _size(b, room[b.name]) for b in graph.boxes}, labels)
    ends = (points[-1] for points in found.points)
    labels_at = [(round(x + 8, 1), round(y - 6, 1)) for x, y in ends]
    paths = map(_curve, found.points)
    return found, [(d, *at) for d, at in zip(paths, labels_at, strict=True)]


def _lines(box: Box) -> list[str]:
    """The lines of a box, cut where they are longer than a page is wide."""
    most = int((WIDE - 2 * PAD) / CHARACTER)
    lines = (box.title, *box.lines)
    return [x if len(x) <= most else f"{x[: most - 1]}…" for x in lines]


def _size(box: Box, room: float) -> tuple[float, float]:
    """Of a box: of its text, and with so much room for the arrows that come."""
    lines = _lines(box)
    wide = max(CHARACTER * max(map(len, lines)), room) + 2 * PAD
    return min(wide, WIDE), LINE * len(lines) + 2 * PAD - 4


def _curve(points: list[tuple[float, float]]) -> str:
    """A smooth line through the points, upright at each, and where a label stands."""
    (x, y), *rest = points
    text = f"M{x:.1f} {y:.1f}"
    for i, (a, b) in enumerate(rest):
        end = b - STUB if i == len(rest) - 1 else b
        middle = (y + end) / 2
        text += f" C{x:.1f} {middle:.1f} {a:.1f} {middle:.1f} {a:.1f} {end:.1f}"
        x, y = a, b
    return f"{text} V{y:.1f}"
