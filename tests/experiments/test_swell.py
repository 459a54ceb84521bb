"""The swell experiment: what sizes must be."""

from experiments.__main__ import main
from experiments.bench.record import Record


def test_swell_counts_what_sharing_saves(tmp_path, capsys):
    assert main(["swell", "--quick", "--out", str(tmp_path)]) == 0
    assert (tmp_path / "swell.png").exists() and (tmp_path / "swell.svg").exists()
    points = Record.read(tmp_path / "swell.jsonl").points
    sizes = {
        (p["key"]["function"], p["key"]["depth"]): p["result"]["sizes"] for p in points
    }
    for (_, depth), counts in sizes.items():
        tree, graph = (
            counts["derivative, pruned"],
            counts["derivative, pruned and shared"],
        )
        assert graph <= tree <= counts["derivative, as it comes out"]
        for mode in ("forward", "reverse"):
            assert counts[f"traced, {mode} mode"] <= 9 * depth  # linear in the depth
    # Of the logistic map a doubled depth squares the tree, and doubles the graph.
    deep, deeper = sizes["logistic", 8], sizes["logistic", 16]
    assert deeper["derivative, pruned"] > 500 * deep["derivative, pruned"]
    name = "derivative, pruned and shared"
    assert 1.9 < deeper[name] / deep[name] < 2.1
    assert "operations of traced programs" in capsys.readouterr().out


def test_part_of_a_run_can_be_drawn(tmp_path):
    command = ["swell", "--depths", "1,2", "--out", str(tmp_path)]
    assert main(command) == 0
    path = tmp_path / "swell.jsonl"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:2]))
    assert main(["swell", "--replot", "--out", str(tmp_path)]) == 0
