"""Loops whose length isn't known before they run, in reverse mode; and what is kept."""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

import jaxkit as jk
from jaxkit.control import schedules
from tests.selections import long_but

# What is said of the loops, {} for nothing.
SAID = {
    "nothing said": {},
    "1 checkpoint": {"checkpoints": 1},
    "3 checkpoints": {"checkpoints": 3},
    "4 steps": {"steps": 4},
    "4 steps, 2 checkpoints": {"steps": 4, "checkpoints": 2},
    "10,000 bytes": {"bytes": 10_000},
}


def keeping(f, said):
    return jk.keeping(f, **SAID[said]) if SAID[said] else f


def close(found, expected, rtol=1e-12):
    jax.tree.map(
        lambda x, y: np.testing.assert_allclose(x, y, rtol=rtol, atol=1e-13),
        found,
        expected,
    )


# --- Programs -------------------------------------------------------------------------


def grows(a, x):
    return lax.while_loop(lambda x: x < 100, lambda x: x * a, x)


def power(x):
    return lax.while_loop(lambda c: c < 100, lambda c: c * x, 1.0)


def newton(a):
    return lax.while_loop(lambda x: abs(x * x - a) > 1e-3, lambda x: (x + a / x) / 2, a)


def logistic(r, x, n=20):
    return lax.fori_loop(0, n, lambda _, x: r * x * (1 - x), x)


def nested(a, b):
    def step(s):
        return s * a + lax.while_loop(lambda t: t < s, lambda t: t * b + 1, 1.0)

    return lax.while_loop(lambda s: s < 50, step, 1.0)


def likelihood(a):
    ys = jnp.arange(1.0, 21)

    def step(carry):
        t, x, ll = carry
        x = a * x + 0.1 * jnp.eye(4)
        return t + 1, x, ll + ys[t] * jnp.sum(x)

    start = jnp.int32(0), a * jnp.eye(4), 0.0
    return lax.while_loop(lambda carry: carry[0] < 20, step, start)[2]


# 1.5 a^n is 100 at least for the first time: its derivative in a.
LANES = np.array([1.5 * n * a ** (n - 1) for a, n in [(1.1, 45), (1.3, 17), (2.0, 7)]])
VALUES = [  # a derivative, and what it is (issue's table: computed in 60 digits)
    (
        lambda f: jk.grad(f(grows), (0, 1))(1.3, 1.5),
        (1696.8123534171093, 86.50415919381344),
    ),
    (lambda f: jk.grad(jk.grad(f(grows)))(1.3, 1.5), 20883.844349749037),
    (lambda f: jk.grad(f(power))(2.0), 448.0),
    (lambda f: jk.jvp(f(power), (2.0,), (1.0,))[1], 448.0),
    (lambda f: jk.grad(jk.grad(f(power)))(2.0), 1344.0),
    (lambda f: jk.grad(f(newton))(2.0), 0.35356593617839293),
    (lambda f: jk.grad(jk.grad(f(newton)))(2.0), -0.088329526351101763),
    (
        lambda f: jax.jit(jk.grad(f(logistic), (0, 1)))(3.7, 0.2, 20),
        (328.594690549730, -1332.21127932523),
    ),
    (
        lambda f: jk.grad(f(nested), (0, 1))(1.5, 1.25),
        (109.00982666015625, 499.60608959197998),
    ),
    (lambda f: jk.grad(f(likelihood))(0.9), 6063.168634798989),
    (
        lambda f: jax.vmap(jk.grad(f(grows)), (0, None))(jnp.array([1.1, 1.3, 2]), 1.5),
        LANES,
    ),
    (
        lambda f: jk.grad(
            lambda a: jnp.sum(jax.vmap(f(grows), (0, None))(a, 1.5))
        )(jnp.array([1.1, 1.3, 2])),
        LANES,
    ),
]  # fmt: skip


