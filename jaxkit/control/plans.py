"""Plans: what runs where, and which arrays are kept, from equations and types alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from jaxkit import tracing


def hoist(
    equations: Sequence[Any], constant: set[Any], wanted: Sequence[Any]
) -> tuple[list[Any], list[Any], tuple[bool, ...]]:
    """Cut a loop's body in two: what runs once before the loop, and what in each step.

    Given are the variables that are the same in all steps, and those that will be kept.
    What depends on constants alone, and does nothing else, is computed once.  What has
    no inputs, such as a number that was filled into an array, is no work; it runs in
    the loop, where XLA folds it, unless it is wanted.

    Returns (equations before, equations inside, of each wanted variable whether it
    differs from step to step).
    """
    known, movable, computed = set(constant), [], []
    for eqn in equations:
        inputs = tracing.variables(eqn.invars)
        if known.issuperset(inputs) and not eqn.effects:
            movable.append(eqn)
            known.update(eqn.outvars)
            computed += eqn.outvars if inputs else []
    stacked = tuple([not tracing.is_literal(v) and v not in known for v in wanted])
    fixed = [v for v, differs in zip(wanted, stacked, strict=True) if not differs]
    before = tracing.needed(movable, [*fixed, *computed], constant)
    early = set(map(id, before))
    inside = [eqn for eqn in equations if id(eqn) not in early]
    return before, inside, stacked


def share_places(groups: Sequence[Sequence[Any]]) -> tuple[list[list[int]], list[Any]]:
    """Places for arrays of which only one group exists at a time.

    Given the abstract types of the arrays of each group; returns for each array the
    number of its place, and of each place the type.  A place holds arrays of one shape
    and dtype, one of each group, and weakly typed ones or others.
    """
    types: list[Any] = []

    def kind(aval):
        return aval.shape, aval.dtype, aval.weak_type

    def place(aval, taken) -> int:
        for i, other in enumerate(types):
            if kind(other) == kind(aval) and i not in taken:
                return i
        types.append(aval)
        return len(types) - 1

    numbers = []
    for avals in groups:
        taken: list[int] = []
        for aval in avals:
            taken.append(place(aval, taken))
        numbers.append(taken)
    return numbers, types
