"""A fair sample of JAX's harnesses; `python -m tests.harnesses` runs all."""

from __future__ import annotations

import json
import re

import jax
import numpy as np
import pytest

from tests.harnesses import __main__ as command
from tests.harnesses import cases, compare, run
from tests.harnesses.cases import FIRST, candidates, modes_of_jax
from tests.harnesses.compare import AGREE, DISAGREE, NO_CASE, UNSUPPORTED, check

# How many cases JAX traces the derivatives of, forward and in reverse.
TRACED = {"0.10.2": (2247, 2207)}
# Of these it can't compile some; without them, there are 2,245 and 2,205.
UNCOMPILABLE = {
    "0.10.2": [
        f"reduce_window_{name}_dtypes_shape_complex64_4_6_initvalue_{init}_"
        "windowdimensions_2_2_windowstrides_1_1_padding_0_0_0_0_basedilation_1_1_"
        "windowdilation_1_1_enablexla_True"
        for name, init in [("max", "-inf+0j"), ("min", "inf+0j")]
    ]
}


@pytest.fixture
def single():
    """JAX's default precision, in which the harnesses are counted."""
    with jax.enable_x64(False):
        yield


@pytest.mark.long
def test_a_fair_sample_agrees(single):
    names = cases.sample(120)
    results = {name: check(candidates()[name], "first") for name in names}
    wrong = [
        f"{name}: {result.outcome}: {result.reason}"
        for name, result in results.items()
        if result.outcome != AGREE
    ]
    assert not wrong, "\n".join(wrong)


def test_the_sample_is_fair(single):
    names = cases.sample(120)
    groups = [candidates()[name].group for name in names]
    assert len(names) == len(set(names)) and names == cases.sample(120)
    assert 120 <= len(names) <= 220  # each group has one at least
    assert {"sin", "eigh", "tridiagonal_solve"} <= set(groups)
    assert groups.count("scatter_add") > 4 * groups.count("pad") > 4


@pytest.mark.long
def test_counts(single):
    if jax.__version__ not in TRACED:
        pytest.skip(f"not counted for JAX {jax.__version__}")
    modes = [modes_of_jax(case, FIRST) or () for case in candidates().values()]
    counts = tuple(sum(mode in x for x in modes) for mode in FIRST)
    assert counts == TRACED[jax.__version__]
    for name in UNCOMPILABLE[jax.__version__]:
        assert modes_of_jax(candidates()[name], FIRST) == FIRST
        assert check(candidates()[name], "first").outcome == NO_CASE


# ------------------------------------------------------------------- what is compared


def case_of(f, *xs) -> cases.HarnessCase:
    xs = [np.asarray(x, np.float32) for x in xs]
    return cases.HarnessCase("a case", "a group", lambda xs: [f(*xs)], xs)


@pytest.fixture
def mistaken(monkeypatch):
    """Puts a function in the place of one of jaxkit's transforms."""

    def mistake(name, wrong):
        right = getattr(compare.jk, name)
        monkeypatch.setattr(compare.jk, name, lambda *args: wrong(right(*args)))

    return mistake


def scaled(factor):
    return lambda result: (result[0], jax.tree.map(lambda t: factor * t, result[1]))


def doubled(result):
    y, pullback = result
    return y, lambda ct: jax.tree.map(lambda x: 2 * x, pullback(ct))


def fails(error):
    def fail(result):
        raise error

    return fail


def test_second_derivatives_agree():
    result = check(case_of(jax.numpy.sin, [0.5, 1.0]), "second")
    assert (result.outcome, result.modes) == (AGREE, cases.SECOND)


@pytest.mark.parametrize(
    ("wrong", "outcome", "reason"),
    [
        (scaled(1.01), DISAGREE, "jvp: relative error"),
        (scaled(np.nan), DISAGREE, "jvp: at"),
        (fails(TypeError("a\nb")), DISAGREE, "jvp: TypeError: a"),
        (fails(NotImplementedError("no")), UNSUPPORTED, "jvp: NotImplementedError: no"),
    ],
)
def test_what_is_wrong_is_found(mistaken, wrong, outcome, reason):
    mistaken("jvp", wrong)
    result = check(case_of(jax.numpy.sin, [0.5, 1.0]), "first")
    assert result.outcome == outcome
    assert result.reason.startswith(reason)


def test_where_jax_is_wrong_the_quotient_decides(monkeypatch):
    jvp = jax.jvp

    def wrong(f, xs, vs):
        ys, dys = jvp(f, xs, vs)
        return ys, [2 * dy for dy in dys]

    monkeypatch.setattr(jax, "jvp", wrong)
    result = check(case_of(jax.numpy.sin, [0.5, 1.0]), "first")
    assert result.outcome == AGREE
    assert result.reason == "jvp: JAX's is wrong, by the difference quotient"


def test_rounding_of_an_ill_conditioned_case_is_allowed(mistaken):
    """cos(1e6 x): float32 has an error of 1e-2 in its argument."""
    case = case_of(lambda x: jax.numpy.sin(1e6 * x), [0.1, 0.7])
    mistaken("jvp", scaled(1 + 1e-4))
    assert check(case, "first").outcome == AGREE
    mistaken("jvp", scaled(3))
    assert check(case, "first").outcome == DISAGREE


@pytest.mark.parametrize(
    "start",
    [
        "clamp_dtypes_min_float32_operand_float32_2_3_max_float32",
        "reduce_gen_max_min_shape_float16",
        "reduce_window_mul_dtypes_shape_bfloat16_4_6_initvalue_2",
    ],
)
def test_what_jax_refuses_is_judged_by_differences(mistaken, start):
    name = next(x for x in candidates() if x.startswith(start))
    assert check(candidates()[name], "refused").outcome == AGREE
    mistaken("vjp", doubled)
    assert check(candidates()[name], "refused").outcome == DISAGREE


# ------------------------------------------------------------------------- the command


def test_the_command_goes_on_where_it_was(tmp_path, capsys):
    options = ["--group", "sin,eq", "--workers", "1", "--out", str(tmp_path)]
    assert command.main(options) == 0
    printed = capsys.readouterr().out
    assert re.search(r"total +4 +0 +0\n", printed)
    assert "jvp: 4 cases\nvjp: 4 cases" in printed
    (path,) = tmp_path.iterdir()
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[:-1]))  # as if it had been interrupted
    assert command.main(options) == 0
    again = [json.loads(x) for x in path.read_text().splitlines()]
    keys = [x["point"]["case"] for x in again if "point" in x]
    assert sorted(keys) == sorted(
        json.loads(x)["point"]["case"] for x in lines if "point" in json.loads(x)
    )


def test_the_command_lists_what_is_wrong(tmp_path, capsys, mistaken):
    mistaken("vjp", fails(ValueError("why")))
    options = ["--group", "sin", "--sample", "1", "--workers", "1"]
    assert command.main([*options, "--out", str(tmp_path)]) == 1
    assert "unsupported (1): vjp: ValueError: why\n    sin_" in capsys.readouterr().out


def test_a_changed_rule_starts_a_new_record(tmp_path, monkeypatch):
    source = tmp_path / "rule.py"
    source.write_text("old")
    monkeypatch.setattr(run, "SOURCES", [source])
    before = run.record_of("first", tmp_path)
    source.write_text("new")
    assert run.record_of("first", tmp_path).path != before.path
