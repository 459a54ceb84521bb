"""Runs go on where they were, and nothing of two runs is mixed."""

import json
import signal
from pathlib import Path

import pytest

from experiments import scaling
from experiments.__main__ import main
from experiments.bench import environment
from experiments.bench.record import Record
from tests.experiments.faked import SETTINGS, TINY, interrupting


def settings(out: Path) -> dict:
    return Record.read(out / "scaling.jsonl").settings


def points(out: Path) -> list[dict]:
    return Record.read(out / "scaling.jsonl").points


def test_an_interrupted_run_goes_on_without_measuring_twice(
    tmp_path, capsys, counted, undrawn
):
    command = [*TINY, "--out", str(tmp_path)]
    first = counted(interrupting(3))
    assert main(command) == 130
    assert "the same command goes on" in capsys.readouterr().err
    # A run that is killed while it writes leaves half a line.
    with (tmp_path / "scaling.jsonl").open("a") as file:
        file.write('{"point": {"function": "bur')
    second = counted()
    assert main(command) == 0
    both = first.seen + second.seen
    assert len(first.seen) == 3 and both == list(scaling.points(SETTINGS))
    third = counted()
    assert main(command) == 0
    assert third.seen == []
    assert points(tmp_path) == both


@pytest.mark.parametrize("at", [1, 5])  # of five points
def test_ctrl_c_stops_after_the_point(tmp_path, counted, undrawn, at):
    def press(point):
        if len(measure.seen) == at - 1:
            signal.raise_signal(signal.SIGINT)

    before = signal.getsignal(signal.SIGINT)
    measure = counted(press)
    assert main([*TINY, "--out", str(tmp_path)]) == 130
    assert signal.getsignal(signal.SIGINT) is before
    assert points(tmp_path) == measure.seen and len(measure.seen) == at


def test_a_point_that_fails_is_said_and_tried_again(tmp_path, capsys, counted, undrawn):
    def fail(point):
        if point["n"] == point["m"] == 1:
            raise NotImplementedError("no rule for bessel")

    command = [*TINY, "--out", str(tmp_path)]
    counted(fail)
    assert main(command) == 1
    printed = capsys.readouterr()
    assert "failed: burgers jacobian 1 1" in printed.out + printed.err
    assert "no rule for bessel" in printed.out + printed.err
    again = counted()
    assert main(command) == 0
    assert [(point["n"], point["m"]) for point in again.seen] == [(1, 1)]


def test_where_all_points_fail_the_exit_code_is_1(tmp_path, capsys, counted):
    def fail(point):
        raise NotImplementedError("no rule for bessel")

    counted(fail)
    assert main([*TINY, "--out", str(tmp_path)]) == 1
    assert "5 failed" in capsys.readouterr().err


def test_another_run_is_not_mixed_in(tmp_path, capsys, counted, undrawn):
    out = ["--out", str(tmp_path)]
    counted()
    assert main([*TINY, *out]) == 0
    again = counted()
    assert main([*TINY, "--samples", "3", *out]) == 2
    message = capsys.readouterr().err
    assert "settings.samples: 2 there, 3 now" in message
    assert "--out" in message and "--fresh" in message
    assert again.seen == [] and settings(tmp_path)["samples"] == 2
    assert main([*TINY, "--samples", "3", "--fresh", *out]) == 0
    assert len(again.seen) == 5 and settings(tmp_path)["samples"] == 3
    report = (tmp_path / "REPORT.md").read_text()
    assert "--samples 3" in report and "--fresh" not in report


@pytest.mark.parametrize(
    ("part", "of"),
    [
        ("versions", "jaxlib"),
        *(("files", x) for x in ("jaxkit", "experiments", "functions")),
    ],
)
def test_other_versions_are_not_mixed_in(tmp_path, capsys, counted, undrawn, part, of):
    counted()
    assert main([*TINY, "--out", str(tmp_path)]) == 0
    path = tmp_path / "scaling.jsonl"
    header, *points = path.read_text().splitlines()
    old = json.loads(header)
    assert old["environment"][part][of]
    old["environment"][part][of] = "0.0.1"
    path.write_text("\n".join([json.dumps(old), *points]) + "\n")
    assert main([*TINY, "--out", str(tmp_path)]) == 2
    assert f'{part}.{of}: "0.0.1" there' in capsys.readouterr().err


