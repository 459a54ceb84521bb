"""REPORT.md: each figure, what it shows, and the command that made it.

It is written from results files alone. Its numbers are those of the experiments'
`captions` and `summary`; where there are results of several devices they stand side
by side.
"""

import contextlib
import os
import shlex
from collections.abc import Callable
from pathlib import Path

from experiments.bench import ExperimentError
from experiments.bench.record import Record, plain
from experiments.modules import EXPERIMENTS, find

HERE = Path(__file__).parent
RESULTS = HERE / "results"
OPENING = """\
# What differentiation costs: the report

Written by `python -m experiments {options}` from the results named below. On a machine
of your own: `python -m experiments all --quick`, or `python -m experiments all`.
"""


def committed() -> Path:
    """Write `experiments/REPORT.md` from the results that are committed."""
    path = HERE / "REPORT.md"
    return write(path, sorted(p for p in RESULTS.iterdir() if p.is_dir()))


def write(path: Path, folders: list[Path]) -> Path:
    """Write the report on the results in some folders, one for each device."""
    start = OPENING.partition("\n")[0]
    if path.exists() and not path.read_text(encoding="utf-8").startswith(start):
        raise ExperimentError(f"{path} isn't a report of ours: it is left as it is")
    path.write_text(text(folders, path.parent), encoding="utf-8")
    return path


def read(path: Path) -> Record:
    """The record in a file.

    Raises:
        ExperimentError: there is none of an experiment that can be found, as it is now.
    """
    record, module = Record.read(path), find(path.stem)
    if missing := [k for k in module.FULL if k not in record.settings]:
        raise ExperimentError(
            f"{path} is of another version of {path.stem}: it has no setting "
            f"{', '.join(missing)}"
        )
    return record


def text(folders: list[Path], base: Path) -> str:
    """The report; its links to figures are relative to the folder `base`."""
    found: dict[str, dict[Path, Record]] = {}
    for folder in folders:
        for path in folder.glob("*.jsonl"):
            with contextlib.suppress(ExperimentError):  # no record of ours
                if (record := read(path)).points:
                    found.setdefault(path.stem, {})[folder] = record
    own = sorted(found.keys() - set(EXPERIMENTS))
    found = {name: found[name] for name in (*EXPERIMENTS, *own) if name in found}
    options = "--report" if base == HERE else "NAME..."
    parts = [OPENING.format(options=options), devices(found)]
    parts += [section(name, records, base) for name, records in found.items()]
    return "\n".join(parts)


def devices(found: dict) -> str:
    """A table of where the results were made, and with what."""
    folders: dict[Path, list[Record]] = {}
    for each in found.values():
        for folder, record in each.items():
            folders.setdefault(folder, []).append(record)
    rows = {
        "device": lambda r: device(r),
        "processor, threads": lambda r: "{processor}, {threads}".format(
            **r.environment["device"]
        ),
        "versions": lambda r: ", ".join(
            f"{k} {v}" for k, v in r.environment["versions"].items() if v
        ),
        "settings": lambda r: settings(r),
        "begun": lambda r: r.header["noted"]["time"].partition("T")[0],
    }
    head = ["", *(f"`{folder.name}`" for folder in folders)]
    body = [
        [label, *(distinct(records, tell) for records in folders.values())]
        for label, tell in rows.items()
    ]
    return markdown(head, body)


def distinct(records: list[Record], tell: Callable[[Record], str]) -> str:
    """What is told of some records, and of which where that is not the same for all."""
    told: dict[str, list[str]] = {}
    for record in records:
        told.setdefault(tell(record), []).append(record.header["experiment"])
    if len(told) == 1:
        return next(iter(told))
    return "; ".join(f"{text} ({', '.join(names)})" for text, names in told.items())


def device(record: Record) -> str:
    """The name of what computed."""
    found = record.environment["device"]
    return found["processor"] if found["platform"] == "cpu" else found["kind"]


def settings(record: Record) -> str:
    """Which run it was: a whole one, a quick one, or one with settings of its own."""
    module = find(record.header["experiment"])
    known = {"those of a whole run": module.FULL, "those of --quick": module.QUICK}
    found = (k for k, v in known.items() if plain(v) == record.settings)
    return next(found, "their own")


def section(name: str, records: dict[Path, Record], base: Path) -> str:
    """One experiment: its question, its numbers, its figures."""
    module = find(name)
    headline, _, rest = (module.__doc__ or "").strip().partition("\n")
    parts = [f"## {name}: {headline}", rest.strip().partition("\n\n")[0]]
    summaries = {folder: module.summary(record) for folder, record in records.items()}
    if labels := dict.fromkeys(k for each in summaries.values() for k in each):
        head = ["", *(f"`{folder.name}`" for folder in summaries)]
        body = [[k, *(each.get(k, "-") for each in summaries.values())] for k in labels]
        parts.append(markdown(head, body))
    for folder, record in records.items():
        for figure, caption in module.captions(record).items():
            where = os.path.relpath(folder / f"{figure}.svg", base)
            parts += [f"![{figure}, on {device(record)}]({where})", caption]
        parts.append(f"Made on {device(record)} by `{command(record)}`.")
    return "\n\n".join(parts) + "\n"


def command(record: Record) -> str:
    """What was typed for this run; it may name other experiments as well."""
    typed = [x for x in record.header["noted"]["command"] if x != "--fresh"]
    return shlex.join(["python", "-m", "experiments", *typed])


def markdown(head: list[str], rows: list[list[str]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"
