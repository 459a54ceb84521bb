"""The swell experiment: what sizes must be."""

from experiments.__main__ import main
from experiments.bench.record import Record
from experiments.swell import nodes


def test_swell_counts_what_sharing_saves(tmp_path, capsys):
    assert main(["swell", "--quick", "--out", str(tmp_path)]) == 0
    assert (tmp_path / "swell-sizes.png").exists()
    sizes = nodes(Record.read(tmp_path / "swell.jsonl").table)
    tree, graph = sizes["derivative, pruned"], sizes["derivative, shared"]
    assert (graph <= tree).all() and (
        tree <= sizes["derivative, as it comes out"]
    ).all()
    depth = sizes.index.get_level_values("depth")
    for mode in ("forward", "reverse"):
        assert (sizes[f"traced, {mode} mode"] <= 9 * depth).all()  # linear in the depth
    # Of the logistic map a doubled depth squares the tree, and doubles the graph.
    deep, deeper = ("logistic", 8), ("logistic", 16)
    assert tree[deeper] > 500 * tree[deep] and 1.9 < graph[deeper] / graph[deep] < 2.1
    assert "operations of traced programs" in capsys.readouterr().out


def test_part_of_a_run_can_be_drawn(tmp_path):
    command = ["swell", "--depths", "1,2", "--out", str(tmp_path)]
    assert main(command) == 0
    path = tmp_path / "swell.jsonl"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:2]))
    assert main(["swell", "--replot", "--out", str(tmp_path)]) == 0