@pytest.mark.parametrize("said", long_but(["3 checkpoints"], SAID))
@pytest.mark.parametrize("i", range(len(VALUES)))
def test_values(i, said):
    derivative, expected = VALUES[i]
    close(derivative(lambda f: keeping(f, said)), expected, rtol=1e-12)


def test_how_many_steps():
    steps = lax.while_loop(
        lambda c: c[1] < 100, lambda c: (c[0] + 1, c[1] * 1.3), (0, 1.5)
    )
    assert steps[0] == 17


# --- In all modes and structures, beside the same loop as a scan ----------------------

W = jnp.array([[0.5, -0.3], [0.2, 0.8]])
X = jnp.array([0.3, -0.4])


def dynamic(step, x, n):
    return lax.while_loop(
        lambda c: c[0] < n, lambda c: (c[0] + 1, step(c[1])), (jnp.int32(0), x)
    )[1]


def until(step, x, n):
    """The condition is of a number that is carried, and moves."""
    return lax.while_loop(
        lambda c: c[0] < n, lambda c: (c[0] + 1.0, step(c[1])), (0.0 * x[0], x)
    )[1]


def layer(w):
    return lambda x: jnp.tanh(w @ x) + 0.1 * x


AROUND = {
    "plain": lambda loop, w, x: loop(layer(w), x, 5),
    "jit": lambda loop, w, x: jax.jit(lambda x: loop(layer(w), x, 5))(x),
    "vmap": lambda loop, w, x: jax.vmap(lambda x, n: loop(layer(w), x, n))(
        jnp.stack([x, 2 * x, -x]), jnp.array([2, 5, 0])
    ),
    "scan": lambda loop, w, x: lax.scan(
        lambda x, n: (loop(layer(w), x, n), x), x, jnp.array([2, 0, 3])
    ),
    "cond": lambda loop, w, x: lax.cond(
        x[0] > 0, lambda x: loop(layer(w), x, 4), jnp.sin, x
    ),
    "loop": lambda loop, w, x: loop(lambda x: loop(layer(w), x, 3) * w[0], x, 4),
    "checkpoint": lambda loop, w, x: jax.checkpoint(
        lambda w, x: loop(layer(w), x, 5)
    )(w, x),
    "custom_jvp": lambda loop, w, x: with_rule(loop)(w, x),
    "in a callback's place": lambda loop, w, x: loop(
        lambda x: jax.jit(layer(w))(x) + jnp.sum(w), x, 3
    ),
}  # fmt: skip


def with_rule(loop):
    @jax.custom_jvp
    def f(w, x):
        return loop(layer(w), x, 3)

    @f.defjvp
    def _(primals, tangents):
        (w, x), (dw, dx) = primals, tangents
        return f(w, x), loop(lambda v: w @ v, dx, 2) + loop(layer(w), x, 3) * dw[0]

    return f


def derivatives(lib, f):
    def loss(w, x):
        return sum(jnp.sum(jnp.sin(y)) for y in jax.tree.leaves(f(w, x)))

    v = W.T * 0.7
    gradient = lib.grad(loss)
    return {
        "grad": lambda: lib.grad(loss, (0, 1))(W, X),
        "jvp of grad": lambda: lib.jvp(lambda w: gradient(w, X), (W,), (v,))[1],
        "grad of grad": lambda: lib.grad(lambda w: jnp.vdot(gradient(w, X), v))(W),
        "grad of jvp": lambda: lib.grad(
            lambda w: lib.jvp(lambda w: loss(w, X), (w,), (v,))[1]
        )(W),
        "jacrev": lambda: lib.jacrev(lambda x: f(W, x))(X),
        "hessian": lambda: lib.hessian(lambda x: loss(W, x))(X),
        "vmap of grad": lambda: jax.vmap(lambda s: gradient(s * W, X))(
            jnp.array([1.0, -0.5])
        ),
        "JAX's jacfwd of grad": lambda: jax.jacfwd(lambda x: lib.grad(loss, 1)(W, x))(
            X
        ),
    }


