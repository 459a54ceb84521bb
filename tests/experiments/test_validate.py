"""The side-by-side check: it covers all rules, passes, and sees what is wrong."""

import json
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
from experiments.bench.record import Record
from experiments.programs import programs, real
from experiments.validate import compare, measure
from experiments.validate.families import FUNCTIONS
from experiments.validate.functions import Function, find, summed
from experiments.validate.tables import checked, passed
from experiments.validate.transforms import TRANSFORMS, derivatives

# Families that aren't a file of rules of primitives.
BESIDE_RULES = {"programs", "custom_jvp", "custom_vjp"}

# A file that is loaded again declares its rules again. Here that would do harm.
RELOAD = """
import importlib, json, pkgutil, jaxkit.rules, jaxkit.control
from jaxkit.rules.table import RULES
found = {}
for package in jaxkit.rules, jaxkit.control:
    for name in {i.name for i in pkgutil.iter_modules(package.__path__)} - {"table"}:
        before = dict(RULES)
        importlib.reload(importlib.import_module(f"{package.__name__}.{name}"))
        found[name] = [
            str(key)
            for key, rule in RULES.items()
            if rule is not before.get(key) and "refused" not in rule.__qualname__
        ]
print(json.dumps(found))
"""


def python(code: str) -> str:
    """What the code prints in a process of its own."""
    command, root = [sys.executable, "-c", code], Path(__file__).parents[2]
    return subprocess.run(command, check=True, cwd=root, stdout=-1, text=True).stdout


@pytest.fixture(scope="module")
def declared() -> dict[str, set[str]]:
    """By file of jaxkit/rules and jaxkit/control, what it declares derivatives of."""
    found = json.loads(python(RELOAD))
    return {name: set(keys) for name, keys in found.items() if keys}


def reached(jaxpr) -> set[str]:
    """The names of the primitives of a traced program, and of those inside."""
    found = set()
    for eqn in jaxpr.eqns:
        found |= {eqn.primitive.name, type(eqn.params.get("_prim")).__name__}
        for value in jax.tree.leaves(eqn.params, is_leaf=lambda x: hasattr(x, "jaxpr")):
            value = getattr(value, "jaxpr", value)
            if hasattr(value, "eqns"):
                found |= reached(value)
    return found


def test_every_file_of_rules_is_a_family(declared):
    assert set(declared) == {f.family for f in FUNCTIONS.values()} - BESIDE_RULES


def test_each_function_reaches_rules_of_its_family(declared):
    for name, function in FUNCTIONS.items():
        new = function.family == "composites" and jax.__version_info__ < (0, 12)
        if function.family in declared and not new:
            jaxpr = jax.make_jaxpr(function.f)(function.at("float64")).jaxpr
            assert reached(jaxpr) & declared[function.family], name


def test_there_are_many_functions_all_of_them_small():
    beside = [f for f in FUNCTIONS.values() if f.family != "programs"]
    assert len(beside) >= 50 and len(FUNCTIONS) - len(beside) == len(programs())
    assert len(FUNCTIONS) >= 60
    assert all(f.point.size <= 12 for f in beside)
    assert sum(f.holomorphic for f in beside) >= 2
    assert set(validate.QUICK["functions"]) <= set(FUNCTIONS)


def test_the_point_is_the_same_in_each_dtype():
    for function in FUNCTIONS.values():
        low, high = function.at("float32"), function.at("float64")
        for x, y in zip(jax.tree.leaves(low), jax.tree.leaves(high), strict=True):
            assert x.dtype == (np.complex64 if function.holomorphic else np.float32)
            assert y.dtype == (np.complex128 if function.holomorphic else np.float64)
            assert (np.asarray(x) == np.asarray(y)).all()


