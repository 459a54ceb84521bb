"""Per-sample gradients and curvature: as by `vmap` of JAX's derivatives, or refused."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax
from jax.flatten_util import ravel_pytree

import jaxkit as jk
from jaxkit.curvature.factors import Product, factored
from jaxkit.jacobians import inlined


def drawn(seed, *shapes):
    keys = jax.random.split(jax.random.key(seed), len(shapes))
    return [jax.random.normal(*pair) for pair in zip(keys, shapes, strict=True)]


W, V, B, SCALE = drawn(0, (3, 4), (2, 4), (4,), ())
(XS,) = drawn(1, (5, 3))
(SEQUENCES,) = drawn(2, (5, 6, 3))
(IMAGES,) = drawn(3, (5, 1, 6, 6))
LABELS = jnp.array([0, 1, 1, 0, 1])


def entropy(z, y):
    return -jax.nn.log_softmax(z)[y]


# Each of one sample: (parameters, model, samples); and which parameters stay factored.
def layers(p, x):
    return p["V"] @ jnp.tanh(x @ p["W"] + p["b"])


def tied(p, x):
    """The same matrix twice in one place: `x @ w` of two activations."""
    return jnp.sin(x @ p["W"])[:2] + jnp.cos(jnp.tanh(x) @ p["W"])[:2]


def tied_to_its_transpose(p, x):
    return (jnp.tanh(x @ p["W"]) @ p["W"].T)[:2]


def decayed(p, x):
    """A matrix that is also used entry by entry."""
    return jnp.tanh(x @ p["W"])[:2] + jnp.sum(p["W"] ** 2)


def of_sequence(p, x):
    return jnp.mean(jnp.tanh(x @ p["W"] + p["b"]), 0)[:2]


def vmapped(p, x):
    return jnp.mean(jax.vmap(lambda row: jnp.tanh(p["W"].T @ row))(x), 0)[:2]


def recurrent(p, x):
    def step(h, row):
        return jnp.tanh(row @ p["W"] + h @ p["R"]), None

    return lax.scan(step, jnp.zeros(4), x)[0][:2]


def convolved(p, x):
    return jnp.mean(jnp.tanh(lax.conv(x[None], p["K"], (1, 1), "VALID"))[0], (1, 2))


def embedded(p, x):
    return jnp.tanh(p["E"][jnp.argsort(x)])[:2] @ B[:3]


@jax.jit
def reshaped(p, x):
    w = p["T"].reshape(3, 4)[:, ::-1]
    return jax.checkpoint(lambda w: lax.rev(jnp.tanh(x @ lax.rev(w, (0,)))[:2], (0,)))(
        w
    )


def of_tensors(p, x):
    """Rows and columns of several axes."""
    return jnp.einsum("ij,ijkl->kl", jnp.outer(x, x), p["A"])[0]


def convolution_kernel():
    return drawn(4, (2, 1, 3, 3))[0]


def unused(p, x):
    return layers(p, x)


MODELS = {
    "layers": ({"W": W, "V": V, "b": B}, layers, XS, {"W", "V"}),
    "tied": ({"W": W}, tied, XS, {"W"}),
    "tied to its transpose": ({"W": W}, tied_to_its_transpose, XS, set()),
    "decayed": ({"W": W}, decayed, XS, set()),
    "sequence": ({"W": W, "b": B}, of_sequence, SEQUENCES, {"W"}),
    "vmapped": ({"W": W}, vmapped, SEQUENCES, {"W"}),
    "recurrent": ({"W": W, "R": jnp.eye(4) / 2}, recurrent, SEQUENCES, set()),
    "convolved": ({"K": convolution_kernel()}, convolved, IMAGES, set()),
    "embedded": ({"E": drawn(5, (4, 3))[0]}, embedded, XS, set()),
    "reshaped": ({"T": W.reshape(2, 6)}, reshaped, XS, set()),
    "tensors": ({"A": drawn(6, (3, 3, 2, 2))[0]}, of_tensors, XS, {"A"}),
    "unused": ({"W": W, "V": V, "b": B, "u": V}, unused, XS, {"W", "V"}),
}


def close(ours, theirs, tolerance=1e-10):
    assert jax.tree.structure(ours) == jax.tree.structure(theirs)
    for y, r in zip(jax.tree.leaves(ours), jax.tree.leaves(theirs), strict=True):
        assert y.shape == r.shape and y.dtype == r.dtype
        np.testing.assert_allclose(y, r, tolerance, tolerance)


def case(name):
    params, model, xs, factors = MODELS[name]
    loss = lambda p, x, y: entropy(model(p, x), y)  # noqa: E731
    return params, model, loss, xs, factors


def gradients(name):
    params, _, loss, xs, _ = case(name)
    return jax.vmap(jax.grad(loss), (None, 0, 0))(params, xs, LABELS)


def gauss_newton(model, params, x, y):
    """J' H J of one sample, dense."""
    flat, back = ravel_pytree(params)
    J = jax.jacfwd(lambda v: model(back(v), x))(flat)
    return J.T @ jax.hessian(entropy)(model(params, x), y) @ J