USUAL = {"plain"}


@pytest.mark.parametrize("loop", long_but(["until"], ["dynamic", "until"]))
@pytest.mark.parametrize("around", long_but(USUAL, AROUND))
def test_beside_a_scan(around, loop):
    counted = around in ("loop", "custom_jvp")  # on tangents it must be known
    loop = until if loop == "until" and not counted else dynamic
    ours = derivatives(jk, lambda w, x: AROUND[around](loop, w, x))
    theirs = derivatives(jax, lambda w, x: AROUND[around](padded, w, x))
    for name, derivative in ours.items():
        expected = theirs[name]()
        close(jax.jit(derivative)(), expected, rtol=1e-10)
        if name in ("grad", "jvp of grad", "hessian"):
            close(derivative(), expected, rtol=1e-10)


def padded(step, x, n):
    """The loop as JAX can reverse it: six steps, of which n are taken."""

    def one(x, i):
        return jnp.where(i < n, step(x), x), None

    return lax.scan(one, x, jnp.arange(6))[0]


@pytest.mark.parametrize("said", long_but(["1 checkpoint"], SAID))
def test_lanes_of_different_lengths(said):
    """And one that doesn't run at all; two axes of them."""

    def f(a, x):
        return keeping(grows, said)(a, x)

    a, x = jnp.array([1.1, 1.3, 2.0, 1.01]), jnp.array([1.5, 50.0, 200.0])
    found = jax.vmap(jax.vmap(jk.grad(f, (0, 1)), (0, None)), (None, 0))(a, x)
    for i in range(3):
        for j in range(4):
            expected = jk.grad(f, (0, 1))(a[j], x[i])
            close([y[i, j] for y in found], list(expected))
    maps = jax.vmap(lambda a: jk.vjp(f, a, 1.5)[1])(a)
    cts = jax.vmap(lambda f_vjp: f_vjp(1.0))(maps)
    close(cts[0], jnp.stack([jk.grad(f)(y, 1.5) for y in a]))


def logarithms(x):
    """log x + log(x - 1) + ...: at what it ends with, the step has no derivative."""
    return lax.while_loop(
        lambda c: c[0] > 0, lambda c: (c[0] - 1, c[1] + jnp.log(c[0])), (x, 0 * x)
    )[1]


@pytest.mark.long
def test_a_lane_that_has_ended_where_its_step_is_singular():
    x = jnp.array([0.0, 1.0, 2.0, 3.0])
    first, second = jnp.array([0, 1, 3 / 2, 11 / 6]), -jnp.array([0, 1, 5 / 4, 49 / 36])

    def sums(f):
        return lambda x: jnp.sum(jax.vmap(f)(x))

    for found in (
        jk.grad(sums(logarithms))(x),
        jax.vmap(jk.grad(logarithms))(x),
        jk.grad(lambda x: sums(jax.vmap(logarithms))(x))(jnp.stack([x, x[::-1]]))[0],
        jk.jvp(sums(logarithms), (x,), (x,))[1] - first @ x + first,
    ):
        close(found, first)
    for found in (
        jax.vmap(jk.grad(jk.grad(logarithms)))(x),
        jk.grad(sums(jk.grad(logarithms)))(x),
        jk.grad(lambda x: jnp.sum(jk.grad(sums(logarithms))(x)))(x),
        jax.vmap(jk.hessian(logarithms))(x),
    ):
        close(found, second)
    for budget in {"checkpoints": 1}, {"checkpoints": 2}, {"steps": 2}:
        kept = jk.keeping(logarithms, **budget)
        close(jk.grad(sums(jk.grad(kept)))(x), second)


