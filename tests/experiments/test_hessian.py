"""The hessian experiment: all nestings are one Hessian, and cost what theory says."""

import jax
import numpy as np
import pytest

from experiments import hessian
from experiments.__main__ import main
from experiments.bench.costs import slope
from experiments.bench.record import Record
from experiments.functions import FUNCTIONS
from experiments.hessian.captions import captions, failures, summary
from experiments.hessian.sweep import NESTINGS, apart, recipes
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
    kinds = ("flops", "temporaries", "trace_s")
    return {
        "programs": {
            f"{library} {what}": dict.fromkeys(kinds, x) | {"samples_s": [x / 10] * 3}
            for library in ("jaxkit", "jax")
            for what, x in cost.items()
        }
    }


def test_a_run_is_said_in_words_and_drawn(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(hessian, "measure", fake)
    command = ["hessian", "--functions", "digits", "--sizes", "4,8,16"]
    assert main([*command, "--out", str(tmp_path)]) == 0
    record = Record.read(tmp_path / "hessian.jsonl")
    (text,) = captions(record).values()
    assert "exponents 2.00, 1.00, 2.00, 1.00 and 0.00" in text
    assert "There forward/reverse is jaxkit's fastest Hessian" in text
    assert "takes 16 times as long as one" in text and "1 of JAX's time" in text
    assert text.endswith("(quartiles).")
    programs = record.points[0]["result"]["programs"]
    programs["jax reverse/forward"] |= {"error": 0.2, "error_eager": 1e-7}
    programs["jaxkit hvp"] = {"skipped": "why"}
    (text,) = captions(record).values()
    assert "JAX's reverse/forward is off by up to 0.2 of its largest entry" in text
    assert text.endswith("are jaxkit's hvp (n = 4).") and not failures(record)
    programs["jaxkit forward/reverse"] |= {"error": np.inf, "error_eager": np.inf}
    assert failures(record) == 1  # JAX's of the same nesting is right
    programs["jaxkit reverse/forward"] |= {"error": np.inf, "error_eager": np.inf}
    assert failures(record) == 1
    (text,) = captions(record).values()
    assert "aren't finite where others have numbers" in text and "inf" not in text
    label = "digits, forward/forward: time at n = 16, of JAX's, its exponent (theory 2)"
    assert summary(record)[label] == "25.6 s, 1, 2.00"
    assert (tmp_path / "hessian-digits.svg").exists()
    assert "Hessians of digits" in capsys.readouterr().out


def test_differences_of_hessians():
    nan = np.array([np.nan, 2.0])
    assert apart(nan, nan) == 0 and apart(nan * np.nan, nan * np.nan) == 0
    assert apart([1.0, 2.0], nan) == np.inf
    assert apart([1.0, 2.0], [1.0, 4.0]) == 0.5
    assert apart([0.0], [0.0]) == 0
