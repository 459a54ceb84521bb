from typing import Any

from jaxkit.exercises.cases import Random, call

HINTS = (
    "Of which node do you know the adjoint before you begin? And when may a node hand "
    "its own on?",
    "A node that is used twice gets two contributions: add to its adjoint, don't "
    "overwrite it. Begin with 1 at the last node and 0 at all others.",
    "Take the nodes from last to first; for each, go through its operands and partials "
    "together, with zip(*tape[n]).",
)


def cases():
    random = Random()

    def random_tape(n):
        tape: list[Any] = [((), ()), ((), ())]
        for size in range(2, n):
            operands = random.integers(0, size, 2)
            tape.append((tuple(operands), tuple(random.numbers(2))))
        return tape

    inputs = [((), ())] * 3
    of_f = [((0, 0), (3.0, 3.0)), ((3, 1), (4.0, 9.0)), ((1, 2), (1.0, 1.0))]
    return [
        call("backward", [*inputs, *of_f, ((4, 5), (1.0, 1.0))]),
        call("backward", [((), ())]),
        call("backward", [((), ()), ((0, 0), (3.0, 3.0))]),
        call("backward", [*inputs, ((0,), (2.0,))]),
        *[call("backward", random_tape(n)) for n in (4, 6, 8)],
    ]
