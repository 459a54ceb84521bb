"""Tables of text that fit into the terminal."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Sequence
from itertools import zip_longest

NOWHERE = 100  # columns, where nobody says how many there are
NARROW = 24  # a last column of words isn't made narrower than this
GAP = 2

Table = Sequence[Sequence[str]]  # cells, which may have several lines


def width() -> int:
    """The columns of the terminal, or what the environment's COLUMNS says."""
    return shutil.get_terminal_size((NOWHERE, 24)).columns


def fitted(table: Table, wide: int) -> str:
    """A table with a head: words in its first two columns and the last, else numbers.

    If it is too wide, the words of the last column go on in the next line; if it still
    is, columns follow below, with the first one beside them again.
    """
    if not table:
        return ""
    widths = _widths(table)
    widths[-1] = min(widths[-1], NARROW)
    blocks: list[list[int]] = [[]]
    for i, size in enumerate(widths):
        taken = sum(widths[j] + GAP for j in blocks[-1])
        if taken + size > wide and i > 1:
            blocks.append([0])
        blocks[-1].append(i)
    parts = []
    for block in blocks:
        part = [[row[i] for i in block] for row in table]
        ends = block[-1] == len(widths) - 1
        if ends:
            left = wide - sum(widths[j] + GAP for j in block[:-1])
            part = [[*row, _wrapped(last, max(left, NARROW))] for *row, last in part]
        numbers = range(2 if 1 in block else 1, len(block) - ends)
        parts.append(aligned(part, wide, numbers))
    return "\n\n".join(parts)


def aligned(table: Table, wide: int, numbers: Sequence[int] = ()) -> str:
    """A table as lines, columns of numbers to the right; longer lines are cut."""
    if not table:
        return ""
    widths, lines = _widths(table), []
    for row in table:
        for cells in zip_longest(*map(_lines, row), fillvalue=""):
            line = (
                (" " * GAP)
                .join(
                    cell.rjust(size) if i in numbers else cell.ljust(size)
                    for i, (cell, size) in enumerate(zip(cells, widths, strict=True))
                )
                .rstrip()
            )
            lines.append(line if len(line) <= wide else f"{line[: wide - 1]}…")
    return "\n".join(lines)


def _lines(cell: str) -> list[str]:
    """Those of a cell, as long as the longest."""
    lines = cell.splitlines()
    return [line.ljust(max(map(len, lines))) for line in lines]


def _widths(table: Table) -> list[int]:
    return [
        max(len(line) for cell in column for line in cell.splitlines() or [""])
        for column in zip(*table, strict=True)
    ]


def _wrapped(text: str, wide: int) -> str:
    return "\n".join(textwrap.wrap(text, wide))
