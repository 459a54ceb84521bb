"""Sizes of symbolic derivatives against what the traced modes evaluate.

A symbolic derivative is an expression. As a tree it repeats what it shares with the
function, at every level anew, and swells; as a graph, with equal parts made one, it
does not. Beside it stands the number of operations in the traced programs of forward
and of reverse mode. Sizes are counts, the same on every machine.
"""

from experiments.bench import units

FUNCTIONS = {
    "logistic": "the logistic map y -> 4 y (1 - y), again and again",
    "product": "sin x times sin sin x times ...",
    "tower": "y -> exp(sin y), again and again",
}

FULL = {"functions": list(FUNCTIONS), "depths": [1, 2, 3, 4, 6, 8, 11, 16, 23, 32]}
QUICK = FULL | {"depths": [1, 2, 4, 8, 16]}


def add_options(parser) -> None:
    """The options of this experiment alone."""
    parser.add_argument(
        "--functions",
        type=units.names(FULL["functions"]),
        metavar="NAME,...",
        help=f"which of {', '.join(FUNCTIONS)} (default: all)",
    )
