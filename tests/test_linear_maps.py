"""What `linearize` and `vjp` return: a function, and a program to look into."""

import copy

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxkit as jk
from jaxkit.arithmetic import transposed
from jaxkit.program import LinearProgram

X = np.array([0.5, -1.5, 2.0])


def f(x):
    return {"a": jnp.sin(x) * x[0], "b": jnp.sum(x**2)}


def test_repr_prints_each_equation():
    _, pushforward = jk.linearize(lambda x: jnp.sum(jnp.sin(x)), X)
    assert repr(pushforward) == (
        "linear program of t0:f64[3] with residuals r0:f64[3]\n"
        "  t1:f64[3] = mul t0 r0\n"
        "  t2:f64[] = reduce_sum[axes=(0,)] t1\n"
        "  return t2"
    )


def test_repr_of_a_pullback_is_the_backward_pass():
    _, pullback = jk.vjp(lambda x: jnp.sum(jnp.sin(x)), X)
    assert repr(pullback) == (
        "linear program of t0:f64[] with residuals r0:f64[3]\n"
        "  t1:f64[3] = broadcast_in_dim[shape=(3,),broadcast_dimensions=()] t0\n"
        "  t2:f64[3] = mul t1 r0\n"
        "  return t2"
    )


def test_repr_leaves_out_what_reaches_no_output():
    def g(x):
        jnp.cos(x) * 2.0
        return x

    _, pushforward = jk.linearize(g, X)
    assert repr(pushforward) == "linear program of t0:f64[3]\n  return t0"


@pytest.mark.parametrize(
    "function",
    [
        jax.checkpoint(jnp.sin),
        lambda x: jax.lax.while_loop(lambda c: c[0] < 9, lambda c: c * 2, x),
        lambda x: jax.lax.cond(x[0] > 0, jnp.sin, jnp.cos, x),
        lambda x: jax.lax.scan(lambda c, y: (c * y, c), x[0], x),
    ],
)
def test_repr_is_the_same_in_every_run(function):
    text = repr(jk.linearize(function, jnp.array(X))[1])
    assert " at 0x" not in text and "return" in text


def test_transpose_is_the_pullback_and_transposes_back():
    y, pushforward = jk.linearize(f, X)
    _, pullback = jk.vjp(f, X)
    ct = jax.tree.map(jnp.cos, y)
    np.testing.assert_array_equal(pushforward.T(ct)[0], pullback(ct)[0])
    np.testing.assert_array_equal(pullback.T(X)["a"], pushforward(X)["a"])
    np.testing.assert_array_equal(pushforward.T.T(X)["b"], pushforward(X)["b"])


def test_transposed_program_computes_the_pullback():
    y, pushforward = jk.linearize(f, X)
    cts = jax.tree.leaves(jax.tree.map(jnp.cos, y))
    recorded = pushforward.T.program
    expected = jax.vjp(f, X)[1](dict(zip(sorted(y), cts, strict=True)))[0]
    np.testing.assert_allclose(recorded.apply(cts)[0], expected, rtol=1e-14)
    twice = transposed(recorded)
    np.testing.assert_allclose(
        twice.apply([X])[0], jax.jvp(f, (X,), (X,))[1]["a"], rtol=1e-14
    )


@pytest.mark.parametrize("shape", [(2, 3), (3, 2)])
def test_matrix_is_the_jacobian_of_all_leaves(shape):
    weights = np.arange(6.0).reshape(shape)

    def g(x, y):
        return jnp.tanh(weights @ x) * y, y**2

    x, y = np.linspace(0.1, 0.5, shape[1]), 1.5
    rows = jax.jacrev(g, argnums=(0, 1))(x, y)
    sizes = np.size(x), np.size(y)
    expected = np.block(
        [[np.reshape(b, (-1, n)) for b, n in zip(row, sizes, strict=True)]
         for row in rows]
    )  # fmt: skip
    pushforward = jk.linearize(g, x, y)[1]
    np.testing.assert_allclose(pushforward.matrix(), expected, rtol=1e-14)
    np.testing.assert_allclose(pushforward.T.matrix(), expected.T, rtol=1e-14)


def test_matrix_of_complex_maps_does_not_depend_on_their_shape():
    z = np.array([1.5 + 1j, -0.5, 3j])
    jacobian = jax.jacfwd(lambda z: jnp.sin(z) @ z, holomorphic=True)(z)
    for n in (1, 9):
        f = jk.linearize(lambda z, n=n: jnp.stack([jnp.sin(z) @ z] * n), z)[1]
        np.testing.assert_allclose(f.matrix(), [jacobian] * n, rtol=1e-14)
        f = jk.linearize(lambda z, n=n: jnp.stack([jnp.abs(z)] * n), z)[1]
        reals = np.diag(z.real / np.abs(z))
        np.testing.assert_allclose(f.matrix(), [*reals] * n, rtol=1e-14)


