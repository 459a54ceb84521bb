"""The real programs of the tests, small ones from science, engineering and learning.

They are read from their file: the tests aren't a package, and needn't be on the path.
"""

import importlib.util
import sys
from pathlib import Path

from experiments.bench import ExperimentError

FILE = Path(__file__).parents[1] / "tests" / "programs.py"


def programs() -> dict:
    """All of them by name; see `Program` in that file for what each has."""
    name = "experiments_programs"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, FILE)
        assert spec and spec.loader
        # Dataclasses look their module up while it is being run.
        module = sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    return {program.name: program for program in sys.modules[name].PROGRAMS}


def real(names: list[str] | None) -> dict:
    """Those of the given names (all if None) that can be compiled.

    Raises:
        ExperimentError: there is no such program, or it can't be compiled.
    """
    found = {name: p for name, p in programs().items() if p.traceable}
    if unknown := set(names or ()) - found.keys():
        raise ExperimentError(
            f"no program {', '.join(sorted(unknown))}; there are {', '.join(found)}"
        )
    return {name: found[name] for name in names or found}