def test_two_runs_do_not_measure_for_one_file(tmp_path, capsys, counted, undrawn):
    meddled = []

    def meddle(point):
        if not meddled:
            meddled.append(main([*TINY, "--samples", "3", "--out", str(tmp_path)]))
            meddled.append(main([*TINY, "--fresh", "--out", str(tmp_path)]))

    measure = counted(meddle)
    assert main([*TINY, "--out", str(tmp_path)]) == 0
    assert meddled == [2, 2] and settings(tmp_path)["samples"] == 2
    assert len(points(tmp_path)) == len(measure.seen) == 5
    assert "another run is measuring" in capsys.readouterr().err


@pytest.mark.parametrize(
    "line", ["[1, 2]", '{"point": {"n": 1}}', '{"noted": {}, "point": {}, "rows": {}}']
)
def test_a_damaged_record_is_refused(tmp_path, counted, undrawn, capsys, line):
    counted()
    assert main([*TINY, "--out", str(tmp_path)]) == 0
    path = tmp_path / "scaling.jsonl"
    path.write_text(path.read_text() + line + "\n")
    for more in ([], ["--replot"]):
        command = ["scaling", *more] if more else TINY
        assert main([*command, "--out", str(tmp_path)]) == 2
        assert "isn't a record of a run" in capsys.readouterr().err


def test_after_fresh_the_command_without_it_goes_on(tmp_path, counted, capsys):
    counted(interrupting(2))
    assert main([*TINY, "--fresh", "--out", str(tmp_path)]) == 130
    assert "the same command, without --fresh, goes on" in capsys.readouterr().err


def test_a_record_of_another_version_is_refused(tmp_path, counted, undrawn, capsys):
    counted()
    assert main([*TINY, "--out", str(tmp_path)]) == 0
    path = tmp_path / "scaling.jsonl"
    path.write_text(path.read_text().replace('"min_time"', '"least_time"'))
    assert main(["scaling", "--replot", "--out", str(tmp_path)]) == 2
    assert "is of another version of scaling" in capsys.readouterr().err


def test_files_of_others_are_left_alone(tmp_path, counted, undrawn, capsys):
    (tmp_path / "foreign.jsonl").write_text("[1, 2]\n")
    (tmp_path / "bytes.jsonl").write_bytes(b"\xff\xfe")
    counted()
    assert main([*TINY, "--out", str(tmp_path)]) == 0
    report = tmp_path / "REPORT.md"
    assert "## scaling" in report.read_text() and "foreign" not in report.read_text()
    report.write_text("mine")
    assert main([*TINY, "--out", str(tmp_path)]) == 2
    assert report.read_text() == "mine"
    assert "isn't a report of ours" in capsys.readouterr().err


def test_a_digest_is_of_what_stands_in_the_files(tmp_path):
    path = tmp_path / "rule.py"
    path.write_text("old")
    before = environment.digest([path])
    assert environment.digest([path]) == before
    path.write_text("new")
    assert environment.digest([path]) != before


def test_a_run_without_points_makes_way(tmp_path, counted, undrawn):
    path = tmp_path / "scaling.jsonl"
    counted(interrupting(0))
    assert main([*TINY, "--out", str(tmp_path)]) == 130
    assert len(path.read_text().splitlines()) == 1
    counted()
    assert main([*TINY, "--samples", "3", "--out", str(tmp_path)]) == 0
    assert settings(tmp_path)["samples"] == 3


def test_a_record_of_another_experiment_is_refused(tmp_path, counted, undrawn, capsys):
    counted()
    assert main([*TINY, "--out", str(tmp_path)]) == 0
    (tmp_path / "scaling.jsonl").rename(tmp_path / "hessian.jsonl")
    assert main(["hessian", "--replot", "--out", str(tmp_path)]) == 2
    assert "holds a run of scaling" in capsys.readouterr().err