def test_lanes_with_counters():
    """Longer than a block; and with first and last numbers that differ."""

    def f(x, start, stop):
        def step(i, c):
            return c + 0.001 * jnp.cos(c * (1 + i % 7))

        return lax.fori_loop(start, stop, step, x)

    xs, starts, stops = (
        jnp.array([0.3, 0.6]),
        jnp.array([5, -40]),
        jnp.array([605, 1200]),
    )
    few = jnp.array([8, -31])
    for said in "nothing said", "3 checkpoints":
        g = jk.grad(keeping(f, said))
        ends = stops if said == "nothing said" else few
        for axes in (0, 0, 0), (0, None, 0), (0, 0, None):
            args = [
                x if there == 0 else x[0]
                for x, there in zip((xs, starts, ends), axes, strict=True)
            ]
            expected = jax.vmap(jax.jacfwd(f), axes)(*args)
            close(jax.jit(jax.vmap(g, axes))(*args), expected)


COUNTERS = {
    "float": lambda x: lax.while_loop(
        lambda s: s[0] < 2.5, lambda s: (s[0] + 1.0, jnp.sin(s[1])), (0.0, x)
    )[1],
    "int8": lambda x: lax.while_loop(
        lambda s: s[0] < jnp.int8(100),
        lambda s: (s[0] + 1, jnp.sin(s[1])),
        (jnp.int8(-100), x),
    )[1],
    "uint8": lambda x: lax.while_loop(
        lambda s: s[0] < jnp.uint8(200),
        lambda s: (s[0] + 1, jnp.sin(s[1])),
        (jnp.uint8(3), x),
    )[1],
    "int64": lambda x: lax.fori_loop(
        -(2**40), jnp.int64(9 - 2**40), lambda _, c: jnp.sin(c), x
    ),
    "another result": lambda x: lax.while_loop(
        lambda s: ((s[0] < 3), s[1])[1],
        lambda s: (s[0] + 1, s[0] < 20, jnp.sin(s[2])),
        (0, True, x),
    )[2],
    "from below": lambda x: lax.while_loop(
        lambda s: s[0] < 5, lambda s: (s[0] + 1, jnp.sin(s[1])), (-600, x)
    )[1],
    "none": lambda x: lax.fori_loop(jnp.int32(7), -7, lambda _, c: jnp.sin(c), x),
}


@pytest.mark.parametrize("name", COUNTERS)
def test_what_looks_like_a_counter(name):
    f = COUNTERS[name]
    for said in "nothing said", "4 steps, 2 checkpoints":
        close(jk.grad(keeping(f, said))(0.7), jax.jvp(f, (0.7,), (1.0,))[1])


def test_a_loop_of_no_steps():
    assert jk.grad(grows, (0, 1))(1.3, 200.0) == (0.0, 1.0)
    assert jk.grad(jk.keeping(logistic, checkpoints=2), (0, 1))(3.7, 0.2, 0) == (0, 1)


def test_what_a_loop_carries_beside_numbers():
    """Integers, truth values, random keys, and what is random."""

    def f(x):
        def step(carry):
            key, n, on, x = carry
            key, sub = jax.random.split(key)
            x = jnp.where(on, x * jax.random.uniform(sub), x + jax.random.normal(sub))
            return key, n + 1, ~on, x

        start = jax.random.key(0), 0, True, x
        return lax.while_loop(lambda carry: carry[1] < 9, step, start)[3]

    for said in "nothing said", "3 checkpoints":
        g = jk.grad(keeping(f, said))
        close(g(2.0), jk.jvp(f, (2.0,), (1.0,))[1])
        close(jax.jit(jax.vmap(g))(jnp.array([2.0, 3.0])), jnp.array([g(2.0), g(3.0)]))


def test_a_loop_on_tangents_alone():
    w = jnp.array([2.0, 3.0])
    for n in 3, jnp.int32(3):
        f = partial(lax.fori_loop, 0, n, lambda _, c: c * w)
        assert jk.linear_transpose(f, w)(w)[0].tolist() == [16.0, 81.0]


