"""The memory experiment: loops are reversed rightly, in the memory that theory says."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments.__main__ import main
from experiments.bench.record import Record
from experiments.memory import BATCH, SCHEMES, WIDTH, in_units_of_plain, tables
from experiments.memory.schemes import schemes
from jaxkit.control.schedules import fewest, unforeseen

FAST = ["--samples", "2", "--min-time", "1e-6"]


def test_theory_counts_states_and_steps():
    found = schemes(jnp.sin, jnp.sum, 100, 8)
    states = [found[scheme].states for scheme in SCHEMES]
    assert states == [1, 100, 52, 20, 7, 7, 8]
    steps = [found[scheme].steps for scheme in SCHEMES]
    again = [100 + x for x in (fewest(100, 7), unforeseen(100, 7), fewest(100, 8))]
    assert steps == [100, 100, 200, 200, *again]


def test_no_step_is_run_more_often_than_theory_says():
    """Counted by a callback; once more where its derivative is taken."""
    runs = [0]

    def counted(x):
        def count(x):
            runs[0] += 1
            return x

        @jax.custom_jvp
        def f(x):
            return jax.pure_callback(count, x, x)

        f.defjvp(lambda xs, dxs: (f(*xs), dxs[0]))
        return jnp.sin(f(x))

    found = schemes(counted, jnp.sum, 30, 4)
    for name in "binomial", "unforeseen", "budgeted":
        runs[0] = 0
        jax.jit(found[name].derivatives["jaxkit"])(jnp.float32(0.5))
        assert runs[0] <= found[name].steps


def step(state, weight, shift):
    """A state of two leaves, one of them a number."""
    x, total = state["x"], state["total"]
    y = jnp.sin(weight @ x) + shift["by"]
    return {"x": y, "total": 0.9 * total + jnp.sum(x * y)}


def loss(state):
    return jnp.sum(state["x"] ** 2) + jnp.sin(state["total"])


@pytest.mark.parametrize("length", [1, 2, 7, 30])
def test_all_schemes_give_the_derivative_of_the_unrolled_loop(length):
    draw = np.random.default_rng(0).normal
    x = {"x": jnp.array(draw(size=3)), "total": jnp.array(0.5)}
    args = x, jnp.array(draw(size=(3, 3))) / 2, {"by": jnp.array(draw(size=3)) / 5}

    def unrolled(x, *params):
        for _ in range(length):
            x = step(x, *params)
        return loss(x)

    value, gradient = jax.value_and_grad(unrolled, (0, 1, 2))(*args)
    along = sum(jnp.sum(leaf) for leaf in jax.tree.leaves(gradient))
    for name, scheme in schemes(step, loss, length, 3).items():
        for derivative in scheme.derivatives.values():
            found = jax.jit(derivative)(*args)
            expected = value, along if name == "forward" else gradient
            jax.tree.map(np.testing.assert_allclose, found, expected)


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """A run of two lengths, in single precision."""
    out = tmp_path_factory.mktemp("memory")
    with jax.enable_x64(False):
        assert main(["memory", "--lengths", "256,64", *FAST, "--out", str(out)]) == 0
    assert (out / "memory-exchange.png").exists()
    return Record.read(out / "memory.jsonl").table


def temporaries(table, library):
    """In states: a row for each scheme, a column for each length."""
    found = table[(table["library"] == library) & table["program"].isin(SCHEMES)]
    wide = found.pivot(index="program", columns="length", values="temporaries")
    return wide / (BATCH * WIDTH * 4)


def test_temporaries_grow_as_the_states_that_are_kept(table):
    # Where all is kept, that is a state and a factor of its size for each step.
    added = {
        "plain": 2 * (256 - 64),
        "every other": (256 - 64) / 2,
        "square root": (16 + 2 * 16) - (8 + 2 * 8),
        "binomial": 9 - 7,
        "unforeseen": 9 - 7,
        "budgeted": 0,
        "forward": 0,
    }
    for scheme, states in added.items():
        short, long = temporaries(table, "jaxkit").loc[scheme]
        assert long - short == pytest.approx(states, abs=0.1)


def test_jaxkit_needs_no_more_than_jax(table):
    ours, theirs = (temporaries(table, name) for name in ("jaxkit", "jax"))
    assert (ours.loc[theirs.index] <= theirs).all(axis=None)


def test_a_loop_of_unforeseen_length_needs_less_than_equinoxs(table):
    ours, theirs = (temporaries(table, name) for name in ("jaxkit", "equinox"))
    assert list(theirs.index) == ["unforeseen"]
    assert (ours.loc[theirs.index] < theirs).all(axis=None)


def test_tables_have_the_numbers_of_the_run(table):
    at_last, fits, _ = tables(table).values()
    assert at_last["states"].tolist() == [1, 256, 130, 32, 9, 9, 8]
    assert at_last["evaluated / steps"]["square root"] == 2
    assert at_last["time / plain, jaxkit"]["plain"] == 1
    assert at_last["temporaries, jaxkit"]["plain"] == pytest.approx(8.43e6, rel=1e-3)
    assert fits["temporaries ~ length^p, jaxkit"]["plain"] == pytest.approx(1, abs=0.05)
    assert fits["temporaries ~ length^p, jaxkit"]["budgeted"] == pytest.approx(0)


def test_times_are_in_pairs_with_plain(table):
    table = table.copy()
    table["samples"] = [[1.0, 3.0] for _ in table["samples"]]
    table.loc[table["program"] == "binomial", "samples"] = table["samples"].map(
        lambda _: [2.0, 9.0]
    )
    ratio = in_units_of_plain(table).set_index("program")["ratio"]
    assert (ratio["binomial"] == 2.5).all() and (ratio["plain"] == 1).all()


OWN = ["memory", "--lengths", "4", *FAST]


def test_a_step_of_ones_own(tmp_path, capsys):
    given = ["--function", "lambda x, a: a * sin(x)", "--inputs", "ones(5)", "0.9"]
    assert main([*OWN, *given, "--out", str(tmp_path)]) == 0
    table = Record.read(tmp_path / "memory.jsonl").table
    assert {*table["step"]} == {"lambda x, a: a * sin(x)"}
    report = (tmp_path / "REPORT.md").read_text()
    assert "nan" not in report and "tanh" not in report.partition("## memory")[2][900:]


@pytest.mark.parametrize(
    "given, message",
    [
        (["--function", "lambda x: x[:2]", "--inputs", "ones(5)"], "float64[2]"),
        (["--function", "lambda x: x", "--inputs", "arange(5)"], "floats to floats"),
        (["--budget", "20K"], "two states take 32768"),
    ],
)
def test_what_is_no_loop_is_refused(tmp_path, capsys, given, message):
    assert main([*OWN, *given, "--out", str(tmp_path)]) == 2
    assert message in capsys.readouterr().err
