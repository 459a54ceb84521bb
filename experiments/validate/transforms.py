"""The transforms, and what a library computes by them, in one compiled program."""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import jaxkit as jk
from experiments.validate.functions import Function

MOST_INPUTS = 32  # for third derivatives, of which there are as many as its cube

# Compiling is most of what this takes.
UNOPTIMISED: dict[str, Any] = {
    "xla_backend_optimization_level": 0,
    "xla_llvm_disable_expensive_passes": True,
    # With it, LAPACK calls at once are likelier to wait for each other forever.
    "xla_cpu_enable_concurrency_optimized_scheduler": False,
}
if jax.__version_info__ < (0, 11):
    UNOPTIMISED["xla_cpu_use_fusion_emitters"] = False
# On a GPU, most of compiling is to try which algorithm for a product is the fastest.
UNTUNED: dict[str, Any] = {"xla_gpu_autotune_level": 0}


def jvp(lib, function: Function, x):
    return lib.jvp(function.f, (x,), (direction(x),))


def vjp(lib, function: Function, x):
    y, pullback = lib.vjp(function.f, x)
    return y, pullback(direction(y))


def of(attribute: str, *names: str) -> Callable:
    """Nested transforms of the function's `f` or `scalar`, the last one innermost."""

    def transform(lib, function: Function, x):
        f = getattr(function, attribute)
        for name in reversed(names):
            f = getattr(lib, name)(f, holomorphic=function.holomorphic)
        return f(x)

    return transform


def third(lib, function: Function, x):
    inputs = sum(leaf.size for leaf in jax.tree.leaves(x))
    if inputs > MOST_INPUTS:
        raise ValueError(f"of {inputs} inputs, which is more than {MOST_INPUTS}")
    return of("scalar", "jacfwd", "hessian")(lib, function, x)


TRANSFORMS: dict[str, Callable] = {
    "jvp": jvp,
    "vjp": vjp,
    "grad": of("scalar", "grad"),
    "jacfwd": of("f", "jacfwd"),
    "jacrev": of("f", "jacrev"),
    "hessian": of("scalar", "hessian"),
    "third": third,
}


@lru_cache(maxsize=4)  # the truth serves both dtypes
def derivatives(library: str, function: Function, dtype: str) -> dict[str, Any]:
    """By transform, what the library computes, or as text why it doesn't."""
    lib = {"jaxkit": jk, "jax": jax}[library]

    def attempt(names: list[str]) -> dict[str, Any]:
        def compute(x):
            return {name: TRANSFORMS[name](lib, function, x) for name in names}

        try:
            run = compiled(compute) if function.traceable else compute
            return jax.device_get(run(function.at(dtype)))
        except Exception as error:
            if len(names) == 1:
                return {names[0]: said(error)}
        return {name: attempt([name])[name] for name in names}

    with jax.enable_x64(dtype == "float64"), jax.default_matmul_precision("highest"):
        return attempt(list(TRANSFORMS))


def compiled(f: Callable) -> Callable:
    on_cpu = jax.default_backend() == "cpu"
    return jax.jit(f, compiler_options=UNOPTIMISED if on_cpu else UNTUNED)


def said(error: Exception) -> str:
    """An error's type and the first line of its message."""
    return f"{type(error).__name__}: {error}".partition("\n")[0]


def direction(tree):
    """Vectors in the shape of the tree, with no two entries alike."""
    leaves, treedef = jax.tree.flatten(tree)
    ends = np.cumsum([leaf.size for leaf in leaves])
    for i, (leaf, end) in enumerate(zip(leaves, ends, strict=True)):
        entries = np.cos(1.3 * np.arange(end - leaf.size, end)).astype(np.float32)
        leaves[i] = jnp.asarray(entries.reshape(leaf.shape), leaf.dtype)
    return treedef.unflatten(leaves)
