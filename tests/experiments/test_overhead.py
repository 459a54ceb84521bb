"""The overhead experiment: its programs, its stages, its ratios."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments.__main__ import main
from experiments.bench import style
from experiments.bench.compare import equations
from experiments.bench.record import Record
from experiments.bench.tidy import of
from experiments.libraries import libraries
from experiments.overhead import Settings, compared, figures, measure, stages, tables
from experiments.overhead.models import MODELS, Model, find
from experiments.overhead.show import over_f, ratios
from experiments.overhead.stages import TRANSFORMS

FAST = ["--samples", "2", "--min-time", "1e-6"]
SETTINGS = Settings(samples=2, min_time=1e-6, torch_compile=False)


@pytest.fixture
def few(monkeypatch):
    """Fewer transforms: of an eager Hessian each operation takes XLA a while."""
    monkeypatch.setattr(stages, "TRANSFORMS", ("f", "grad"))


def test_overhead_prints_paired_ratios(tmp_path, capsys):
    kinds = ["--kinds", "pairs,compiled", "--programs", "rosenbrock"]
    assert main(["overhead", *kinds, *FAST, "--out", str(tmp_path)]) == 0
    table = Record.read(tmp_path / "overhead.jsonl").table
    found = ratios(table)
    named = [("eager", "chain"), ("eager", "mlp"), ("trace", "chain"), ("trace", "mlp")]
    assert [*found.index] == [*named, ("compiled", "rosenbrock")]
    grad = table[(table["program"] == "grad") & (table["way"] == "trace")]
    grad = grad[grad["subject"] == "mlp"].set_index("library")["samples"]
    ratio = np.median(np.divide(grad["jaxkit"], grad["jax"]))
    assert found["middle"]["trace", "mlp"] == pytest.approx(ratio)
    assert "grad: jaxkit in units of JAX" in capsys.readouterr().out
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
    rows = measure({"kind": "growth", "subject": "chain", "depth": 1}, SETTINGS)
    found = {(r["library"], r["way"], r["program"]): r for r in rows}
    compiled = {(k, "compiled", w) for k in ("jaxkit", "jax") for w in ("f", "grad")}
    eager = {(k, "eager", what) for k in libraries() for what in ("f", "grad")}
    # In jaxkit and in JAX f itself is the same program: it is JAX's there.
    both = {("jaxkit", way, "f") for way in ("compiled", "eager")}
    assert {*found} == (compiled | eager | {("jax", "compiled", "call")}) - both
    for name, row in found.items():
        assert len(row["samples"]) == 1 and row["samples"][0] > 0
        for stage in ("trace_s", "lower_s", "compile_s", "first_s"):
            assert (row.get(stage, 0) > 0) == (name in compiled)


def test_nothing_is_remembered_from_one_first_call_to_the_next(few):
    point = {"kind": "first", "subject": "chain", "depth": 1}
    once, again = (measure(point, SETTINGS) for _ in range(2))
    for before, row in zip(once, again, strict=True):
        assert row["first_s"] > 0
        if row["library"] in ("jaxkit", "jax"):
            assert row["compiled"] == before["compiled"]
            assert 0 < row["compile_s"] < row["first_s"]
            # jit makes one program; eagerly each kind of operation is one.
            assert (row["compiled"] > 5) == (row["way"] == "eager"), row


def test_large_hessians_are_left_out():
    f, x = (lambda xp, x: xp.sum(x * x)), np.ones(2000, np.float32)
    assert stages.transforms(Model(f, (x,), by=0)) == ["f", "grad", "jvp"]
    assert stages.transforms(Model(f, (x[:8],), by=0)) == list(TRANSFORMS)


def test_why_torch_compile_failed_is_kept():
    def broken(f):
        def compiled(*args):
            raise RuntimeError("no C++ compiler\nand more")

        return compiled

    library = libraries(peers=False)["jax"]
    found = stages.begun(library, MODELS["chain"](1), "f", SETTINGS, broken)
    assert found == {"skipped": "RuntimeError: no C++ compiler"}


# ------------------------------------------------------------------ the user's function


def test_a_users_function_goes_through_all_kinds_but_one(tmp_path, capsys, few):
    command = ["overhead", "--function", "lambda x: sin(x) * x", "--inputs", "f32[3]"]
    kinds = ["--kinds", "pairs,compiled,growth"]
    assert main([*command, *kinds, *FAST, "--out", str(tmp_path)]) == 0
    table = Record.read(tmp_path / "overhead.jsonl").table
    assert {*table["kind"]} == {"pairs", "growth"}
    assert {*table["program"]} == {"f", "grad", "call"}
    assert {*table["library"]} == {"jaxkit", "jax"}
    assert {*table["subject"]} == {"lambda x: sin(x) * x"}
    assert "lambda x: sin(x) * x" in capsys.readouterr().out


def test_a_users_function_of_integers_is_refused(tmp_path, capsys):
    command = ["overhead", "--function", "lambda n: n * n", "--inputs", "3"]
    assert main([*command, "--out", str(tmp_path)]) == 2
    assert "must be of floats" in capsys.readouterr().err


def test_a_users_outputs_are_summed():
    settings = Settings(function="lambda x: sin(x) * x", inputs=["ones(3)"])
    model = find("own", 1, settings)
    g, args = stages.transformed(libraries()["jaxkit"], model, "grad")
    np.testing.assert_allclose(g(*args), jnp.sin(1.0) + jnp.cos(1.0) * jnp.ones(3))


# ------------------------------------------------------------------ tables, figures


def fake(ours: float) -> list[dict]:
    """Rows in which times are powers of the depth; jaxkit's are `ours` of JAX's."""
    rows = []
    for library, x in {"jaxkit": ours, "jax": 1.0}.items():
        row = {"library": library, "program": "grad", "samples": [x, 2 * x]}
        pair = row | {"kind": "pairs", "depth": 1}
        rows += [pair | {"way": "eager", "subject": "chain"}]
        rows += [pair | {"way": "trace", "subject": "mlp"}]
        real = {"kind": "compiled", "way": "compiled", "subject": "lstm", "depth": 1}
        rows += [row | real | {"flops": {"jaxkit": 90, "jax": 100}[library]}]
        for depth in (1, 2, 4, 8):
            for what, dear in zip(TRANSFORMS, (1, 3, 2, 10), strict=True):
                y, at = x * dear, {"kind": "growth", "subject": "rnn", "depth": depth}
                stage = {"trace_s": y * depth, "compile_s": y * depth**0.5}
                at |= {"library": library, "program": what, "samples": [y * depth]}
                rows += [at | stage | {"way": "compiled"}, at | {"way": "eager"}]
        begun = {"first_s": 2.0, "compile_s": 1.5, "way": "eager", "kind": "first"}
        rows += [row | begun | {"subject": "rnn", "depth": 2}]
    # In jaxkit and in JAX f itself is the same program.
    return [r for r in rows if (r["library"], r["program"]) != ("jaxkit", "f")]


def test_ratios_are_held_against_their_bars():
    for ours, kept in {0.5: [1, 1, 1, 1], 0.65: [0, 1, 1, 1]}.items():
        found = compared(of(fake(ours)))
        assert found["median / JAX's"].tolist() == [ours, ours, ours, 0.9]
        assert found["within it"].tolist() == kept


def test_stages_are_in_units_of_f():
    table = of(fake(0.5))
    stages = over_f(table)["trace / f's, jaxkit"]["rnn"]
    assert stages.to_dict() == {"grad": 1.5, "jvp": 1, "hessian": 5}
    first = tables(table)["from a new function to its first result"]
    assert (first["XLA's / first"] == 0.75).all()


def test_part_of_a_record_can_be_shown():
    rows = fake(0.5)
    for kind in ("pairs", "compiled", "growth", "first", None):
        table = of([row for row in rows if kind in (row["kind"], None)])
        drawn = []
        for name, drawing in figures(table):
            drawn.append(name)
            style.plt.close(drawing)
        assert drawn and tables(table)
