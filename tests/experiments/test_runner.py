"""The runner of the experiments: what it writes, resumes, skips, draws and refuses."""

import contextlib
import json
import signal
import xml.etree.ElementTree
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments import scaling
from experiments.__main__ import EXPERIMENTS, main
from experiments.bench import style, units
from experiments.bench.record import Record
from experiments.functions import scaled
from experiments.libraries import libraries

FAST = ["--samples", "2", "--min-time", "1e-6"]
TINY = ["scaling", "--functions", "burgers", "--sizes", "1,4", *FAST]


SETTINGS = {"functions": ["burgers"], "sizes": [1, 4], "function": None}


def fake(point, settings):
    """A result as theory has it, without measuring: f costs 1."""
    n, m = point["n"], point["m"]
    costs = {}
    for library in ("jaxkit", "jax"):
        costs |= {f"{library} f": 1.0}
        costs |= {f"{library} jacfwd": 1.0 + n, f"{library} jacrev": 1.0 + m}
        costs |= {f"{library} jvp": 2.0, f"{library} vjp": 3.0}
    cost = ("flops", "bytes", "temporaries", "needs")
    return {
        "programs": {
            name: dict.fromkeys(cost, x) | {"samples_s": [0.9 * x, x, 1.2 * x]}
            for name, x in costs.items()
        }
    }


class Measure:
    """Stands for `measure`: counts the points, and is interrupted at one of them."""

    def __init__(self, interrupt_at=None):
        self.seen = []
        self.interrupt_at = interrupt_at

    def __call__(self, point, settings):
        if len(self.seen) == self.interrupt_at:
            raise KeyboardInterrupt
        self.seen.append(point)
        return fake(point, settings)


@pytest.fixture
def undrawn(monkeypatch):
    """Leaves the figures out, where a test isn't about them."""
    monkeypatch.setattr(scaling, "draw", lambda record: [])


@pytest.fixture
def counted(monkeypatch):
    """Puts a `Measure` in the place of the real one."""

    def replace(interrupt_at=None):
        measure = Measure(interrupt_at)
        monkeypatch.setattr(scaling, "measure", measure)
        return measure

    return replace


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


def test_an_interrupted_run_goes_on_without_measuring_twice(
    tmp_path, capsys, counted, undrawn
):
    command = [*TINY, "--out", str(tmp_path)]
    first = counted(interrupt_at=3)
    assert main(command) == 130
    assert "the same command goes on" in capsys.readouterr().err
    # A run that is killed while it writes leaves half a line.
    with (tmp_path / "scaling.jsonl").open("a") as file:
        file.write('{"key": {"function": "bur')
    second = counted()
    assert main(command) == 0
    both = first.seen + second.seen
    assert len(first.seen) == 3 and both == list(scaling.points(SETTINGS))
    third = counted()
    assert main(command) == 0
    assert third.seen == []
    assert [p["key"] for p in Record.read(tmp_path / "scaling.jsonl").points] == both


def settings(out: Path) -> dict:
    return Record.read(out / "scaling.jsonl").settings


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


def test_a_run_without_points_says_so(tmp_path, capsys, monkeypatch):
    def fail(point, settings):
        raise NotImplementedError

    monkeypatch.setattr(scaling, "measure", fail)
    assert main([*TINY, "--out", str(tmp_path)]) == 2
    assert "no measured points" in capsys.readouterr().err


def test_ctrl_c_stops_after_the_point(tmp_path, monkeypatch, counted, undrawn):
    command = [*TINY, "--out", str(tmp_path)]
    seen = []

    def pressed(point, settings):
        seen.append(point)
        signal.raise_signal(signal.SIGINT)
        return fake(point, settings)

    before = signal.getsignal(signal.SIGINT)
    monkeypatch.setattr(scaling, "measure", pressed)
    assert main(command) == 130
    assert signal.getsignal(signal.SIGINT) is before
    assert [p["key"] for p in Record.read(tmp_path / "scaling.jsonl").points] == seen
    assert len(seen) == 1


def test_a_point_that_fails_is_said_and_tried_again(
    tmp_path, capsys, counted, monkeypatch, undrawn
):
    def fail(point, settings):
        if point["n"] == point["m"] == 1:
            raise NotImplementedError("no rule for bessel")
        return fake(point, settings)

    command = [*TINY, "--out", str(tmp_path)]
    monkeypatch.setattr(scaling, "measure", fail)
    assert main(command) == 1
    printed = capsys.readouterr()
    assert "failed: burgers jacobian 1 1" in printed.out + printed.err
    assert "no rule for bessel" in printed.out + printed.err
    again = counted()
    assert main(command) == 0
    assert [(point["n"], point["m"]) for point in again.seen] == [(1, 1)]


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


def test_other_versions_are_not_mixed_in(tmp_path, capsys, counted, undrawn):
    counted()
    assert main([*TINY, "--out", str(tmp_path)]) == 0
    path = tmp_path / "scaling.jsonl"
    header, *points = path.read_text().splitlines()
    old = json.loads(header)
    old["environment"]["versions"]["jaxlib"] = "0.0.1"
    path.write_text("\n".join([json.dumps(old), *points]) + "\n")
    assert main([*TINY, "--out", str(tmp_path)]) == 2
    assert 'versions.jaxlib: "0.0.1" there' in capsys.readouterr().err


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
    assert "10 of 15" not in capsys.readouterr().out


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


def test_a_device_that_is_not_there_is_refused(tmp_path, capsys):
    command = ["swell", "--device", "gpu", "--out", str(tmp_path)]
    assert main(command) == 2
    assert "JAX finds no GPU here, but cpu" in capsys.readouterr().err