@pytest.mark.parametrize("name", MODELS)
def test_gradients_of_samples(name):
    params, _, loss, xs, _ = case(name)
    expected, data = gradients(name), (params, xs, LABELS)
    close(jax.jit(jk.per_sample_grad(loss))(*data), expected)
    flat = jax.vmap(lambda g: ravel_pytree(g)[0])(expected)
    close(jax.jit(jk.per_sample_norms(loss))(*data), jnp.linalg.norm(flat, axis=1))
    moments = jax.jit(jk.gradient_moments(loss))(*data)
    close(moments.mean, jax.tree.map(lambda g: jnp.mean(g, 0), expected))
    close(moments.variance, jax.tree.map(lambda g: jnp.var(g, 0), expected))
    squares = jax.tree.map(lambda g: jnp.mean(g**2, 0), expected)
    close(jax.jit(jk.fisher_diagonal(loss))(*data), squares)


@pytest.mark.parametrize("name", MODELS)
def test_what_stays_factored(name):
    params, _, loss, xs, factors = case(name)
    _, J = jk.linearize(lambda p: loss(p, xs[0], 0), params)
    found = factored(inlined(J.program), [jnp.ones(())])
    paths = [path[0].key for path, _ in jax.tree_util.tree_leaves_with_path(params)]
    kept = {k for k, x in zip(paths, found, strict=True) if isinstance(x, Product)}
    assert kept == factors


@pytest.mark.parametrize("name", MODELS)
def test_gauss_newton_diagonal(name):
    params, model, _, xs, _ = case(name)
    dense = [gauss_newton(model, params, x, y) for x, y in zip(xs, LABELS, strict=True)]
    found = jax.jit(jk.gauss_newton_diagonal(model, entropy))(params, xs, LABELS)
    close(ravel_pytree(found)[0], jnp.diag(sum(dense) / len(dense)))


@pytest.mark.parametrize("name", ["layers", "tensors"])
def test_kronecker_factors_of_one_sample_are_its_blocks(name):
    params, model, _, xs, _ = case(name)
    of = jk.kronecker_factors(model, entropy)
    found = of(params, xs[:1], LABELS[:1])
    dense, start = gauss_newton(model, params, xs[0], LABELS[0]), 0
    for key in sorted(params):
        size = params[key].size
        block = dense[start : start + size, start : start + size]
        close(found[key].matrix(), block)
        start += size
    each = [of(params, xs[i : i + 1], LABELS[i : i + 1]) for i in range(len(xs))]
    mean = jax.tree.map(lambda *x: jnp.mean(jnp.stack(x), 0), *each)
    close(of(params, xs, LABELS), mean)


def test_kronecker_factors_of_a_sequence():
    """Of a linear model whose places are summed with the same cotangent: by hand."""
    model = lambda w, x: jnp.sum(x @ w, 0)[:2]  # noqa: E731
    found = jk.kronecker_factors(model, entropy)(W, SEQUENCES[:1], LABELS[:1])
    x = SEQUENCES[0]
    H = jax.hessian(entropy)(model(W, x), 0)
    close(found.left, x.T @ x / len(x))
    close(found.right, len(x) * jnp.pad(H, ((0, 2), (0, 2))))


