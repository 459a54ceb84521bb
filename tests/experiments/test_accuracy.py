"""The accuracy experiment: what errors of differences and of modes must be."""

import numpy as np

from experiments.__main__ import main
from experiments.accuracy import least
from experiments.bench.record import Record


def test_accuracy_draws_the_u_shaped_errors(tmp_path, capsys):
    assert main(["accuracy", "--quick", "--out", str(tmp_path)]) == 0
    assert (tmp_path / "accuracy-steps.png").exists()
    table = Record.read(tmp_path / "accuracy.jsonl").table
    best = least(table)
    assert len(best) == 8 * 5
    for (_, dtype), found in best.groupby(["function", "dtype"]):
        eps, found = np.finfo(str(dtype)).eps, found.droplevel([0, 1])
        error, step = found["error"], found["step"]
        assert max(error["forward"], error["reverse"]) < 8 * eps
        assert error["complex"] < 8 * eps < error["central"] < error["newton"]
        assert step["newton"] < step["central"] < 0.1
    assert "least relative error" in capsys.readouterr().out
    assert main(["accuracy", "--replot", "--out", str(tmp_path)]) == 0
