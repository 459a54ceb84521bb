"""The command: `python -m tests.planted`, from the repository's root."""

from __future__ import annotations

import argparse
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.planted.faults import FAULTS, ROOT, Fault

SKIPPED = (".git", ".venv", ".nox", "__pycache__", ".pytest_cache")


def main(argv: list[str] | None = None) -> int:
    """Plant each fault and run the tests; returns 0 if each makes them fail."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.planted",
        description="Plant one fault after the other; each must make the tests fail.",
    )
    parser.add_argument("-k", default="", metavar="TEXT", help="faults with this name")
    parser.add_argument("-n", default="2", metavar="N", help="processes for the tests")
    args = parser.parse_args(argv)
    from tqdm import tqdm

    missed = []
    chosen = [fault for fault in FAULTS if args.k in fault.name]
    for fault in tqdm(chosen, unit="fault", dynamic_ncols=True):
        caught = run(fault, args.n)
        tqdm.write(f"{fault.name} ({fault.file}): {caught or 'NOT CAUGHT'}")
        if not caught:
            missed.append(fault)
    print(f"{len(chosen) - len(missed)} of {len(chosen)} planted faults caught")
    return int(bool(missed))


def run(fault: Fault, processes: str) -> str:
    """The first test that fails with the fault, where it should show or elsewhere.

    Raises RuntimeError if pytest runs no test, or can't say how it went.
    """
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder) / "tree"
        shutil.copytree(ROOT, tree, ignore=shutil.ignore_patterns(*SKIPPED))
        fault.plant(tree)
        for where in (fault.first, "tests"):
            output = test(tree, where, processes)
            if found := re.search(r"^(?:FAILED|ERROR) (\S+)", output, re.M):
                return found[1]
    return ""


def test(tree: Path, where: str, processes: str) -> str:
    pytest = [sys.executable, "-m", "pytest", "-x", "-q", "-n", processes]
    command = [*pytest, *shlex.split(where)]
    env = os.environ | {"PYTHONPATH": str(tree)}
    done = subprocess.run(command, cwd=tree, env=env, text=True, capture_output=True)
    if done.returncode not in (0, 1, 2):  # passed, failed, an error on collecting
        raise RuntimeError(f"pytest {where}: {done.stdout}{done.stderr}")
    return done.stdout


if __name__ == "__main__":
    sys.exit(main())