@pytest.mark.parametrize(
    "name", ["decayed", "convolved", "recurrent", "embedded", "unused", "tied"]
)
def test_no_kronecker_factors(name):
    params, model, _, xs, _ = case(name)
    leaf = "u" if name == "unused" else min(params)
    with pytest.raises(
        TypeError, match=rf"kronecker_factors: .*\['{leaf}'\] isn't used"
    ):
        jk.kronecker_factors(model, entropy)(params, xs, LABELS)


def test_norms_make_no_gradients():
    """Of a network's weights no array is as large as all samples' gradients."""
    (w1, w2), (xs,) = drawn(0, (32, 64), (64, 16)), drawn(1, (10, 32))
    loss = lambda w, x: jnp.sum(jnp.tanh(jnp.tanh(x @ w[0]) @ w[1]))  # noqa: E731
    jaxpr = jax.make_jaxpr(jk.per_sample_norms(loss))((w1, w2), xs)

    def sizes(jaxpr):
        for eqn in jaxpr.eqns:
            yield from [v.aval.size for v in eqn.outvars]
            for inner in jax.tree.leaves(
                eqn.params, is_leaf=lambda x: hasattr(x, "jaxpr")
            ):
                if hasattr(inner, "jaxpr"):
                    yield from sizes(inner.jaxpr)

    assert max(sizes(jaxpr.jaxpr)) <= w1.size


def test_norms_of_what_cancels():
    """Two uses of a weight that nearly cancel: half of the digits aren't lost."""
    w, a, d = (x.astype(jnp.float32) for x in drawn(3, (32, 32), (8, 32), (8, 32)))
    b = a + 1e-4 * d
    loss = lambda w, a, b: jnp.sum(a @ w) - jnp.sum(b @ w)  # noqa: E731
    expected = jnp.sqrt(32 * jnp.sum((a - b) ** 2, 1))
    found = jk.per_sample_norms(loss)(w, a, b)
    np.testing.assert_allclose(found, expected, 1e-3)


@pytest.mark.parametrize(
    ("dtype", "size"), [(jnp.float16, 17), (jnp.float32, 1e17), (jnp.float32, 1e-17)]
)
def test_norms_of_large_and_small_numbers(dtype, size):
    """Their squares are beyond float16; float32 has them up to 1e19."""
    w, x = jnp.full((64, 8), 0.01, dtype), jnp.full((3, 64), size, dtype)
    found = jk.per_sample_norms(lambda w, x: jnp.sum(x @ w))(w, x)
    np.testing.assert_allclose(found, size * np.sqrt(512), 1e-3)
    zero = jax.grad(
        lambda w: jnp.sum(jk.per_sample_norms(lambda w, x: 0 * w[0, 0])(w, x))
    )
    assert not jnp.any(zero(w.astype(jnp.float32)))


def test_complex_data():
    def model(w, x):
        return jnp.abs((x * (1 + 2j)) @ w)

    loss = lambda w, x: jnp.sum(model(w, x) ** 2)  # noqa: E731
    expected = jax.vmap(jax.grad(loss), (None, 0))(W, XS)
    close(jk.per_sample_grad(loss)(W, XS), expected)
    found = jk.gauss_newton_diagonal(model, lambda z, y: jnp.sum(z**2))(W, XS, LABELS)
    J = jax.vmap(jax.jacrev(model), (None, 0))(W, XS)
    close(found, jnp.mean(jnp.sum(2 * J**2, 1), 0))


def test_which_arguments():
    loss = lambda x, w, *, b: jnp.sum(jnp.tanh(x @ w + b))  # noqa: E731
    expected = jax.vmap(jax.grad(loss, 1), (0, None))(XS, W, b=jnp.ones((5, 4)))
    close(jk.per_sample_grad(loss, 1)(XS, W, b=jnp.ones((5, 4))), expected)
    by_b = jk.per_sample_norms(loss, argnames="b", in_axes=(0, None))
    close(by_b(XS, W, b=B), jnp.linalg.norm(1 - jnp.tanh(XS @ W + B) ** 2, axis=1))
    columns = jk.per_sample_grad(loss, 1, in_axes=(1, None))
    found = columns(XS.T, W, b=jnp.ones((5, 4)))
    close(found, expected)
    diagonal = jk.gauss_newton_diagonal(
        lambda x, w, n: (x @ w)[:n], entropy, 1, in_axes=(0, None, None, 0)
    )
    assert diagonal(XS, W, 2, LABELS).shape == W.shape


