"""Which tests are in every run."""

from collections.abc import Iterable
from typing import Any

import pytest


def long_but(few: Iterable[Any], names: Iterable[Any]) -> list:
    """Names, or cases, as parameters, of which all but few make long tests."""
    few = list(few)
    return [x if x in few else pytest.param(x, marks=pytest.mark.long) for x in names]
