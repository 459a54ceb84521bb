"""The side-by-side check: it covers the zoo, passes, and sees what is wrong."""

import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxkit as jk
from experiments import validate
from experiments.__main__ import main
from experiments.bench import ExperimentError
from experiments.bench.compare import difference
from experiments.bench.record import Record
from experiments.bench.settings import quickly
from experiments.overhead.models import real
from experiments.validate import (
    SINGLE,
    WHOLE,
    Settings,
    as_case,
    checked,
    derivatives,
    failures,
    measure,
    points,
    tables,
    verdict,
)
from zoo.cases import families
from zoo.nestings import NESTINGS
from zoo.programs import PROGRAMS


def rows(family: str, case: str, **settings) -> dict:
    """By dtype and transform, the verdict on a case."""
    found = measure({"family": family, "case": case}, Settings(**settings))
    return {(row["dtype"], row["transform"]): row for row in found}


def test_a_whole_run_is_of_the_whole_zoo():
    """As many cases as the tests of the rules have, and all real programs."""
    found = [(p["family"], p["case"]) for p in points(Settings())]
    cases = [(f, c.name) for f, all_ in families().items() for c in all_ if c.available]
    assert found == cases + [("programs", p.name) for p in PROGRAMS]
    quick = [p["family"] for p in points(quickly(Settings))]
    assert {*quick} == {*families(), "programs"} and len(quick) < len(found) / 15


def test_jaxkit_passes_at_one_point_in_each_dtype():
    found = rows("elementwise", "sin")
    assert {dtype for dtype, _ in found} == {*validate.DTYPES}
    assert {t for d, t in found if d == "float64"} == {*NESTINGS}
    for (dtype, _), row in found.items():
        assert row["passed"] and max(row["to_jax"], row["to_truth"]) <= row["allowed"]
        if dtype in validate.DOUBLE:
            assert 0 < row["jaxs_own"] < 1e-5 and row["allowed"] >= 0.98 * SINGLE
        else:
            assert row["jaxs_own"] == 0 and row["to_jax"] < 1e-13


def test_programs_have_whole_derivatives_too():
    found = rows("programs", "rosenbrock", dtypes=["float64"])
    assert {*WHOLE} < {transform for _, transform in found}
    assert all(row["passed"] for row in found.values())


def test_transforms_are_what_their_names_say():
    """Of x^2 y, whose derivatives are known."""
    case = as_case("f", lambda x: x[0] ** 2 * x[1], (np.array([3.0, 2.0]),))
    todo = [(jk, name) for name in WHOLE]
    found = derivatives(case, todo, "float64")
    for name in ("grad", "jacfwd", "jacrev"):
        (x,) = jax.tree.leaves(found["jaxkit", name])
        np.testing.assert_allclose(x, [12, 9])
    (hessian,) = jax.tree.leaves(found["jaxkit", "hessian"])
    np.testing.assert_allclose(hessian, [[4, 6], [6, 0]])


def wrong_grad(change):
    """In place of jaxkit's: its result, changed."""
    true = jk.grad

    def grad(f, **options):
        return lambda x: jax.tree.map(change, true(f, **options)(x))

    return grad


def no_result(x):
    raise NotImplementedError("no rule\nand more")


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda g: g * (1 + 1e-9), None),
        (lambda g: g.at[0].add(1e-3), None),
        (lambda g: g * jnp.nan, "isn't finite"),
        (lambda g: g.astype(np.float32), "float32[2]']"),
        (lambda g: g[None], "float64[1, 2]"),
        (lambda g: (g,), "JAX's ['float64[2]']"),
        (no_result, "NotImplementedError: no rule"),
    ],
)
def test_a_wrong_result_fails_alone(monkeypatch, change, problem):
    monkeypatch.setattr(jk, "grad", wrong_grad(change))
    f = {"function": "lambda x: sum(sin(x))", "inputs": ["ones(2)"]}
    found = rows("own", "", dtypes=["float64"], **f)
    row = found.pop(("float64", "grad"))
    assert all(other["passed"] for other in found.values()) and not row["passed"]
    if problem:
        assert problem in row["problem"] and "more" not in row["problem"]
    else:
        assert min(row["to_jax"], row["to_truth"]) > row["allowed"]


def test_what_jax_cannot_do_is_left_out_with_its_reason():
    found = rows("programs", "clipped_gradient", dtypes=["float32"])
    left = {name for (_, name), row in found.items() if "left_out" in row}
    assert left == {"jvp", "jvp of jvp", "vjp of jvp"}
    assert "custom_vjp" in found["float32", "jvp"]["left_out"]
    assert all(row["passed"] for (_, k), row in found.items() if k not in left)


