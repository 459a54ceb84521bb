"""The pages: they are what the committed results say, and what they state is so."""

import re

import pytest

from experiments import pages
from experiments.bench.record import plain
from experiments.modules import EXPERIMENTS, find

PATHS = sorted(pages.RESULTS.glob("*/*.jsonl"))


def test_pages_are_filled_in_from_the_results():
    for path, text in pages.filled_pages().items():
        assert path.read_text(encoding="utf-8") == text, path


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_what_a_page_states_is_so(name):
    assert len(pages.facts(name)) >= 3
    assert not pages.untrue(name)


def test_what_is_not_so_is_found(monkeypatch, capsys):
    stated = ["len(cpu) > 0", "len(cpu) == 0"]
    monkeypatch.setattr(pages, "facts", lambda name: stated if name == "swell" else [])
    assert pages.untrue("swell") == stated[1:]


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_every_experiment_has_a_page_with_its_figures(name):
    page = (pages.PAGES / f"{name}.md").read_text(encoding="utf-8")
    assert page.startswith("# ")
    linked = re.findall(r"\]\(([^)]*\.png)\)", page)
    assert linked and all((pages.PAGES / link).exists() for link in linked)
    drawn = {p.stem for p in pages.RESULTS.glob(f"*/{name}-*.png")}
    assert drawn == {link.rpartition("/")[2].removesuffix(".png") for link in linked}
    assert f"pages/{name}.md" in (pages.HERE / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_results_are_whole_runs(path):
    """Each committed file has all points of an experiment's settings."""
    module, record = find(path.stem), pages.read(path)
    points = plain(list(module.points(module.Settings(**record.settings))))
    found = record.points
    if path.stem == "validate":  # its cases change with rules and with JAX
        found, points = ({p["family"] for p in x} for x in (found, points))
    assert found == points


def test_results_are_of_moderate_size():
    files = [path for path in pages.RESULTS.rglob("*") if path.is_file()]
    committed = [path for path in files if path.suffix in (".jsonl", ".png")]
    assert sum(path.stat().st_size for path in committed) < 2.2e6
    assert all(p.stat().st_size < 150e3 for p in committed if p.suffix == ".png")


def test_runs_of_other_commands_are_told_apart():
    records = [pages.read(path) for path in PATHS if path.stem in ("swell", "accuracy")]
    assert pages.devices(records)["experiments"].tolist() == ["accuracy, swell"]
    records[0].header["noted"]["command"] = ["accuracy", "--quick", "--fresh"]
    table = pages.devices(records).reset_index()
    assert table["by"][0] == "`python -m experiments accuracy --quick`"
    assert table["experiments"].tolist() == ["accuracy", "swell"]


def test_no_address_stands_in_results():
    for path in PATHS:
        assert "://" not in path.read_text()
