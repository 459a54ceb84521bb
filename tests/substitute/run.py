"""Running a file of JAX's tests, with the transforms of a package."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

VERSION = "0.10.2"
FILES = """
    api batching custom_api custom_linear_solve custom_root fft generated_fun jet
    lax_autodiff lax_control_flow lax_scipy linalg nn ode
""".split()
ROOT = Path(__file__).parents[2]
CASES = 5  # of each test that JAX draws from a larger number
SETTINGS = """
[pytest]
filterwarnings = error
addopts = -q --import-mode=importlib --tb=short --no-header -p no:cacheprovider
"""


def record(repository: Path, tests: list[str], package: str) -> dict[str, dict]:
    """What came of tests, named as pytest names them, by their names.

    Raises RuntimeError if the run broke off.
    """
    with tempfile.TemporaryDirectory() as folder:
        settings, out = Path(folder) / "pytest.ini", Path(folder) / "record.json"
        settings.write_text(SETTINGS)
        environment = {
            **os.environ,
            "JAX_NUM_GENERATED_CASES": str(CASES),
            "SUBSTITUTE": package,
            "SUBSTITUTE_RECORD": str(out),
        }
        # Not in the repository, whose jax would be imported.
        done = subprocess.run(
            [
                *(sys.executable, "-m", "pytest", "-p", "tests.substitute.plugin"),
                *("-c", settings, "--rootdir", repository / "tests"),
                *(repository / "tests" / test for test in tests),
            ],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
        )
        if done.returncode > 1 or not out.exists():
            raise RuntimeError(f"pytest broke off:\n{done.stdout}{done.stderr}")
        return json.loads(out.read_text())


def results(repository: Path, file: str) -> dict[str, dict]:
    """What came of the tests in a file that reach a transform.

    Those that fail with jaxkit's have what came of them with JAX's under "jax".
    """
    found = record(repository, [f"{file}_test.py"], "jaxkit")
    reached = {name: result for name, result in found.items() if result["reached"]}
    failed = [name for name, result in reached.items() if not result["passed"]]
    if failed:
        again = record(repository, failed, "jax")
        for name in failed:
            reached[name]["jax"] = again[name]["passed"]
    return reached
