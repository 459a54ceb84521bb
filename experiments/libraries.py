"""The libraries that stand side by side, each with the same few names.

A function to differentiate is written once, `f(xp, x, ...)`: `xp` has the functions of
NumPy, in the library's own version, and `put`. It gets plain NumPy arrays from its
experiment, which each library takes in by `array`.
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
    """One library.

    `ad` has `jvp`, `vjp`, `grad`, `jacfwd`, `jacrev` and `hessian` with JAX's
    signatures. `ready(result)` waits for a result. `build(function, args)` makes a
    Program of a function as the library's users call it: JAX's compiled, the others'
    as they are. `compile` is `jit`, or what comes nearest; None where nothing does.
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
    """By name, jaxkit and JAX, and of their peers PyTorch and autograd those installed.

    autograd computes with NumPy, so it is left out where JAX computes on a GPU.
    """
    found = {"jaxkit": of_jax(jaxkit), "jax": of_jax(jax)}
    if not peers:
        return found
    if importlib.util.find_spec("torch") and (torch := of_torch()):
        found["torch"] = torch
    if importlib.util.find_spec("autograd") and jax.default_backend() == "cpu":
        found["autograd"] = of_autograd()
    return found


def of_jax(ad) -> Library:
    """A library of transformations of `jax.numpy` code."""

    def put(x, places, values):
        return x.at[places].set(values)

    xp = namespace(jnp, put=put)
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

    def put(x, places, values):
        return torch.index_put(x, (places,), values)

    def ready(result):
        if on_gpu:
            torch.cuda.synchronize()
        return result

    return Library(
        namespace(torch, put=put),
        torch.func,
        lambda x: torch.tensor(np.asarray(x), device=device),
        ready,
        uncompiled(ready),
        torch.compile,
    )


def of_autograd() -> Library:
    """autograd, https://github.com/HIPS/autograd: no vmap, so Jacobians are loops."""
    import autograd
    import autograd.numpy as anp

    def jvp(f, primals, tangents):
        (x,), (dx,) = primals, tangents
        return autograd.make_jvp(f)(x)(dx)

    def vjp(f, x):
        found: Any = autograd.make_vjp(f)(x)
        return found[::-1]

    def jacfwd(f):
        def jacobian(x, *data):
            push: Any = autograd.make_jvp(f)(x, *data)
            columns = [push(row)[1] for row in np.eye(len(x), dtype=x.dtype)]
            return anp.stack(columns, axis=-1)

        return jacobian

    ad = SimpleNamespace(
        jvp=jvp, vjp=vjp, grad=autograd.grad, jacfwd=jacfwd, jacrev=autograd.jacobian,
        hessian=autograd.hessian,
    )  # fmt: skip

    def put(x, places, values):
        # There is no such operation: the values, spread out, and x elsewhere.
        order = np.full(len(x), -1)
        order[places] = np.arange(len(places))
        return anp.where(order < 0, x, values[order])

    xp = namespace(anp, put=put)

    def ready(result):
        return result

    return Library(xp, ad, np.asarray, ready, uncompiled(ready), None)


def namespace(module, **more) -> SimpleNamespace:
    """The names of a module, and some more."""
    return SimpleNamespace(**vars(module) | more)


def uncompiled(ready: Callable) -> Callable[[Callable, tuple], Program]:
    """Builds programs that are functions called as they are; XLA knows no cost."""
    return lambda function, args: Program(lambda: ready(function(*args)), {})
