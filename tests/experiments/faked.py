"""Runs of the scaling experiment without measuring, for tests of the runner."""

from experiments.scaling import Settings

FAST = ["--samples", "2", "--min-time", "1e-6"]
TINY = ["scaling", "--functions", "burgers", "--sizes", "1,4", *FAST]
SETTINGS = Settings(functions=["burgers"], sizes=[1, 4])


def fake(point, settings):
    """Rows as theory has them, without measuring: f costs 1."""
    n, m = point["n"], point["m"]
    costs = {"jacfwd": 1.0 + n, "jacrev": 1.0 + m}
    if point["kind"] == "pass":
        costs = {"f": 1.0, "jvp": 2.0, "vjp": 3.0}
    kinds = ("flops", "bytes", "temporaries", "needs")
    return [
        {"library": library, "program": what, "samples": [0.9 * x, x, 1.2 * x]}
        | dict.fromkeys(kinds, x)
        for library in ("jaxkit", "jax")
        for what, x in costs.items()
    ]


class Measure:
    """Stands for `measure`: keeps the points, and does something before each."""

    def __init__(self, before=lambda point: None):
        self.seen = []
        self.before = before

    def __call__(self, point, settings):
        self.before(point)
        self.seen.append(point)
        return fake(point, settings)


def interrupting(at: int):
    """Interrupts before the point of that number."""
    left = [None] * at

    def before(point):
        if not left:
            raise KeyboardInterrupt
        left.pop()

    return before