def test_python_that_decides_on_values_is_run_as_it_is():
    case = as_case("f", lambda x: x * x if x > 0 else -x, (np.array(3.0),))
    found = derivatives(case, [(jk, "hessian"), (jax, "hessian")], "float32")
    assert [jax.tree.leaves(x) for x in found.values()] == [[2.0], [2.0]]


def test_where_jax_alone_has_a_result_jaxkit_fails(monkeypatch):
    """Also where it fails only as the program is compiled, with all the others."""

    def broken(f):
        return lambda x: jax.pure_callback(no_result, x, x)

    monkeypatch.setattr(jk, "jacfwd", broken)
    case = as_case("f", jnp.sin, (np.array(3.0),))
    todo = [(lib, name) for name in ("jacfwd", "jacrev") for lib in (jk, jax)]
    found = derivatives(case, todo, "float64")
    failed = {key for key, x in found.items() if isinstance(x, str)}
    assert failed == {("jaxkit", "jacfwd")}


def test_difference():
    """Relative to the largest of an array, or to a hundredth of the largest of all."""
    large, tiny = np.array([10.0, -200.0]), np.array([1e-3])
    assert difference([large], [large]) == 0
    assert difference([large * 1.001], [large]) == pytest.approx(1e-3)
    assert difference([tiny + 1e-3], [tiny]) == pytest.approx(1)
    assert difference([large, tiny + 1e-3], [large, tiny]) == 1e-3 / 2
    assert difference([0 * tiny + 0.5], [0 * tiny]) == 0.5
    for bad in np.nan, np.inf:
        assert not np.isfinite(difference([large * bad], [large]))
        assert np.isnan(difference([large * bad], [large * bad]))


def test_verdicts():
    x = [np.array([1.0])]
    bad = [np.array([np.nan])]
    assert verdict(bad, bad, bad, 1.0) == {"left_out": "JAX's result isn't finite"}
    off = [x[0] + 1e-3]
    assert not verdict(off, x, x, 1e-4)["passed"]
    # Rounding of JAX's own widens the tolerance ...
    assert verdict(off, off, x, 1e-4)["allowed"] == pytest.approx(4e-3, rel=0.1)
    # ... but where it is of other numbers altogether, it doesn't.
    found = verdict(x, off, [2 * x[0]], 1e-4)
    assert not found["passed"] and found["allowed"] == 1e-4


def run(tmp_path, *options, code=0):
    assert main(["validate", *options, "--out", str(tmp_path)]) == code
    return Record.read(tmp_path / "validate.jsonl").table


def test_a_run_prints_and_draws_verdicts(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(jk, "grad", wrong_grad(lambda g: 1.01 * g))
    options = ["--families", "ragged,programs", "--every", "100"]
    table = run(tmp_path, *options, code=1)
    printed = capsys.readouterr().out
    assert (tmp_path / "validate-differences.png").exists()
    found = tables(table)
    assert failures(table) == 1 and len(found["failed"]) == 1
    assert found["by family"]["pass"]["programs"] == "15 of 16"
    assert found["by dtype"]["cases"]["float64"] == 2
    assert len(checked(table)) == len(table) - 2
    assert "by family" in printed and "1e-02" in printed and "ragged_dot" in printed
    assert "1 failed" not in printed


def test_a_users_function(tmp_path):
    """Over its floats, in both dtypes; integers, among inputs and outputs, stay."""
    f = "lambda x, n, y: (x[n] * y['a'], n, jnp.sum(x) ** 2)"
    inputs = ["f32[3]", "1", "{'a': 2.0}"]
    table = run(tmp_path, "--function", f, "--inputs", *inputs)
    assert (table["passed"] == 1).all() and len(table) == 2 * (6 + len(WHOLE))
    assert {*table["case"]} == {f}
    with pytest.raises(ExperimentError, match="floats"):
        [*points(Settings(function="lambda n: n", inputs=["3"]))]


def test_real_programs_are_found_by_name():
    assert list(real(["rosenbrock"])) == ["rosenbrock"]
    assert len(real([])) == sum(p.traceable for p in PROGRAMS)
    with pytest.raises(ExperimentError, match="no program nothing"):
        real(["nothing"])


def test_loading_leaves_the_choice_of_the_device():
    """A backend that has started can't be changed by --device any more."""
    code = (
        "import experiments.__main__, experiments.validate, experiments.overhead;"
        "from jax._src import xla_bridge; assert not xla_bridge._backends"
    )
    root = Path(__file__).parents[2]
    subprocess.run([sys.executable, "-c", code], check=True, cwd=root)
