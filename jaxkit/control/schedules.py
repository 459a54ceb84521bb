"""Which states of a loop are kept, so that its steps can be run again from them.

Reverse mode wants the steps of a loop from the last to the first.  With room for a few
states, those in between are computed again from the nearest one before.  Where they are
best kept is a game with so many pebbles:

    optimal   the length is known: the next state is kept after so many steps (`split`)
              that all of the loop takes the fewest runs of its step (A. Griewank, A.
              Walther, Algorithm 799: revolve, ACM Trans. Math. Software 26, 2000)
    online    it isn't: every state is kept for now, in the place of one that is least
              missed (Q. Wang, P. Moin, G. Iaccarino, Minimal repetition dynamic
              checkpointing algorithm for unsteady adjoint calculation, SIAM J. Sci.
              Comput. 31, 2009)

Both keep a state and say where the next one is kept; they work on traced integers.
"""

from __future__ import annotations

from functools import lru_cache
from math import comb
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

MOST = 2**14  # of more steps the schedule is no longer the best
AT, LEVEL, SLOT = range(3)


class Kept(NamedTuple):
    """The states that are kept, in the order of their steps, in so many slots.

    Attributes:
        table: int32, of each state its step, its level (`online`), and its slot.
        last: the number of the last one; those after it are none.
        risen: the number of the state whose level may be higher than that of the one
            before: the one that has moved up, or come, last.
    """

    table: Any
    last: Any
    risen: Any

    @classmethod
    def none(cls, slots: int) -> Kept:
        table = np.zeros((3, slots), np.int32)
        table[AT], table[SLOT] = -1, np.arange(slots)
        return cls(jnp.asarray(table), jnp.int32(-1), jnp.int32(0))

    def find(self, what: int, number=None) -> Any:
        """AT, LEVEL or SLOT of one of them, or of the last."""
        number = lax.convert_element_type(
            self.last if number is None else number, np.uint32
        )
        return lax.dynamic_slice(self.table, (np.uint32(what), number), (1, 1))[0, 0]

    def before(self, step) -> Kept:
        """Without that of this step, if it is the last."""
        here = lax.convert_element_type(self.find(AT) == step, np.int32)
        return self._replace(last=self.last - here)


def online(kept: Kept, step) -> tuple[Kept, Any]:
    """Keep the state of this step, whatever the length will be; the next one, too.

    If there is no place left, one is taken: that of the last state for which there is a
    later one of a higher level.  That is the one before the state that has risen last,
    which then moves up into its place.  If there is no such one, the last state gives
    its place, and the new one is a level higher.  The first one stays.  So with three
    places these states are kept (levels in brackets):

        after step 2   0  1 [0]  2 [0]
        after step 3   0  1 [0]  3 [1]     none is lower than a later one: 2 goes
        after step 4   0  3 [1]  4 [0]     1 is lower than 3, and goes
        after step 5   0  3 [1]  5 [1]     4 goes
        after step 6   0  3 [1]  6 [2]     5 goes
        after step 7   0  6 [2]  7 [0]     3 is lower than 6, and goes
    """
    slots = kept.table.shape[1]
    if slots == 1:
        return optimal(kept, step, jnp.int32(np.iinfo(np.int32).max))
    full, end = kept.last == slots - 1, jnp.minimum(kept.last + 1, slots - 1)
    before = jnp.maximum(kept.risen - 1, 0)
    lower = kept.find(LEVEL, before) < kept.find(LEVEL, kept.risen)
    drop = full & lower & (before > 0)
    taken = jnp.where(drop, before, end)
    level = jnp.where(full & ~drop, kept.find(LEVEL, end) + 1, 0)
    # Those after the one that is taken move up.
    what, number = np.indices((3, slots), np.int32)
    above = lax.pad(kept.table, np.int32(0), [(0, 0, 0), (-1, 1, 0)])
    table = jnp.where((number >= taken) & (number < end), above, kept.table)
    slot = kept.find(SLOT, taken)
    new = jnp.where(what == AT, step, jnp.where(what == LEVEL, level, slot))
    table = jnp.where(number == end, new, table)
    return Kept(table, end, taken), step + 1


def optimal(kept: Kept, step, stop) -> tuple[Kept, Any]:
    """Keep the state of this step of a loop that ends at `stop`; and which is next."""
    slots, last = kept.table.shape[1], kept.before(step).last + 1
    what, number = np.indices((3, slots), np.int32)
    table = jnp.where((what == AT) & (number == last), step, kept.table)
    kept = kept._replace(table=table, last=last)
    if slots == 1:
        return kept, stop
    left = slots - last  # with the one of this state
    ahead = split(jnp.maximum(stop - step, 2), jnp.maximum(left, 2), slots)
    possible = (left > 1) & (stop - step > 1)
    return kept, jnp.where(possible, step + ahead, stop)


def split(n, slots, most: int):
    """After how many of n steps the next state is kept: one from 1 to n - 1.

    There are `slots` places, two up to `most`, of which one has the first state.  With
    s places, and no step run more than r times beforehand, B(s, r) = C(s + r, s) steps
    can be reversed.  What comes before the next state then has one run less, and what
    comes after one place less.
    """
    table = binomials(most)
    n = jnp.minimum(n, MOST)
    rows = lax.dynamic_slice(table, (slots - 1, np.int32(0)), (2, table.shape[1]))
    r = jnp.sum(rows[1] < n, dtype=np.int32)
    less, same = lax.dynamic_slice(rows, (np.int32(0), r - 1), (2, 1))[:, 0]
    return jnp.minimum(jnp.minimum(n - 1, same), n - less)


@lru_cache(maxsize=64)
def binomials(most: int) -> np.ndarray:
    """C(s + r, s), up to MOST, for s from 0 to `most`, and r from 0."""
    runs = range(next(r for r in range(MOST) if comb(2 + r, 2) >= MOST) + 1)
    rows = [[min(comb(s + r, s), MOST) for r in runs] for s in range(most + 1)]
    return np.array(rows, np.int32)


# --- Counts ---------------------------------------------------------------------------


def fewest(n: int, slots: int) -> int:
    """How often steps are run to come to each of n states at last, the last one first.

    That is r n - C(s + r, s + 1), with the least r for which C(s + r, s) is n at least
    (A. Griewank, A. Walther, Evaluating Derivatives, 2008, prop. 12.3).
    """
    slots, r = min(slots, n), 1
    while comb(slots + r, slots) < n:
        r += 1
    return r * n - comb(slots + r, slots + 1)


@lru_cache(maxsize=256)
def unforeseen(n: int, slots: int) -> int:
    """As `fewest`, where n isn't known beforehand."""
    if slots == 1:
        return fewest(n, 1)
    keep, kept = jax.jit(online), Kept.none(slots)
    for step in range(n):
        kept, _ = keep(kept, step)
    places = [int(x) for x in kept.table[AT, : kept.last + 1]]
    runs, free = n - 1, slots - len(places) + 1
    for start, stop in reversed([*zip(places, [*places[1:], n], strict=True)]):
        runs += fewest(stop - start, free)
        free += 1
    return runs
