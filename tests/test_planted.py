"""The faults of `python -m tests.planted` can be planted, and are found."""

import pytest

from tests.planted.faults import FAULTS, ROOT


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_it_can_be_planted(fault, tmp_path):
    (tmp_path / "jaxkit" / fault.file).parent.mkdir(parents=True)
    there = ROOT / "jaxkit" / fault.file
    copy = tmp_path / "jaxkit" / fault.file
    copy.write_text(there.read_text())
    fault.plant(tmp_path)
    assert copy.read_text() != there.read_text()
    compile(copy.read_text(), fault.file, "exec")
    assert (ROOT / fault.first.split()[0]).exists()


def test_there_are_two_dozen():
    assert len({(fault.file, fault.old) for fault in FAULTS}) == 24
