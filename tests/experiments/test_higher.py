"""The higher experiment: all nestings are the k-th derivative; how equations grow."""

import mpmath
import numpy as np
import pytest

from experiments.__main__ import main
from experiments.bench.record import Record
from experiments.higher import FUNCTIONS, WAYS, Settings, growth, nested, subject
from experiments.libraries import libraries

NONE = Settings()


@pytest.mark.parametrize("k", [1, 4])
def test_all_ways_are_the_derivative(k):
    exact = mpmath.diff(lambda x: FUNCTIONS["tower"][0](mpmath, x), 0.7, k)
    f, args, _ = subject("tower", NONE)
    for name, library in libraries().items():
        bound, own = library.bind(f, args)
        for way in WAYS:
            program = library.build(nested(library.ad, way, bound, k), own)
            found = float(program.call())
            assert found == pytest.approx(float(exact), rel=1e-4), (name, way)


def test_ways_agree_on_the_network():
    f, args, _ = subject("network", NONE)
    library = libraries(peers=False)["jaxkit"]
    bound, own = library.bind(f, args)
    forward, *others = (
        float(library.build(nested(library.ad, way, bound, 3), own).call())
        for way in WAYS
    )
    assert abs(forward) > 1e-3
    np.testing.assert_allclose(others, forward, rtol=1e-3)


def test_each_order_multiplies_equations_and_xla_shares_some(tmp_path, capsys):
    command = ["higher", "--functions", "tower", "--orders", "2,3,4", "--samples", "2"]
    assert main([*command, "--min-time", "1e-6", "--out", str(tmp_path)]) == 0
    found = growth(Record.read(tmp_path / "higher.jsonl").table)
    equations, flops = (found[f"{x} / those before"] for x in ("equations", "flops"))
    assert (equations.between(2.5, 3.5)).all() and len(equations) == len(WAYS)
    assert flops.drop("reverse", level="program").between(1, equations.min()).all()
    assert "growth with each order" in capsys.readouterr().out


def test_own_function_must_be_of_one_number(tmp_path, capsys):
    command = ["higher", "--orders", "1", "--out", str(tmp_path), "--inputs"]
    assert main([*command, "f32[3]", "--function", "lambda x: x"]) == 2
    assert "one float to one" in capsys.readouterr().err
