"""docs/accuracy.md claims what is so, tried on fewer points than it is written from."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import jax
import mpmath as mp
import numpy as np
import pytest
from jax import lax

import jaxkit as jk
from tests.accuracy.functions import REAL
from tests.accuracy.page import KINDS, named, reasons
from tests.accuracy.reasons import BOUND, REASONS, explained
from tests.accuracy.series import exp, log, variable
from tests.accuracy.sweep import error

FOLDER = Path(__file__).parents[1]
TEXT = (FOLDER / "docs" / "accuracy.md").read_text()
NAMES = [(named(f, kind), f) for kind, (fs, _) in KINDS.items() for f in fs]


@pytest.mark.parametrize("kind", KINDS)
def test_errors_are_small_or_have_a_reason(kind):
    """In a process of its own, that compiles as users do (`tests/conftest.py`)."""
    plain = {"XLA_FLAGS": "", "JAX_ENABLE_X64": "1"}
    found = subprocess.run(
        [sys.executable, "-c", PRINT_PROBLEMS, kind],
        env=os.environ | plain,
        cwd=FOLDER,
        capture_output=True,
        text=True,
    )
    assert not found.stderr
    count, *problems = found.stdout.splitlines()
    assert not problems
    assert int(count) >= len(KINDS[kind][0])


PRINT_PROBLEMS = """
import sys
import jaxkit
from tests.accuracy.page import rows, unexplained
found = [unexplained(*row) for row in rows(sys.argv[1], {"jaxkit": jaxkit}, thin=9)]
print(len(found), *[problem for row in found for problem in row], sep="\\n")
"""


def test_the_page_has_each_function_and_order():
    lines = re.findall(r"^\| ([^|]+) \| (\d) \| (.*) \|$", TEXT, re.M)
    expected = [(name, k + 1) for name, f in NAMES
                for k in range(1 if "of complex" in name else f.orders)]  # fmt: skip
    assert [(name, int(order)) for name, order, _ in lines] == expected
    for name, order, cells in lines:
        ours = cells.split(" | ")[::2]
        for cell in ours:
            assert "**" not in cell or explained(name, int(order)), name
            if "**" not in cell:
                assert float(cell) <= BOUND
    assert reasons() in TEXT


def test_a_rule_of_jaxs_has_its_errors_here():
    """softplus'', as the page says, and how one has its digits."""

    @jax.custom_jvp
    def precise(x):
        return jax.nn.softplus(x)

    @precise.defjvp
    def _(primals, tangents):
        (x,), (dx,) = primals, tangents
        return precise(x), dx * lax.logistic(x, accuracy=lax.AccuracyMode.HIGHEST)

    x = np.float32(50)
    for lib in jk, jax:
        assert lib.grad(lib.grad(jax.nn.softplus))(x) == 0
        assert lib.grad(lib.grad(jax.nn.softplus))(np.float32(14)) > 0
        assert lib.grad(lib.grad(jax.nn.softplus))(np.float32(15)) == 0
    np.testing.assert_allclose(jk.grad(jk.grad(precise))(x), np.exp(-50.0), rtol=1e-6)


def test_reasons_are_of_functions_in_the_page():
    assert REASONS.keys() <= {name for name, _ in NAMES}


def test_series_are_derivatives():
    x = mp.mpf(1.25)
    for series, f in [
        (lambda x: exp(x * x) / (1 + x), lambda x: mp.exp(x * x) / (1 + x)),
        (lambda x: log(x) * x**-1.5, lambda x: mp.log(x) * x**-1.5),
        (lambda x: 2 - 1 / x, lambda x: 2 - 1 / x),
    ]:
        expected = [mp.diff(f, x, n) for n in range(3)]
        for ours, theirs in zip(
            series(variable(x)).derivatives(), expected, strict=True
        ):
            assert mp.almosteq(ours, theirs, 1e-10)


@pytest.mark.parametrize("function", REAL, ids=lambda f: f.name)
def test_exact_derivatives_are_those_of_the_function(function):
    """So a mistake in a formula there isn't taken for one of a rule."""
    x = 1.7 if function.high > 2 else 0.3
    for others in function.fixed:
        if any(abs(y) > 50 or 0 < abs(y) < 1e-2 for y in others):
            continue
        slope = function.slope(variable(mp.mpf(x)), *map(mp.mpf, others)).c[0]
        h = 1e-5
        up, down = (float(function.run(np.float64(x + d), *others)) for d in (h, -h))
        np.testing.assert_allclose(float(slope), (up - down) / (2 * h), 1e-6, 1e-8)


def test_errors_in_units():
    eps = float(np.finfo(np.float32).eps)
    moves = mp.mpf(2)
    assert error(1 + 4 * eps, mp.mpf(1), moves, np.float32) == 2
    assert error(np.nan, mp.mpf(1), moves, np.float32) == np.inf
    assert error(np.inf, mp.mpf(10) ** 39, moves, np.float32, first=True) == 0
    assert error(np.nan, mp.mpf(10) ** 39, moves, np.float32, first=True) == np.inf
    assert error(0.0, mp.mpf(10) ** -40, moves, np.float32) == 0
