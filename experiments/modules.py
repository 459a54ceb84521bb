"""Where experiments are found: ours, and any module of the user's."""

import importlib
import sys
from types import ModuleType

from experiments.bench import ExperimentError

EXPERIMENTS = [
    "scaling", "validate", "hessian", "accuracy", "memory", "overhead", "higher",
    "swell",
]  # fmt: skip


def find(name: str) -> ModuleType:
    """The experiment's module.

    Raises:
        ExperimentError: there is none, or what it needs isn't installed.
    """
    try:
        if name in EXPERIMENTS:
            return importlib.import_module(f"experiments.{name}")
        sys.path.insert(0, "")
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name == name:
            raise ExperimentError(
                f"there is no experiment {name}; there are {', '.join(EXPERIMENTS)}, "
                "all, and modules that can be imported"
            ) from None
        raise ExperimentError(
            f"{name} needs the package {error.name}: pip install -e '.[experiments]'"
        ) from None


def headline(module: ModuleType) -> str:
    """The first line of the experiment's docstring."""
    return (module.__doc__ or "").strip().partition("\n")[0]
