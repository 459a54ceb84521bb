"""Where boxes and arrows go: a graph in columns, from left to right.

The steps are those of Sugiyama, Tagawa and Toda, "Methods for visual understanding of
hierarchical system structures" (1981): each box in the column after its last operand, a
bend of an arrow in each column that it passes, the order in a column by the mean place
of neighbours, and then heights that draw neighbours level.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise

from jaxkit.drawing.graph import Graph

SWEEPS = 12
GAP = 22.0  # between two boxes of a column
BEND = 10.0  # the height of an arrow that passes


@dataclass
class Place:
    """A box, or the bend of an arrow that passes a column."""

    name: str
    column: int
    height: float
    y: float = 0.0  # of its middle
    before: list[Place] = field(default_factory=list)
    after: list[Place] = field(default_factory=list)


def layout(
    graph: Graph, heights: dict[str, float]
) -> tuple[dict[str, Place], list[list[Place]]]:
    """(the place of each box, for each arrow the places that it goes through)"""
    columns: dict[str, int] = {}
    for box in graph.boxes:
        starts = [columns[a.start] for a in graph.arrows if a.end == box.name]
        columns[box.name] = max(starts, default=-1) + 1
    for box in reversed(graph.boxes):  # inputs stand by what uses them first
        ends = [columns[a.end] for a in graph.arrows if a.start == box.name]
        if ends and not any(a.end == box.name for a in graph.arrows):
            columns[box.name] = min(ends) - 1
    places = {
        box.name: Place(box.name, columns[box.name], heights[box.name])
        for box in graph.boxes
    }
    everything, paths = list(places.values()), []
    for arrow in graph.arrows:
        start, end = places[arrow.start], places[arrow.end]
        path = [start]
        for column in range(start.column + 1, end.column):
            path.append(Place("", column, BEND))
        path.append(end)
        everything += path[1:-1]
        for a, b in pairwise(path):
            a.after.append(b)
            b.before.append(a)
        paths.append(path)
    grid: list[list[Place]] = [[] for _ in range(max(columns.values(), default=-1) + 1)]
    for place in everything:
        grid[place.column].append(place)
    _order(grid)
    _level(grid)
    return places, paths


def _order(grid: list[list[Place]]) -> None:
    """Sort each column by the mean position of the neighbours on one side, in turn."""
    for sweep in range(SWEEPS):
        rank = {id(p): i for column in grid for i, p in enumerate(column)}
        forward = sweep % 2 == 0

        def mean(place, rank=rank, forward=forward):
            near = place.before if forward else place.after
            ranks = [rank[id(p)] for p in near]
            return sum(ranks) / len(ranks) if ranks else rank[id(place)]

        for column in grid if forward else reversed(grid):
            column.sort(key=mean)
            rank.update({id(p): i for i, p in enumerate(column)})


def _level(grid: list[list[Place]]) -> None:
    """Move places towards their neighbours, as far as those beside them allow."""
    for column in grid:
        y = 0.0
        for place in column:
            place.y = y + place.height / 2
            y += place.height + GAP
        for place in column:
            place.y -= y / 2
    for _ in range(4 * SWEEPS):
        for column in grid:
            for place in column:
                near = place.before + place.after
                if near:
                    place.y += 0.5 * (sum(p.y for p in near) / len(near) - place.y)
            _apart(column)


def _apart(column: list[Place]) -> None:
    """Push places apart that overlap, without changing their mean."""
    if not column:
        return
    middle = sum(p.y for p in column) / len(column)
    for a, b in pairwise(column):
        b.y = max(b.y, a.y + (a.height + b.height) / 2 + GAP)
    shift = sum(p.y for p in column) / len(column) - middle
    for place in column:
        place.y -= shift
