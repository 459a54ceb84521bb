"""Plans: what runs where, and which arrays are kept, from equations and types alone."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from jaxkit import tracing
from jaxkit.control.schedules import fewest
from jaxkit.keeping import Budget


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


# Where nothing is said, of a loop whose length is known at run time alone: so many
# steps and states, and so many bytes of each.
STEPS, STATES, BYTES = 512, 64, 2**26
LONG = 2**16  # steps, for which bytes are divided where nobody knows how many there are
SLOTS = 256  # states, of which more save next to nothing
COUNTS, ENTRY = 16, 12  # bytes of what is noted of a loop, and of each state of it


def blocks_and_slots(
    budget: Budget, rows: Sequence[Any], state: Sequence[Any], length: int | None
) -> tuple[int, int]:
    """(how many steps a block has, how many states are kept) of a loop.

    Given are the types of what a step's derivative reads and of the state, and how many
    steps the loop makes if that is known.  Raises ValueError if the bytes of the budget
    are too few.
    """
    row, one, most = max(_bytes(rows), 1), max(_bytes(state), 1), length or LONG
    if budget.bytes is not None:
        steps, slots = _divided(budget.bytes, row, one, most)
    else:  # of checkpoints alone it is one step at a time that is run again
        steps = budget.steps or (1 if budget.checkpoints else None)
        steps = steps or max(1, min(STEPS, BYTES // row))
        slots = budget.checkpoints or max(2, min(STATES, BYTES // one))
    steps = min(steps, most)
    return steps, max(1, min(slots, -(-most // steps)))


def _divided(bytes: int, row: int, state: int, most: int) -> tuple[int, int]:
    """The same, with the fewest runs of a step that so many bytes allow."""
    left, one = bytes - COUNTS, state + ENTRY
    if left < row + one:
        raise ValueError(
            f"keeping: within bytes={bytes} the loop at {tracing.user_line()} can't "
            f"keep a state, of {one} bytes, and what the derivative of a step reads, "
            f"of {row}. Pass {row + one + COUNTS} or more."
        )

    def slots(steps):
        return min((left - steps * row) // one, SLOTS)

    def runs(steps):
        return fewest(-(-most // steps), slots(steps)) * steps, -steps

    fit = min((left - one) // row, most)
    steps = min({*(2**i for i in range(fit.bit_length())), fit}, key=runs)
    return steps, slots(steps)


def _bytes(avals: Sequence[Any]) -> int:
    return sum(math.prod(aval.shape) * aval.dtype.itemsize for aval in avals)
