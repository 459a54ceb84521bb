"""The hessian experiment: all nestings are one Hessian, and cost what theory says."""

import jax
import numpy as np
import pytest

from experiments import hessian
from experiments.__main__ import main
from experiments.bench.record import Record
from experiments.bench.tidy import slope
from experiments.functions import FUNCTIONS
from experiments.hessian import NESTINGS, apart, failures, recipes, tables
from experiments.libraries import libraries


@pytest.mark.parametrize("name", FUNCTIONS)
def test_all_nestings_are_the_hessian(name):
    f, args = FUNCTIONS[name].at(4, FUNCTIONS[name].outputs)
    found = {
        (library, what): np.asarray(built.build(program, built.bind(f, args)[1]).call())
        for library, built in libraries().items()
        for what, program in recipes(built, f).items()
    }
    reference = found["jax", "forward/reverse"]
    assert np.abs(reference).max() > 1e-3
    if jax.__version_info__ < (0, 11):
        # jaxlib 0.10 compiles JAX's program to one that is wrong: eagerly, and with
        # later versions, it gives what the others do.
        del found["jax", "reverse/forward"]
    for (library, what), result in found.items():
        if what != "f":
            expected = reference @ np.asarray(args[0]) if what == "hvp" else reference
            error = np.abs(result - expected).max() / np.abs(expected).max()
            assert error < 1e-4, (library, what)


def test_flops_grow_by_the_exponents_of_theory():
    library, sizes, flops = libraries()["jaxkit"], [4, 16], {}
    for n in sizes:
        f, args = FUNCTIONS["burgers"].at(n, FUNCTIONS["burgers"].outputs)
        _, own = library.bind(f, args)
        for what, program in recipes(library, f).items():
            flops.setdefault(what, []).append(library.build(program, own).cost["flops"])
    for what, theory in NESTINGS.items():
        # f's own pass, within each Hessian, still shows at these sizes.
        assert theory - 0.25 < slope(sizes, flops[what]) < theory + 0.05, what


def fake(point, settings):
    """As theory has it: f costs 1."""
    cost = {"f": 1.0} | {k: 1.0 * point["n"] ** p for k, p in NESTINGS.items()}
    return [
        {"library": library, "program": what, "samples": [x / 10] * 3, "error": 0.0}
        | dict.fromkeys(("flops", "temporaries", "trace_s"), x)
        for library in ("jaxkit", "jax")
        for what, x in cost.items()
    ]


def test_a_run_is_held_against_theory_and_drawn(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(hessian, "measure", fake)
    command = ["hessian", "--functions", "digits", "--sizes", "4,8,16"]
    assert main([*command, "--out", str(tmp_path)]) == 0
    table = Record.read(tmp_path / "hessian.jsonl").table
    found = tables(table)
    fits = found["exponents of cost over n"]
    for column in fits:
        np.testing.assert_allclose(fits[column], fits["theory"], atol=1e-9)
    times = found["jaxkit's times at the largest n"].loc["digits"]
    assert times["time"]["forward/forward"] == 25.6 and (times["n"] == 16).all()
    assert (times["time / JAX's"] == 1).all()
    assert not failures(table) and "wrong Hessians" not in found
    wrong = table["program"] == "reverse/forward"
    table.loc[wrong & (table["library"] == "jax"), "error"] = 0.2
    assert not failures(table) and len(tables(table)["wrong Hessians"]) == 3
    table.loc[wrong, "error"] = np.inf  # JAX's too
    assert not failures(table)
    table.loc[table["program"] == "forward/reverse", "error"] = [np.inf, 0] * 3
    assert failures(table) == 3  # JAX's of the same nesting are right
    assert (tmp_path / "hessian-digits.svg").exists()
    assert "exponents of cost over n" in capsys.readouterr().out


def test_differences_of_hessians():
    nan = np.array([np.nan, 2.0])
    assert apart(nan, nan) == 0 and apart(nan * np.nan, nan * np.nan) == 0
    assert apart([1.0, 2.0], nan) == np.inf
    assert apart([1.0, 2.0], [1.0, 4.0]) == 0.5
    assert apart([0.0], [0.0]) == 0
