"""The cases: JAX's harnesses as functions of their floating-point arguments."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache, cached_property
from importlib import import_module
from itertools import islice
from unittest.mock import patch

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from zoo.case import direction, flat
from zoo.nestings import bent, derive

HARNESSES = "jax._src.internal_test_util.test_harnesses"


@dataclass(frozen=True)
class HarnessCase:
    """A call of a primitive: `f` takes a list of arrays to one, all floating-point.

    `xs` are the arguments, as the harness draws them; `rng` is seeded by the name.
    """

    name: str
    group: str
    f: Callable = field(repr=False)
    xs: list[np.ndarray] = field(repr=False)

    @property
    def for_jax(self) -> Callable:
        """f as JAX is asked for its derivative.

        `eigh` and `cholesky` read one triangle of their matrix. JAX's rules read all of
        its tangent (that of `eigh` all of the matrix, too, and that of `cholesky` only
        up to JAX 0.11); so JAX gets the whole Hermitian matrix.
        """
        if self.group == "cholesky":
            return lambda xs: self.f([_hermitian(xs[0], lower=True)])
        if self.group == "eigh":
            return self._eigh_of_whole
        return self.f

    def _eigh_of_whole(self, xs):
        lower = self.name.endswith("lower_True")
        whole = _hermitian(xs[0], lower)
        return list(lax.linalg.eigh(whole, lower=lower, symmetrize_input=False))

    @property
    def rng(self) -> np.random.Generator:
        return np.random.default_rng(zlib.crc32(self.name.encode()))

    @cached_property
    def outputs(self) -> list[jax.ShapeDtypeStruct]:
        """What `f` returns; raises what JAX raises, or AssertionError for no floats."""
        return jax.eval_shape(self.f, self.xs)

    @cached_property
    def vs(self) -> list[np.ndarray]:
        """A random tangent of each argument."""
        rng = self.rng
        return [direction(rng, x) for x in self.xs]

    @cached_property
    def us(self) -> list[np.ndarray]:
        """A random cotangent of each output."""
        rng = self.rng
        return [direction(rng, y) for y in self.outputs]


def _hermitian(x, lower: bool):
    """The Hermitian matrix of which x has this triangle."""
    off = jnp.tril(x, -1) if lower else jnp.triu(x, 1)
    diagonal = jnp.real(x).astype(x.dtype) * jnp.eye(x.shape[-1], dtype=x.dtype)
    return off + jnp.conj(jnp.swapaxes(off, -1, -2)) + diagonal


@cache
def candidates() -> dict[str, HarnessCase]:
    """All harnesses with floating-point arguments that CPUs support, by name.

    In JAX's default precision, so that there are as many whoever asks.
    """
    with jax.enable_x64(False):
        harnesses = import_module(HARNESSES).all_harnesses
        found = [_case(x) for x in harnesses if x.filter("cpu")]
        return {case.name: case for case in found if case.xs}


def _of_its_operands(reduce: Callable) -> Callable:
    """`lax.reduce` or `reduce_window`, with initial values of the operands' precision.

    The harnesses' are of one, so that they couldn't be run in double precision.
    """

    def reducer(operands, inits, *args):
        inits = jax.tree.map(lambda x, init: init.astype(x.dtype), operands, inits)
        return reduce(operands, inits, *args)

    return reducer


def _case(harness) -> HarnessCase:
    if harness.fun is lax.reduce_window:
        harness.fun = _of_its_operands(lax.reduce_window)
    seed = zlib.crc32(harness.fullname.encode())
    args = harness.dyn_args_maker(np.random.RandomState(seed))
    leaves, tree = jax.tree.flatten(args)

    def function(*leaves):
        with patch(f"{HARNESSES}.lax.reduce", _of_its_operands(lax.reduce)):
            return harness.dyn_fun(*jax.tree.unflatten(tree, leaves))

    return HarnessCase(harness.fullname, harness.group_name, *flat(function, leaves))


# Where JAX has the last of these, it has those before.
FIRST = "jvp", "vjp"
SECOND = "jvp of vjp", "vjp of vjp"


def derivative(lib, mode: str, case: HarnessCase) -> Callable:
    """The derivative `mode` of a case, with jaxkit or with JAX, as (xs, vs, us) -> ys.

    Second derivatives are those of y + y^2, so that a linear f has some too.
    """
    f = case.for_jax if lib is jax else case.f
    f = bent(f) if mode in SECOND else f
    return lambda xs, vs, us: derive(lib, mode, f, vs, us)(xs)


def modes_of_jax(case: HarnessCase, modes: tuple[str, ...]) -> tuple[str, ...] | None:
    """Those of the modes in which JAX differentiates a case.

    None if there is nothing to differentiate: JAX can't run it, or returns no floats.
    """
    try:
        point = case.xs, case.vs, case.us
    except Exception:
        return None
    for n in range(len(modes), 0, -1):
        try:
            jax.eval_shape(derivative(jax, modes[n - 1], case), *point)
        except Exception:
            continue
        return modes[:n]
    return ()


def differentiable(case: HarnessCase) -> bool:
    """Whether JAX can differentiate it, at least forward."""
    return bool(modes_of_jax(case, FIRST))


def refused(case: HarnessCase) -> bool:
    """Whether JAX refuses to differentiate it in one mode or both."""
    return modes_of_jax(case, FIRST) not in (None, FIRST)


def sample(n: int, belongs: Callable = differentiable, groups=None) -> list[str]:
    """Names of about n cases that belong: a fair part of each group, at least one.

    Drawn with a fixed seed, and without tracing more cases than needed. A group counts
    as large as it has candidates.
    """
    members: dict[str, list[str]] = {}
    for case in candidates().values():
        if groups is None or case.group in groups:
            members.setdefault(case.group, []).append(case.name)
    total = sum(map(len, members.values()))
    chosen = []
    for group in sorted(members):
        quota = max(1, round(n * len(members[group]) / total))
        rng = np.random.default_rng(zlib.crc32(group.encode()))
        names = rng.permutation(sorted(members[group])).tolist()
        fitting = (name for name in names if belongs(candidates()[name]))
        chosen += islice(fitting, quota)
    return chosen
