"""What must hold of a program under a stack of transforms, and of its derivative."""

from __future__ import annotations

import gc
import re
import warnings
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from unittest import mock

import jax
import jax.numpy as jnp
import numpy as np

import jaxkit
from tests.generated import evaluate, judge
from tests.generated.judge import CLOSE, Result, difference, error_of
from tests.generated.prelude import directions, leaves, parts, total
from tests.generated.program import Program

LEAKS = 100  # of so many programs one is run under JAX's check of leaks
# Constants in JAX's partials of these aren't weak, nor are partials at weak arrays. In
# larger programs JAX's sum of several cotangents is weak if the first is.
STRONG = {"exp2", "integer_pow", "complex", "real", "imag"}
EPS = {"f32": 1.2e-7, "c64": 1.2e-7, "f16": 1e-3, "bf16": 8e-3}


def check(program: Program) -> str:
    """How jaxkit differs from JAX, or from itself; empty if it doesn't."""
    problem = beside_jax(program)
    if problem.startswith("values") and not unrolled(program):
        problem = ""
    if not problem and len(program.stack) == 1:
        problem = alone(program)
    # JAX's check of leaks forgets what is compiled, so that it takes longest.
    if not problem and zlib.crc32(str(program).encode()) % LEAKS == 0:
        problem = leaks(program)
    return problem


def returned(f: Callable, args, traced: bool) -> Result:
    """What comes of f, by tracing and evaluating it, or by calling it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            if not traced:
                return judge.result(f(*args))
            jaxpr, tree = evaluate.trace(f, args)
            # JAX refuses some programs only when they run.
            values = evaluate.evaluate(jaxpr, leaves(args))
        except Exception as error:
            return Result(error=error)
        types = list(map(str, jaxpr.out_avals))
        return judge.result(jax.tree.unflatten(tree, values), types)


def beside_jax(program: Program) -> str:
    """Types, trees, exceptions, and values: these in double precision."""
    f, args = program.load()
    before = copies(args)
    ours, theirs = (returned(f(lib), args, program.traced) for lib in (jaxkit, jax))
    small = len(program.stack) == 1 and len(list(program.walk())) <= 4
    weak = small and not STRONG & program.primitives
    if problem := difference(ours, theirs, classes=small, weak=weak):
        return problem
    if any(not np.array_equal(x, y) for x, y in zip(copies(args), before, strict=True)):
        return "the arguments were changed"
    if ours.error or theirs.error:
        return ""
    eps = max([0.0, *map(EPS.get, re.findall(r"\b(?:b?f16|f32|c64)\b", str(program)))])
    if not eps:
        return judge.wrong(ours, theirs)
    f, args = program.load(wide=True)
    mine, exact = (returned(f(lib), args, program.traced) for lib in (jaxkit, jax))
    if mine.error or exact.error:
        return ""
    return judge.wrong(mine, exact) or judge.far(ours, theirs, exact, eps)


def unrolled(program: Program) -> str:
    """How jaxkit differs from JAX's derivative of the program with loops written out.

    JAX's second derivative of a user's rule in a loop isn't that of the loop written
    out; jaxkit's is. What can't be written out differs.
    """
    f, args = program.load(wide=True)
    ours = returned(f(jaxkit), args, program.traced)
    with jax.disable_jit():
        theirs = returned(f(jax), args, program.traced)
    if ours.error or theirs.error:
        return "values"
    return judge.wrong(ours, theirs)


def leaks(program: Program) -> str:
    """Whether a tracer outlives the stack, by JAX's own check; JAX's stack may, too."""
    f, args = program.load()
    # Of a leak JAX says what holds it, for which it goes through all that is in memory.
    silent = mock.patch("jax._src.core._why_alive", return_value="")
    for lib in (jax, jaxkit):
        with jax.checking_leaks(), warnings.catch_warnings(), silent, older_kept():
            warnings.simplefilter("ignore")
            try:
                evaluate.trace(f(lib), args)
            except Exception as error:
                leaked = "Leaked" in str(error)
                return "a tracer leaks" if leaked and lib is jaxkit else ""
    return ""


@contextmanager
def older_kept() -> Iterator[None]:
    """Garbage is looked for only in what is made from here on: all else takes long."""
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def copies(args) -> list[np.ndarray]:
    return [np.array(x) for x in leaves(args)]


def alone(program: Program) -> str:
    """<u, J v> = <J' u, v>, J(a v) = a J v, and `linearize` equals `jvp`."""
    f, args = program.load(wide=True, plain=True)
    f = f(jaxkit)

    def derivatives(*args):
        v = directions(args)
        y, pushforward = jaxkit.linearize(f, *args)
        dy = pushforward(*v)
        again = jaxkit.jvp(f, args, v)[1]
        longer = pushforward(*directions(args, -1.5))
        u = directions(y)
        back = jaxkit.vjp(f, *args)[1](u)
        products = product(u, dy), product(back, v), total(y)
        return parts(dy), parts(again), parts(longer), products

    found = returned(derivatives, args, program.traced)
    if found.error or found.size > judge.LARGEST:
        return ""  # JAX was asked whether there is a derivative
    dy, again, longer, (left, right, _) = jax.tree.unflatten(found.tree, found.values)
    if error_of(again, dy) > CLOSE:
        return "jvp differs from linearize"
    if error_of(longer, [-1.5 * x for x in dy]) > CLOSE:
        return "the pushforward isn't linear"
    if abs(left - right) > CLOSE * max(1.0, abs(left), found.size):
        return "" if misplaced(program) else "<u, J v> differs from <J' u, v>"
    return ""


def product(us, vs):
    """The real part of the sum of products, of what moves."""
    pairs = zip(leaves(us), leaves(vs), strict=True)
    moving = [(u, v) for u, v in pairs if jnp.result_type(u) != jax.dtypes.float0]
    return sum((jnp.sum(jnp.real(u * v)) for u, v in moving), jnp.float64(0))


def misplaced(program: Program) -> bool:
    """Whether XLA may drop what is written past the end of an axis that is divided.

    `dynamic_update_slice` is to write at the end instead, as its derivative believes.
    """
    return {"shard_map", "dynamic_update_slice"} <= program.primitives
