"""One run's file: JSON lines, a header first, then a line for each measured point.

The file has the name of its experiment. A point is its key (what was measured:
function, sizes, ...) and its result. Each is on disk before the next is begun, so an
interrupted run loses at most one point.
"""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from experiments.bench import ExperimentError

HEADER = {"experiment", "settings", "environment", "noted"}


class Record:
    """The points of one run. `settings` and `environment` say how they were made."""

    def __init__(self, path: Path, header: dict, points: list[dict]):
        self.path = path
        self.header = header
        self.points = points

    @property
    def settings(self) -> dict:
        """The settings of the run."""
        return self.header["settings"]

    @property
    def environment(self) -> dict:
        """Device, threads, flags and versions of the run."""
        return self.header["environment"]

    @classmethod
    def read(cls, path: Path) -> "Record":
        """The record in a file. Raises ExperimentError if there is none of its name."""
        header, *points = lines(path)
        if header["experiment"] != path.stem:
            raise ExperimentError(f"{path} holds a run of {header['experiment']}")
        return cls(path, header, [p for p in points if "noted" not in p])

    @classmethod
    def resume(
        cls,
        path: Path,
        experiment: str,
        settings: dict,
        environment: dict,
        fresh: bool = False,
    ):
        """The record in a file, or a new one: if there is none yet, or it is `fresh`.

        Raises ExperimentError if the file holds a run with other settings, versions or
        device: samples of two runs don't mix.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        header = {
            "experiment": experiment,
            "settings": settings,
            "environment": environment["fixed"],
        }
        noted = {"noted": environment["noted"]}
        if not fresh and path.exists() and b"\n" in path.read_bytes():
            drop_broken_line(path)
            record = cls.read(path)
            changes = differences(record.header, header)
        else:
            record, changes = None, []
        if record is None or (changes and not record.points):
            path.write_text(json.dumps(header | noted) + "\n")
            return cls(path, header | noted, [])
        if changes:
            raise ExperimentError(
                f"{path} holds a run with other settings or surroundings:\n  "
                + "\n  ".join(changes)
                + "\nGive another folder with --out, or --fresh to replace that run."
            )
        append(path, noted)
        return record

    def __contains__(self, key: dict) -> bool:
        return any(point["key"] == key for point in self.points)

    def results(self, **key) -> list[tuple[dict, dict]]:
        """Key and result of all points whose key has these entries, as measured."""
        return [
            (point["key"], point["result"])
            for point in self.points
            if key.items() <= point["key"].items()
        ]

    def programs(self, **key) -> dict[str, dict]:
        """The programs of the first such point; empty if it isn't measured yet."""
        return next((r.get("programs", {}) for _, r in self.results(**key)), {})

    def add(self, key: dict, result: dict) -> None:
        """Write one measured point to disk."""
        point = {"key": key, "result": rounded(result)}
        append(self.path, point)
        self.points.append(point)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """While this lasts, no other run can measure for the same file.

    Raises:
        ExperimentError: another run does.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ExperimentError(
                f"another run is measuring for {path}: give another --out"
            ) from None
        yield


def lines(path: Path) -> list[dict]:
    """The file's lines, without a last one that was cut off."""
    try:
        text = path.read_text()
    except FileNotFoundError:
        raise ExperimentError(f"{path} doesn't exist: measure first") from None
    except UnicodeDecodeError as error:
        raise ExperimentError(f"{path} isn't a record of a run: {error}") from None
    whole = text[: text.rfind("\n") + 1]
    try:
        found = [json.loads(line) for line in whole.splitlines()]
    except ValueError as error:
        raise ExperimentError(f"{path} isn't a record of a run: {error}") from None
    header = found[0] if found else None
    if not isinstance(header, dict) or not HEADER <= header.keys():
        raise ExperimentError(f"{path} isn't a record of a run: it has no header")
    for number, line in enumerate(found[1:], start=2):
        keys = set(line) if isinstance(line, dict) else set()
        if not (keys == {"noted"} or keys == {"key", "result"}):
            raise ExperimentError(
                f"{path} isn't a record of a run: line {number} has no key and result"
            )
    return found


def plain(entry: Any) -> Any:
    """Settings or points as a file has them: lists for tuples, and the like.

    Raises:
        ExperimentError: something in them is nothing that JSON has.
    """
    try:
        return json.loads(json.dumps(entry))
    except TypeError as error:
        raise ExperimentError(f"settings and points go into JSON: {error}") from error


def append(path: Path, entry: dict) -> None:
    """Add a line and wait until it is on disk."""
    with path.open("a") as file:
        file.write(json.dumps(entry) + "\n")
        file.flush()
        os.fsync(file.fileno())


def rounded(entry: Any) -> Any:
    """Six digits of each float: more would be noise. NumPy's numbers as Python's."""
    if hasattr(entry, "tolist"):
        entry = entry.tolist()
    if isinstance(entry, dict):
        return {key: rounded(value) for key, value in entry.items()}
    if isinstance(entry, list | tuple):
        return [rounded(value) for value in entry]
    return float(f"{entry:.6g}") if isinstance(entry, float) else entry


def drop_broken_line(path: Path) -> None:
    """Cut what a run that was killed while writing left after the last whole line."""
    data = path.read_bytes()
    with path.open("r+b") as file:
        file.truncate(data.rfind(b"\n") + 1)


def differences(old: dict, new: dict, prefix: str = "") -> list[str]:
    """Where two headers differ, one line for each: `sizes: [1, 2] there, [1] now`."""
    found = []
    for key in sorted((old.keys() | new.keys()) - {"noted"}):
        a, b = old.get(key), new.get(key)
        if a == b:
            continue
        if isinstance(a, dict) and isinstance(b, dict):
            found += differences(a, b, f"{prefix}{key}.")
        else:
            found.append(f"{prefix}{key}: {json.dumps(a)} there, {json.dumps(b)} now")
    return found
