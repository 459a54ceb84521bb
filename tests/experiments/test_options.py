"""The command line: names, options, help, units."""

import numpy as np
import pandas as pd
import pytest

from experiments import __main__, command
from experiments.__main__ import EXPERIMENTS, main
from experiments.bench import tidy, units
from experiments.pages import PAGES


def test_all_names_all(monkeypatch):
    seen = []

    def planned(module, quick, given):
        seen.append((module.__name__.partition(".")[2], quick))
        raise command.ExperimentError("enough")

    monkeypatch.setattr(__main__, "planned", planned)
    for typed in (["all", "--quick"], ["--quick", "swell", "scaling"], ["swell"]):
        assert main(typed) == 2
    assert seen == [("scaling", True), ("swell", True), ("swell", False)]
    assert list(command.modules(["all"], False)) == EXPERIMENTS
    assert {*EXPERIMENTS} == {path.stem for path in PAGES.glob("*.md")}


def test_unknown_experiments_are_refused_by_name(capsys):
    assert main(["scalings"]) == 2
    assert (
        "there is no experiment scalings; there are scaling" in capsys.readouterr().err
    )


def test_nothing_to_measure_says_so(tmp_path, capsys):
    command = ["hessian", "--sizes", "3000", "--functions", "burgers"]
    assert main([*command, "--out", str(tmp_path)]) == 2
    assert "there are none of these sizes" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_the_list_and_the_help_teach(capsys):
    assert main(["--list"]) == 0
    printed = capsys.readouterr().out
    assert "scaling" in printed and "overhead" in printed
    assert main(["scaling", "--help"]) == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert "jacrev about m times f" in printed and "--sizes" in printed


@pytest.mark.parametrize(
    "options",
    [
        ["--sizes", "1,two"],
        ["--samples", "0"],
        ["--samples", "2.5"],
        ["--min-time", "-1"],
        ["--memory-limit", "lots"],
        ["--functions", "digit"],
    ],
)
def test_bad_options_are_refused_by_name(options, capsys):
    assert main(["scaling", *options]) == 2
    assert options[0] in capsys.readouterr().err


def test_options_that_mean_nothing_are_refused(tmp_path, capsys):
    for option, value in (("--samples", "3"), ("--min-time", "1")):
        assert main(["swell", option, value, "--out", str(tmp_path)]) == 2
        assert f"No such option: {option}" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["scaling", "--sizes", "3"], "take powers of 2 from 1 to 128"),
        (["scaling", "--sizes", "1,256"], "take powers of 2 from 1 to 128"),
        (["scaling", "--replot", "--sizes", "1,2"], "leave out --sizes"),
        (["scaling", "--replot", "--fresh"], "leave out --fresh"),
        (["scaling", "--report"], "--report takes nothing else"),
        (["--report", "--quick"], "--report takes nothing else"),
        (
            ["scaling", "--functions", "digits", "--function", "sin"],
            "--functions are ours, --function is yours",
        ),
        (["accuracy", "--exponents", "400"], "10^-400 is no normal float32"),
    ],
)
def test_options_that_do_not_go_together_are_refused(options, message, capsys):
    assert main(options) == 2
    assert message in capsys.readouterr().err


def test_inputs_are_words_up_to_the_next_option():
    typed = ["--inputs", "3.0", "ones(5)", "--quick", "--inputs", "-1.0"]
    spread = ["--inputs", "3.0", "--inputs", "ones(5)", "--quick", "--inputs", "-1.0"]
    assert command.spread(typed) == spread


def test_settings_from_text():
    assert units.like(["a", "b"])("b, a,b,") == ["b", "a"]
    assert units.like([1, 2])("3, 1,3,") == [1, 3]
    assert units.like([1, 0.5])("2,1.5") == [1.5, 2.0]
    assert units.positive("200M") == 200e6 and units.positive("12", int) == 12
    assert units.positive("1.5k") == units.positive("1500")


def test_units():
    assert units.amount(1.5e6, "B") == "1.5 MB" and units.amount(12, "B") == "12 B"
    assert units.amount(999.9, "B") == "1 kB" and units.seconds(9.999e-4) == "1 ms"
    assert units.amount(999.7) == "1 k" and units.amount(3.2e6) == "3.2 M"
    assert units.seconds(1.25e-5) == "12.5 us" and units.number(1234.0) == "1234"


def test_numbers_are_written_by_the_heads_of_their_columns():
    nan, table = np.nan, pd.DataFrame({"f": ["a", "b"], "n": [1, 2]})
    table["time"], table["n^p"], table["time / f"] = [1e-3, nan], [0.5, nan], [0.5, 2]
    table["error"], table["flops"], table["said"] = [0.0, 1e-9], [2e6, 1], ["x", None]
    rows = tidy.markdown(table.set_index(["f", "n"])).splitlines()
    assert rows[0] == "| f | n | time | n^p | time / f | error | flops | said |"
    assert rows[2] == "| a | 1 | 1 ms | 0.50 | 0.5 | 0e+00 | 2 M | x |"
    assert rows[3] == "| b | 2 | - | - | 2 | 1e-09 | 1 | - |"


def test_devices_stand_side_by_side():
    tables = {x: pd.DataFrame({"time": [1.0]}, pd.Index(["f"])) for x in ("cpu", "gpu")}
    assert [*tidy.side_by_side(tables)] == ["time (cpu)", "time (gpu)"]
    assert [*tidy.side_by_side({"cpu": tables["cpu"]})] == ["time"]
