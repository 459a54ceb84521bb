"""Running tests with the transforms of a package."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.substitute.suites import Suite

HERE = Path(__file__).parent
CASES = 5  # of each test that has a larger number, or that JAX draws from one
SECONDS = 120  # of the processor's time that a test may take
SETTINGS = """
[pytest]
filterwarnings = error
"""


def record(root: Path, tests: Sequence[str], package: str) -> dict[str, dict]:
    """What came of tests, named as pytest names them, by their names.

    Raises RuntimeError if the run broke off.
    """
    with tempfile.TemporaryDirectory() as folder:
        settings, out = Path(folder) / "pytest.ini", Path(folder) / "record.json"
        settings.write_text(SETTINGS)
        theirs = root / "pyproject.toml"
        environment = {
            **os.environ,
            "JAX_NUM_GENERATED_CASES": str(CASES),
            "PYTHONPATH": os.pathsep.join([str(HERE), str(HERE.parents[1])]),
            "SUBSTITUTE": package,
            "SUBSTITUTE_CASES": str(CASES),
            "SUBSTITUTE_RECORD": str(out),
            "SUBSTITUTE_SECONDS": str(SECONDS),
        }
        done = subprocess.run(
            [
                *(sys.executable, "-m", "pytest", "-p", "plugin", "-o", "addopts="),
                *("-q", "--tb=short", "--no-header", "-p", "no:cacheprovider"),
                *("-c", theirs if theirs.exists() else settings, "--rootdir", root),
                *(root / test for test in tests),
            ],
            cwd=root,
            env=environment,
            capture_output=True,
            text=True,
        )
        if done.returncode > 1 or not out.exists():
            raise RuntimeError(f"pytest broke off:\n{done.stdout}{done.stderr}")
        return json.loads(out.read_text())


def results(suite: Suite) -> dict[str, dict[str, dict]]:
    """What came of the tests in a suite that reach a transform, by file and name.

    Those that fail with jaxkit's have what came of them with JAX's under "jax".
    """
    found = record(suite.root, suite.tests, "jaxkit")
    failed = [name for name, x in found.items() if x["reached"] and not x["passed"]]
    again = record(suite.root, failed, "jax") if failed else {}
    files: dict[str, dict[str, dict]] = {}
    for name, result in found.items():
        if result["reached"]:
            if name in again:
                result["jax"] = again[name]["passed"]
            file, _, test = name.partition("::")
            files.setdefault(f"{suite.root.name}/{file}", {})[test] = result
    return files
