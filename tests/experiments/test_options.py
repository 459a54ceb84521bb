"""The command line: names, options, help, units."""

import numpy as np
import pytest

from experiments.__main__ import EXPERIMENTS, main
from experiments.bench import units


def test_all_names_all(monkeypatch):
    from experiments import __main__

    seen = []
    monkeypatch.setattr(
        __main__, "run", lambda args, modules: seen.extend(modules) or 0
    )
    assert main(["all", "--quick"]) == 0
    assert seen == EXPERIMENTS and len(seen) == 8
    assert main(["--quick", "swell", "scaling"]) == 0
    assert seen[8:] == ["swell", "scaling"]


def test_unknown_experiments_are_refused_by_name(capsys):
    assert main(["scalings"]) == 2
    assert (
        "there is no experiment scalings; there are scaling" in capsys.readouterr().err
    )


def test_nothing_to_measure_says_so(tmp_path, capsys):
    command = ["hessian", "--sizes", "3000", "--functions", "burgers"]
    assert main([*command, "--out", str(tmp_path)]) == 2
    assert "takes none of the sizes" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_the_list_and_the_help_teach(capsys):
    assert main(["--list"]) == 0
    printed = capsys.readouterr().out
    assert "scaling" in printed and "overhead" in printed
    with pytest.raises(SystemExit, match="0"):
        main(["scaling", "--help"])
    assert "jacrev\nabout m times f" in capsys.readouterr().out


@pytest.mark.parametrize(
    "options",
    [
        ["--sizes", "3"],
        ["--sizes", "1,256"],
        ["--samples", "0"],
        ["--min-time", "-1"],
        ["--memory-limit", "lots"],
        ["--functions", "digit"],
    ],
)
def test_bad_options_are_refused_by_name(options, capsys):
    with pytest.raises(SystemExit, match="2"):
        main(["scaling", *options])
    assert options[0] in capsys.readouterr().err


def test_options_that_mean_nothing_are_refused(tmp_path, capsys):
    for option, value in (("--samples", "3"), ("--min-time", "1")):
        assert main(["swell", option, value, "--out", str(tmp_path)]) == 2
        said = capsys.readouterr().err
        assert f"swell takes no {option}; these do: scaling, hessian" in said
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("options", "message"),
    [
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


def test_lists():
    assert units.names(["a", "b"])("b, a,b,") == ["b", "a"]
    assert units.list_of(int)("3, 1,3,") == [1, 3]


def test_units():
    assert units.memory("200M") == units.memory("200mb") == 200e6
    assert units.memory("1.5GiB") == units.memory("1536Mi") == 1.5 * 2**30
    assert units.memory("12") == 12
    assert units.size(1.5e6) == "1.5 MB" and units.size(12) == "12 B"
    assert units.size(999.9) == "1 kB" and units.seconds(9.999e-4) == "1 ms"
    assert units.amount(999.7) == "1 k" and units.size(np.nan) == "-"
    assert units.seconds(1.25e-5) == "12.5 us" and units.amount(3.2e6) == "3.2 M"
