"""The accuracy experiment: what errors of differences and of modes must be."""

import numpy as np

from experiments.__main__ import main
from experiments.bench.record import Record


def test_accuracy_draws_the_u_shaped_errors(tmp_path, capsys):
    assert main(["accuracy", "--quick", "--out", str(tmp_path)]) == 0
    assert (tmp_path / "accuracy.png").exists() and (tmp_path / "accuracy.svg").exists()
    record = Record.read(tmp_path / "accuracy.jsonl")
    assert len(record.points) == 8
    steps = 10.0 ** -np.array(record.settings["exponents"])
    for point in record.points:
        eps = np.finfo(point["key"]["dtype"]).eps
        result = point["result"]
        assert all(error < 8 * eps for error in result["modes"].values())
        least = {k: np.nanmin(v) for k, v in result["differences"].items()}
        assert least["complex"] < 8 * eps < least["central"] < least["newton"]
        best = {k: steps[np.nanargmin(v)] for k, v in result["differences"].items()}
        assert best["newton"] < best["central"] < 0.1
    assert "Least relative error" in capsys.readouterr().out
    assert main(["accuracy", "--replot", "--out", str(tmp_path)]) == 0
