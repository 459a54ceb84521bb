"""Runs of the scaling experiment without measuring, for tests of the runner."""

FAST = ["--samples", "2", "--min-time", "1e-6"]
TINY = ["scaling", "--functions", "burgers", "--sizes", "1,4", *FAST]
SETTINGS = {"functions": ["burgers"], "sizes": [1, 4], "function": None}


def fake(point, settings):
    """A result as theory has it, without measuring: f costs 1."""
    n, m = point["n"], point["m"]
    costs = {}
    for library in ("jaxkit", "jax"):
        costs |= {f"{library} f": 1.0}
        costs |= {f"{library} jacfwd": 1.0 + n, f"{library} jacrev": 1.0 + m}
        costs |= {f"{library} jvp": 2.0, f"{library} vjp": 3.0}
    cost = ("flops", "bytes", "temporaries", "needs")
    return {
        "programs": {
            name: dict.fromkeys(cost, x) | {"samples_s": [0.9 * x, x, 1.2 * x]}
            for name, x in costs.items()
        }
    }


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
