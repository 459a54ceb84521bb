"""The experiments: what they write, resume, skip and refuse, and that costs scale."""

import json
import signal
import subprocess
import sys
import xml.etree.ElementTree
from pathlib import Path

import jax
import numpy as np
import pytest

import experiments.scaling.figures
import experiments.scaling.measure as scaling
from experiments.__main__ import main
from experiments.bench import units
from experiments.bench.measure import build
from experiments.bench.record import Record
from experiments.libraries import libraries
from experiments.scaling.functions import FUNCTIONS, fourier_derivatives
from experiments.scaling.theory import BOUND, crossover, slope

FAST = ["--samples", "2", "--min-time", "1e-6"]
TINY = ["scaling", "--functions", "burgers", "--sizes", "1,4", *FAST]


SETTINGS = {"functions": ["burgers"], "sizes": [1, 4]}


def fake(point, settings):
    """A result as theory has it, without measuring: f costs 1."""
    n, m = point["n"], point["m"]
    costs = {"f": 1.0}
    for library in ("jaxkit", "jax"):
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
    monkeypatch.setattr(experiments.scaling.figures, "draw", lambda record, out: [])


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
        passes = {"f", "jaxkit jvp", "jaxkit vjp", "jax jvp", "jax vjp"}
        modes = {f"{a} {b}" for a in libraries() for b in ("jacfwd", "jacrev")}
        assert set(programs) == (passes if point["key"]["kind"] == "pass" else modes)
        for program in programs.values():
            assert len(program["samples_s"]) == 2 and min(program["samples_s"]) > 0
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
    monkeypatch.setattr(experiments.scaling.figures, "save", save)
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


def test_replot_draws_without_measuring_and_without_jax(tmp_path, counted):
    counted()
    assert main([*TINY, "--out", str(tmp_path)]) == 0
    for name in figures(tmp_path):
        (tmp_path / name).unlink()
    before = (tmp_path / "scaling.jsonl").read_bytes()
    code = (
        "import sys; from experiments.__main__ import main;"
        f"assert main(['scaling', '--replot', '--out', {str(tmp_path)!r}]) == 0;"
        "assert 'jax' not in sys.modules"
    )
    root = Path(__file__).parents[1]
    subprocess.run([sys.executable, "-c", code], cwd=root, check=True, timeout=300)
    assert figures(tmp_path) == DRAWN
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
    assert "Skipped, not enough memory (2):" in printed.out
    (point,) = Record.read(tmp_path / "scaling.jsonl").points
    for name, program in point["result"]["programs"].items():
        assert ("skipped" in program) == name.endswith("jacfwd")
        assert ("samples_s" in program) == name.endswith("jacrev")


@pytest.mark.parametrize("name", FUNCTIONS)
def test_flops_of_the_jacobian_recover_the_theory(name):
    sizes = [4, 32]
    library = libraries()["jaxkit"]
    costs = {"jacfwd": np.zeros((2, 2)), "jacrev": np.zeros((2, 2))}
    own, jacobians = [], []
    for i, n in enumerate(sizes):
        for j, m in enumerate(sizes):
            f, args = FUNCTIONS[name](n, m)
            # f alone, at two corners; it costs the same wherever.
            if n != m:
                own.append(build(f, args).cost["flops"])
            for mode, cost in costs.items():
                program = build(getattr(library, mode)(f), args)
                cost[i, j] = program.cost["flops"]
                jacobians.append(program.call())
    assert own[0] == pytest.approx(own[1], rel=0.01)
    forward, reverse = costs.values()
    for k in range(2):
        assert slope(sizes, forward[:, k]) == pytest.approx(1, abs=0.1)
        assert slope(sizes, reverse[:, k]) == pytest.approx(0, abs=0.1)
        assert slope(sizes, forward[k]) == pytest.approx(0, abs=0.1)
        assert slope(sizes, reverse[k]) == pytest.approx(1, abs=0.1)
        m = sizes[k]
        assert m / 2 < crossover(sizes, forward[:, k], reverse[:, k]) < 2 * m
    # And what they computed is the Jacobian, at the last point (32, 32).
    reference = build(jax.jacrev(f), args).call()
    assert reference.shape == (32, 32) and np.abs(reference).max() > 1e-4
    for jacobian in jacobians[-2:]:
        np.testing.assert_allclose(jacobian, reference, rtol=1e-4, atol=1e-6)
    # One jvp or vjp more costs less than the bound, which includes f itself.
    each = (forward[1, 0] - forward[0, 0]) / (32 - 4)
    assert 1 + each / own[0] < BOUND["jvp"]


