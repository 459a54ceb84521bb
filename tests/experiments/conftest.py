"""What tests of the runner share."""

import pytest

from experiments import scaling
from tests.experiments.faked import Measure


@pytest.fixture
def undrawn(monkeypatch):
    """Leaves the figures out, where a test isn't about them."""
    monkeypatch.setattr(scaling, "figures", lambda table: [])


@pytest.fixture
def counted(monkeypatch):
    """Puts a `Measure` in the place of the real one."""

    def replace(*before):
        measure = Measure(*before)
        monkeypatch.setattr(scaling, "measure", measure)
        return measure

    return replace