def test_misuse():
    loss = lambda w, x: jnp.sum(x @ w)  # noqa: E731
    with pytest.raises(TypeError, match="per_sample_norms: no argument has an axis of"):
        jk.per_sample_norms(lambda w: jnp.sum(w))(W)
    with pytest.raises(ValueError, match="in_axes has 0 for argument 0, by which"):
        jk.per_sample_grad(loss, in_axes=(0, 0))(W, XS)
    with pytest.raises(TypeError, match=r"in_axes is .*an entry for each of the 2"):
        jk.per_sample_grad(loss, in_axes=(0,))(W, XS)
    with pytest.raises(TypeError, match="must return a scalar, but the output is"):
        jk.per_sample_grad(lambda w, x: x @ w)(W, XS)
    with pytest.raises(TypeError, match=r"per_sample_grad: argument 0 is .*int"):
        jk.per_sample_grad(loss)(jnp.ones((3, 4), int), XS)
    with pytest.raises(ValueError, match=r"args\[1\]"):
        jk.per_sample_grad(lambda w, x, y: loss(w, x) * y)(W, XS, jnp.ones(4))
    with pytest.raises(TypeError, match="gauss_newton_diagonal: the last argument"):
        jk.gauss_newton_diagonal(loss, entropy, 1)(XS, W)
    with pytest.raises(TypeError, match="gauss_newton_diagonal: the function must"):
        jk.gauss_newton_diagonal(lambda w, x: x @ w, lambda z, y: z)(W, XS, XS)


# --- The Hessian's diagonal and trace -------------------------------------------------


def quartic(p):
    return jnp.sum(jnp.tanh(p["a"] @ p["a"].T) ** 2) + jnp.prod(p["b"]) * p["a"][0, 0]


POINT = {"a": W, "b": B}


def dense_hessian():
    flat, back = ravel_pytree(POINT)
    return jax.hessian(lambda v: quartic(back(v)))(flat)


@pytest.mark.parametrize("chunk_size", [None, 1, 5, 100])
def test_hessian_diagonal_and_trace(chunk_size):
    expected = dense_hessian()
    found = jax.jit(jk.hessian_diagonal(quartic, chunk_size=chunk_size))(POINT)
    assert jax.tree.structure(found) == jax.tree.structure(POINT)
    close(ravel_pytree(found)[0], jnp.diag(expected))
    trace = jk.hessian_trace(quartic, chunk_size=chunk_size)(POINT)
    close(trace, jk.Estimate(jnp.trace(expected), jnp.zeros(())))


def test_trace_of_softmax():
    trace = jk.hessian_trace(lambda z: entropy(z, 0))(jnp.array([0.2, -0.5, 1.0]))
    np.testing.assert_allclose(trace.value, 0.5525097957502911, 1e-14)


@pytest.mark.parametrize("method", ["hutchinson", "hutch++"])
def test_estimates_are_as_far_off_as_they_say(method):
    """Over many keys the mean is the trace, and the variance what was stated."""

    def of(key):
        return jk.hessian_trace(quartic, method=method, key=key, samples=12)(POINT)

    found = jax.jit(jax.vmap(of))(jax.random.split(jax.random.key(0), 2000))
    expected = jnp.trace(dense_hessian())
    error = jnp.sqrt(jnp.var(found.value) / 2000)
    assert abs(jnp.mean(found.value) - expected) < 5 * error
    np.testing.assert_allclose(jnp.mean(found.variance), jnp.var(found.value), 0.15)


def test_estimates_in_half_precision():
    for method in "hutchinson", "hutch++":
        of = jk.hessian_trace(
            lambda x: jnp.sum(x**2), method=method, key=jax.random.key(0)
        )
        np.testing.assert_allclose(of(jnp.ones(8, jnp.bfloat16)).value, 16, 1e-2)


def test_hutch_plus_plus_is_exact_on_few_eigenvalues():
    (v,) = drawn(7, (2, 40))
    f = lambda x: jnp.sum((v @ x) ** 2)  # noqa: E731
    of = partial(jk.hessian_trace, f, key=jax.random.key(0), samples=9)
    found = of(method="hutch++")(jnp.ones(40))
    np.testing.assert_allclose(found.value, 2 * jnp.sum(v**2), 1e-10)
    assert found.variance < 1e-12 < of(method="hutchinson")(jnp.ones(40)).variance


