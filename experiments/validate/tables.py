"""What was checked, in numbers: of each function, of each family, what failed."""

from collections.abc import Iterator

from experiments.bench.record import Record
from experiments.bench.table import table
from experiments.validate.transforms import TRANSFORMS

Entries = list[tuple[str, dict]]  # what was checked, "jvp of f", and its verdict


def checked(record: Record, **key) -> Entries:
    """All that was checked of the points with the entries `key`."""
    return [
        (f"{transform} of {point['function']}", entry)
        for point, result in record.results(**key)
        for transform, entry in result["transforms"].items()
        if "left_out" not in entry
    ]


def passed(entries: Entries) -> str:
    """How many passed."""
    return f"{sum(entry['passed'] for _, entry in entries)} of {len(entries)}"


def equal(entries: Entries) -> str:
    """How many are equal to JAX's."""
    return f"{[e.get('to_jax') for _, e in entries].count(0)} of {len(entries)}"


def largest(entries: Entries, which: str) -> tuple[float, str]:
    """The largest of the differences of a kind that are known, and what has it."""
    return max(
        ((e[which], name) for name, e in entries if which in e), default=(0, "-")
    )


def small(x: float) -> str:
    """A difference, with one digit."""
    return f"{x:.0e}" if x else "0"


def tables(record: Record) -> Iterator[str]:
    """Each function, each family, what failed, and what was left out and why."""
    yield by_function(record)
    yield by_family(record)
    failed = [
        f"{name} in {dtype}: {why(entry)}"
        for dtype in record.settings["dtypes"]
        for name, entry in checked(record, dtype=dtype)
        if not entry["passed"]
    ]
    yield "\n".join(["", f"Failed: {len(failed)}", *failed])
    yield "\n".join(["", "Left out, since JAX has no result:", *left_out(record)])


def by_function(record: Record) -> str:
    """A row for each point, a column for each transform."""
    rows = []
    for key, result in record.results():
        entries = checked(record, **key)
        row = [key["function"], key["dtype"], *map(cell, result["transforms"].values())]
        row += [small(largest(entries, w)[0]) for w in ("to_float64", "jax_to_float64")]
        row.append("pass" if all(e["passed"] for _, e in entries) else "FAIL")
        rows.append(row)
    head = ["function", "dtype", *TRANSFORMS, "to float64", "JAX's own", "verdict"]
    title = "Largest relative difference to JAX; and to float64, the largest of a row"
    return table(title, head, rows)


def cell(entry: dict) -> str:
    """The difference to JAX."""
    if "left_out" in entry:
        return "-"
    text = small(entry["to_jax"]) if "to_jax" in entry else ""
    return text if entry["passed"] else f"FAIL {text}".strip()


def why(entry: dict) -> str:
    """Why a combination failed."""
    names = {"to_jax": "to JAX", "to_float64": "to float64", "tolerance": "allowed"}
    return entry.get("problem") or ", ".join(
        f"{entry[key]:.1e} {text}" for key, text in names.items()
    )


def by_family(record: Record) -> str:
    """How many passed in each dtype, and the largest difference."""
    dtypes, rows = record.settings["dtypes"], []
    for family, names in families(record).items():
        row = [family, str(len(names))]
        for dtype in dtypes:
            points = (checked(record, function=n, dtype=dtype) for n in names)
            entries = [entry for each in points for entry in each]
            row += [passed(entries), small(largest(entries, "to_jax")[0])]
        rows.append(row)
    columns = [text for dtype in dtypes for text in (f"{dtype} passed", "to JAX")]
    return table("By family of rules", ["family", "functions", *columns], rows)


def families(record: Record) -> dict[str, list[str]]:
    """The functions that were checked, by family, in the order of the record."""
    groups: dict[str, dict[str, None]] = {}
    for key, result in record.results():
        groups.setdefault(result["family"], {})[key["function"]] = None
    return {family: list(names) for family, names in groups.items()}


def left_out(record: Record) -> list[str]:
    """A line for each reason for which transforms of a function were left out."""
    lines: dict[tuple[str, str], dict[str, None]] = {}
    for key, result in record.results():
        for transform, entry in result["transforms"].items():
            if "left_out" in entry:
                where = key["function"], entry["left_out"]
                lines.setdefault(where, {})[transform] = None
    return [f"{f}: {', '.join(names)}: {why}" for (f, why), names in lines.items()]
