"""The best steps, and the U-shaped curves."""

from pathlib import Path
from typing import Any

import numpy as np

from experiments.accuracy import FUNCTIONS
from experiments.bench.record import Record
from experiments.bench.style import BLUE, GREEN, GREY, ORANGE, VERMILION, figure, save
from experiments.bench.table import table

LOOKS = {
    "newton": (BLUE, "o", "Newton's quotient"),
    "central": (VERMILION, "s", "central difference"),
    "complex": (GREEN, "^", "complex step"),
}
LEAST = 1e-18  # where an error of zero is drawn


def report(record: Record, out: Path) -> list[Path]:
    """Print the table and draw the figure; returns its paths."""
    print(best(record))
    return draw(record, out)


def best(record: Record) -> str:
    """For each method its least error, and at which step; and each mode's error."""
    steps = 10.0 ** -np.array(record.settings["exponents"])
    rows = []
    for point in record.points:
        key, result = point["key"], point["result"]
        row = [key["function"], key["dtype"]]
        for method in LOOKS:
            errors = np.array(result["differences"][method])
            i = int(np.nanargmin(errors))
            row.append(f"{errors[i]:.0e} at {steps[i]:.0e}")
        rows.append(row + [f"{error:.0e}" for error in result["modes"].values()])
    head = ["function", "dtype", *(f"{x[2]}" for x in LOOKS.values())]
    title = "Least relative error of each difference, and of the two modes"
    return table(title, [*head, "forward", "reverse"], rows)


def draw(record: Record, out: Path) -> list[Path]:
    """Error against step: a row for each dtype, a column for each function."""
    functions, dtypes = record.settings["functions"], record.settings["dtypes"]
    steps = 10.0 ** -np.array(record.settings["exponents"])
    drawing, axes = figure(
        len(dtypes), len(functions), 3.4, 2.9, sharex=True, sharey=True
    )
    drawing.suptitle("Relative error of the derivative against the step")
    for point in record.points:
        key, result = point["key"], point["result"]
        row, column = dtypes.index(key["dtype"]), functions.index(key["function"])
        ax: Any = axes[row][column]
        for method, (colour, marker, label) in LOOKS.items():
            errors = np.maximum(result["differences"][method], LEAST)
            ax.loglog(
                steps, errors, color=colour, marker=marker, markersize=2.5,
                linewidth=1, label=label,
            )  # fmt: skip
        eps = float(np.finfo(key["dtype"]).eps)
        ax.loglog(steps, steps, color=GREY, linestyle=":", label="step, its square")
        ax.loglog(steps, steps**2, color=GREY, linestyle=":")
        ax.loglog(steps, eps / steps, color=GREY, linestyle="--", label="eps / step")
        for (mode, error), style in zip(
            result["modes"].items(), ("-", "--"), strict=True
        ):
            ax.axhline(
                max(error, LEAST), color=ORANGE, linestyle=style, label=f"{mode} mode"
            )
        ax.set(ylim=(LEAST / 3, 1e3))
        ax.set_title(f"{FUNCTIONS[key['function']]}, {key['dtype']}")
    for ax in axes[-1]:
        ax.set_xlabel("step h")
    for ax in axes[:, 0]:
        ax.set_ylabel("relative error")
    handles, labels = axes[0][0].get_legend_handles_labels()
    drawing.legend(handles, labels, loc="outside lower center", ncols=len(labels))
    return save(drawing, out, "accuracy")
