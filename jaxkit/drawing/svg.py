"""A graph as SVG: one file without scripts or links, for light and dark pages."""

from __future__ import annotations

from xml.sax.saxutils import escape

from jaxkit.drawing.graph import Box, Graph
from jaxkit.drawing.layout import Place, layout

LINE = 16.0  # the height of a line of text
CHARACTER = 7.3  # its width, of a monospaced font of 12 pixels
PAD = 9.0
COLUMN = 62.0  # between columns, where arrows run

# Colours that colour-blind readers tell apart (Okabe and Ito), light and dark.
STYLE = """
  svg { background: #ffffff; }
  text { font: 12px ui-monospace, Menlo, Consolas, monospace; fill: #1b1f24; }
  .title { font-weight: 700; }
  .label { font-size: 11px; fill: #57606a; stroke: #ffffff; stroke-width: 4;
           paint-order: stroke; }
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
    """The picture as the text of an SVG file."""
    widths = {box.name: _width(box) for box in graph.boxes}
    heights = {
        box.name: LINE * (1 + len(box.lines)) + 2 * PAD - 4 for box in graph.boxes
    }
    places, paths = layout(graph, heights)
    n = max((p.column for p in places.values()), default=-1) + 1
    wide = [0.0] * n
    for name, place in places.items():
        wide[place.column] = max(wide[place.column], widths[name])
    left = [PAD] * n
    for i in range(1, n):
        left[i] = left[i - 1] + wide[i - 1] + COLUMN
    every = [p for path in paths for p in path] + list(places.values())
    top = min((p.y - p.height / 2 for p in every), default=0) - PAD
    bottom = max((p.y + p.height / 2 for p in every), default=0) + PAD
    width = (left[-1] + wide[-1] if n else 0) + PAD

    def x_of(place: Place, end: bool) -> float:
        """Where an arrow leaves a place, or comes to it."""
        if not place.name:
            return left[place.column] + (wide[place.column] if not end else 0)
        start = left[place.column] + (wide[place.column] - widths[place.name]) / 2
        return start + (0 if end else widths[place.name])

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} '
        f'{bottom - top:.0f}" width="{width:.0f}" height="{bottom - top:.0f}" '
        f'role="img">',
        f"<title>{escape(title)}</title>",
        f"<style>{STYLE}</style>",
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" '
        'markerHeight="7" orient="auto"><path d="M0 0 L8 4 L0 8 z"/></marker></defs>',
    ]
    offsets = _offsets(paths)
    for arrow, path, (out, into) in zip(graph.arrows, paths, offsets, strict=True):
        points = []
        for i, place in enumerate(path):
            y = place.y - top + (out if i == 0 else into if i == len(path) - 1 else 0)
            if i:
                points.append((x_of(place, True), y))
            if i < len(path) - 1:
                points.append((x_of(place, False), y))
        parts.append(f'<path d="{_curve(points)}" marker-end="url(#tip)"/>')
        if arrow.label:
            x, y = points[-1]
            parts.append(
                f'<text class="label" x="{x - 12:.1f}" y="{y - 4:.1f}" '
                f'text-anchor="end">{escape(arrow.label)}</text>'
            )
    for box in graph.boxes:
        place = places[box.name]
        x, y = x_of(place, True), place.y - place.height / 2 - top
        marked = " current" if box.current else ""
        parts.append(f'<g class="{box.kind}{marked}">')
        parts.append(
            f'<rect x="{x:.1f}" y="{y:.1f}" width="{widths[box.name]:.1f}" '
            f'height="{place.height:.1f}" rx="7"/>'
        )
        for i, text in enumerate([box.title, *box.lines]):
            role = ' class="title"' if i == 0 else ""
            parts.append(
                f'<text{role} x="{x + PAD:.1f}" y="{y + PAD + LINE * (i + 1) - 6:.1f}">'
                f"{escape(text)}</text>"
            )
        parts.append("</g>")
    return "\n".join([*parts, "</svg>"]) + "\n"


def _width(box: Box) -> float:
    return CHARACTER * max(map(len, [box.title, *box.lines])) + 2 * PAD


def _offsets(paths: list[list[Place]]) -> list[tuple[float, float]]:
    """How far from the middle each arrow leaves and arrives, so that none coincide."""
    into: dict[int, list[int]] = {}
    for i, path in enumerate(paths):
        into.setdefault(id(path[-1]), []).append(i)
    offsets = [[0.0, 0.0] for _ in paths]
    for found in into.values():
        found.sort(key=lambda i: paths[i][-2].y)
        for k, i in enumerate(found):
            height = paths[i][-1].height
            offsets[i][1] = (k - (len(found) - 1) / 2) * min(14.0, height / len(found))
            if len(paths[i]) == 2 and any(
                j != i and paths[j][0] is paths[i][0] for j in found
            ):
                offsets[i][0] = offsets[i][1]
    return [(a, b) for a, b in offsets]


def _curve(points: list[tuple[float, float]]) -> str:
    """A smooth line through the points, level at each."""
    (x, y), *rest = points
    text = f"M{x:.1f} {y:.1f}"
    for a, b in rest:
        middle = (x + a) / 2
        text += f" C{middle:.1f} {y:.1f} {middle:.1f} {b:.1f} {a:.1f} {b:.1f}"
        x, y = a, b
    return text
