"""The pages, written by hand, and the report of a run of one's own.

A page, `pages/NAME.md`, has marks in its text:

    <!-- table: TITLE --> ... <!-- end -->     a table of the experiment's, or figure
    <!-- fact: failures(cpu) == 0 -->          what the sentence before it states

`--report` fills in what stands between marks, from the committed results: of several
devices, tables side by side. Facts are Python, among the experiment's own names, and
`cpu` and `gpu`, the tables of results there. The tests try whether they hold.
"""

import contextlib
import os
import re
import shlex
import warnings
from pathlib import Path
from types import ModuleType

from pandas import DataFrame

from experiments.bench import ExperimentError
from experiments.bench.record import Record
from experiments.bench.tidy import Table, markdown, side_by_side
from experiments.modules import EXPERIMENTS, find, headline, question

HERE = Path(__file__).parent
RESULTS, PAGES = HERE / "results", HERE / "pages"
MARK = re.compile(r"<!-- (table|figure): (.+?) -->\n.*?<!-- end -->", re.DOTALL)
FACT = re.compile(r"<!-- fact: (.+?) -->", re.DOTALL)
OPENING = "# What differentiation costs: results of a run\n"


def read(path: Path) -> Record:
    """The record in a file, of an experiment that can be found, as it is now."""
    record = Record.read(path)
    try:
        find(path.stem).Settings(**record.settings)
    except TypeError as error:
        other = f"{path} is of another version of {path.stem}: {error}"
        raise ExperimentError(other) from None
    return record


def tables(module: ModuleType, record: Record) -> dict[str, Table]:
    """An experiment's tables, and what was skipped, if anything."""
    found, table = module.tables(record.table), record.table
    if "skipped" in table and len(rows := table[table["skipped"].notna()]):
        index = [*record.points[0], "library", "program"]
        found["not run"] = rows.set_index(index)[["skipped"]]
    return found


def committed(name: str) -> list[Record]:
    """An experiment's records under results/, a folder for each device."""
    return [read(path) for path in sorted(RESULTS.glob(f"*/{name}.jsonl"))]


def fill_all() -> int:
    """Fill in all pages; returns how much they state that the results don't say."""
    for path, text in filled_pages().items():
        path.write_text(text, encoding="utf-8")
        print("Written:", path)
    wrong = [fact for name in EXPERIMENTS for fact in untrue(name)]
    print(*(f"Not so, in these results: {fact}" for fact in wrong), sep="\n")
    return len(wrong)


def filled_pages() -> dict[Path, str]:
    """The text of each page, and of their index, from the committed results."""
    found = {name: committed(name) for name in EXPERIMENTS}
    where = devices([record for records in found.values() for record in records])
    texts = {HERE / "README.md": filled(HERE / "README.md", {"devices": where}, [])}
    for name, records in found.items():
        by_title: dict[str, dict[str, Table]] = {}
        for record in records:
            for title, table in tables(find(name), record).items():
                by_title.setdefault(title, {})[record.path.parent.name] = table
        joined = {title: side_by_side(each) for title, each in by_title.items()}
        texts[PAGES / f"{name}.md"] = filled(PAGES / f"{name}.md", joined, records)
    return texts


def filled(path: Path, tables: dict[str, Table], records: list[Record]) -> str:
    """The text of a page, with tables and figures between its marks."""

    def fill(mark: re.Match) -> str:
        kind, what = mark.groups()
        drawn = [record.path.with_name(f"{what}.png") for record in records]
        images = [image(p, path.parent) for p in drawn if p.exists()]
        inner = markdown(tables[what]) if kind == "table" else "\n".join(images)
        return f"<!-- {kind}: {what} -->\n\n{inner}\n<!-- end -->"

    return MARK.sub(fill, path.read_text(encoding="utf-8"))


def image(path: Path, base: Path) -> str:
    """A link to a figure."""
    where = Path(os.path.relpath(path, base)).as_posix()
    return f"![{path.stem}, {path.parent.name}]({where})\n"


def facts(name: str) -> list[str]:
    """What an experiment's page states, as Python."""
    return FACT.findall((PAGES / f"{name}.md").read_text(encoding="utf-8"))


def untrue(name: str) -> list[str]:
    """The facts that don't hold in the committed results."""
    names = dict(vars(find(name)))
    for record in reversed(committed(name)):
        names[record.environment["device"]["platform"]] = record.table
    with warnings.catch_warnings(action="ignore"):  # pandas's, of what may take long
        return [fact for fact in facts(name) if not eval(fact, names)]


def write(path: Path, folder: Path) -> Path:
    """Write the report on the results in a folder: questions, tables and figures."""
    if path.exists() and not path.read_text(encoding="utf-8").startswith(OPENING):
        raise ExperimentError(f"{path} isn't a report of ours: it is left as it is")
    records = []
    for file in sorted(folder.glob("*.jsonl")):
        with contextlib.suppress(ExperimentError):  # no record of ours
            records += [record] if (record := read(file)).lines else []
    parts = [OPENING, *(markdown(devices(each)) for each in [records] if each)]
    order = {name: place for place, name in enumerate(EXPERIMENTS)}
    for record in sorted(records, key=lambda r: order.get(r.path.stem, len(order))):
        name, module = record.path.stem, find(record.path.stem)
        parts += [f"## {name}: {headline(module)}", question(module)]
        if given := record.settings.get("function"):
            parts.append(f"Of `{given}`, at `{' '.join(record.settings['inputs'])}`.")
        for title, table in tables(module, record).items():
            parts += [f"**{title}**", markdown(table)]
        parts += [image(p, path.parent) for p in sorted(folder.glob(f"{name}-*.png"))]
        parts.append(f"Made by `{typed(record)}`.")
    path.write_text("\n\n".join(parts) + "\n", encoding="utf-8")
    return path


def devices(records: list[Record]) -> Table:
    """Where results were made, with what, and by which command."""
    rows = []
    for record in records:
        device, versions = (record.environment[x] for x in ("device", "versions"))
        rows.append({
            "results": record.path.parent.name,
            "device": device["processor" if device["platform"] == "cpu" else "kind"],
            "threads": device["threads"],
            "versions": ", ".join(f"{k} {v}" for k, v in versions.items() if v),
            "begun": record.header["noted"]["time"].partition("T")[0],
            "by": f"`{typed(record)}`",
            "experiments": record.path.stem,
        })  # fmt: skip
    *alike, name = DataFrame(rows)
    return DataFrame(rows).groupby(alike, sort=False)[name].agg(", ".join).to_frame()


def typed(record: Record) -> str:
    """What was typed for this run; it may name other experiments as well."""
    words = [x for x in record.header["noted"]["command"] if x != "--fresh"]
    return shlex.join(["python", "-m", "experiments", *words])
