from jaxkit.exercises.cases import Random, call

HINTS = (
    "Write down the shapes of the product so far, from the right and from the left: "
    "which of its two sizes stays the same?",
    "The shapes are (outputs, inputs), J_1 first. Forward, each product has as many "
    "columns as x has entries, shapes[0][1]; reverse, as many rows as z has, "
    "shapes[-1][0].",
    "Forward takes the sum of a * b * shapes[0][1] over all (a, b) but the first, "
    "reverse the sum of shapes[-1][0] * a * b over all but the last.",
)


def cases():
    random = Random()

    def random_chain(n):
        sizes = random.integers(1, 9, n + 1)
        return list(zip(sizes[1:], sizes[:-1], strict=True))

    return [
        call("cheaper_order", [(50, 50), (50, 50), (1, 50)]),
        call("cheaper_order", [(50, 1), (50, 50), (50, 50)]),
        call("cheaper_order", [(3, 2)]),
        call("cheaper_order", [(4, 4), (4, 4)]),
        call("cheaper_order", [(5, 2), (3, 5), (2, 3)]),
        *[call("cheaper_order", random_chain(n)) for n in (2, 3, 4, 5)],
    ]
