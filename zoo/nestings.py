"""Nestings of jvp and vjp, by jaxkit or by JAX, and many of them in one program."""

from __future__ import annotations

import os
from functools import partial

import jax
from jax.extend.core import Literal

from zoo.case import Case

# Compiling takes most of the time, and unoptimised code is as good to compare.
FAST = {
    "xla_backend_optimization_level": 0,
    "xla_llvm_disable_expensive_passes": True,
    # With it, LAPACK calls at once are likelier to wait for each other forever, see
    # tests/harnesses.
    "xla_cpu_enable_concurrency_optimized_scheduler": False,
}
if jax.__version_info__ < (0, 11):  # XLA's older emitters compile faster
    FAST["xla_cpu_use_fusion_emitters"] = False
# On a GPU, most of it is to try which algorithm for a product is the fastest.
FAST_ON_GPU = {"xla_gpu_autotune_level": 0}

# Each derivative, and the one of JAX's that it equals (a Hessian is symmetric).
NESTINGS = {
    "jvp": "jvp",
    "vjp": "vjp",
    "jvp of jvp": "jvp of jvp",
    "jvp of vjp": "jvp of vjp",
    "vjp of jvp": "jvp of vjp",
    "vjp of vjp": "jvp of vjp",
    "jvp of jvp of vjp": "jvp of jvp of vjp",
    "vjp of vjp of vjp": "jvp of jvp of vjp",
    "vjp of jvp of jvp": "jvp of jvp of vjp",
}


def xla_flags(options: dict) -> str:
    """`options` as they are added to the environment's XLA_FLAGS."""
    flags = [f"--{name}={str(x).lower()}" for name, x in options.items()]
    return " ".join([os.environ.get("XLA_FLAGS", ""), *flags])


def push(lib, f, xs, vs):
    return lib.jvp(f, (xs,), (vs,))[1]


def pull(lib, f, xs, us):
    return lib.vjp(f, xs)[1](us)[0]


def derive(lib, how, f, vs, us):
    """The derivative `how` of f, say "jvp of vjp", as a function of the point."""
    for mode in reversed(how.split(" of ")):
        if mode == "jvp":
            f = partial(push, lib, f, vs=vs)
        else:
            f, us = partial(pull, lib, f, us=us), vs
    return f


def bent(f):
    """y + y^2 of each output, so that a linear f has higher derivatives too."""
    return lambda xs: [y + y * y for y in f(xs)]


def nestings(case: Case, dtype: str) -> list[str]:
    most = {"float64": 3, "bfloat16": 1}.get(dtype, 2)
    return [
        how
        for how in NESTINGS
        if how.count("of") < min(case.orders, most)
        and (case.reverse or "vjp" not in how)
    ]


def compiled(f, *args):
    """f(*args) in `jit`, where each operation on the same operands is done once.

    What is compared has most of its operations in common, and to compile them, the
    special functions above all, is what takes time.
    """
    jaxpr, shapes = jax.make_jaxpr(f, return_shape=True)(*args)
    options = FAST if jax.default_backend() == "cpu" else FAST_ON_GPU
    run = jax.jit(partial(_evaluate, jaxpr), compiler_options=options)
    outs = run(*jax.tree.leaves(args))
    return jax.device_get(jax.tree.unflatten(jax.tree.structure(shapes), outs))


def _evaluate(closed, *args):
    jaxpr, done = closed.jaxpr, {}
    env = dict(zip(jaxpr.constvars, closed.consts, strict=True))
    env |= zip(jaxpr.invars, args, strict=True)

    def read(atom):
        return atom.val if isinstance(atom, Literal) else env[atom]

    def name(atom):
        if isinstance(atom, Literal):
            return repr(atom.val), atom.aval
        return id(env[atom])

    for eqn in jaxpr.eqns:
        key = eqn.primitive, str(eqn.params), tuple(map(name, eqn.invars))
        key += tuple(map(id, constants(eqn.params)))  # of which the text has none
        if key not in done:
            params = eqn.primitive.get_bind_params(eqn.params)
            out = eqn.primitive.bind(*map(read, eqn.invars), **params)
            done[key] = out if eqn.primitive.multiple_results else [out]
        env |= zip(eqn.outvars, done[key], strict=True)
    return [read(v) for v in jaxpr.outvars]


def constants(params) -> list:
    """What the jaxprs among an equation's parameters close over."""
    found = []
    for x in jax.tree.leaves(params, is_leaf=lambda x: hasattr(x, "eqns")):
        found += getattr(x, "consts", ())
        for eqn in getattr(x, "eqns", ()):
            found += constants(eqn.params)
    return found
