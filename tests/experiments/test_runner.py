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
    assert [p["key"]["kind"] for p in record.points] == ["pass", "jacobian"]
    for point in record.points:
        programs = point["result"]["programs"]
        passes = {f"{a} {b}" for a in libraries() for b in ("f", "jvp", "vjp")}
        modes = {f"{a} {b}" for a in libraries() for b in ("jacfwd", "jacrev")}
        assert set(programs) == (passes if point["key"]["kind"] == "pass" else modes)
        for name, program in programs.items():
            assert len(program["samples_s"]) == 2 and min(program["samples_s"]) > 0
            if name.startswith("jax"):
                assert program["flops"] > 0 and program["bytes"] > 0
                assert program["needs"] > program["temporaries"] > 0
    assert figures(tmp_path) == DRAWN
    for name in DRAWN:
        if name.endswith("png"):
            assert (tmp_path / name).read_bytes()[:4] == b"\x89PNG"
        else:
            xml.etree.ElementTree.parse(tmp_path / name)
    printed = capsys.readouterr().out
    for title in ("Slopes", "Crossover", "One pass", "4 x 4", "Nothing was skipped"):
        assert title in printed


@pytest.mark.parametrize("kind", ["pass", "jacobian"])
def test_part_of_a_run_can_be_drawn(tmp_path, counted, monkeypatch, kind):
    counted()
    drawn = []

    def save(drawing, out, name):
        drawing.draw_without_rendering()
        drawn.append(name)
        return []

    points = [p for p in scaling.points(SETTINGS) if p["kind"] == kind]
    monkeypatch.setattr(scaling, "points", lambda settings: points[:1])
    monkeypatch.setattr(style, "save", save)
    assert main([*TINY, "--out", str(tmp_path)]) == 0
    assert {f"{name}.png" for name in drawn} < DRAWN and len(drawn) == 4


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
    printed = capsys.readouterr()
    assert "burgers jacobian 64 1: jaxkit jacfwd needs" in printed.out + printed.err
    assert "Skipped (2):" in printed.out
    (point,) = Record.read(tmp_path / "scaling.jsonl").points
    for name, program in point["result"]["programs"].items():
        skipped = name in ("jaxkit jacfwd", "jax jacfwd")
        assert ("skipped" in program) == skipped
        assert ("samples_s" in program) == (not skipped)


def test_several_experiments_go_into_one_folder_and_report(tmp_path, capsys, undrawn):
    command = ["swell", "accuracy", "--quick", "--out", str(tmp_path)]
    assert main(command) == 0
    names = {path.name for path in tmp_path.iterdir()}
    assert {"swell.jsonl", "accuracy.jsonl", "swell.svg", "accuracy.svg"} < names
    report = (tmp_path / "REPORT.md").read_text()
    assert "## accuracy" in report and "## swell" in report
    assert "](swell.svg)" in report and "swell accuracy --quick" in report
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
    assert "JAX finds no GPU here, but cpu" in capsys.readouterr().err


def test_results_that_are_wrong_make_the_exit_code_1(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(scaling, "failures", lambda record: 2, raising=False)
    monkeypatch.setattr(scaling, "measure", fake)
    assert main([*TINY, "--out", str(tmp_path)]) == 1
    assert "2 failed" in capsys.readouterr().err
