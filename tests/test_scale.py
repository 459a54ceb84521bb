"""Many, large, deep, and at the ends of the range (`python -m pytest -m long`)."""

from __future__ import annotations

import gc
import subprocess
import sys
import weakref
import zlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

import jaxkit as jk
from zoo.case import flat, generator, sample
from zoo.cases import families

pytestmark = pytest.mark.long


@pytest.mark.parametrize("transform", [lambda f: f, jk.grad])
def test_ten_thousand_fresh_closures_leave_nothing(transform):
    x = jnp.ones(3)

    def once(i):
        f = transform(lambda x: jnp.sum(jnp.sin(x) * i))
        return jk.grad(lambda x: jnp.sum(f(x)))(x)

    def objects():
        gc.collect()
        # Up to 8,192 weak ones are in JAX's cache of compiled calls, of their trace.
        strong = [x for x in gc.get_objects() if type(x) is not weakref.ReferenceType]
        return len(strong), len(jax.live_arrays())

    for i in range(100):
        once(i)
    before = objects()
    for i in range(10_000):
        once(i)
    after = objects()
    assert after[0] - before[0] < 100
    assert after[1] == before[1]


def test_a_hundred_thousand_equations():
    n, c = 50_000, 0.9999

    def f(x):
        for _ in range(n):
            x = lax.add(lax.mul(x, c), 1e-4)
        return x

    np.testing.assert_allclose(jk.grad(f)(1.0), c**n, rtol=1e-9)
    np.testing.assert_allclose(jk.jvp(f, (1.0,), (1.0,))[1], c**n, rtol=1e-9)


def test_a_million_leaves():
    n = 1_000_000
    tree = [1.0] * n
    gradient = jk.grad(lambda t: jnp.sin(t[0]) * t[-1] + t[n // 2])(tree)
    assert len(gradient) == n
    at = {0: np.cos(1.0), n - 1: np.sin(1.0), n // 2: 1.0, 5: 0.0}
    for i, expected in at.items():
        np.testing.assert_allclose(gradient[i], expected)


NEST = """
import resource, sys
import jax, jax.numpy as jnp, jaxkit as jk
sys.setrecursionlimit(10**6)
f = jnp.sin
for _ in range(1000):
    f = jax.jit(lambda x, f=f: f(x) * 1.0)
print(jk.grad(f)(0.0), jk.jvp(f, (0.0,), (1.0,))[1], jk.hessian(f)(0.5) + jnp.sin(0.5))
"""


def test_a_thousand_nested_calls():
    """JAX's plain call ends the process at 200, and at 150 with Python's own limit."""
    command = f"ulimit -s unlimited && {sys.executable} -c '{NEST}'"
    done = subprocess.run(command, shell=True, text=True, capture_output=True)
    assert done.stdout.split() == ["1.0", "1.0", "0.0"], done.stderr


# --- NaN, infinities, denormals and the largest numbers -------------------------------

SPECIAL = [np.nan, np.inf, -np.inf, 5e-324, -0.0, 0.0, 1.7e308, -1e-310]
KNOWN = {
    "clamp": "NaN as a bound, or a tie with a denormal",
    "bessel_i0e": "from the right at 0",
    "bessel_i1e": "NaN at NaN, which is a number in JAX",
    "scatter": "nothing attains a maximum that is NaN",
    "reduce_window": "which entry of a window of NaNs, or of infinities; overflow",
    "reduce, ": "in which order a product overflows",
}
FAMILIES = ("elementwise", "indexing", "structural", "reductions", "windows", "fourier")
CASES = [
    case
    for family in (*FAMILIES, "convolution", "reducers", "random")
    for case in families()[family]
    if case.available and case.reverse and "float64" in case.dtypes
]


def spoilt(case, rng):
    """Arguments of the case of which some entries are special."""
    for x in sample(case, generator(case), "float64"):
        x = np.array(x)
        if x.dtype == np.float64 and x.size:
            for _ in range(rng.integers(1, 3)):
                x.reshape(-1)[rng.integers(x.size)] = rng.choice(SPECIAL)
        yield jnp.asarray(x)


def test_where_jax_has_a_number_it_is_ours():
    problems = []
    for case in CASES:
        rng = np.random.default_rng(zlib.crc32(case.name.encode()))
        for _ in range(3):
            args = tuple(spoilt(case, rng))

            def derivatives(lib, f, args=args):
                f, xs = flat(f, args)
                ones = jax.tree.map(jnp.ones_like, xs)
                y, pullback = lib.vjp(f, xs)
                ct = jax.tree.map(jnp.ones_like, y)
                return jax.tree.leaves((lib.jvp(f, (xs,), (ones,))[1], pullback(ct)))

            try:
                theirs = derivatives(jax, case.reference or case.function)
            except Exception:
                continue
            ours = derivatives(jk, case.function)
            for x, y in zip(*(map(np.asarray, z) for z in (ours, theirs)), strict=True):
                there = np.isfinite(y)
                if not np.allclose(x[there], y[there], 1e-6, 1e-9):
                    problems.append(case.name)
    known = tuple(KNOWN)
    assert not [name for name in problems if not name.startswith(known)]
