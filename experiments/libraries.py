"""The libraries that stand side by side."""

from types import ModuleType

import jax

import jaxkit


def libraries() -> dict[str, ModuleType]:
    """By name, modules that have `jvp`, `vjp`, `grad`, ... with JAX's signatures."""
    return {"jaxkit": jaxkit, "jax": jax}
