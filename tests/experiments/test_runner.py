"""The runner: what it writes, skips, draws, and where it refuses to run."""

import xml.etree.ElementTree
from pathlib import Path

import jax
import pytest

from experiments import scaling
from experiments.__main__ import main
from experiments.bench import style
from experiments.bench.record import Record
from experiments.libraries import libraries
from tests.experiments.faked import FAST, SETTINGS, TINY, fake, interrupting


def figures(out: Path) -> set[str]:
    return {path.name for path in out.iterdir() if path.suffix in (".png", ".svg")}


DRAWN = {
    f"scaling-{what}.{suffix}"
    for what in ("burgers-cost", "burgers-memory", "burgers-winner", "passes")
    for suffix in ("png", "svg")
}


def test_a_run_writes_samples_tables_and_figures(tmp_path, capsys, monkeypatch):
    # Two of the five points: the others would only compile the same once more.
    points = [p for p in scaling.points(SETTINGS) if p["n"] == p["m"] == 4]
    monkeypatch.setattr(scaling, "points", lambda settings: points)
    assert main([*TINY, "--out", str(tmp_path)]) == 0
    record = Record.read(tmp_path / "scaling.jsonl")
    assert record.settings["sizes"] == [1, 4]
    assert record.environment["versions"]["jax"] == jax.__version__
    assert record.environment["device"]["platform"] == jax.devices()[0].platform
    assert [p["kind"] for p in record.points] == ["pass", "jacobian"]
    table, whats = record.table, {"pass": "f jvp vjp", "jacobian": "jacfwd jacrev"}
    for kind, found in table.groupby("kind"):
        expected = {(a, b) for a in libraries() for b in whats[str(kind)].split()}
        assert set(zip(found["library"], found["program"], strict=True)) == expected
    assert all(len(x) == 2 and min(x) > 0 for x in table["samples"])
    assert (table["time_low"] <= table["time"]).all()
    ours = table[table["library"].isin(["jaxkit", "jax"])]
    assert (ours[["flops", "bytes", "temporaries"]] > 0).all(axis=None)
    assert (ours["needs"] > ours["temporaries"]).all()
    assert figures(tmp_path) == DRAWN
    for name in DRAWN:
        if name.endswith("png"):
            assert (tmp_path / name).read_bytes()[:4] == b"\x89PNG"
        else:
            xml.etree.ElementTree.parse(tmp_path / name)
    printed = capsys.readouterr().out
    for title in ("exponents of cost", "both modes cost", "one pass", "edges and diag"):
        assert title in printed
    assert "not run" not in printed


@pytest.mark.parametrize("kind", ["pass", "jacobian"])
def test_part_of_a_run_can_be_drawn(tmp_path, counted, monkeypatch, kind):
    counted()
    drawn = []

    def save(drawing, path):
        drawing.draw_without_rendering()
        drawn.append(path.name)
        style.plt.close(drawing)

    points = [p for p in scaling.points(SETTINGS) if p["kind"] == kind]
    monkeypatch.setattr(scaling, "points", lambda settings: points[:1])
    monkeypatch.setattr(style, "save", save)
    assert main([*TINY, "--out", str(tmp_path)]) == 0
    assert set(drawn) < DRAWN and len(drawn) == {"pass": 1, "jacobian": 3}[kind]


def test_a_run_without_points_says_so(tmp_path, capsys, counted):
    counted(interrupting(0))
    assert main([*TINY, "--out", str(tmp_path)]) == 130
    assert main(["scaling", "--replot", "--out", str(tmp_path)]) == 2
    assert "no measured points" in capsys.readouterr().err


def test_replot_draws_without_measuring(tmp_path, counted):
    counted()
    assert main([*TINY, "--out", str(tmp_path)]) == 0
    for name in figures(tmp_path):
        (tmp_path / name).unlink()
    before = (tmp_path / "scaling.jsonl").read_bytes()
    again = counted()
    assert main(["scaling", "--replot", "--out", str(tmp_path)]) == 0
    assert again.seen == [] and figures(tmp_path) == DRAWN
    assert (tmp_path / "scaling.jsonl").read_bytes() == before


def test_replot_of_nothing_says_so(tmp_path, capsys):
    assert main(["scaling", "--replot", "--out", str(tmp_path)]) == 2
    assert "measure first" in capsys.readouterr().err


def test_what_does_not_fit_in_memory_is_skipped_and_said(
    tmp_path, capsys, monkeypatch, undrawn
):
    key = {"function": "burgers", "kind": "jacobian", "n": 64, "m": 1}
    monkeypatch.setattr(scaling, "points", lambda settings: [key])
    command = ["scaling", "--functions", "burgers", "--sizes", "1,64", *FAST]
    # The matrix takes 512 KiB, 64 tangents about 320 KiB, one cotangent 10 KiB.
    command += ["--memory-limit", "700K", "--out", str(tmp_path)]
    assert main(command) == 0
    printed = capsys.readouterr().out
    assert printed.count("the limit is 700 kB") == 2 and "not run" in printed
    table = Record.read(tmp_path / "scaling.jsonl").table
    forward = (table["program"] == "jacfwd") & table["library"].isin(["jaxkit", "jax"])
    assert (table["skipped"].notna() == forward).all()
    assert (table["samples"].isna() == forward).all()


def test_several_experiments_go_into_one_folder_and_report(tmp_path, capsys, undrawn):
    command = ["swell", "accuracy", "--quick", "--out", str(tmp_path)]
    assert main(command) == 0
    names = {path.name for path in tmp_path.iterdir()}
    figures = {"swell-sizes.svg", "accuracy-steps.svg", "swell-sizes.png"}
    assert {"swell.jsonl", "accuracy.jsonl"} | figures < names
    report = (tmp_path / "REPORT.md").read_text()
    assert "## accuracy" in report and "## swell" in report
    assert "](swell-sizes.png)" in report and "swell accuracy --quick" in report
    printed = capsys.readouterr().out
    assert printed.index("=== swell") < printed.index("=== accuracy")
    # Again: everything is there, nothing is measured.
    assert main(command) == 0
    printed = capsys.readouterr().out
    assert "15 of 15 points were measured before" in printed
    assert "8 of 8 points were measured before" in printed


def test_a_device_that_is_not_there_is_refused(tmp_path, capsys):
    command = ["swell", "--device", "gpu", "--out", str(tmp_path)]
    assert main(command) == 2
    assert "JAX finds none here, but cpu" in capsys.readouterr().err


def test_results_that_are_wrong_make_the_exit_code_1(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(scaling, "failures", lambda table: 2, raising=False)
    monkeypatch.setattr(scaling, "measure", fake)
    assert main([*TINY, "--out", str(tmp_path)]) == 1
    assert "2 failed" in capsys.readouterr().err
