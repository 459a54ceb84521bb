"""The user's own functions and experiments."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments import command
from experiments.__main__ import EXPERIMENTS, main
from experiments.bench.record import Record
from experiments.functions import scaled
from tests.experiments.faked import FAST

OWN = """
import jax.numpy as jnp

def f(x, y):
    return {"a": jnp.sin(x) * y[0], "b": jnp.sum(x) * y}
"""


def test_a_function_of_the_users(tmp_path, capsys):
    (tmp_path / "mine.py").write_text(OWN)
    out = tmp_path / "out"
    command = [
        "scaling",
        "--function",
        f"{tmp_path}/mine.py:f",
        "--sizes",
        "1,4",
        *FAST,
    ]
    assert main([*command, "--inputs", "f32[3]", "ones(2)", "--out", str(out)]) == 0
    table = Record.read(out / "scaling.jsonl").table
    sizes = {*zip(table["n"], table["m"], strict=True)}
    assert sizes == {(4, 4), (1, 1), (1, 4), (4, 1)}  # of 5 inputs and 5 outputs
    assert {*table["library"]} == {"jaxkit", "jax"}
    assert (out / "scaling-mine-py-f-cost.svg").exists()
    report = (out / "REPORT.md").read_text()
    assert "mine.py:f" in report and "at `f32[3] ones(2)`" in report
    for word in ("digits", "burgers", "Our ", "our "):  # nothing of ours
        assert word not in report


def test_a_function_of_the_users_is_scaled_faithfully():
    def f(x, y, k):
        return {"a": jnp.sin(x) * y[k], "b": jnp.sum(x) * y}

    args = (jnp.arange(3.0), jnp.array([[0.5, 2.0]]).T, jnp.int32(1))
    function = scaled("f", f, args)
    assert (function.inputs, function.outputs) == (5, 5)
    g, (x, *data) = function.at(5, 5)
    full = jnp.concatenate([jnp.ravel(y) for y in jax.tree.leaves(f(*args))])
    np.testing.assert_allclose(g(jnp, x, *data), full)
    g, (x, *data) = function.at(2, 3)
    y = g(jnp, x, *data)
    np.testing.assert_allclose(
        y, [full[0::3].sum(), full[1::3].sum(), full[2::3].sum()]
    )
    assert np.abs(g(jnp, x + 0.1, *data) - y).max() > 1e-3
    assert y.shape == (3,) and x.shape == (2,)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--function", "lambda x: x"], "say with --inputs where"),
        (["--function", "lambda x: nonsense(x)", "--inputs", "1.0"], "nonsense"),
        (["--function", "lambda x: x", "--inputs", "arange(3)"], "none of them is of"),
        (["--function", "lambda x: x", "--inputs", "f64[3]"], "only f32 is drawn"),
        (["--function", "lambda x: x", "--inputs", "nonsense"], "pass a shape, such"),
        (["--function", "lambda x: x > 0", "--inputs", "1.0"], "gives bool: only"),
        (["--function", "lambda x: None", "--inputs", "1.0"], "gives nothing: only"),
        (["--inputs", "1.0"], "name one"),
        (["--function", "no.py:f", "--inputs", "1.0"], "there is no file no.py"),
        (["--function", "lambda x: x[:0]", "--inputs", "f32[3]"], "gives nothing"),
        (["--function", "lambda x: x if x > 0 else -x", "--inputs", "1.0"], "lax.cond"),
        (["--function", "lambda x: x", "--inputs", "f32[3"], "is not a shape such as"),
    ],
)
def test_functions_that_cannot_be_run_are_refused(options, message, tmp_path, capsys):
    assert main(["scaling", *options, "--out", str(tmp_path)]) == 2
    assert message in capsys.readouterr().err


def test_a_function_that_was_edited_is_another_one(tmp_path, capsys):
    mine, out = tmp_path / "mine.py", str(tmp_path / "out")
    command = ["scaling", "--function", f"{mine}:f", "--sizes", "1,2", *FAST]
    command += ["--inputs", "f32[2]", "--out", out]
    mine.write_text("def f(x):\n    return x * x\n")
    assert main(command) == 0
    mine.write_text("def f(x):\n    return x * x * x\n")
    assert main(command) == 2
    assert "environment.files.functions" in capsys.readouterr().err


@pytest.mark.long
@pytest.mark.parametrize(
    "function",
    [
        "lambda x: 3.0 * x", "lambda x: 0.0 * x + 1", "lambda x: x / 0",
        "lambda x: sum(sin(x))", "lambda x: log(-x)",
    ],
)  # fmt: skip
def test_functions_without_a_cost_or_with_one_output_are_drawn(
    function, tmp_path, capsys
):
    sizes = ["--sizes", "1,4", "--function", function, "--inputs", "ones(5)"]
    command = ["scaling", "hessian", *FAST, *sizes]
    assert main([*command, "--out", str(tmp_path)]) == 0
    assert "Report:" in capsys.readouterr().out
    report = (tmp_path / "REPORT.md").read_text()
    assert "nan" not in report and "inf " not in report


def test_all_with_a_function_is_those_that_take_one():
    able = command.modules(["all"], with_function=True)
    assert {*EXPERIMENTS} - {*able} == {"accuracy", "swell", "sparsity", "curvature"}


def test_experiments_without_a_place_for_functions_say_so(tmp_path, capsys):
    command = ["swell", "--function", "lambda x: x", "--out", str(tmp_path)]
    assert main(command) == 2
    message = capsys.readouterr().err
    assert "No such option: --function" in message


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("json", "the module json is no experiment: it has no Settings, points"),
        ("./mine.py", "is not the name of an experiment or a module"),
    ],
)
def test_what_is_no_experiment_is_refused(name, message, capsys):
    assert main([name]) == 2
    assert message in capsys.readouterr().err


def test_what_cannot_be_validated_leaves_no_file(tmp_path, capsys):
    command = ["validate", "--function", "lambda x: x > 0", "--inputs", "f32[3]"]
    assert main([*command, "--out", str(tmp_path)]) == 2
    assert "arguments and results of floats" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


MODULE = '''
"""How long sleeping takes.