@pytest.mark.parametrize("dtype", validate.FULL["dtypes"])
@pytest.mark.parametrize("name", ["holomorphic_roots", "orders"])
def test_jaxkit_passes(name, dtype):
    transforms = measure({"function": name, "dtype": dtype}, {})["transforms"]
    assert list(transforms) == list(TRANSFORMS)
    floor = {"float32": 128 * 2.0**-23, "float64": 1e-10}[dtype]
    for entry in transforms.values():
        assert entry["passed"] and entry["to_jax"] <= entry["tolerance"]
        assert entry["to_float64"] <= entry["tolerance"]
        assert entry["tolerance"] == max(floor, 4 * entry["jax_to_float64"])
        if dtype == "float64":
            assert entry["jax_to_float64"] == 0 and entry["to_jax"] < 1e-13
        else:
            assert 0 < entry["jax_to_float64"] < 1e-4


def test_transforms_are_what_their_names_say():
    """Of x^2 y, whose derivatives are known; the direction is cos 0, cos 1.3."""
    f = lambda x: x[0] ** 2 * x[1]  # noqa: E731
    function = Function("", f, np.array([3.0, 2.0]), summed(f))
    found = derivatives("jaxkit", function, "float64")
    v, gradient = [1, np.float32(np.cos(1.3))], [12, 9]
    np.testing.assert_allclose(found["jvp"], (18, np.dot(gradient, v)))
    np.testing.assert_allclose(found["vjp"][1][0], gradient)
    for name in "grad", "jacfwd", "jacrev":
        np.testing.assert_allclose(found[name], gradient)
    np.testing.assert_allclose(found["hessian"], [[4, 6], [6, 0]])
    np.testing.assert_allclose(found["third"], [[[0, 2], [2, 0]], [[2, 0], [0, 0]]])


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
        (lambda g: g.astype(np.float32), "float32[8], JAX's float64[8]"),
        (lambda g: g[None], "float64[1, 8], JAX's float64[8]"),
        (lambda g: (g,), "JAX's float64[8]"),
        (no_result, "NotImplementedError: no rule"),
    ],
)
def test_a_wrong_result_fails_alone(monkeypatch, change, problem):
    monkeypatch.setattr(jk, "grad", wrong_grad(change))
    found = measure({"function": "pieces", "dtype": "float64"}, {})["transforms"]
    entry = found.pop("grad")
    assert all(other["passed"] for other in found.values())
    assert not entry["passed"]
    if problem:
        assert problem in entry["problem"] and "more" not in entry["problem"]
    else:
        assert min(entry["to_jax"], entry["to_float64"]) > entry["tolerance"]


@pytest.fixture(autouse=True)
def nothing_remembered():
    derivatives.cache_clear()


def test_what_jax_cannot_do_is_left_out_with_its_reason():
    cases = {
        "loop_to_convergence": (["jvp", "jacfwd"], "Reverse-mode"),
        "users_pullback": (["vjp", "grad", "jacrev", "hessian", "third"], "custom_vjp"),
    }
    for name, (able, reason) in cases.items():
        found = measure({"function": name, "dtype": "float32"}, {})["transforms"]
        assert [k for k, entry in found.items() if "left_out" not in entry] == able
        for entry in found.values():
            assert entry.get("passed") or reason in entry["left_out"]


def test_python_that_decides_on_values_is_run_as_it_is():
    f = lambda x: x * x if x > 0 else -x  # noqa: E731
    function = Function("", f, np.array(3.0), summed(f), traceable=False)
    assert derivatives("jaxkit", function, "float32")["hessian"] == 2
    compiled = Function("", f, np.array(3.0), summed(f))
    assert "TracerBool" in derivatives("jaxkit", compiled, "float32")["hessian"]


def test_difference():
    """Relative to the largest of an array, or to a hundredth of the largest of all."""
    large, tiny = np.array([10.0, -200.0]), np.array([1e-3])
    assert compare.difference([large], [large]) == 0
    assert compare.difference([large * 1.001], [large]) == pytest.approx(1e-3)
    assert compare.difference([tiny + 1e-3], [tiny]) == pytest.approx(1)
    assert compare.difference([large, tiny + 1e-3], [large, tiny]) == 1e-3 / 2
    assert compare.difference([0 * tiny + 0.5], [0 * tiny]) == 0.5
    for bad in np.nan, np.inf:
        assert not np.isfinite(compare.difference([large * bad], [large]))
        assert np.isnan(compare.difference([large * bad], [large * bad]))


