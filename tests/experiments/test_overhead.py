"""The overhead experiment: its programs, its stages, its ratios, its sentences."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments.__main__ import main
from experiments.bench import style
from experiments.bench.equations import equations
from experiments.bench.record import Record
from experiments.libraries import libraries
from experiments.overhead import FULL, captions, draw, measure, stages, summary, tables
from experiments.overhead.models import MODELS, Model, find
from experiments.overhead.ratios import TRANSFORMS

FAST = ["--samples", "2", "--min-time", "1e-6"]
SETTINGS = FULL | {
    "repeats": 1, "samples": 2, "min_time": 1e-6, "torch_compile": False
}  # fmt: skip


@pytest.fixture
def few(monkeypatch):
    """Fewer transforms: of an eager Hessian each operation takes XLA a while."""
    monkeypatch.setattr(stages, "TRANSFORMS", ("f", "grad"))


def test_overhead_prints_paired_ratios(tmp_path, capsys):
    kinds = ["--kinds", "eager,trace,compiled", "--programs", "rosenbrock"]
    assert main(["overhead", *kinds, *FAST, "--out", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    record = Record.read(tmp_path / "overhead.jsonl")
    found = [point["key"]["kind"] for point in record.points]
    assert found == ["eager", "eager", "trace", "trace", "compiled"]
    for key, result in record.results():
        samples = [
            result["programs"][f"{k} grad"]["samples_s"] for k in ("jaxkit", "jax")
        ]
        ratio = np.median(np.divide(*samples))
        digits = 3 if key["kind"] == "compiled" else 2
        assert f"{ratio:.{digits}f}" in printed
    assert printed.count("  ok") + printed.count("  over") >= len(found)
    assert (tmp_path / "overhead-ratios.svg").exists()


def test_overhead_names_the_programs_there_are(tmp_path, capsys):
    command = ["overhead", "--kinds", "compiled", "--out", str(tmp_path)]
    assert main([*command, "--programs", "nonsense"]) == 2
    message = capsys.readouterr().err
    assert "nonsense" in message and "rosenbrock" in message


@pytest.mark.parametrize("name", MODELS)
def test_all_libraries_differentiate_the_same(name):
    model = MODELS[name](1)
    for what in TRANSFORMS:
        results = {}
        for key, library in stages.available(model, what).items():
            g, args = stages.transformed(library, model, what)
            g = jax.jit(g) if key in ("jaxkit", "jax") else g
            results[key] = [np.asarray(x) for x in jax.tree.leaves(g(*args))]
        expected = results.pop("jax")
        assert all(np.abs(x).max() > 1e-6 for x in expected)
        for found in results.values():
            for x, y in zip(found, expected, strict=True):
                np.testing.assert_allclose(x, y, atol=2e-4 * np.abs(y).max())


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("what", TRANSFORMS)
def test_each_level_of_depth_adds_the_same_equations(name, what):
    for library in libraries(peers=False).values():
        traced = (
            stages.transformed(library, MODELS[name](d), what) for d in range(2, 6)
        )
        counts = np.diff([equations(g, *args) for g, args in traced])
        assert counts[0] > 0 and (counts == counts[0]).all()


def test_the_hessian_has_one_size_whatever_the_depth():
    for build in MODELS.values():
        for depth in (1, 3):
            g, args = stages.transformed(libraries()["jax"], build(depth), "hessian")
            assert jax.eval_shape(g, *args).shape == (8, 8)


def test_growth_times_every_stage(few):
    key = {"kind": "growth", "model": "chain", "depth": 1}
    programs = measure(key, SETTINGS)["programs"]
    compiled = {f"{k} {what}" for k in ("jaxkit", "jax") for what in ("f", "grad")}
    eager = {f"{k} eager {what}" for k in libraries() for what in ("f", "grad")}
    # In jaxkit and in JAX f itself is the same program.
    both = {"jaxkit f", "jaxkit eager f"}  # f is JAX's there
    assert set(programs) == (compiled | eager | {"jax call"}) - both
    for name, program in programs.items():
        assert len(program["samples_s"]) == 1 and program["samples_s"][0] > 0
        for stage in ("trace_s", "lower_s", "compile_s", "first_s"):
            assert (program.get(stage, 0) > 0) == (name in compiled)


def test_nothing_is_remembered_from_one_first_call_to_the_next(few):
    key = {"kind": "first", "model": "chain", "depth": 1}
    once, again = (measure(key, SETTINGS)["programs"] for _ in range(2))
    for name, program in again.items():
        assert program["first_s"] > 0
        if name.startswith("jax"):
            assert program["compiled"] == once[name]["compiled"]
            assert 0 < program["compile_s"] < program["first_s"]
            # jit makes one program; eagerly each kind of operation is one.
            assert (program["compiled"] > 5) == ("eager" in name), name


def test_large_hessians_are_left_out():
    f, x = (lambda xp, x: xp.sum(x * x)), np.ones(2000, np.float32)
    assert stages.transforms(Model(f, (x,), by=0)) == ["f", "grad", "jvp"]
    assert stages.transforms(Model(f, (x[:8],), by=0)) == list(TRANSFORMS)


def test_why_torch_compile_failed_is_kept(monkeypatch):
    def broken(f):
        raise RuntimeError("no C++ compiler\nand more")

    library = libraries(peers=False)["jax"]
    found = stages.attempted(library, MODELS["chain"](1), "f", SETTINGS, broken)
    assert found == {"skipped": "RuntimeError: no C++ compiler"}


# ------------------------------------------------------------------ the user's function


def test_a_users_function_goes_through_all_kinds_but_one(tmp_path, capsys, few):
    command = ["overhead", "--function", "lambda x: sin(x) * x", "--inputs", "f32[3]"]
    kinds = ["--kinds", "eager,compiled,growth"]
    assert main([*command, *kinds, *FAST, "--out", str(tmp_path)]) == 0
    record = Record.read(tmp_path / "overhead.jsonl")
    assert [key["kind"] for key, _ in record.results()] == ["eager", "growth"]
    names = record.programs(kind="growth")
    assert {name.split(" ")[-1] for name in names} == {"f", "grad", "call"}
    assert {name.split(" ")[0] for name in names} == {"jaxkit", "jax"}
    printed = capsys.readouterr().out
    assert "own, 1" in printed and "own: lambda x: sin(x) * x, at f32[3]" in printed


def test_a_users_function_of_integers_is_refused(tmp_path, capsys):
    command = ["overhead", "--function", "lambda n: n * n", "--inputs", "3"]
    assert main([*command, "--out", str(tmp_path)]) == 2
    assert "must be of floats" in capsys.readouterr().err


def test_a_users_outputs_are_summed():
    settings = SETTINGS | {"function": "lambda x: sin(x) * x", "inputs": ["ones(3)"]}
    model = find("own", 1, settings)
    g, args = stages.transformed(libraries()["jaxkit"], model, "grad")
    np.testing.assert_allclose(g(*args), jnp.sin(1.0) + jnp.cos(1.0) * jnp.ones(3))


# ------------------------------------------------------- tables, figures and sentences


def fake(ours: float) -> Record:
    """A record in which times are powers of the depth; jaxkit's are `ours` of JAX's."""
    points = []

    def add(programs: dict, **key):
        points.append({"key": key, "result": {"programs": programs}})

    pair = {
        "jaxkit grad": {"samples_s": [ours, 2 * ours], "flops": 90.0},
        "jax grad": {"samples_s": [1.0, 2.0], "flops": 100.0},
    }
    add(pair | {"jax f": {"samples_s": [0.1]}}, kind="eager", program="chain")
    add(pair | {"jax f": {"samples_s": [0.1]}}, kind="trace", program="mlp")
    add(pair, kind="compiled", program="lstm")
    for depth in (1, 2, 4, 8):
        times = {"trace_s": depth, "lower_s": 1, "compile_s": depth**0.5, "first_s": 1}
        programs = {}
        for library, factor in {"jaxkit": ours, "jax": 1.0}.items():
            for what, dear in zip(TRANSFORMS, (1, 3, 2, 10), strict=True):
                cost = {k: factor * dear * t for k, t in times.items()}
                runs = {"samples_s": [factor * dear * depth]}
                programs[f"{library} {what}"] = cost | runs
                programs[f"{library} eager {what}"] = runs
        add(programs, kind="growth", model="rnn", depth=depth)
    begun = {"first_s": 2.0, "compile_s": 1.5, "compiled": 12, "samples_s": [1.0]}
    firsts = {f"{k} eager grad": begun for k in ("jaxkit", "jax")}
    add(firsts, kind="first", model="rnn", depth=2)
    return Record(Path(), {"settings": SETTINGS}, points)


def test_captions_and_summary_say_what_the_record_has():
    said = captions(fake(0.5))
    assert (
        "0.5 (of chain) of JAX's time (bar 0.6, kept by all)" in said["overhead-ratios"]
    )
    assert "bar 0.6, kept by 0" in captions(fake(0.65))["overhead-ratios"]
    assert "FLOPs 0.900 (bar 1.01, kept by all)" in said["overhead-ratios"]
    assert "1.00 to trace (1.00 with JAX), 0.50 to compile" in said["overhead-growth"]
    assert "grad with jaxkit takes 0.5 to trace" in said["overhead-growth"]
    # In units of f, which is the same in both.
    assert (
        "Tracing takes 1.5 f for grad, 1 f for jvp and 5 f"
        in said["overhead-transforms"]
    )
    assert "2 s (jaxkit, eager)" in said["overhead-first"]
    assert "75% of that time is XLA's" in said["overhead-first"]
    rows = summary(fake(0.5))
    (label,) = (key for key in rows if key.startswith("grad to trace, in units of f"))
    assert rows[label] == "1.5, 3"


def test_part_of_a_record_can_be_shown():
    whole = fake(0.5)
    for points in [whole.points, *([point] for point in whole.points)]:
        record = Record(whole.path, whole.header, points)
        drawn = []
        for name, drawing in draw(record):
            drawn.append(name)
            style.plt.close(drawing)
        assert set(captions(record)) == set(drawn) and drawn
        assert all("nan" not in text for text in captions(record).values())
        assert all("nan" not in text for text in summary(record).values())
        assert list(tables(record))