Sleep is long.
"""

from dataclasses import dataclass

import numpy as np
from pandas import DataFrame

from experiments.bench.settings import option
from experiments.bench.style import figure

@dataclass(frozen=True)
class Settings:
    naps: tuple = option((1, 2), (1,))
    rooms: list[str] = option([])
    hours: list[float] = option([1, 0.5])

def points(settings):
    return [{"nap": nap, "bed": (nap, nap)} for nap in settings.naps]

def measure(point, settings):
    return [{"slept": np.int64(2) * point["nap"], "load": 0}]

def tables(table):
    return {"naps": DataFrame({"nap": table["nap"], "slept": table["slept"]})}

def figures(table):
    drawing, axes = figure(1, 1, 3, 3)
    yield "all", drawing
'''


def test_an_experiment_of_the_users(tmp_path, capsys, monkeypatch):
    (tmp_path / "naps_experiment.py").write_text(MODULE)
    monkeypatch.chdir(tmp_path)
    command = ["naps_experiment", "--out", "out"]
    assert main(command) == 0
    assert "slept" in capsys.readouterr().out
    assert (tmp_path / "out" / "naps_experiment-all.svg").exists()
    report = (tmp_path / "out" / "REPORT.md").read_text()
    assert "## naps_experiment: How long sleeping takes." in report
    assert "Sleep is long." in report and "![naps_experiment-all, out]" in report
    assert "| 1 | 2 | 4 |" in report and "experiments naps_experiment --out" in report
    assert main(command) == 0
    assert "2 of 2 points were measured before" in capsys.readouterr().out
    record = Record.read(tmp_path / "out" / "naps_experiment.jsonl")
    assert list(record.table["slept"]) == [2, 4] and list(record.table["load"]) == [
        0,
        0,
    ]
    assert main([*command, "--hours", "2", "--fresh"]) == 0
    assert main([*command, "--hours", "2,1.5"]) == 2
    assert "settings.hours: [2.0] there, [1.5, 2.0] now" in capsys.readouterr().err
