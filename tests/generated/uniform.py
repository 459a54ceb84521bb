"""A source of choices for Hypothesis that prefers nothing.

Hypothesis's own repeats parts of examples, and prefers the ends of ranges; that finds
faults of parsers, and draws the same few programs. What fails is made small as ever.
"""

from __future__ import annotations

from hypothesis.internal.conjecture.providers import (
    AVAILABLE_PROVIDERS,
    HypothesisProvider,
)


class Uniform(HypothesisProvider):
    """All integers of a range alike."""

    def draw_integer(self, min_value=None, max_value=None, **rest):
        if min_value is None or max_value is None:
            return super().draw_integer(min_value, max_value, **rest)
        return self._cd._random.randint(min_value, max_value)


BACKEND = "uniform"
AVAILABLE_PROVIDERS[BACKEND] = f"{__name__}.Uniform"
