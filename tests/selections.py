"""Which tests are in every run."""

from collections.abc import Iterable

import pytest


def long_but(few: Iterable[str], names: Iterable[str]) -> list:
    """Names as parameters, of which all but few make long tests."""
    few = set(few)
    return [x if x in few else pytest.param(x, marks=pytest.mark.long) for x in names]
