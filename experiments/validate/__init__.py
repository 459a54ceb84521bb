"""Derivatives side by side with JAX's: function by transform by dtype, pass or fail.

Each function is differentiated by each transform with jaxkit and with JAX, in float32
and in float64, and JAX's result in float64 is taken for the truth. A combination passes
if structure, shapes and dtypes are JAX's, and if the results differ from JAX's in the
same dtype and from the truth by no more than a tolerance. That is 1e-10 in float64; in
float32 it is 128 eps (1.5e-5), times the condition of the function where that is known
(tests/programs.py states it for a few), or 4 times JAX's own difference to the truth
where that is more: rounding grows with the condition, for both alike.

Differences are relative to the largest entry of an array, or to a hundredth of the
largest of all where that is more (absolute where all are zero). The gradient, Hessian
and third derivatives are of the function if it is scalar, else of a sum that sees each
output; they are full arrays, the third derivatives by forward mode of the Hessian. A
combination for which JAX has no result is left out. Products of matrices are computed
in full precision, on GPUs too. Code is compiled with less optimisation than
elsewhere, which changes nothing but rounding: compiling takes most of the time.
"""

from collections.abc import Iterator

from matplotlib.figure import Figure

from experiments.bench import units
from experiments.bench.record import Record
from experiments.validate.compare import TOLERANCE, verdict
from experiments.validate.families import FUNCTIONS, find
from experiments.validate.heatmap import heatmap
from experiments.validate.tables import checked, equal, largest, passed, small, tables
from experiments.validate.transforms import TRANSFORMS, derivatives

__all__ = [
    "captions", "draw", "failures", "measure", "points", "summary", "tables"
]  # fmt: skip

FULL = {
    "functions": list(FUNCTIONS),
    "dtypes": list(TOLERANCE),
    "function": None,
    "inputs": None,
}
QUICK = FULL | {
    "functions": [
        "exponentials", "holomorphic_elementary", "orders", "scattered",
        "cholesky_factors", "eigenvectors", "circular_convolution", "sums_over_devices",
        "users_pullback", "branch_by_value", "recurrence", "loop_to_convergence",
        "rosenbrock", "thin_film_reflectance",
    ]
}  # fmt: skip


def add_options(parser) -> None:
    """The options of this experiment alone."""
    parser.add_argument(
        "--functions",
        type=units.names(FULL["functions"]),
        metavar="NAME,...",
        help="which functions (default: all; their names stand in "
        "experiments/validate/of_*.py and tests/programs.py)",
    )


def points(settings: dict) -> Iterator[dict]:
    """Each function in each dtype."""
    for function in settings["functions"]:
        find(function, settings)  # refuses the user's, if it can't be done
        for dtype in settings["dtypes"]:
            yield {"function": function, "dtype": dtype}


def measure(point: dict, settings: dict) -> dict:
    """The verdict on each transform of one function in one dtype."""
    function, dtype = find(point["function"], settings), point["dtype"]
    truth = derivatives("jax", function, "float64")
    theirs = derivatives("jax", function, dtype)
    ours = derivatives("jaxkit", function, dtype)
    condition = function.condition if dtype == "float32" else 1
    verdicts = {
        name: verdict(
            ours[name], theirs[name], truth[name], TOLERANCE[dtype] * condition
        )
        for name in TRANSFORMS
    }
    return {"family": function.family, "transforms": verdicts}


def failures(record: Record) -> int:
    """How many combinations fail."""
    return sum(not entry["passed"] for _, entry in checked(record))


def draw(record: Record) -> Iterator[tuple[str, Figure]]:
    """One heatmap of all."""
    yield "validate", heatmap(record)


def captions(record: Record) -> dict[str, str]:
    """How many pass, and the largest difference in each dtype."""
    text = f"{passed(checked(record))} combinations of {count(record)} functions with "
    text += "transforms and dtypes pass."
    for dtype in record.settings["dtypes"]:
        if entries := checked(record, dtype=dtype):
            most, where = largest(entries, "to_jax")
            text += (
                f" In {dtype}, {equal(entries)} results are JAX's to the last bit, and "
                f"the largest difference to JAX is {small(most)} ({where})."
            )
    return {"validate": text}


def summary(record: Record) -> dict[str, str]:
    """Counts and differences, by dtype."""
    rows = {"functions": str(count(record))}
    for dtype in record.settings["dtypes"]:
        entries = checked(record, dtype=dtype)
        rows[f"{dtype}: combinations that pass"] = passed(entries)
        rows[f"{dtype}: JAX's results to the last bit"] = equal(entries)
        names = {
            "to_jax": "largest difference to JAX",
            "to_float64": "largest difference to float64",
            "jax_to_float64": "JAX's largest difference to float64",
        }
        for which in list(names)[: 1 if dtype == "float64" else 3]:
            most, _ = largest(entries, which)
            rows[f"{dtype}: {names[which]}"] = small(most)
    return rows


def count(record: Record) -> int:
    """The number of functions that were checked."""
    return len({key["function"] for key, _ in record.results()})