def test_effects_happen_once(capfd):
    def step(c):
        jax.debug.print("step {}", c[0])
        return c[0] + 1, jnp.sin(c[1])

    def f(x):
        return lax.while_loop(lambda c: c[0] < 6, step, (0, x))[1]

    jk.grad(jk.keeping(f, checkpoints=2))(1.0)
    jax.effects_barrier()
    assert capfd.readouterr().out.count("step") == 6


# --- Programs of which a loop is the heart, beside a scan of as many steps ------------


def run(goes_on, step, start, steps=None):
    """The loop; given how many steps it makes at most, as JAX can reverse it."""
    if steps is None:
        return lax.while_loop(goes_on, step, start)

    def one(carry, _):
        on, after = goes_on(carry), step(carry)
        return jax.tree.map(lambda x, y: jnp.where(on, x, y), after, carry), None

    return lax.scan(one, start, None, steps)[0]


def integrated(p, steps=None):
    """y' = -p[0] y + sin(p[1] t), by Heun's method with steps that may be refused."""

    def slope(t, y):
        return -p[0] * y + jnp.sin(p[1] * t)

    def step(carry):
        t, y, h, n = carry
        h = jnp.minimum(h, 2.0 - t)
        first = slope(t, y)
        euler = y + h * first
        heun = y + h * (first + slope(t + h, euler)) / 2
        error = jnp.abs(heun - euler) / 1e-3
        good = error < 1
        factor = jnp.clip(0.9 / jnp.sqrt(error + 1e-9), 0.3, 2.0)
        return jnp.where(good, t + h, t), jnp.where(good, heun, y), h * factor, n + 1

    start = 0.0, p[2], jnp.float64(0.5), 0
    return run(lambda c: (c[0] < 2.0) & (c[3] < 500), step, start, steps)[1]


def bisected(p, steps=None):
    """Between p[1] and p[2] a zero of x^3 - p[0], and a Newton step from there."""

    def step(c):
        low, high = c
        x = (low + high) / 2
        above = x**3 > p[0]
        return jnp.where(above, low, x), jnp.where(above, x, high)

    low, high = run(lambda c: c[1] - c[0] > 1e-6, step, (p[1] - 2.0, p[2] + 5), steps)
    x = (low + high) / 2
    return x - (x**3 - p[0]) / (3 * x**2)


def projected(p, steps=None):
    """min x'Ax/2 - p'x over x >= 0, by projected gradients, until it stays."""
    a = jnp.array([[2.0, -0.5, 0.1], [-0.5, 1.5, 0.3], [0.1, 0.3, 1.0]])

    def step(c):
        x, _ = c
        return jnp.maximum(x - 0.3 * (a @ x - p), 0.0), x

    start = jnp.zeros(3), jnp.ones(3)
    x, _ = run(lambda c: jnp.max(abs(c[0] - c[1])) > 1e-8, step, start, steps)
    return jnp.sum(x**2)


def searched(p, steps=None):
    """The score of a beam search for the best path of two, until one ends."""
    scores = jnp.sin(jnp.outer(p, jnp.arange(1.0, 4)))

    def step(c):
        beam, at, n = c
        candidates = beam[:, None] + jax.nn.log_softmax(scores[at])
        best, where = lax.top_k(candidates.ravel(), 2)
        return best, where % 3, n + 1

    start = jnp.array([0.0, -1.0]), jnp.array([0, 1], np.int32), 0
    beam, _, _ = run(lambda c: (c[0][0] > -4.0) & (c[2] < 50), step, start, steps)
    return jnp.sum(beam)


HEARTS = {integrated: 200, bisected: 40, projected: 200, searched: 60}


