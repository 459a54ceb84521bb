"""One run's file: JSON lines, a header first, then a line for each measured point.

The file has the name of its experiment. A line has the point (function, sizes, ...),
the machine's load, and rows, as columns. It is on disk before the next is begun.
"""

import json
import os
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from experiments.bench import ExperimentError, tidy
from experiments.bench.environment import load


class Record:
    """The points of one run. `settings` and `environment` say how they were made."""

    def __init__(self, path: Path, header: dict, lines: list[dict]):
        self.path, self.header, self.lines = path, header, lines
        self.settings, self.environment = header["settings"], header["environment"]

    @property
    def points(self) -> list[dict]:
        """The keys of what was measured."""
        return [line["point"] for line in self.lines]

    @cached_property
    def table(self) -> pd.DataFrame:
        """All rows of all points, see `bench.tidy`."""
        rows = [
            line["point"] | dict(zip(line["rows"], row, strict=True))
            for line in self.lines
            for row in zip(*line["rows"].values(), strict=True)
        ]
        return tidy.of(rows)

    @classmethod
    def read(cls, path: Path) -> "Record":
        """The record in a file of its name, without a last line that was cut off."""
        try:
            text = path.read_text(encoding="utf-8")
            header, *found = map(json.loads, text[: text.rfind("\n") + 1].splitlines())
            if header["experiment"] != path.stem:
                raise ExperimentError(f"{path} holds a run of {header['experiment']}")
            record = cls(path, header, [x for x in found if x.keys() != {"noted"}])
            for line in record.lines:
                if line.keys() != {"point", "load", "rows"}:
                    raise ValueError(f"there is no point and rows in {str(line)[:60]}")
        except FileNotFoundError:
            raise ExperimentError(f"{path} doesn't exist: measure first") from None
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            raise ExperimentError(f"{path} isn't a record of a run: {error}") from None
        return record

    @classmethod
    def resume(cls, path: Path, header: dict, noted: dict, fresh: bool = False):
        """The record in a file, or a new one: if there is none yet, or it is `fresh`.

        Samples of two runs, with other settings, versions or devices, don't mix.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        data = path.read_bytes() if path.exists() and not fresh else b""
        if b"\n" in data:  # what follows the last one was cut off as it was written
            path.write_bytes(data[: data.rfind(b"\n") + 1])
            record = cls.read(path)
            changes = differences(record.header, header)
            if not changes:
                append(path, {"noted": noted})
                return record
            if record.lines:
                other = f"{path} holds a run with other settings or surroundings:"
                advice = "Give another folder with --out, or --fresh to replace it."
                raise ExperimentError("\n  ".join([other, *changes]) + f"\n{advice}")
        path.write_text("")
        append(path, header | {"noted": noted})
        return cls(path, header | {"noted": noted}, [])

    def add(self, point: dict, rows: list[dict]) -> None:
        """Write one measured point to disk."""
        names = dict.fromkeys(name for row in rows for name in row)
        columns = {name: [row.get(name) for row in rows] for name in names}
        line = {"point": point, "load": load(), "rows": plain(columns)}
        append(self.path, line)
        self.lines.append(line)
        self.__dict__.pop("table", None)


def append(path: Path, entry: dict) -> None:
    """Add a line and wait until it is on disk."""
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(entry, separators=(",", ":")) + "\n")
        file.flush()
        os.fsync(file.fileno())


def plain(entry: Any) -> Any:
    """As JSON has it: NumPy's numbers as Python's, and four digits of each float.

    More would be noise. Counts are whole numbers, and stay exact.
    """
    entry = entry.tolist() if hasattr(entry, "tolist") else entry
    if isinstance(entry, dict):
        return {key: plain(value) for key, value in entry.items()}
    if isinstance(entry, list | tuple):
        return [plain(value) for value in entry]
    if isinstance(entry, float):
        return float(f"{entry:.4g}")
    if entry is None or isinstance(entry, str | int):
        return entry
    raise ExperimentError(f"settings and points go into JSON, which has no {entry!r}")


def differences(old: dict, new: dict, prefix: str = "") -> list[str]:
    """Where two headers differ, one line for each: `sizes: [1, 2] there, [1] now`."""
    found = []
    for key in sorted((old.keys() | new.keys()) - {"noted"}):
        a, b = old.get(key), new.get(key)
        if isinstance(a, dict) and isinstance(b, dict):
            found += differences(a, b, f"{prefix}{key}.")
        elif a != b:
            found.append(f"{prefix}{key}: {json.dumps(a)} there, {json.dumps(b)} now")
    return found
