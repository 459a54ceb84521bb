from jaxkit.exercises.cases import Case, Random, call
from jaxkit.exercises.values import show

HINTS = (
    "Write down the shapes for the example: which of the matrices' sizes stays the same "
    "in each part? And of the graph: which edges end at the vertex, which begin there?",
    "Both parts keep the size of the cut. The first Jacobian of a part, the one next to "
    "the cut, costs nothing: it is there. The last product has the sizes of the two ends.",
    "Each part takes widths[k] times the sum of widths[i] * widths[i + 1] over its steps, "
    "but for the one next to the cut. For a graph: copy the edges without the vertex, "
    "then for each (a, vertex) and (vertex, b) add to new.get((a, b), 0.0).",
)


def cases():
    random = Random()
    diamond = {(0, 1): 2.0, (0, 2): 0.5, (1, 3): 3.0, (2, 3): 4.0}
    star = {(i, 3): x for i, x in enumerate(random.numbers(3))}
    star |= {(3, i): x for i, x in enumerate(random.numbers(3), 4)} | {(1, 5): 1.0}
    wide = [random.integers(1, 9, n) for n in (3, 4, 5, 6)]

    def stays(module):
        edges = dict(diamond)
        module.eliminate(edges, 1)
        return edges == diamond

    return [
        call("bottleneck", [500, 500, 3, 500, 500]),
        call("bottleneck", [4, 2, 4]),
        call("bottleneck", [3, 3, 3, 3]),
        call("bottleneck", [1, 50, 50, 2]),
        *[call("bottleneck", widths) for widths in wide],
        call("eliminate", {(0, 1): 2.0, (1, 2): 3.0, (0, 2): 1.0}, 1),
        call("eliminate", diamond, 2),
        call("eliminate", star, 3),
        Case(f"eliminate({show(diamond)}, 1) leaves that dict as it was", stays, True),
    ]
