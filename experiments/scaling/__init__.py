"""Cost of forward and reverse mode as inputs and outputs scale.

For f: R^n -> R^m, forward mode (jacfwd) pushes n tangents through f, reverse mode
(jacrev) pulls m cotangents back. So in theory jacfwd costs about n times f, jacrev
about m times f, and they cost the same near n = m. Our two functions are such that
f itself costs the same whatever n and m are, so that theory is a straight line.

  digits   mean losses of m groups of handwritten digits under a small classifier,
           over n of its 2410 parameters
  burgers  m regional means of a flow integrated in time (viscous Burgers equation),
           over n of its 256 initial values

At each (n, m), for jaxkit and JAX: compiled run time, FLOPs, bytes accessed and peak
temporaries of jacfwd and jacrev; for PyTorch and autograd, where they are installed,
the run time. Then one jvp and one vjp beside f itself. A function given by `--function`
is scaled the same way: n of its inputs vary, and its outputs are summed up to m.
"""

from argparse import ArgumentTypeError

from experiments.bench import units
from experiments.functions import FUNCTIONS
from experiments.scaling.captions import captions, summary
from experiments.scaling.figures import draw
from experiments.scaling.sweep import measure, points
from experiments.scaling.tables import tables

__all__ = ["captions", "draw", "measure", "points", "summary", "tables"]

FULL = {
    "functions": list(FUNCTIONS),
    "function": None,
    "inputs": None,
    "sizes": [1, 2, 4, 8, 16, 32, 64, 128],
    "samples": 15,
    "min_time": 0.01,
    "memory_limit": None,
}
QUICK = FULL | {"sizes": [1, 8, 64], "samples": 5, "min_time": 0.002}


def add_options(parser) -> None:
    """The options of this experiment alone."""
    parser.add_argument(
        "--functions",
        type=units.names(list(FUNCTIONS)),
        metavar="NAME,...",
        help=f"which of {', '.join(FUNCTIONS)} (default: all)",
    )
    parser.add_argument(
        "--sizes",
        type=sizes,
        metavar="N,...",
        help="the values of n and of m: powers of 2 up to 128, from 1 on",
    )


def sizes(text: str) -> list[int]:
    """Reads 1,2,4: increasing powers of 2 up to 128, as the functions can take them."""
    chosen = sorted({1, *units.list_of(int)(text)})
    if len(chosen) < 2 or not all(x <= 128 and x & (x - 1) == 0 for x in chosen):
        raise ArgumentTypeError(
            f"{text!r} aren't powers of 2 from 1 to 128 (two or more)"
        )
    return chosen
