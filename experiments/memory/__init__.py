"""Memory and time of reverse mode over the length of a loop, as its states are kept.

Reverse mode goes through a loop backwards, and needs the states in which the loop was.
Kept, they take memory in proportion to the loop's length; computed again, they take
time. Forward mode needs none of them, but gives one directional derivative a pass.

  plain        keeps all states
  every other  keeps each second one, and computes the others again from those
  square root  keeps one in about the square root of the length
  binomial     keeps about log2 of the length, where least is then computed again
  budgeted     the same with as many as a budget of bytes holds, however long it is
  forward      is forward mode

At each length, for jaxkit and JAX: XLA's count of the peak of temporaries, and run
time. A step is a tanh layer, x -> tanh(x W), unless `--function` and `--inputs` give
another, x -> step(x, *params). The derivatives are those of the mean square of the last
x, in the first x and the params.
"""

from experiments.bench import units
from experiments.memory.captions import captions, summary
from experiments.memory.show import draw, tables
from experiments.memory.sweep import STATE, measure, points

__all__ = ["captions", "draw", "measure", "points", "summary", "tables"]

FULL = {
    "function": None,
    "inputs": None,
    "lengths": [16, 64, 256, 1024, 4096],
    "budget": 8 * STATE,  # bytes
    "samples": 9,
    "min_time": 0.01,
    "memory_limit": None,
}
QUICK = FULL | {"lengths": [16, 64, 256], "samples": 5, "min_time": 0.002}


def add_options(parser) -> None:
    """The options of this experiment alone."""
    parser.add_argument(
        "--lengths",
        type=units.list_of(int),
        metavar="N,...",
        help="how many steps the loop makes",
    )
    parser.add_argument(
        "--budget",
        type=units.memory,
        metavar="BYTES",
        help="what the states may take that the budgeted scheme keeps, such as 128K "
        "(default: eight states of the tanh layer)",
    )
