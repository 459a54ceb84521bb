"""What is shown: tables, figures, and what they say."""

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from experiments.accuracy.sweep import FUNCTIONS
from experiments.bench.record import Record
from experiments.bench.style import BLUE, GREEN, GREY, ORANGE, VERMILION, figure
from experiments.bench.table import table
from experiments.bench.words import listed, number, span

METHODS = {
    "newton": (BLUE, "o", "Newton's quotient"),
    "central": (VERMILION, "s", "central difference"),
    "complex": (GREEN, "^", "complex step"),
}


LEAST = 1e-18  # where an error of zero is drawn


def best(record: Record, result: dict, method: str) -> tuple[float, float]:
    """The least error of a method at one point, and the step that had it."""
    errors = np.array(result["differences"][method])
    i = int(np.nanargmin(errors))
    return errors[i], 10.0 ** -record.settings["exponents"][i]


def tables(record: Record) -> Iterator[str]:
    """For each method its least error, and at which step; and each mode's error."""
    rows = []
    for key, result in record.results():
        found = (best(record, result, method) for method in METHODS)
        row = [
            key["function"],
            key["dtype"],
            *(f"{e:.0e} at {h:.0e}" for e, h in found),
        ]
        rows.append(row + [f"{error:.0e}" for error in result["modes"].values()])
    head = ["function", "dtype", *(label for _, _, label in METHODS.values())]
    title = "Least relative error of each difference, and of the two modes"
    yield table(title, [*head, "forward", "reverse"], rows)


def draw(record: Record) -> Iterator[tuple[str, Figure]]:
    """Error against step: a row for each dtype, a column for each function."""
    functions, dtypes = record.settings["functions"], record.settings["dtypes"]
    steps = 10.0 ** -np.array(record.settings["exponents"])
    drawing, axes = figure(
        len(dtypes), len(functions), 3.4, 2.9, sharex=True, sharey=True
    )
    drawing.suptitle("Relative error of the derivative against the step")
    for key, result in record.results():
        row, column = dtypes.index(key["dtype"]), functions.index(key["function"])
        ax: Any = axes[row][column]
        for method, (colour, marker, label) in METHODS.items():
            look = {"color": colour, "marker": marker, "markersize": 2.5}
            errors = np.maximum(result["differences"][method], LEAST)
            ax.loglog(steps, errors, linewidth=1, label=label, **look)
        eps = float(np.finfo(key["dtype"]).eps)
        ax.loglog(steps, steps, color=GREY, linestyle=":", label="step, its square")
        ax.loglog(steps, steps**2, color=GREY, linestyle=":")
        ax.loglog(steps, eps / steps, color=GREY, linestyle="--", label="eps / step")
        for (mode, value), line in zip(result["modes"].items(), "-:", strict=True):
            look = {"color": ORANGE, "linestyle": line, "label": f"{mode} mode"}
            ax.axhline(max(value, LEAST), **look)
        ax.set(ylim=(LEAST / 3, 1e3))
        ax.set_title(f"{FUNCTIONS[key['function']][0]}, {key['dtype']}")
    for ax in axes[-1]:
        ax.set_xlabel("step h")
    for ax in axes[:, 0]:
        ax.set_ylabel("relative error")
    handles, labels = axes[0][0].get_legend_handles_labels()
    drawing.legend(handles, labels, loc="outside lower center", ncols=len(labels))
    yield "accuracy", drawing


def captions(record: Record) -> dict[str, str]:
    """What the figure shows: errors in each dtype, of all functions the largest."""
    dtypes = [d for d in record.settings["dtypes"] if record.results(dtype=d)]
    eps = [float(np.finfo(dtype).eps) for dtype in dtypes]
    newton, central = (
        each(largest(record, dtype, method) for dtype in dtypes)
        for method in ("newton", "central")
    )
    imaginary = each(below_eps(record, dtype) for dtype in dtypes)
    modes = each(max(of_modes(record, dtype)) for dtype in dtypes)
    smallest = 10.0 ** -max(record.settings["exponents"])
    text = (
        f"In {listed(dtypes)}, at the steps that turned out best, Newton's quotient is "
        f"off by up to {newton} (theory: about eps^(1/2), {each(e**0.5 for e in eps)}) "
        f"and the central difference by up to {central} (theory: about eps^(2/3), "
        f"{each(e ** (2 / 3) for e in eps)}). The complex step subtracts nothing: with "
        f"any step between eps and {number(smallest)} it is off by at most "
        f"{imaginary}. Forward and reverse mode, without a step, are within {modes}."
    )
    return {"accuracy": text}


def each(values: Iterable[float]) -> str:
    """A number for each dtype."""
    return listed(map(number, values))


def largest(record: Record, dtype: str, method: str) -> float:
    """The largest error of a method at its best steps."""
    found = record.results(dtype=dtype)
    return max(best(record, result, method)[0] for _, result in found)


def below_eps(record: Record, dtype: str) -> float:
    """The largest error of the complex step, of all steps below eps."""
    small = 10.0 ** -np.array(record.settings["exponents"]) < np.finfo(dtype).eps
    errors = [r["differences"]["complex"] for _, r in record.results(dtype=dtype)]
    return np.nanmax(np.array(errors)[:, small]) if small.any() else np.nan


def of_modes(record: Record, dtype: str) -> list[float]:
    """The errors of both modes."""
    found = record.results(dtype=dtype)
    return [error for _, result in found for error in result["modes"].values()]


def summary(record: Record) -> dict[str, str]:
    """The modes' errors in each dtype, of all functions."""
    return {
        f"{dtype}: relative errors of both modes": span(of_modes(record, dtype))
        for dtype in record.settings["dtypes"]
    }
