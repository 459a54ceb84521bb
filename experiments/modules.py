"""Where experiments are found: ours, and any module of the user's."""

import importlib
import sys
from types import ModuleType

from experiments.bench import ExperimentError

EXPERIMENTS = (
    "scaling validate hessian accuracy memory overhead higher swell sparsity curvature"
).split()
PARTS = ("Settings", "points", "measure", "tables", "figures")


def find(name: str) -> ModuleType:
    """The experiment's module."""
    if not all(part.isidentifier() for part in name.split(".")):
        raise ExperimentError(f"{name} is not the name of an experiment or a module")
    if "" not in sys.path:
        sys.path.insert(0, "")
    try:
        ours = f"experiments.{name}" if name in EXPERIMENTS else name
        module = importlib.import_module(ours)
    except ModuleNotFoundError as error:
        found = f"there are {', '.join(EXPERIMENTS)}, all, and modules of your own"
        missing = f"{name} needs {error.name}: pip install -e '.[experiments]'"
        none = f"there is no experiment {name}; {found}"
        raise ExperimentError(none if error.name == name else missing) from None
    if missing := [part for part in PARTS if not hasattr(module, part)]:
        no = f"the module {name} is no experiment: it has no {', '.join(missing)}"
        raise ExperimentError(no)
    return module


def headline(module: ModuleType) -> str:
    """The first line of the experiment's docstring."""
    return (module.__doc__ or "").strip().partition("\n")[0]


def question(module: ModuleType) -> str:
    """The docstring's first paragraph after that: what is asked, what theory says."""
    rest = (module.__doc__ or "").strip().partition("\n")[2]
    return rest.strip().partition("\n\n")[0]