@pytest.mark.parametrize("f", HEARTS, ids=lambda f: f.__name__)
def test_a_program_with_a_loop(f):
    p = jnp.array([0.7, 1.3, 0.9])
    expected = jax.grad(lambda p: f(p, HEARTS[f]))(p)
    assert jnp.any(expected != 0)
    for said in "nothing said", "3 checkpoints":
        close(jax.jit(jk.grad(keeping(f, said)))(p), expected, rtol=1e-10)
    ours = jk.hvp(f, (p,), (p[::-1],))
    theirs = jax.jvp(jax.grad(lambda p: f(p, HEARTS[f])), (p,), (p[::-1],))[1]
    close(ours, theirs, rtol=1e-8)


def test_a_hundred_thousand_steps():
    def f(a, n):
        return lax.fori_loop(0, n, lambda _, x: x + 1e-4 * jnp.cos(a * x), 0.5)

    def known(a):
        return lax.fori_loop(0, 100_000, lambda _, x: x + 1e-4 * jnp.cos(a * x), 0.5)

    close(jax.jit(jk.grad(f))(1.3, 100_000), jax.jit(jk.grad(known))(1.3))


# --- How much is kept, and run again --------------------------------------------------


def counter():
    """A function that is the identity, and how often it was called."""
    calls = [0]

    def called(x):
        calls[0] += 1
        return np.asarray(x)

    @jax.custom_jvp
    def f(x):
        return jax.pure_callback(called, jax.typeof(x), x)

    f.defjvp(lambda xs, dxs: (f(*xs), dxs[0]))
    return f, calls


@pytest.mark.parametrize("slots", long_but([4], [4, 8, 16, 32, 64]))
def test_runs_of_the_step(slots):
    """1,000 steps: the fewest, beside those by which each is differentiated."""
    n, (counted, calls) = 1000, counter()

    def known(a, n):
        return lax.fori_loop(0, n, lambda _, x: jnp.sin(a * counted(x)), 0.5)

    def unknown(a, n):
        return lax.while_loop(
            lambda c: c[1] > 0,
            lambda c: (jnp.sin(a * counted(c[0])), c[1] - 1),
            (0.5, n),
        )[0]

    def given(a, n):
        xs = jnp.zeros(1000)
        return lax.scan(lambda x, _: (jnp.sin(a * counted(x)), None), 0.5, xs)[0]

    fewest = {4: 7998, 8: 4285, 16: 2860, 32: 2405, 64: 1934}[slots]
    equinox = {4: 17701, 8: 4835, 16: 3764, 32: 3330, 64: 1936}[slots]
    found = []
    for f in known, given, unknown:
        calls[0] = 0
        jax.block_until_ready(
            jax.jit(jk.grad(jk.keeping(f, checkpoints=slots)))(1.1, n)
        )
        found.append(calls[0] - n)
    assert found[:2] == [fewest, fewest] == [schedules.fewest(n, slots)] * 2
    assert found[2] == schedules.unforeseen(n, slots) < equinox


def test_fewest_runs():
    """By the recursion that defines them."""

    def runs(n, slots, known={}):  # noqa: B006
        if n == 1:
            return 0
        if slots == 1:
            return n * (n - 1) // 2
        if (n, slots) not in known:
            known[n, slots] = min(
                m + runs(m, slots) + runs(n - m, slots - 1) for m in range(1, n)
            )
        return known[n, slots]

    for slots in 1, 2, 3, 6:
        for n in range(1, 40):
            assert schedules.fewest(n, slots) == runs(n, slots)
            if slots > 1 and n > 1:
                m = int(schedules.split(jnp.int32(n), jnp.int32(slots), 6))
                best = m + runs(m, slots) + runs(n - m, slots - 1)
                assert 1 <= m < n and best == runs(n, slots)


def temporaries(f, *args):
    return jax.jit(f).lower(*args).compile().memory_analysis().temp_size_in_bytes