def test_slope_and_crossover():
    sizes = np.array([1, 4, 16, 64])
    assert slope(sizes, 3.0 * sizes**2) == pytest.approx(2)
    assert np.isnan(slope(sizes, [1, np.nan, np.nan, 4]))
    constant = np.full(4, 8.0)
    assert crossover(sizes, sizes, constant) == pytest.approx(8)
    assert crossover(sizes, sizes / 1.5, constant * 8) == pytest.approx(96)
    assert np.isnan(crossover(sizes, sizes, constant * 100))
    assert np.isnan(crossover(sizes, [np.nan] * 4, constant))


def test_fourier_derivatives_are_exact_for_waves():
    x = 2 * np.pi * np.arange(16) / 16
    first, second = fourier_derivatives(16)
    np.testing.assert_allclose(first @ np.sin(3 * x), 3 * np.cos(3 * x), atol=1e-12)
    np.testing.assert_allclose(second @ np.sin(3 * x), -9 * np.sin(3 * x), atol=1e-12)


def test_overhead_prints_paired_ratios(tmp_path, capsys):
    command = ["overhead", "--programs", "rosenbrock", *FAST, "--out", str(tmp_path)]
    assert main(command) == 0
    printed = capsys.readouterr().out
    record = Record.read(tmp_path / "overhead.jsonl")
    kinds = [point["key"]["kind"] for point in record.points]
    assert kinds == ["eager", "eager", "trace", "trace", "compiled"]
    for point in record.points:
        programs = point["result"]["programs"]
        pairs = zip(*(programs[k]["samples_s"] for k in ("jaxkit", "jax")), strict=True)
        ratio = np.median([ours / theirs for ours, theirs in pairs])
        digits = 3 if point["key"]["kind"] == "compiled" else 2
        assert f"{ratio:.{digits}f}" in printed
    assert printed.count("  ok") + printed.count("  over") >= len(kinds)


def test_overhead_names_the_programs_there_are(tmp_path, capsys):
    command = ["overhead", "--kinds", "compiled", "--out", str(tmp_path)]
    assert main([*command, "--programs", "nonsense"]) == 2
    message = capsys.readouterr().err
    assert "nonsense" in message and "rosenbrock" in message


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
    assert units.seconds(1.25e-5) == "12.5 us" and units.amount(3.2e6) == "3.2 M"


# ---------------------------------------------------------------------------- accuracy


def test_accuracy_draws_the_u_shaped_errors(tmp_path, capsys):
    assert main(["accuracy", "--quick", "--out", str(tmp_path)]) == 0
    assert {"accuracy.png", "accuracy.svg"} == figures(tmp_path)
    record = Record.read(tmp_path / "accuracy.jsonl")
    assert len(record.points) == 8
    steps = 10.0 ** -np.array(record.settings["exponents"])
    for point in record.points:
        eps = np.finfo(point["key"]["dtype"]).eps
        result = point["result"]
        assert all(error < 8 * eps for error in result["modes"].values())
        least = {k: np.nanmin(v) for k, v in result["differences"].items()}
        assert least["complex"] < 8 * eps < least["central"] < least["newton"]
        best = {k: steps[np.nanargmin(v)] for k, v in result["differences"].items()}
        assert best["newton"] < best["central"] < 0.1
    assert "Least relative error" in capsys.readouterr().out
    assert main(["accuracy", "--replot", "--out", str(tmp_path)]) == 0


# ------------------------------------------------------------------------------- swell


def test_swell_counts_what_sharing_saves(tmp_path, capsys):
    assert main(["swell", "--quick", "--out", str(tmp_path)]) == 0
    assert {"swell.png", "swell.svg"} == figures(tmp_path)
    points = Record.read(tmp_path / "swell.jsonl").points
    sizes = {
        (p["key"]["function"], p["key"]["depth"]): p["result"]["sizes"] for p in points
    }
    for (_, depth), counts in sizes.items():
        tree, graph = (
            counts["derivative, pruned"],
            counts["derivative, pruned and shared"],
        )
        assert graph <= tree <= counts["derivative, as it comes out"]
        for mode in ("forward", "reverse"):
            assert counts[f"traced, {mode} mode"] <= 9 * depth  # linear in the depth
    # Of the logistic map a doubled depth squares the tree, and doubles the graph.
    deep, deeper = sizes["logistic", 8], sizes["logistic", 16]
    assert deeper["derivative, pruned"] > 500 * deep["derivative, pruned"]
    name = "derivative, pruned and shared"
    assert 1.9 < deeper[name] / deep[name] < 2.1
    assert "operations of traced programs" in capsys.readouterr().out
