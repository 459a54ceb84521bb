"""What differentiating costs with jaxkit beside JAX: eager, tracing, compiled.

Ratios jaxkit / JAX, from runs in pairs within one process, each beside its bar:

  eager     grad(f)(x) without jit, called again and again            at most 0.6
  trace     make_jaxpr(grad(f))(x), with a new function each time     at most 0.7
  compiled  jit(grad(f))(x) on real programs: run time                at most 1.05
                                              FLOPs, as XLA counts    at most 1.01

Eager and trace are taken on a chain of 30 scalar operations and on a perceptron of 24
layers, both in plain jax.numpy; compiled on the programs of tests/programs.py, in
float32, timed over many runs in one call. Differences of one run to the next show in
the quartiles of the ratio.
"""

from experiments.bench import units

BARS = {"eager": 0.6, "trace": 0.7, "time": 1.05, "flops": 1.01}

FULL = {
    "kinds": ["eager", "trace", "compiled"],
    "programs": None,
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
        type=lambda text: text.split(","),
        metavar="NAME,...",
        help="which of the real programs to compile (default: all; 6 with --quick)",
    )