def test_misuse_of_traces():
    with pytest.raises(ValueError, match="method is 'hutch'; pass one of 'exact'"):
        jk.hessian_trace(quartic, method="hutch")
    with pytest.raises(
        ValueError, match=r"samples is 5; 'hutch..' takes a number from"
    ):
        jk.hessian_trace(quartic, method="hutch++", samples=5, key=jax.random.key(0))
    with pytest.raises(ValueError, match=r"draws vectors; pass key=jax.random.key"):
        jk.hessian_trace(quartic, method="hutchinson")
    with pytest.raises(TypeError, match="hessian_trace: the function must return a"):
        jk.hessian_trace(jnp.sin)(XS)
    for chunk_size in 0, -1, 1.5:
        for of in jk.hessian_diagonal, jk.hessian_trace:
            with pytest.raises(ValueError, match=f"chunk_size is {chunk_size}; pass a"):
                of(quartic, chunk_size=chunk_size)
    with pytest.raises(TypeError, match="hessian_diagonal: argument 0 is"):
        jk.hessian_diagonal(jnp.sum)(1)


def half(x):
    return jnp.asarray(x, jnp.float16)


HALF = jnp.ones((4, 3), jnp.float16)
# A loss of half precision, whose gradients fit into it, though not what they are of.
NARROW = {
    "small cotangents": (
        lambda w, x: jnp.sum(lax.dot(x, w, preferred_element_type=jnp.float32)) * 1e-8,
        np.full((2, 4), 100.0),
        1e-8,
    ),
    "large cotangents": (
        lambda w, x: jnp.sum(lax.dot(x, w, preferred_element_type=jnp.float32)) * 1e5,
        np.full((2, 4), 1e-3),
        1e5,
    ),
    "small squares": (
        lambda w, x: jnp.sum(x @ w) * half(1e-4),
        np.linspace(100, 220, 8).reshape(2, 4),
        1e-4,
    ),
    "large squares": (
        lambda w, x: jnp.sum(x @ w) * half(1e-2),
        np.linspace(300, 420, 8).reshape(2, 4),
        1e-2,
    ),
    "a large sum": (lambda w, x: jnp.sum(x @ w), np.full((1024, 4), 200.0), 1.0),
}


@pytest.mark.parametrize("case", NARROW)
def test_half_precision(case):
    """What is made of the factors of a gradient is made in float32."""
    loss, x, slope = NARROW[case]
    gradient = np.repeat(slope * x[:, :, None], 3, 2)
    near = partial(np.testing.assert_allclose, rtol=5e-3, atol=1e-7)
    found = jk.per_sample_grad(loss)(HALF, half(x))
    assert found.dtype == jnp.float16
    near(found, gradient)
    near(
        jk.per_sample_norms(loss)(HALF, half(x)), np.linalg.norm(gradient, axis=(1, 2))
    )
    moments = jk.gradient_moments(loss)(HALF, half(x))
    assert moments.variance.dtype == jnp.float16
    near(moments.mean, gradient.mean(0))
    near(moments.variance, gradient.var(0), rtol=0.02, atol=1e-4)
    squares = (gradient**2).mean(0)
    near(jk.fisher_diagonal(loss)(HALF, half(x)), half(squares))


def test_a_norm_that_is_no_number():
    loss = lambda w, x: jnp.sum(x @ w)  # noqa: E731
    x = jnp.array([[1.0, 2.0], [jnp.nan, 0.0], [0.0, 0.0], [jnp.inf, 1.0]])
    found = jk.per_sample_norms(loss)(jnp.ones((2, 3)), x)
    np.testing.assert_allclose(found, [np.sqrt(15), np.nan, 0.0, np.inf])
    sums = lambda w: jnp.sum(jk.per_sample_norms(loss)(w, x[2:3]))  # noqa: E731
    close(jk.grad(sums)(jnp.ones((2, 3))), np.zeros((2, 3)))


