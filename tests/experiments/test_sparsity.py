"""The sparsity experiment: derivatives are right, passes are as many as theory says."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments.__main__ import main
from experiments.bench.record import Record
from experiments.sparsity import FUNCTIONS, HESSIANS, MISSING, Ours, failures, tables

ROOT = Path(__file__).parents[2]
FAST = ["--samples", "2", "--min-time", "1e-6", "--found", "1"]
ENTRIES = {"tridiagonal": 3 * 32 - 2, "scanned": 3 * 32 - 2, "arrow": 3 * 32 - 2}
ENTRIES |= {"brusselator": 6 * 32}  # a cell, its neighbours, and the other substance
PASSES = {"tridiagonal": 3, "scanned": 3, "arrow": 3, "brusselator": 10, "surface": 9}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_sparse_derivatives_are_the_dense_ones(name):
    hessian = name in HESSIANS
    x = jnp.asarray(np.random.default_rng(1).uniform(0.5, 1.5, 32))
    found, counts = Ours(hessian).derivative(FUNCTIONS[name], x)
    f = jax.grad(FUNCTIONS[name]) if hessian else FUNCTIONS[name]
    dense = jax.jacfwd(f)(x)
    np.testing.assert_allclose(found(x).todense(), dense, rtol=1e-5, atol=1e-5)
    assert counts["passes"] <= PASSES[name]
    assert counts["entries"] == ENTRIES.get(name, np.count_nonzero(dense))


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """A run of two sizes without asdex."""
    out = tmp_path_factory.mktemp("sparsity")
    with pytest.MonkeyPatch.context() as patch, jax.enable_x64(False):
        patch.setattr(importlib.util, "find_spec", lambda name: None)
        command = ["sparsity", "--sizes", "8,32", "--dense", "8", *FAST]
        assert main([*command, "--out", str(out)]) == 0
    assert (out / "sparsity-costs.png").exists()
    assert MISSING in (out / "REPORT.md").read_text()
    return Record.read(out / "sparsity.jsonl").table


def test_tables_have_the_numbers_of_the_run(table):
    found = tables(table)
    counts = found["entries and passes"]
    assert counts.loc["arrow", 32].tolist() == [94, 3]
    beside = found["sparse derivatives beside others"]
    assert beside["JAX's forward / it"].notna().tolist() == [True, False] * 5
    assert (beside["memory, JAX's forward"].dropna() >= 8 * 8 * 4).all()
    again = found["finding patterns and plans"]
    assert again.notna().all(axis=None) and len(again.columns) == 4


def test_ratios_are_in_pairs(table):
    table = table.copy()
    table["samples"] = [[1.0, 3.0] for _ in table["samples"]]
    dense = table["program"] == "forward"
    table.loc[dense, "samples"] = table.loc[dense, "samples"].map(lambda _: [2.0, 9.0])
    ratio = tables(table)["sparse derivatives beside others"]["JAX's forward / it"]
    assert (ratio.dropna() == 2.5).all()


def test_a_derivative_that_is_wrong_is_a_failure(table):
    assert failures(table) == 0
    wrong = table.copy()
    ours = (wrong["library"] == "jaxkit") & (wrong["program"] == "sparse")
    wrong.loc[ours & (wrong["n"] == 8), "error"] = 0.1
    assert failures(wrong) == 5


BESIDE = """
import jax.numpy as jnp, numpy as np
from experiments.sparsity import FUNCTIONS, HESSIANS, Asdex, Ours

x = jnp.linspace(0.5, 1.5, 32)
for name, f in FUNCTIONS.items():
    both = [package(name in HESSIANS).derivative(f, x) for package in (Ours, Asdex)]
    (ours, counts), (theirs, others) = both
    assert counts["entries"] == others["entries"]
    assert counts["passes"] <= others["passes"]
    np.testing.assert_allclose(ours(x).todense(), theirs(x).todense(), 1e-5, 1e-5)
"""


@pytest.mark.skipif(not importlib.util.find_spec("asdex"), reason="asdex isn't there")
def test_asdex_has_the_same_entries():
    """In a process of its own: numba would take tests/coverage for the package."""
    command = [sys.executable, "-c", BESIDE]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_a_size_that_is_no_grid_is_refused(tmp_path, capsys):
    assert main(["sparsity", "--sizes", "8,12", "--out", str(tmp_path)]) == 2
    assert "12 isn't twice a square" in capsys.readouterr().err
