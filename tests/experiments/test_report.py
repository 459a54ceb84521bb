"""The report: it is what the committed results say."""

import re
import xml.etree.ElementTree
from pathlib import Path

from experiments import report
from experiments.bench.record import Record
from experiments.modules import EXPERIMENTS, find

COMMITTED = report.HERE / "REPORT.md"
FOLDERS = sorted(path for path in report.RESULTS.iterdir() if path.is_dir())


def test_the_report_is_what_the_results_say():
    assert COMMITTED.read_text(encoding="utf-8") == report.text(FOLDERS, report.HERE)


def test_every_experiment_is_reported_with_its_figures():
    text = COMMITTED.read_text(encoding="utf-8")
    for name in EXPERIMENTS:
        assert f"## {name}: " in text
    figures = re.findall(r"\]\(([^)]*\.svg)\)", text)
    assert len(figures) >= 12
    for figure in figures:
        xml.etree.ElementTree.parse(report.HERE / figure)
        assert (report.HERE / figure).with_suffix(".png").exists()
    committed = {path for folder in FOLDERS for path in folder.glob("*.svg")}
    assert {report.HERE / figure for figure in figures} == committed


def test_what_a_figure_shows_is_said_in_three_sentences_at_most():
    for folder in FOLDERS:
        for path in folder.glob("*.jsonl"):
            for figure, caption in find(path.stem).captions(Record.read(path)).items():
                assert 1 <= len(re.findall(r"\.(?: |$)", caption)) <= 3, figure


def test_results_are_whole_runs():
    """Each committed file has all points of an experiment's settings."""
    for folder in FOLDERS:
        for path in folder.glob("*.jsonl"):
            module = find(path.stem)
            record = Record.read(path)
            assert record.settings in (module.FULL, module.QUICK), path
            keys = [point["key"] for point in record.points]
            assert keys == list(module.points(record.settings)), path


def test_records_of_two_kinds_are_told_apart():
    folder = FOLDERS[0]
    records = {n: Record.read(folder / f"{n}.jsonl") for n in ("swell", "accuracy")}
    records["swell"].header["settings"] |= {"depths": [1]}
    text = report.devices({name: {folder: r} for name, r in records.items()})
    assert "| their own (swell); those of a whole run (accuracy) |" in text


def test_no_address_stands_in_results():
    for path in Path(report.RESULTS).rglob("*.jsonl"):
        assert "://" not in path.read_text()
