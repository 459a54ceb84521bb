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
    """Stands for `measure`: counts the points, and is interrupted at one of them."""

    def __init__(self, interrupt_at=None):
        self.seen = []
        self.interrupt_at = interrupt_at

    def __call__(self, point, settings):
        if len(self.seen) == self.interrupt_at:
            raise KeyboardInterrupt
        self.seen.append(point)
        return fake(point, settings)
