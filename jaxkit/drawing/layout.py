"""Where boxes and arrows go: a graph in rows, from top to bottom, as wide as a page.

The steps are those of Sugiyama, Tagawa and Toda, "Methods for visual understanding of
hierarchical system structures" (1981): each box in a row below its operands, a bend of
an arrow in each row that it passes, the order in a row by the mean place of neighbours,
and then places that draw neighbours above each other.  A row that would be wider than
the page goes on in the next one (Coffman and Graham, "Optimal scheduling for
two-processor systems", 1972, whose width is a number of boxes).
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from itertools import pairwise

from jaxkit.drawing.graph import Graph

WIDE = 880.0  # points: what a row takes at most, so that with margins it is 900
SWEEPS = 12
GAP = 22.0  # between two boxes of a row, or less where they would not fit
BEND = 8.0  # the width of an arrow that passes
ROW = 40.0  # between two rows, where arrows run
ARRIVAL = 14.0  # between two arrows that come to a box


@dataclass(eq=False)
class Place:
    """A box, or the bend of the arrows of one box that pass a row; x, y: its middle."""

    name: str
    row: int
    width: float
    height: float = 0.0
    x: float = 0.0
    y: float = 0.0
    before: list[Place] = field(default_factory=list)
    after: list[Place] = field(default_factory=list)


@dataclass
class Layout:
    """Places of boxes by name, of each arrow its points, and the size of it all."""

    places: dict[str, Place]
    points: list[list[tuple[float, float]]]
    width: float
    height: float


def layout(
    graph: Graph, sizes: dict[str, tuple[float, float]], labels: list[float]
) -> Layout:
    """Place boxes of these (widths, heights), arrows with labels of these widths."""
    into: dict[str, list[int]] = defaultdict(list)
    for i, arrow in enumerate(graph.arrows):
        into[arrow.end].append(i)
    rows = _rows(graph, {name: width for name, (width, _) in sizes.items()})
    places = {name: Place(name, rows[name], *sizes[name]) for name in rows}
    everything, paths = list(places.values()), []
    bends: dict[tuple[str, int], Place] = {}
    for arrow in graph.arrows:
        path = [places[arrow.start]]
        for row in range(rows[arrow.start] + 1, rows[arrow.end]):
            if (arrow.start, row) not in bends:
                bends[arrow.start, row] = Place("", row, BEND)
                everything.append(bends[arrow.start, row])
            path.append(bends[arrow.start, row])
        path.append(places[arrow.end])
        for a, b in pairwise(path):
            if b not in a.after:
                a.after.append(b)
                b.before.append(a)
        paths.append(path)
    grid: list[list[Place]] = [[] for _ in range(max(rows.values(), default=-1) + 1)]
    for place in everything:
        grid[place.row].append(place)
    _order(grid)
    _level(grid)
    height = _stack(grid)
    left = min((p.x - p.width / 2 for p in everything), default=0.0)
    for place in everything:
        place.x -= left
    width = max((p.x + p.width / 2 for p in everything), default=0.0)
    points = [_points(path) for path in paths]
    for arrivals in into.values():
        _spread(arrivals, points, labels)
    return Layout(places, points, width, height)


def _rows(graph: Graph, widths: dict[str, float]) -> dict[str, int]:
    """The row of each box: below its operands, and where there is room for it."""
    operands: dict[str, list[str]] = {box.name: [] for box in graph.boxes}
    users: dict[str, list[str]] = {box.name: [] for box in graph.boxes}
    for arrow in graph.arrows:
        operands[arrow.end].append(arrow.start)
        users[arrow.start].append(arrow.end)
    wish: dict[str, int] = {}
    for name in operands:  # each box comes after its operands
        wish[name] = 1 + max((wish[x] for x in operands[name]), default=-1)
    for name in reversed(operands):  # inputs stand above what uses them first
        if users[name] and not operands[name]:
            wish[name] = min(wish[x] for x in users[name]) - 1
    rows: dict[str, int] = {}
    used: dict[int, float] = defaultdict(float)
    for name in sorted(operands, key=wish.__getitem__):
        row = max([wish[name], *(rows[x] + 1 for x in operands[name])])
        while used[row] and used[row] + widths[name] > WIDE:
            row += 1
        rows[name] = row
        used[row] += widths[name] + GAP
    numbers = {row: i for i, row in enumerate(sorted(set(rows.values())))}
    return {name: numbers[rows[name]] for name in operands}


def _order(grid: list[list[Place]]) -> None:
    """Sort each row by the mean position of the neighbours on one side, in turn."""
    rank = {p: i for row in grid for i, p in enumerate(row)}

    def mean(place, near):
        ranks = [rank[p] for p in near]
        return sum(ranks) / len(ranks) if ranks else rank[place]

    for sweep in range(SWEEPS):
        down = sweep % 2 == 0
        for row in grid if down else reversed(grid):
            row.sort(key=lambda p: mean(p, p.before if down else p.after))
            rank.update({p: i for i, p in enumerate(row)})


def _level(grid: list[list[Place]]) -> None:
    """Move places towards their neighbours, as far as those beside them allow."""
    for row in grid:
        x = 0.0
        for place in row:
            place.x = x + place.width / 2
            x += place.width + GAP
        for place in row:
            place.x -= x / 2
        _apart(row)
    for _ in range(2 * SWEEPS):
        for row in grid:
            for place in row:
                near = place.before + place.after
                if near:
                    place.x += 0.5 * (sum(p.x for p in near) / len(near) - place.x)
            _apart(row)


def _apart(row: list[Place]) -> None:
    """Push places apart that overlap, and all onto the page, if they fit onto it."""
    free = WIDE - sum(p.width for p in row)
    gap = min(GAP, max(free / len(row), 4.0))
    middle = sum(p.x for p in row) / len(row)
    for a, b in pairwise(row):
        b.x = max(b.x, a.x + (a.width + b.width) / 2 + gap)
    shift = sum(p.x for p in row) / len(row) - middle
    for place in row:
        place.x -= shift
    row[-1].x = min(row[-1].x, WIDE / 2 - row[-1].width / 2)
    for b, a in pairwise(reversed(row)):
        a.x = min(a.x, b.x - (a.width + b.width) / 2 - gap)
    row[0].x = max(row[0].x, row[0].width / 2 - WIDE / 2)
    for a, b in pairwise(row):
        b.x = max(b.x, a.x + (a.width + b.width) / 2 + gap)


def _stack(grid: list[list[Place]]) -> float:
    """Set the heights of rows; returns that of all."""
    y = 0.0
    for row in grid:
        height = max(p.height for p in row)
        for place in row:
            place.y = y + height / 2
            place.height = place.height if place.name else height
        y += height + ROW
    return max(y - ROW, 0.0)


def _points(path: list[Place]) -> list[tuple[float, float]]:
    """Where an arrow goes: from the bottom of a box through bends to the top of one."""
    start, *bends, end = path
    found = [(start.x, start.y + start.height / 2)]
    for p in bends:  # straight past the boxes of the row
        found += [(p.x, p.y - p.height / 2), (p.x, p.y + p.height / 2)]
    return [*found, (end.x, end.y - end.height / 2)]


def _spread(arrivals: list[int], points, labels: list[float]) -> None:
    """Let the arrows that come to a box end beside each other, labels between them."""
    arrivals.sort(key=lambda i: points[i][-2][0])
    rooms = [labels[i] + ARRIVAL + 6 if labels[i] else ARRIVAL for i in arrivals]
    x = points[arrivals[0]][-1][0] - sum(rooms) / 2
    for i, room in zip(arrivals, rooms, strict=True):
        points[i][-1] = (x + ARRIVAL / 2, points[i][-1][1])
        x += room