def test_a_scan_within_a_megabyte():
    """4,096 steps over 1,000 numbers, of which plain reverse mode keeps 32 MB."""
    w = jnp.linspace(0.9, 1.1, 1000, dtype=np.float32)

    def f(w):
        def step(x, _):
            return jnp.tanh(w * x) + 0.01 * jnp.roll(x, 1), None

        return jnp.sum(lax.scan(step, jnp.cos(w), None, 4096)[0])

    within = jk.keeping(f, bytes=900_000)
    assert temporaries(jk.grad(f), w) > 30e6
    assert temporaries(jk.grad(within), w) < 1e6
    np.testing.assert_array_equal(jax.jit(jk.grad(within))(w), jax.jit(jk.grad(f))(w))


def test_a_second_derivative_keeps_few_of_the_firsts_tapes():
    def f(a):
        def step(x):
            return x * a + jnp.sin(x)

        return jnp.sum(lax.while_loop(lambda x: x[0] < 100, step, jnp.full(200, 1.5)))

    assert jk.residuals(jk.grad(f))(1.3).total < 12 * jk.residuals(f)(1.3).total


def test_the_program_does_not_grow_with_the_length():
    def size(n):
        def f(a):
            return lax.scan(lambda x, _: (jnp.sin(a * x), None), 0.5, None, n)[0]

        jaxpr = jax.make_jaxpr(jk.grad(jk.keeping(f, checkpoints=8)))(1.0)
        return len(str(jaxpr).splitlines())

    assert size(100) == size(100_000)


def test_what_is_said_outlives_a_trace():
    n, (counted, calls) = 64, counter()

    def f(a):
        return lax.fori_loop(0, n, lambda _, x: jnp.sin(a * counted(x)), 0.5)

    kept = jk.keeping(f, checkpoints=4)
    runs = set()
    for g in [
        lambda: jk.grad(kept)(1.0),
        lambda: jk.grad(jax.jit(kept))(1.0),
        lambda: jk.keeping(jk.grad(f), checkpoints=4)(1.0),
        lambda: jax.jit(jk.grad(jk.keeping(kept, checkpoints=4)))(1.0),
        lambda: jk.keeping(jk.grad(kept), checkpoints=9)(1.0),  # the inner one counts
    ]:
        calls[0] = 0
        jax.block_until_ready(g())
        runs.add(calls[0])
    assert runs == {n + schedules.fewest(n, 4)}
    calls[0] = 0
    jk.grad(f)(1.0).block_until_ready()
    assert calls[0] == n


@pytest.mark.parametrize(
    ("said", "error", "text"),
    [
        ({}, TypeError, "steps=, checkpoints= or bytes="),
        ({"steps": 0}, ValueError, "steps is 0"),
        ({"bytes": 1.5}, TypeError, "bytes is 1.5"),
        ({"checkpoints": True}, TypeError, "checkpoints is True"),
        ({"bytes": 9, "steps": 2}, TypeError, "not both"),
        ({"checkpoints": 1025}, ValueError, "1024 or fewer"),
    ],
)
def test_what_may_be_said(said, error, text):
    with pytest.raises(error, match=text):
        jk.keeping(jnp.sin, **said)


def test_too_few_bytes():
    with pytest.raises(
        ValueError, match=r"test_loops.py:\d+.* 20 bytes.*Pass 44 or more"
    ):
        jk.grad(jk.keeping(grows, bytes=43))(1.3, 1.5)
    jk.grad(jk.keeping(grows, bytes=44))(1.3, 1.5)
    with pytest.raises(TypeError, match=r"steps is .*pass a Python integer"):
        jax.jit(lambda n: jk.keeping(grows, steps=n))(3)


@pytest.mark.parametrize("bytes", [64, 100, 400, 3000, 9635, 9636])
def test_bytes_are_the_bytes_that_are_kept(bytes):
    """And all steps are, where they fit."""

    def f(x):
        return lax.fori_loop(0, 600, lambda i, y: jnp.sin(y) * x, x)

    kept = jk.residuals(jk.keeping(f, bytes=bytes))(1.5)
    assert kept.made <= bytes + 4  # and x itself
    steps = {x.steps for x in kept if x.steps}
    assert (steps == {600}) == (bytes == 9636)
