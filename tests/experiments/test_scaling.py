"""The scaling experiment: its functions, and that costs recover the theory."""

import jax
import numpy as np
import pytest

from experiments.bench.measure import build
from experiments.bench.tidy import of, slope
from experiments.functions import FUNCTIONS, fourier_derivatives
from experiments.libraries import libraries
from experiments.scaling import BOUND, crossover, crossovers, exponents, points, tables
from tests.experiments.faked import SETTINGS, fake


@pytest.mark.parametrize("name", FUNCTIONS)
def test_flops_of_the_jacobian_recover_the_theory(name):
    sizes = [4, 32]
    library = libraries()["jaxkit"]
    costs = {"jacfwd": np.zeros((2, 2)), "jacrev": np.zeros((2, 2))}
    own, jacobians = [], []
    for i, n in enumerate(sizes):
        for j, m in enumerate(sizes):
            f, args = library.bind(*FUNCTIONS[name].at(n, m))
            # f alone, at two corners; it costs the same wherever.
            if n != m:
                own.append(build(f, args).cost["flops"])
            for mode, cost in costs.items():
                program = build(getattr(library.ad, mode)(f), args)
                cost[i, j] = program.cost["flops"]
                jacobians.append(program.call())
    assert own[0] == pytest.approx(own[1], rel=0.01)
    forward, reverse = costs.values()
    for k in range(2):
        assert slope(sizes, forward[:, k]) == pytest.approx(1, abs=0.1)
        assert slope(sizes, reverse[:, k]) == pytest.approx(0, abs=0.1)
        assert slope(sizes, forward[k]) == pytest.approx(0, abs=0.1)
        assert slope(sizes, reverse[k]) == pytest.approx(1, abs=0.1)
        # As jacfwd grows with n, it costs what jacrev does within a factor 2 of n = m.
        assert 1 / 2 < forward[k, k] / reverse[k, k] < 2
    # And what they computed is the Jacobian, at the last point (32, 32).
    reference = build(jax.jacrev(f), args).call()
    assert reference.shape == (32, 32) and np.abs(reference).max() > 1e-4
    for jacobian in jacobians[-2:]:
        np.testing.assert_allclose(jacobian, reference, rtol=1e-4, atol=1e-6)
    # One jvp or vjp more costs less than the bound, which includes f itself.
    each = (forward[1, 0] - forward[0, 0]) / (32 - 4)
    assert 1 + each / own[0] < BOUND["jvp"]


def test_slope_and_crossover():
    sizes = np.array([1, 4, 16, 64])
    assert slope(sizes, 3.0 * sizes**2) == pytest.approx(2)
    assert np.isnan(slope(sizes, [1, np.nan, np.nan, 4], start=4))
    constant = np.full(4, 8.0)
    assert crossover(sizes, sizes, constant) == pytest.approx(8)
    assert crossover(sizes, sizes, constant * 8) == pytest.approx(64)
    assert np.isnan(crossover(sizes, sizes / 1.5, constant * 8))  # beyond the sizes
    assert np.isnan(crossover(sizes, sizes, constant * 100))
    assert np.isnan(crossover(sizes, [np.nan] * 4, constant))


def test_numbers_of_a_run_are_those_of_theory():
    """Of costs 1 + n and 1 + m; the time is 5% off in each sample, of all alike."""
    rows = [p | row for p in points(SETTINGS) for row in fake(p, SETTINGS)]
    table = of(rows)
    fits = exponents(table)
    assert fits["theory"]["n", "burgers", "jacfwd"] == 1
    at = crossovers(table)["time", "jaxkit"]
    assert at["burgers", 1] == pytest.approx(1)
    found = tables(table)["one pass in units of f"]
    assert found["pass / f, flops, jaxkit"].tolist() == [2, 3]
    assert found["bound"].tolist() == [2.5, 5] and {*found["beyond it"]} == {"none"}
    table["time"] = table["time"].mask(table["program"] == "jvp", 3.0)
    beyond = tables(table)["one pass in units of f"]["beyond it"]
    assert beyond.tolist() == ["time, jaxkit; time, JAX", "none"]


def test_fourier_derivatives_are_exact_for_waves():
    x = 2 * np.pi * np.arange(16) / 16
    first, second = fourier_derivatives(16)
    np.testing.assert_allclose(first @ np.sin(3 * x), 3 * np.cos(3 * x), atol=1e-12)
    np.testing.assert_allclose(second @ np.sin(3 * x), -9 * np.sin(3 * x), atol=1e-12)
