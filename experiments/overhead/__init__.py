"""What each stage of differentiation costs: tracing, compiling, first call and run.

f itself, grad, jvp and hessian, with jaxkit, JAX and their peers, compiled and eager,
on a chain of scalar operations, a perceptron, a transformer and a recurrent network,
as these get deeper. And jaxkit's grad in pairs with JAX's, each ratio beside its bar.

There are five kinds of measurement; the first three are the pairs:

  eager     grad(f)(x) without jit, called again and again            at most 0.6
  trace     make_jaxpr(grad(f))(x), with a new function each time     at most 0.7
  compiled  jit(grad(f))(x) on real programs: run time                at most 1.05
                                              FLOPs, as XLA counts    at most 1.01
  growth    times to trace, lower, compile, call first and run, as depth grows
  first     the time from a new function to its first result, where nothing of it
            is remembered: eagerly, by jit, by torch.compile (not with --quick)

Growth and first are of many programs, and take a fourth of the samples each.

Eager and trace are taken on a chain of 30 scalar operations and on a perceptron of 24
layers, both in plain jax.numpy; compiled on the programs of tests/programs.py, in
float32, timed over many runs in one call. Differences of one sample to the next show
in the quartiles of the ratio; another run may differ by more. With `--function` all but
`compiled` is done with your function, or the sum of its outputs, differentiated by its
first argument.
"""

from experiments.bench import units
from experiments.overhead.captions import captions, summary
from experiments.overhead.figures import draw
from experiments.overhead.models import MODELS
from experiments.overhead.sweep import KINDS, measure, points
from experiments.overhead.tables import tables

__all__ = ["captions", "draw", "measure", "points", "summary", "tables"]

FULL = {
    "kinds": list(KINDS),
    "programs": None,
    "models": list(MODELS),
    "depths": [1, 2, 4, 8, 16],
    "first": list(MODELS),
    "torch_compile": True,
    "function": None,
    "inputs": None,
    "repeats": 3,
    "samples": 31,
    "min_time": 0.01,
    "memory_limit": None,
}
QUICK = FULL | {
    "programs": [
        "mlp_cross_entropy",
        "attention_block",
        "gaussian_mixture",
        "camera_reprojection",
        "rosenbrock",
        "neural_ode",
    ],
    "depths": [1, 4],
    "first": ["mlp"],
    "torch_compile": False,
    "repeats": 1,
    "samples": 15,
    "min_time": 0.005,
}


def add_options(parser) -> None:
    """The options of this experiment alone."""
    parser.add_argument(
        "--kinds",
        type=units.names(FULL["kinds"]),
        metavar="KIND,...",
        help=f"which of {', '.join(FULL['kinds'])} (default: all)",
    )
    parser.add_argument(
        "--programs",
        type=units.words,
        metavar="NAME,...",
        help="which of the real programs to compile (default: all; 6 with --quick)",
    )
    parser.add_argument(
        "--models",
        type=units.names(FULL["models"]),
        metavar="NAME,...",
        help=f"which of {', '.join(MODELS)} to deepen (default: all)",
    )
    parser.add_argument(
        "--depths",
        type=units.list_of(int),
        metavar="N,...",
        help="groups of operations, layers, blocks, or time steps",
    )
