"""Running many cases: in processes, into a record, and what the record says."""

from __future__ import annotations

import multiprocessing
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

import jax
from tqdm import tqdm

import jaxkit
from experiments.bench.environment import digest
from experiments.bench.record import Record
from tests.harnesses import cases, compare
from tests.harnesses.cases import candidates
from tests.harnesses.compare import AGREE, DISAGREE, NO_CASE, UNSUPPORTED, check
from tests.rules import checker
from zoo import case, nestings

OUTCOMES = AGREE, DISAGREE, UNSUPPORTED
SOURCES = [
    *Path(jaxkit.__file__).parent.rglob("*.py"),
    *(Path(x.__file__) for x in (compare, checker, cases, case, nestings)),
]


def record_of(kind: str, folder: Path, fresh: bool = False) -> Record:
    """The record of this JAX and these sources, so that a change of a rule starts anew.

    An interrupted run goes on where it was.
    """
    path = folder / f"{kind}-jax-{jax.__version__}-{digest(SOURCES)}.jsonl"
    header = {
        "experiment": path.stem,
        "settings": {"kind": kind},
        "environment": {"jax": jax.__version__},
    }
    return Record.resume(path, header, {}, fresh)


def complete(record: Record, names: list[str], workers: int) -> None:
    """Check what the record lacks."""
    done = {point["case"] for point in record.points}
    missing = [name for name in names if name not in done]
    started = len(names) - len(missing)
    bar = tqdm(total=len(names), initial=started, unit="case", dynamic_ncols=True)
    with bar:
        for name, result in outcomes(missing, record.settings["kind"], workers):
            group = candidates()[name].group
            record.add({"case": name}, [{"group": group, **result}])
            bar.set_description(group)
            bar.update()


def outcomes(names: list[str], kind: str, workers: int) -> Iterator[tuple[str, dict]]:
    """Each name with what came of its case, in the order in which they are done."""
    if workers == 1:
        yield from (one(name, kind) for name in names)
        return
    # Not forked: a fork of a process in which JAX runs may hang.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, context) as pool:
        todo = [pool.submit(one, name, kind) for name in names]
        try:
            for future in as_completed(todo):
                yield future.result()
        finally:
            pool.shutdown(cancel_futures=True)


def one(name: str, kind: str) -> tuple[str, dict]:
    return name, check(candidates()[name], kind).asdict()


def report(record: Record, names: list[str]) -> bool:
    """Print the counts and what doesn't agree; returns whether all do."""
    results = {
        line["point"]["case"]: {key: value[0] for key, value in line["rows"].items()}
        for line in record.lines
    }
    found = {
        name: results[name]
        for name in names
        if name in results and results[name]["outcome"] != NO_CASE
    }
    groups: dict[str, Counter] = {}
    for result in found.values():
        groups.setdefault(result["group"], Counter())[result["outcome"]] += 1
    width = max(map(len, groups), default=0) + 2
    print(f"\n{'':{width}}" + "".join(f"{x:>13}" for x in OUTCOMES))
    for group in sorted(groups):
        print(line(group, groups[group], width))
    print(line("total", sum(groups.values(), Counter()), width))
    for mode in dict.fromkeys(m for x in found.values() for m in x["modes"]):
        count = sum(mode in x["modes"] for x in found.values())
        print(f"{mode}: {count} cases")
    if others := len(names) - len(found):
        print(f"{others} more have no derivative to compare, or JAX can't compile it")
    wrong: dict[tuple[str, str], list[str]] = {}  # cases with one reason, together
    for name, result in sorted(found.items()):
        if result["outcome"] != AGREE:
            reason = result["outcome"], result["reason"]
            wrong.setdefault(reason, []).append(name)
    for (what, reason), names in sorted(wrong.items()):
        print(f"\n{what} ({len(names)}): {reason}")
        print(*(f"    {name}" for name in names), sep="\n")
    print(f"\nJAX {jax.__version__}, record: {record.path}")
    return not wrong


def line(label: str, counts: Counter, width: int) -> str:
    return f"{label:{width}}" + "".join(f"{counts[x]:13}" for x in OUTCOMES)
