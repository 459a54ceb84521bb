"""Where NaNs come from: the first of the values, of the tangents, of the adjoints."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from jaxkit.explaining.nodes import Arrival, Node
from jaxkit.explaining.values import as_numbers


@dataclass(frozen=True)
class Origin:
    """A node with a NaN where nothing that it was made of has one.

    `column` is "values", or the name of a column of tangents or adjoints; `arrivals`
    are those that bring a NaN to an adjoint.
    """

    column: str
    node: Node
    arrivals: tuple[Arrival, ...] = ()


def has_nan(x: Any) -> bool:
    numbers = None if x is None else as_numbers(x)
    return (
        numbers is not None
        and numbers.dtype.kind in "fc"
        and bool(np.isnan(numbers).any())
    )


def first_nans(explanation) -> Iterator[Origin]:
    """One at most for the values, and for each column of tangents and adjoints."""
    values = {node: has_nan(node.value) for node in explanation.nodes if node.known}
    yield from _made("values", values)
    for k, name in enumerate(explanation.directions):
        moved = {x: has_nan(x.tangents[k]) for x in explanation.nodes if x.tangents}
        yield from _made(name, moved)
    for k, name in enumerate(explanation.seeds):
        for node in reversed(explanation.nodes):
            if node.adjoints and has_nan(node.adjoints[k]):
                found = [x for x in node.arrivals if has_nan(x.cotangents[k])]
                yield Origin(name, node, tuple(found))
                break


def _made(column: str, bad: dict[Node, bool]) -> Iterator[Origin]:
    first = next((node for node, is_bad in bad.items() if is_bad), None)
    if first:
        yield Origin(column, first)