def test_matrix_of_nothing():
    assert jk.linearize(lambda x: (), X)[1].matrix().shape == (0, 3)
    assert jk.linearize(lambda: X)[1].matrix().shape == (3, 0)


def test_crosses_jit_as_a_pytree():
    @jax.jit
    def forward(x):
        return jk.vjp(f, x)

    traces = []

    @jax.jit
    def backward(pullback, ct):
        traces.append(1)
        return pullback(ct)

    for x in (X, 2 * X):
        y, pullback = forward(x)
        ct = jax.tree.map(jnp.ones_like, y)
        expected = jax.vjp(f, x)[1](ct)[0]
        np.testing.assert_allclose(backward(pullback, ct)[0], expected, rtol=1e-14)
    assert len(traces) == 1, "maps of the same program share one compilation"


def test_what_is_not_needed_is_looked_for_once(monkeypatch):
    """And not by each call of a compiled function that is given a map."""
    _, f_jvp = jk.linearize(lambda x: jnp.sin(x) * x, 0.3)
    pruned, prune = [], LinearProgram.prune

    def counted(program):
        pruned.append(program)
        return prune(program)

    monkeypatch.setattr(LinearProgram, "prune", counted)
    apply = jax.jit(lambda f, dx: f(dx))
    for _ in range(3):
        apply(f_jvp, 1.0)
        apply(jax.jit(lambda f: f)(f_jvp), 1.0)
    assert len(pruned) == 1


def test_crosses_vmap_as_a_pytree():
    xs = np.stack([X, 2 * X])
    _, pullbacks = jax.vmap(lambda x: jk.vjp(jnp.sin, x))(xs)
    out = jax.vmap(lambda pullback: pullback(jnp.ones(3)))(pullbacks)
    np.testing.assert_allclose(out[0], np.cos(xs), rtol=1e-14)


def test_stacked_maps_are_not_taken_for_one():
    pullbacks = jax.vmap(lambda x: jk.vjp(jnp.sin, x)[1])(X)
    for use in (lambda: pullbacks(1.0), lambda: repr(pullbacks), pullbacks.matrix):
        with pytest.raises(ValueError, match=r"stacked: r0 has shape \[3\], in each"):
            use()


def test_a_deep_copy_is_the_same_map():
    _, pushforward = jk.linearize(f, X)
    again = copy.deepcopy(pushforward)
    np.testing.assert_array_equal(again.matrix(), pushforward.matrix())
    np.testing.assert_array_equal(again.T.matrix(), pushforward.T.matrix())


def test_maps_of_functions_that_differ_in_a_constant_are_not_confused():
    @jax.jit
    def run(pushforward):
        return pushforward(1.0)

    one = run(jk.linearize(lambda x: x * 2.0, 1.0)[1])
    two = run(jk.linearize(lambda x: x * 3.0, 1.0)[1])
    assert (one, two) == (2.0, 3.0)


def test_one_map_serves_many_tangents():
    calls = []

    def g(x):
        calls.append(1)
        return jnp.sin(x)

    _, pushforward = jk.linearize(g, X)
    for v in np.eye(3):
        np.testing.assert_allclose(pushforward(v), np.cos(X) * v, rtol=1e-14)
    assert len(calls) == 1


def test_linear_transpose_of_shapes_alone():
    shape = jax.ShapeDtypeStruct((3,), np.float64)
    transpose = jk.linear_transpose(lambda x: jnp.cumsum(2 * x), shape)
    np.testing.assert_allclose(transpose(np.ones(3))[0], [6.0, 4.0, 2.0])


def test_linear_transpose_of_several_arguments():
    ours = jk.linear_transpose(lambda x, y: 2 * x + y[::-1], X, X)(X)
    theirs = jax.linear_transpose(lambda x, y: 2 * x + y[::-1], X, X)(X)
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(a, b)


def test_independent_outputs_and_inputs_give_zeros():
    y, pushforward = jk.linearize(lambda x, y: (x, 3.0), 1.0, 2.0)
    assert pushforward(1.0, 1.0) == (1.0, 0.0)
    assert pushforward.T((1.0, 5.0)) == (1.0, 0.0)
    assert y == (1.0, 3.0)
