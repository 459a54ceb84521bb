"""Where experiments are found: ours, and any module of the user's."""

import importlib
import sys
from types import ModuleType

from experiments.bench import ExperimentError

EXPERIMENTS = [
    "scaling", "validate", "hessian", "accuracy", "memory", "overhead", "higher",
    "swell",
]  # fmt: skip

PARTS = (
    "FULL", "QUICK", "points", "measure", "tables", "draw", "captions", "summary"
)  # fmt: skip


def find(name: str) -> ModuleType:
    """The experiment's module.

    Raises:
        ExperimentError: there is none, or what it needs isn't installed.
    """
    if not all(part.isidentifier() for part in name.split(".")):
        raise ExperimentError(f"{name} is not the name of an experiment or a module")
    try:
        if name in EXPERIMENTS:
            return importlib.import_module(f"experiments.{name}")
        if "" not in sys.path:
            sys.path.insert(0, "")
        module = importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name == name:
            raise ExperimentError(
                f"there is no experiment {name}; there are {', '.join(EXPERIMENTS)}, "
                "all, and modules that can be imported"
            ) from None
        raise ExperimentError(
            f"{name} needs {error.name}, which isn't installed (what our experiments "
            "need is: pip install -e '.[experiments]')"
        ) from None

    if missing := [part for part in PARTS if not hasattr(module, part)]:
        raise ExperimentError(
            f"the module {name} is no experiment: it has no {', '.join(missing)}"
        )
    return module


def headline(module: ModuleType) -> str:
    """The first line of the experiment's docstring."""
    return (module.__doc__ or "").strip().partition("\n")[0]
