"""Plain tables for the terminal, and the summary of samples."""

from collections.abc import Sequence

import numpy as np


def spread(samples: Sequence[float]) -> tuple[float, float, float]:
    """Lower quartile, median, upper quartile."""
    low, middle, high = np.quantile(samples, [0.25, 0.5, 0.75])
    return float(low), float(middle), float(high)


def median(samples: Sequence[float]) -> float:
    """The median."""
    return float(np.median(samples))


def table(title: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns right-aligned, but for the first, under a title."""
    grid = [list(head), *map(list, rows)]
    widths = [max(len(row[i]) for row in grid) for i in range(len(head))]

    def line(row):
        first, *rest = (cell.rjust(w) for cell, w in zip(row, widths, strict=True))
        return "  ".join([row[0].ljust(len(first)), *rest]).rstrip()

    rule = "  ".join("-" * width for width in widths)
    return "\n".join(["", title, line(grid[0]), rule, *map(line, grid[1:])])
