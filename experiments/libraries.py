"""The libraries that stand side by side, each with the same few names.

A function to differentiate is written once, `f(xp, x, ...)`: `xp` has the functions of
NumPy, in the library's own version, and `put`.
"""

import importlib.util
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from types import SimpleNamespace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import jaxkit
from experiments.bench import measure
from experiments.bench.measure import Program


@dataclass(frozen=True)
class Library:
    """One library: its NumPy, and `ad`, the transforms with JAX's signatures.

    `ready(result)` waits for a result. `build(function, args)` makes a Program as the
    library's users call it: JAX's compiled, the others' as they are. `compile` is
    `jit`, or what comes nearest; None where nothing does.
    """

    numpy: Any
    ad: Any
    array: Callable[[np.ndarray], Any]
    ready: Callable[[Any], Any]
    build: Callable[[Callable, tuple], Program]
    compile: Callable | None

    def bind(self, f: Callable, args) -> tuple[Callable, tuple]:
        """`f(xp, ...)` with the library's `xp`, and `args` as its own arrays."""
        return (lambda *args: f(self.numpy, *args)), jax.tree.map(self.array, args)


@cache
def libraries(peers: bool = True) -> dict[str, Library]:
    """By name, jaxkit and JAX, and their peers PyTorch and autograd if there are."""
    found = {"jaxkit": of_jax(jaxkit), "jax": of_jax(jax)}
    there = {x for x in ("torch", "autograd") if peers and importlib.util.find_spec(x)}
    if "torch" in there and (torch := of_torch()):
        found["torch"] = torch
    if "autograd" in there and jax.default_backend() == "cpu":
        found["autograd"] = of_autograd()
    return found


def of_jax(ad) -> Library:
    """A library of transformations of `jax.numpy` code."""

    xp = namespace(jnp, lambda x, places, values: x.at[places].set(values))
    ready = jax.block_until_ready
    return Library(xp, ad, jnp.asarray, ready, measure.build, jax.jit)


def of_torch() -> Library | None:
    """PyTorch, by `torch.func`, on the device on which JAX computes, if it can."""
    import torch

    on_gpu = jax.default_backend() == "gpu"
    if on_gpu and not torch.cuda.is_available():
        return None
    device = "cuda" if on_gpu else "cpu"
    with warnings.catch_warnings(action="ignore"):
        # The first use loads parts of PyTorch that warn of other parts of PyTorch.
        torch.func.jvp(torch.sin, (torch.zeros(1),), (torch.ones(1),))

    def array(x):
        return torch.tensor(np.asarray(x), device=device)

    def ready(result):
        if on_gpu:
            torch.cuda.synchronize()
        return result

    xp = namespace(torch, lambda x, places, values: x.index_put((places,), values))
    return Library(xp, torch.func, array, ready, uncompiled(ready), torch.compile)


def of_autograd() -> Library:
    """autograd, https://github.com/HIPS/autograd: no vmap, so Jacobians are loops."""
    import autograd
    import autograd.numpy as anp

    ag: Any = autograd

    def jacfwd(f):
        def jacobian(x, *data):
            push, unit = ag.make_jvp(f)(x, *data), np.eye(len(x), dtype=x.dtype)
            return anp.stack([push(row)[1] for row in unit], axis=-1)

        return jacobian

    ad = SimpleNamespace(
        grad=ag.grad, jacfwd=jacfwd, jacrev=ag.jacobian, hessian=ag.hessian,
        jvp=lambda f, x, dx: ag.make_jvp(f)(*x)(*dx),
        vjp=lambda f, x: ag.make_vjp(f)(x)[::-1],
    )  # fmt: skip

    def put(x, places, values):
        # There is no such operation: the values, spread out, and x elsewhere.
        order = np.full(len(x), -1)
        order[places] = np.arange(len(places))
        return anp.where(order < 0, x, values[order])

    ready = lambda result: result  # noqa: E731
    xp = namespace(anp, put)
    return Library(xp, ad, np.asarray, ready, uncompiled(ready), None)


def namespace(module, put: Callable) -> SimpleNamespace:
    """The names of a module, and `put(x, places, values)`, x with values there."""
    return SimpleNamespace(**vars(module) | {"put": put})


def uncompiled(ready: Callable) -> Callable[[Callable, tuple], Program]:
    """Builds programs that are functions called as they are; XLA knows no cost."""
    return lambda function, args: Program(lambda: ready(function(*args)), {})
