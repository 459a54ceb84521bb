"""Cases of the rules, a file for each of `jaxkit/rules`, and one for `jaxkit/control`.

To load them starts JAX, on the devices that it has then: `parallel` makes a mesh.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from pkgutil import iter_modules

from zoo.case import Case

NAMES = sorted(module.name for module in iter_modules(__path__))


@cache
def families() -> dict[str, list[Case]]:
    """The cases by the name of their file."""
    return {name: import_module(f"{__name__}.{name}").CASES for name in NAMES}
