"""`jacobian`: by whichever way, the same blocks; the choice is the cheapest."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

import jaxkit as jk
from jaxkit import jacobians
from jaxkit.program import Code, LinearProgram
from jaxkit.program.cost import cost, cost_of
from jaxkit.sparse.patterns import TooDense, pattern
from tests.selections import long_but

MODES = "auto", "forward", "reverse", "mixed"
WAYS = [*((mode, "auto") for mode in MODES), *((mode, True) for mode in MODES[:3])]


def narrow(n, k):
    """A function from n numbers to n, through k."""
    rng = np.random.default_rng(0)
    into = jnp.asarray(rng.normal(size=(k, n)) / n**0.5, jnp.float32)
    out = jnp.asarray(rng.normal(size=(n, k)), jnp.float32)
    return lambda x: jnp.tanh(out @ jnp.tanh(into @ jnp.sin(x)))


def network(n, m):
    rng = np.random.default_rng(1)
    first = jnp.asarray(rng.normal(size=(32, n)) / n**0.5, jnp.float32)
    last = jnp.asarray(rng.normal(size=(m, 32)), jnp.float32)
    return lambda x: jnp.sin(last @ jnp.tanh(first @ x))


def tree(p):
    return {"a": p["w"] @ p["b"], "c": p["b"] ** 2, "n": jnp.float32(3)}


PROGRAMS = {
    "elements": (lambda x: jnp.sin(x) * jnp.sum(x), jnp.linspace(0.0, 1.0, 5)),
    "narrow": (narrow(20, 2), jnp.linspace(-1.0, 1.0, 20)),
    "jitted": (jax.jit(narrow(20, 2)), jnp.linspace(-1.0, 1.0, 20)),
    "wide": (network(3, 9), jnp.ones(3)),
    "tall": (network(9, 3), jnp.ones(9)),
    "a number": (lambda x: x**3, jnp.float32(2.0)),
    "a loop": (
        lambda x: lax.scan(lambda c, _: (jnp.sin(c) * x, c.sum()), x, None, length=3),
        jnp.ones(4),
    ),
    "a tree": (tree, {"w": jnp.ones((3, 2)), "b": jnp.array([1.0, 2.0])}),
    "a branch": (
        lambda x: lax.cond(x[0] > 0, jnp.sin, jnp.cumsum, x),
        jnp.linspace(0.5, 1.0, 4),
    ),
}


def equal(found, expected):
    assert jax.tree.structure(found) == jax.tree.structure(expected)
    for x, y in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        assert (x.shape, x.dtype) == (y.shape, y.dtype)
        np.testing.assert_allclose(x, y, 1e-5, 1e-5)


@pytest.mark.parametrize("chunk_size", [None, pytest.param(2, marks=pytest.mark.long)])
@pytest.mark.parametrize("mode, sparse", WAYS)
@pytest.mark.parametrize(
    "name", long_but(["narrow", "jitted", "a tree", "a loop"], PROGRAMS)
)
def test_jacobians(name, mode, sparse, chunk_size):
    f, x = PROGRAMS[name]
    of = jk.jacobian(f, mode=mode, chunk_size=chunk_size, sparse=sparse)
    equal(of(x), jax.jacrev(f)(x))
    equal(jax.jit(of)(x), jax.jacrev(f)(x))


@pytest.mark.parametrize("mode", MODES)
def test_second_derivatives(mode):
    f = narrow(6, 2)
    x = jnp.linspace(-1.0, 1.0, 6)
    found = jk.jacobian(jk.jacobian(f, mode=mode), mode=mode)(x)
    np.testing.assert_allclose(found, jax.jacfwd(jax.jacrev(f))(x), 1e-4, 1e-4)


def test_the_choice():
    chosen = lambda f, n: jk.jacobian(f).choice(jnp.ones(n)).way.mode  # noqa: E731
    assert chosen(network(1, 1000), 1) == "forward"
    assert chosen(network(1000, 1), 1000) == "reverse"
    assert chosen(narrow(500, 3), 500) == "mixed"
    assert chosen(jax.jit(narrow(500, 3)), 500) == "mixed", "a call is looked into"
    assert chosen(lambda x: jnp.sin(x) * x, 7) == "reverse", "as jacrev, of equals"
    printed = str(jk.jacobian(narrow(500, 3)).choice(jnp.ones(500)))
    first, second, third = printed.splitlines()
    assert first.startswith("mixed") and first.endswith(
        "passes: 3 backward and 3 forward, through 3 numbers"
    )
    assert second.startswith("reverse") and third.startswith("forward")


def neighbours(x):
    return jnp.sin(x[1:] * x[:-1])


def test_a_sparse_jacobian_is_coloured():
    of, x = jk.jacobian(neighbours), jnp.linspace(0.0, 1.0, 2000)
    assert of.choice(x).way[:2] == ("coloured", (0, 2))
    for found in (of(x), jax.jit(of)(x), jk.jacobian(neighbours, chunk_size=1)(x)):
        equal(found, jax.jacfwd(neighbours)(x))
    ways = jk.jacobian(neighbours, sparse=False).choice(x).ways
    assert "coloured" not in [way.mode for way in ways]
    by_rows = jk.jacobian(neighbours, mode="reverse", sparse=True)
    assert by_rows.choice(x).way[:2] == ("coloured", (2, 0))


def test_a_choice_holds_at_other_points():
    """Whole numbers are looked at, so that those of another call are no others."""

    @jax.jit
    def picked(x, i):
        return x[i] ** 2

    x, n = jnp.linspace(0.0, 1.0, 4), jnp.arange(4)
    of = jk.jacobian(picked, sparse=True)
    for i in (n, n[::-1], n[:2].repeat(2)):
        assert of.choice(x, i).way.passes in ((0, 1), (1, 0))
        equal(of(x, i), jax.jacrev(picked)(x, i))
        equal(jax.jit(of)(x, i), jax.jacrev(picked)(x, i))
    scaled = jk.jacobian(lambda x, w: x * w, sparse=True)
    for w in (jnp.zeros(4), jnp.ones(4)):  # zeros today may be others tomorrow
        equal(scaled(x, w), jnp.diag(w))


@pytest.mark.parametrize("f", [jnp.cumsum, jnp.fft.fft, jnp.sort])
def test_a_dense_jacobian_is_not_looked_at_for_long(f):
    code = jk.linearize(lambda x: f(jnp.sin(x)).real, jnp.ones(3000))[1].program.code
    with pytest.raises(TooDense):
        pattern(LinearProgram(code, [v.aval for v in code.residuals]), 10**6)


def test_that_a_jacobian_is_dense_is_remembered(monkeypatch):
    asked = []

    def counted(program, limit):
        asked.append(limit)
        return pattern(program, limit)

    monkeypatch.setattr(jacobians, "pattern", counted)
    of, x = jk.jacobian(lambda x: jnp.cumsum(jnp.sin(x))), jnp.linspace(0.0, 1.0, 3000)
    choices = [str(of.choice(x)), str(of.choice(2 * x))]
    assert choices[0] == choices[1] and "coloured" not in choices[0]
    assert len(asked) == 1


def flops(f, x):
    return jax.jit(f).lower(x).compile().cost_analysis()["flops"]


def test_a_bottleneck_takes_fewer_operations():
    """The compiler counts; most of what is left is the product of two matrices."""
    f, x = narrow(500, 3), jnp.ones(500)
    others = [flops(jk.jacobian(f, mode=m), x) for m in ("forward", "reverse")]
    assert 2 * flops(jk.jacobian(f), x) < min(others)


@pytest.mark.parametrize("mode", ["forward", "reverse"])
def test_chunks_bound_memory(mode):
    f, x = network(400, 400), jnp.ones(400, jnp.float32)

    def temporaries(chunk_size):
        of = jk.jacobian(f, mode=mode, chunk_size=chunk_size)
        return jax.jit(of).lower(x).compile().memory_analysis().temp_size_in_bytes

    small, double, fourfold = map(temporaries, (20, 40, 80))
    assert small < double
    np.testing.assert_allclose(fourfold - double, 2 * (double - small), rtol=0.1)


def test_costs_are_counted_through_calls_and_loops():
    def body(x):
        return jnp.sin(x) * 2

    _, once = jk.linearize(body, jnp.ones(8))
    _, called = jk.linearize(jax.jit(body), jnp.ones(8))
    looped = jk.linearize(
        lambda x: lax.scan(lambda x, _: (body(x), None), x, None, length=5)[0],
        jnp.ones(8),
    )[1]
    own = cost(once.program.code)
    assert own == 16 and cost(called.program.code) == own
    assert cost(looped.program.code) == 5 * own
    _, product = jk.linearize(lambda x: jnp.ones((3, 8)) @ x, jnp.ones(8))
    assert [cost_of(x) for x in product.program.code.equations] == [2 * 3 * 8]
    assert cost(Code((), (), ())) == 0


def test_a_rule_without_forward_mode_is_run_backwards():
    @jax.custom_vjp
    def clipped(x):
        return x

    clipped.defvjp(lambda x: (x, None), lambda kept, ct: (jnp.clip(ct, -1, 1),))
    f = lambda x: jnp.stack([clipped(x) * 3, x, x])  # noqa: E731
    equal(jk.jacobian(f)(2.0), jax.jacrev(f)(2.0))
    with pytest.raises(TypeError, match="backward rule isn't linear"):
        jk.jacobian(f, mode="forward")(2.0)


def through_a_complex_number(x):
    return jnp.imag(jnp.sum(x * (1 + 2j)) ** 2) * jnp.arange(1.0, 6.0)


@pytest.mark.parametrize("mode", ["auto", "mixed"])
def test_no_bottleneck_is_a_complex_number(mode):
    x = jnp.arange(5.0)
    expected = jax.jacfwd(through_a_complex_number)(x)
    equal(jk.jacobian(through_a_complex_number, mode=mode)(x), expected)


def twice(x):
    """By a loop of a length that the inputs say."""
    return lax.while_loop(lambda x: x[0] < 2, lambda x: x * x[0] + jnp.roll(x, 1), x)


EDGES = {
    "nothing comes out": (lambda x, y: x[:0] * y, jnp.ones(3), jnp.ones(())),
    "nothing goes in": (lambda x, y: jnp.sum(x) + y, jnp.ones(0), jnp.ones(0)),
    "nothing for some": (lambda x, y: jnp.sum(x) + y, jnp.ones(0), jnp.ones(2)),
    "unused": (lambda x, y: 2 * x, jnp.ones(3), jnp.ones(2)),
    "constant": (lambda x, y: jnp.ones(2), jnp.ones(3), jnp.ones(2)),
    "a while loop": (lambda x, y: twice(x), jnp.arange(1.0, 5.0), jnp.ones(2)),
}


@pytest.mark.parametrize("chunk_size", [None, 2])
@pytest.mark.parametrize("mode, sparse", WAYS)
@pytest.mark.parametrize("name", EDGES)
def test_edges(name, mode, sparse, chunk_size):
    f, *args = EDGES[name]
    options = {"mode": mode, "sparse": sparse, "chunk_size": chunk_size}
    found = jk.jacobian(f, argnums=(0, 1), **options)(*args)
    equal(found, jax.jacfwd(f, argnums=(0, 1))(*args))


def test_as_jacrev():
    f = lambda x, y: ({"a": x * y}, "aux")  # noqa: E731
    found, aux = jk.jacobian(f, argnums=(0, 1), has_aux=True)(2.0, 3.0)
    assert aux == "aux" and [float(x) for x in found["a"]] == [3.0, 2.0]
    z = jk.jacobian(lambda z: z**2, holomorphic=True)(jnp.array([1 + 2j]))
    np.testing.assert_allclose(z, [[2 + 4j]])
    assert jk.jacobian(jnp.sin).__name__ == "sin"
    found = jk.jacobian(lambda x, n: x * n, argnums=(0, 1), allow_int=True)(2.0, 3)
    expected = jax.jacrev(lambda x, n: x * n, argnums=(0, 1), allow_int=True)(2.0, 3)
    assert [x.dtype for x in found] == [x.dtype for x in expected]


@pytest.mark.parametrize(
    ("call", "kind", "message"),
    [
        (lambda f, x: jk.jacobian(f, mode="fast"), ValueError, "mode is 'fast'; pass"),
        (lambda f, x: jk.jacobian(f, chunk_size=0), ValueError, "chunk_size is 0"),
        (lambda f, x: jk.jacobian(f, chunk_size=2.5), ValueError, "chunk_size is 2.5"),
        (lambda f, x: jk.jacobian(f, chunk_size="2"), ValueError, "chunk_size is '2'"),
        (lambda f, x: jk.jacobian(f, sparse=1), ValueError, "sparse is 1; pass 'auto'"),
        (
            lambda f, x: jk.jacobian(f, mode="mixed", sparse=True),
            ValueError,
            "a 'mixed' Jacobian isn't coloured; pass sparse=False",
        ),
        (lambda f, x: jk.jacobian(f)(1), TypeError, "jacobian: argument 0"),
        (lambda f, x: jk.jacobian(f)(1j), TypeError, "jacobian: the output"),
    ],
)
def test_messages(call, kind, message):
    with pytest.raises(kind, match=message):
        call(lambda x: x * 2, 1.0)