def test_what_isnt_finite_with_jax_is_left_out():
    bad = np.array([np.nan])
    assert compare.verdict(bad, bad, bad, 1.0) == {
        "left_out": "JAX's result isn't finite"
    }


def test_rounding_of_jaxs_own_widens_the_tolerance():
    """(1 - cos x) / x^2 loses digits for small x, with JAX too."""
    settings = {"function": "lambda x: (1 - cos(x)) / x**2", "inputs": ["0.01"]}
    point = {"function": "the lambda", "dtype": "float32"}
    entry = measure(point, settings)["transforms"]["jvp"]
    assert entry["passed"] and entry["jax_to_float64"] > 1e-3
    assert entry["tolerance"] == 4 * entry["jax_to_float64"]


# ------------------------------------------------------------------------ the whole run


def run(tmp_path, *options, code=0):
    assert main(["validate", *options, "--out", str(tmp_path)]) == code
    return Record.read(tmp_path / "validate.jsonl")


def test_a_run_prints_and_draws_verdicts(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(jk, "grad", wrong_grad(lambda g: 1.01 * g))
    record = run(tmp_path, "--functions", "rosenbrock,users_pullback", code=1)
    printed = capsys.readouterr().out
    assert (tmp_path / "validate.png").exists()
    assert (tmp_path / "validate.svg").exists()
    assert len(record.points) == 4 and passed(checked(record)) == "20 of 24"
    assert printed.count("FAIL 1e-02") == 4 and "Failed: 4" in printed
    assert "grad of rosenbrock in float64: 1.0e-02 to JAX" in printed
    assert "users_pullback: jvp, jacfwd: TypeError" in printed
    caption = validate.captions(record)["validate"]
    assert caption.startswith("20 of 24 combinations of 2 functions")
    assert "float64" in caption and "1e-02 (grad of" in caption
    assert validate.summary(record)["float32: combinations that pass"] == "10 of 12"


def test_a_users_function(tmp_path, capsys):
    """Over its floats, in both dtypes; integers, among inputs and outputs, stay."""
    f = "lambda x, n, y: (x[n] * y['a'], n, jnp.sum(x) ** 2)"
    inputs = ["f32[3]", "1", "{'a': 2.0}"]
    record = run(tmp_path, "--function", f, "--inputs", *inputs)
    assert [key["function"] for key, _ in record.results()] == ["own", "own"]
    assert passed(checked(record)) == "14 of 14"
    with pytest.raises(ExperimentError, match="floats"):
        find(f, {"function": "lambda n: n", "inputs": ["3"]})


def test_many_inputs_leave_third_derivatives_out():
    settings = {"function": "lambda x: jnp.sum(x ** 4)", "inputs": ["f32[40]"]}
    entries = measure({"function": "sum", "dtype": "float64"}, settings)["transforms"]
    assert "40 inputs" in entries.pop("third")["left_out"]
    assert all(entry["passed"] for entry in entries.values())


def test_a_record_without_points_has_captions(tmp_path):
    header = {"settings": validate.QUICK, "environment": {}}
    record = Record(tmp_path / "validate.jsonl", header, [])
    assert validate.captions(record)["validate"].startswith("0 of 0")
    assert validate.summary(record)["functions"] == "0"


def test_real_programs_are_found_by_name():
    assert list(real(["rosenbrock"])) == ["rosenbrock"]
    assert len(real(None)) == sum(p.traceable for p in programs().values())
    with pytest.raises(ExperimentError, match="no program nothing"):
        real(["nothing"])


def test_loading_leaves_the_choice_of_the_device():
    """A backend that has started can't be changed by --device any more."""
    python(
        "import experiments.validate; from jax._src import xla_bridge;"
        "assert not xla_bridge._backends"
    )