def test_unknown_experiments_are_refused_by_name(capsys):
    assert main(["scalings"]) == 2
    assert (
        "there is no experiment scalings; there are scaling" in capsys.readouterr().err
    )


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
    record = Record.read(out / "scaling.jsonl")
    sizes = {(p["key"]["n"], p["key"]["m"]) for p in record.points}
    assert sizes == {(4, 4), (1, 1), (1, 4), (4, 1)}  # of 5 inputs and 5 outputs
    programs = {name for p in record.points for name in p["result"]["programs"]}
    assert {name.split()[0] for name in programs} == {"jaxkit", "jax"}
    assert (out / "scaling-own-cost.svg").exists()
    assert "mine.py:f" in capsys.readouterr().out


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
    assert "settings.source" in capsys.readouterr().err


@pytest.mark.parametrize(
    "function", ["lambda x: 3.0 * x", "lambda x: 0.0 * x + 1", "lambda x: x / 0"]
)
def test_functions_without_a_cost_are_drawn(function, tmp_path, capsys):
    command = ["scaling", "hessian", *FAST, "--function", function, "--inputs"]
    assert main([*command, "ones(3)", "--quick", "--out", str(tmp_path)]) == 0
    assert "Report:" in capsys.readouterr().out


def test_two_runs_do_not_measure_for_one_file(tmp_path, capsys):
    def meddle(point, settings):
        assert main([*TINY, "--out", str(tmp_path)]) == 2
        raise KeyboardInterrupt

    scaling_measure = pytest.MonkeyPatch()
    scaling_measure.setattr(scaling, "measure", meddle)
    with contextlib.closing(contextlib.ExitStack()) as stack:
        stack.callback(scaling_measure.undo)
        assert main([*TINY, "--out", str(tmp_path)]) == 130
    assert "another run is measuring for" in capsys.readouterr().err


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


def test_a_run_without_points_makes_way(tmp_path, counted, undrawn):
    path = tmp_path / "scaling.jsonl"
    counted(interrupt_at=0)
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


def test_results_that_are_wrong_make_the_exit_code_1(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(scaling, "failures", lambda record: 2, raising=False)
    monkeypatch.setattr(scaling, "measure", fake)
    assert main([*TINY, "--out", str(tmp_path)]) == 1
    assert "2 failed" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("json", "the module json is no experiment: it has no FULL, QUICK, points"),
        ("./mine.py", "is not the name of an experiment or a module"),
    ],
)
def test_what_is_no_experiment_is_refused(name, message, capsys):
    assert main([name]) == 2
    assert message in capsys.readouterr().err


def test_all_with_a_function_is_those_that_take_one(monkeypatch, capsys):
    from experiments import __main__

    seen = []
    monkeypatch.setattr(
        __main__, "run", lambda args, modules: seen.extend(modules) or 0
    )
    assert main(["all", "--function", "lambda x: x", "--inputs", "ones(3)"]) == 0
    assert set(EXPERIMENTS) - set(seen) == {"accuracy", "swell"}
    assert "of all, scaling, validate" in capsys.readouterr().out


def test_nothing_to_measure_says_so(tmp_path, capsys):
    command = ["hessian", "--sizes", "3000", "--functions", "burgers"]
    assert main([*command, "--out", str(tmp_path)]) == 2
    assert "takes none of the sizes" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_experiments_without_a_place_for_functions_say_so(tmp_path, capsys):
    command = ["swell", "--function", "lambda x: x", "--out", str(tmp_path)]
    assert main(command) == 2
    message = capsys.readouterr().err
    assert "swell takes no --function; these do: scaling" in message


MODULE = '''
"""How long sleeping takes."""

import time

from experiments.bench.style import figure

FULL = {"naps": [1, 2]}
QUICK = {"naps": [1]}

def points(settings):
    return [{"nap": nap} for nap in settings["naps"]]

def measure(point, settings):
    return {"programs": {}, "nap": 2 * point["nap"]}

def tables(record):
    yield "naps: " + str([result["nap"] for _, result in record.results()])

def draw(record):
    drawing, axes = figure(1, 1, 3, 3)
    yield "naps", drawing

def captions(record):
    return {"naps": f"{len(record.points)} naps."}

def summary(record):
    return {"naps": str(len(record.points))}
'''


def test_an_experiment_of_the_users(tmp_path, capsys, monkeypatch):
    (tmp_path / "naps_experiment.py").write_text(MODULE)
    monkeypatch.chdir(tmp_path)
    command = ["naps_experiment", "--out", "out"]
    assert main(command) == 0
    assert "naps: [2, 4]" in capsys.readouterr().out
    assert (tmp_path / "out" / "naps.svg").exists()
    report = (tmp_path / "out" / "REPORT.md").read_text()
    assert "## naps_experiment: How long sleeping takes." in report
    assert "![naps, on " in report and "\n2 naps.\n" in report
    assert main([*command, "--naps", "2", "--fresh"]) == 0
    assert "naps: [4]" in capsys.readouterr().out


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


def test_units():
    assert units.memory("200M") == 200 * 2**20
    assert units.memory("1.5GiB") == units.memory("1536m") == 1.5 * 2**30
    assert units.size(1.5 * 2**20) == "1.5 MiB" and units.size(12) == "12 B"
    assert units.size(1010) == "1010 B" and units.seconds(9.999e-4) == "1 ms"
    assert units.amount(999.7) == "1 k"
    assert units.seconds(1.25e-5) == "12.5 us" and units.amount(3.2e6) == "3.2 M"