@pytest.mark.parametrize(("scale", "at"), [((1e-4, 1.0), 100.0), ((1.0, 1e-4), 300.0)])
def test_curvature_in_half_precision(scale, at):
    inner, outer = map(half, scale)
    model = lambda w, x: (x @ w) * inner  # noqa: E731
    loss = lambda z, y: outer * jnp.sum((z - y) ** 2) / 2  # noqa: E731
    x, y = half(np.full((2, 4), at)), half(np.zeros((2, 3)))
    expected = scale[0] ** 2 * scale[1] * at**2
    near = partial(np.testing.assert_allclose, rtol=5e-3)
    near(jk.gauss_newton_diagonal(model, loss)(HALF, x, y), np.full((4, 3), expected))
    near(np.diag(jk.kronecker_factors(model, loss)(HALF, x, y).matrix()), expected)


def test_a_cast_weight_stays_factored():
    """As in training in mixed precision; also a cast to the dtype it has (Flax's)."""
    x, y = XS, jnp.zeros((5, 4))
    squared = lambda z, y: jnp.sum((z - y) ** 2) / 2  # noqa: E731
    for dtype, eps in (jnp.float64, 1e-12), (jnp.float32, 1e-6), (jnp.bfloat16, 3e-2):
        model = lambda w, x, t=dtype: (x.astype(t) @ w.astype(t)).astype(x.dtype)  # noqa: E731
        plain = jk.kronecker_factors(lambda w, x: x @ w, squared)(W, x, y)
        found = jk.kronecker_factors(model, squared)(W, x, y)
        np.testing.assert_allclose(found.matrix(), plain.matrix(), eps, eps)
        loss = lambda w, x, y, f=model: squared(f(w, x), y)  # noqa: E731
        norms = jax.vmap(lambda x, y, f=loss: jnp.linalg.norm(jax.grad(f)(W, x, y)))
        near = partial(np.testing.assert_allclose, rtol=eps)
        near(jk.per_sample_norms(loss)(W, x, y), norms(x, y))


@pytest.mark.parametrize("shape", [(4, 0), (0, 3), (0, 0)])
def test_no_entries(shape):
    w, x, y = jnp.ones(shape), jnp.ones((5, shape[0])), jnp.zeros((5, shape[1]))
    model = lambda w, x: x @ w  # noqa: E731
    squared = lambda z, y: jnp.sum((z - y) ** 2)  # noqa: E731
    loss = lambda w, x, y: squared(x @ w, y)  # noqa: E731
    found = [
        *jk.gradient_moments(loss)(w, x, y),
        jk.fisher_diagonal(loss)(w, x, y),
        jk.gauss_newton_diagonal(model, squared)(w, x, y),
        jk.hessian_diagonal(squared)(w, jnp.zeros(shape)),
    ]
    assert [v.shape for v in found] == [shape] * len(found)
    factors = jk.kronecker_factors(model, squared)(w, x, y)
    assert factors.matrix().shape == (0, 0)
    close(jk.per_sample_norms(loss)(w, x, y), np.zeros(5))
    options = dict(method="hutchinson", key=jax.random.key(0))
    for how in {}, options, options | {"method": "hutch++"}:
        assert jk.hessian_trace(lambda w: jnp.sum(w**2), **how)(w).value == 0


def test_what_has_no_axis_of_samples_is_named():
    loss = lambda w, x, y=0.0, flag=True: jnp.sum(w * x + y)  # noqa: E731
    x = jnp.ones(3)
    with pytest.raises(
        ValueError, match=r"argument 2 has float64\[\], without an axis"
    ):
        jk.per_sample_norms(loss)(1.0, x, 2.0)
    with pytest.raises(ValueError, match=r"'flag' has bool\[\], without an axis"):
        jk.per_sample_norms(loss)(1.0, x, flag=False)
    close(jk.per_sample_norms(loss, in_axes=(None, 0, None))(1.0, x, 2.0), x)
    parts = jk.per_sample_norms(
        lambda w, d: w * d["x"] * d["c"], in_axes=(None, {"x": 0, "c": None})
    )
    close(parts(1.0, {"x": x, "c": 2.0}), 2 * x)
    model, squared = lambda w, x: w * x, lambda z, y: (z - y) ** 2
    with pytest.raises(TypeError, match="the targets are missing; pass them last"):
        jk.gauss_newton_diagonal(model, squared)(1.0, x)
    with pytest.raises(TypeError, match=r"called with .* a target, loss\(y, target\)"):
        jk.kronecker_factors(model, lambda z: z**2)(1.0, x, x)
