"""The tidy table of what was measured, numbers out of it, and tables to be shown.

A row is one program (or error, or count) at one point. Columns are the point's entries,
those that tell its rows apart, such as `library` and `program`, and what was measured:
`time`, `time_low` and `time_high`, a median in seconds with its quartiles, `flops`,
`bytes`, `temporaries`, ..., or `skipped`, why it wasn't run.
"""

import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from pandas import DataFrame

from experiments.bench import units

Table = Any  # a DataFrame: of what its methods give, pyright knows too little
TITLES = {
    "jaxkit": "jaxkit", "jax": "JAX", "torch": "PyTorch", "autograd": "autograd",
    "equinox": "equinox", "asdex": "asdex",
}  # fmt: skip
COMPILED = ["jaxkit", "jax"]  # whose programs XLA compiles, and counts
QUARTILES = [0.25, 0.5, 0.75]
# How a number is written, by a word in the head of its column.
WRITTEN: dict[str, Callable[[float], str]] = {
    "^p": lambda p: f"{p + 0:.2f}".replace("-0.00", "0.00"), "/": units.number,
    "error": "{:.0e}".format, "time": units.seconds, "flops": units.amount,
    "equations": units.amount, "nodes": units.amount,
    "memory": lambda x: units.amount(x, "B"),
    "temporaries": lambda x: units.amount(x, "B"), "": units.number,
}  # fmt: skip


def of(rows: list[dict]) -> Table:
    """The table of some rows; the times are those of their samples."""
    table = DataFrame(rows)
    if "samples" in table:
        sampled = table["samples"].map(lambda x: x if isinstance(x, list) else [np.nan])
        times = np.reshape([np.quantile(x, QUARTILES) for x in sampled], (-1, 3))
        table[["time_low", "time", "time_high"]] = times
    return table


def where(table: Table, **entries) -> Table:
    """The rows with these entries; none where there is no such column."""
    for column, value in entries.items():
        table = table[table[column] == value] if column in table else table[:0]
    return table


def libraries(table: Table) -> list[str]:
    """Those that the table has, jaxkit and JAX first."""
    return [name for name in TITLES if name in unique(table, "library")]


def unique(table: Table, column: str) -> list:
    """The different values of a column, in their order; none where it is missing."""
    return list(dict.fromkeys(table[column].dropna())) if column in table else []


def slope(sizes, costs, start: float = 0) -> float:
    """The exponent p in cost ~ size^p from `start` on, by least squares on logarithms.

    nan if there are fewer than two positive costs.
    """
    sizes, costs = np.asarray(sizes, float), np.asarray(costs, float)
    used = (sizes >= start) & np.isfinite(costs) & (costs > 0)
    if len(set(sizes[used])) < 2:
        return np.nan
    return float(np.polyfit(np.log(sizes[used]), np.log(costs[used]), 1)[0])


def exponents(table, by: list[str], x, quantities=("flops", "time"), start=0) -> Table:
    """p in cost ~ x^p: a row for each group, a column for each quantity and library."""
    pairs = [(q, k) for q in quantities for k in libraries(table)]
    rows = {}
    for key, group in table.groupby(by, sort=False):
        found = [where(group, library=k)[[x, q]].to_numpy().T for q, k in pairs]
        rows[key] = [slope(sizes, costs, start) for sizes, costs in found]
    heads = [f"{q} ~ {x}^p, {TITLES[k]}" for q, k in pairs]
    index = pd.MultiIndex.from_tuples(rows, names=by)
    index = index if len(by) > 1 else index.get_level_values(0)
    return DataFrame([*rows.values()], index, heads).dropna(axis=1, how="all")


def paired(table: Table, on: list[str]) -> Table:
    """Ratios of times, jaxkit's over JAX's, sample by sample, of rows alike in `on`.

    Their quartiles are `low`, `middle` and `high`.
    """
    table = table.dropna(subset="samples")
    sides = [where(table, library=x).set_index(on)["samples"] for x in COMPILED]
    index = sides[0].index.intersection(sides[1].index, sort=False)
    both = zip(*(side.loc[index] for side in sides), strict=True)
    found = [np.quantile(np.divide(a, b), QUARTILES) for a, b in both]
    columns = ["low", "middle", "high"]
    return DataFrame(np.reshape(found, (-1, 3)), index=index, columns=columns)


def costs(table: Table, index: list[str], counts=()) -> Table:
    """Times of each library, with half their quartile range; and what XLA counts."""
    spread = (table["time_high"] - table["time_low"]) / 2 / table["time"]
    timing = [
        f"{units.seconds(t)} \u00b1{s:.0%}" if t > 0 else None
        for t, s in zip(table["time"], spread, strict=True)
    ]
    values = ["time", *(x for x in counts if x in table)]
    table = table.assign(time=timing)
    wide = table.pivot(index=index, columns="library", values=values)
    wide = wide[[(x, k) for x in values for k in libraries(table)]]
    wide.columns = [f"{x}, {TITLES[library]}" for x, library in wide.columns]
    rows = pd.MultiIndex.from_frame(table[index].drop_duplicates())
    return wide.loc[rows].dropna(axis=1, how="all").infer_objects()


def text(table: Table) -> Table:
    """A table of numbers as it is written, with its index as columns."""
    flat = table.reset_index()
    for column in table:
        write = next(w for key, w in WRITTEN.items() if key in str(column))
        if pd.api.types.is_numeric_dtype(flat[column]):
            flat[column] = [write(x) if np.isfinite(x) else "-" for x in flat[column]]
    return flat.fillna("-").astype(str)


def shown(title: str, table: Table) -> None:
    """Print a table."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    drawn = Table(box=box.SIMPLE_HEAD)
    for column in (flat := text(table)):
        named = column in table.index.names
        drawn.add_column(str(column), justify="left" if named else "right")
    for row in flat.itertuples(index=False):
        drawn.add_row(*row)
    # Where no one looks, nothing is cut to fit.
    console = Console(width=None if sys.stdout.isatty() else 240, markup=False)
    console.print(f"\n{title}", drawn, sep="\n")


def markdown(table: Table) -> str:
    """The same as Markdown."""
    flat = text(table).replace(r"\|", r"\\|", regex=True)
    lines = [[str(x) for x in flat], ["---"] * flat.shape[1], *flat.to_numpy()]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def side_by_side(tables: dict[str, Table]) -> Table:
    """Tables of several devices, one's columns after another's; of one, as it is."""
    if len(tables) == 1:
        return next(iter(tables.values()))
    found = [t.add_suffix(f" ({device})") for device, t in tables.items()]
    return pd.concat(found, axis=1, sort=False)
