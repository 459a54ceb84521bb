"""The curvature experiment: results are right, and tables have what was measured."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxkit as jk
from experiments.__main__ import main
from experiments.bench.record import Record
from experiments.curvature import (
    HESSIANS,
    PRODUCTS,
    Settings,
    anew,
    failures,
    in_loop,
    tables,
    traces,
)

FAST = ["--samples", "2", "--min-time", "1e-6"]
SIZES = ["--widths", "4,8", "--batches", "2,3", "--places", "1,2"]
FEW = ["--counts", "6,9", "--keys", "3"]


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    out = tmp_path_factory.mktemp("curvature")
    with jax.enable_x64(False):
        assert main(["curvature", *SIZES, *FEW, *FAST, "--out", str(out)]) == 0
    for name in "samples", "products", "trace":
        assert (out / f"curvature-{name}.png").exists()
    return Record.read(out / "curvature.jsonl").table


def test_tables_have_the_numbers_of_the_run(table):
    found = tables(table)
    for what in "norms of samples' gradients", "means of their squares":
        assert len(found[what]) == 8 and found[what].notna().all(axis=None)
    products = found["20 Gauss-Newton products"]
    assert len(products) == 8 and products.notna().all(axis=None)
    errors = found["errors of traces, in units of the trace"]
    assert [*errors.index] == [(name, k) for name in HESSIANS for k in (6, 9)]
    assert (errors > 0).all(axis=None) and len(errors.columns) == 4


def test_all_results_are_compared_with_those_of_jax(table):
    ours = table[(table["library"] == "jaxkit") & (table["kind"] != "trace")]
    assert len(ours) == 8 * 3 + 4 * 4 and ours["error"].notna().all()
    assert failures(table) == 0
    wrong = table.copy()
    wrong.loc[ours.index[:5], "error"] = 0.1
    assert failures(wrong) == 5


def test_ratios_are_in_pairs(table):
    table = table.copy()
    timed = table["kind"] != "trace"
    table.loc[timed, "samples"] = table[timed]["samples"].map(lambda _: [1.0, 3.0])
    theirs = timed & (table["library"] == "jax")
    table.loc[theirs, "samples"] = table[theirs]["samples"].map(lambda _: [2.0, 9.0])
    found = tables(table)
    norms = found["norms of samples' gradients"]
    assert (norms[["JAX's norms / it", "JAX's gradient / it"]] == 2.5).all(axis=None)
    products = found["20 Gauss-Newton products"]
    assert (products["jaxkit's anew / it"] == 1).all()
    assert (products["JAX's anew / it"] == 2.5).all()


def test_a_kind_may_stand_alone(tmp_path, capsys):
    command = ["curvature", "--kinds", "trace", *FEW, "--out", str(tmp_path)]
    assert main(command) == 0
    assert [x.stem for x in tmp_path.glob("*.png")] == ["curvature-trace"]
    assert "20 Gauss-Newton products" not in capsys.readouterr().out


@pytest.mark.parametrize("ad", [jax, jk], ids=lambda x: x.__name__)
def test_products_find_the_largest_eigenvalue(ad):
    """What is measured is the power method: its vector is an eigenvector in the end."""
    A = jnp.diag(jnp.array([3.0, 1.0]))
    loop = in_loop(lambda p: p, anew(ad, lambda p: [A @ p[0]], lambda z: z[0] @ z[0]))
    (v,) = jax.jit(loop)([jnp.zeros(2)], [jnp.ones(2)])
    np.testing.assert_allclose(v, [1, 9.0**-PRODUCTS], rtol=1e-12)


def test_traces_are_off_as_theory_says():
    """Of [[2, 1], [1, 2]] a sign vector's form is 2 or 6: a variance of 4."""
    H = jnp.array([[2.0, 1.0], [1.0, 2.0]])
    settings = Settings(counts=[6], keys=400)
    row, _ = traces(lambda p: p[0] @ H @ p[0] / 2, [jnp.ones(2)], settings)
    assert row["program"] == "hutchinson" and row["inputs"] == 2
    expected = (4 / 6) ** 0.5 / 4
    np.testing.assert_allclose([row["off"], row["stated"]], expected, 0.1)
