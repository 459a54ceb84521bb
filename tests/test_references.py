"""References inside a function that is differentiated: as the function without them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

import jaxkit as jk

X = jnp.array([0.5, 1.5, 2.0])
PAIRS = {}


def beside(plain):
    """Decorator: a function with references, and one without that computes the same."""

    def decorate(f):
        PAIRS[f.__name__] = f, plain
        return f

    return decorate


@beside(lambda x: jnp.sum(jnp.sin(x) ** 2 * x))
def whole(x):
    r = jax.new_ref(x)
    r[...] = jnp.sin(r[...])
    r[...] *= r[...]
    return jnp.sum(r[...] * x)


@beside(lambda x: jnp.sum(jnp.sin(jnp.stack([x[0] * x[1] + x[2], x[2] ** 2]))))
def by_index(x):
    r = jax.new_ref(jnp.zeros(2))
    r[0] = x[0] * x[1]
    r[1:] = x[2:] ** 2
    jax.ref.addupdate(r, 0, x[2])
    return jnp.sum(jnp.sin(r[...]))


@beside(lambda x: jnp.sum(x[jnp.array([2, 0])] ** 3) + x[1] * x[0])
def by_indices(x):
    r = jax.new_ref(x**3)
    old = jax.ref.swap(r, jnp.array([1]), x[:1])
    kept = r[jnp.array([2, 0])]
    return jnp.sum(kept) + jnp.sum(old) ** (1 / 3) * r[1]


@beside(lambda x: jnp.sum(jnp.array([2 * x[0], x[1], x[0] + x[2]]) ** 2))
def frozen(x):
    r = jax.new_ref(x)
    r[0] = 2 * x[0]
    r[2] += x[0]
    return jnp.sum(jax.freeze(r) ** 2)


@beside(
    lambda x: jnp.sum(
        (jnp.sin(x) * jnp.concatenate([X[:1] * 0 + 1, jnp.cumprod(x)[:-1]])) ** 2
    )
)
def written_in_a_scan(x):
    r = jax.new_ref(jnp.zeros(3))

    def step(c, i):
        r[i] = jnp.sin(x[i]) * c
        return c * x[i], None

    lax.scan(step, 1.0, jnp.arange(3))
    return jnp.sum(r[...] ** 2)


@beside(lambda x: jnp.sum(x[0] * x ** jnp.arange(3)))
def accumulated_in_a_scan(x):
    """A reference that a step reads, changes and returns."""
    r, total = jax.new_ref(x[0]), jax.new_ref(0.0)

    def step(_, i):
        total[...] += r[...] * x[i] ** i
        return None, r[...]

    _, ys = lax.scan(step, None, jnp.arange(3))
    return total[...] + 0 * jnp.sum(ys)


@beside(lambda x: jnp.sum(jnp.sin(x) * x[::-1]))
def made_in_a_step(x):
    """A reference of constants, made and changed in each step."""

    def step(c, slices):
        r = jax.new_ref(jnp.zeros(2))
        before = r[0]
        r[0] = jnp.sin(slices[0])
        r[1] = slices[1]
        return c + before + r[0] * r[1], None

    return lax.scan(step, 0.0, (x, x[::-1]))[0]


@beside(lambda x: jnp.prod(x) ** 2 + jnp.sum(x))
def in_a_fori_loop(x):
    r = jax.new_ref(jnp.ones(()))

    def body(i, total):
        r[...] *= x[i]
        return total + x[i]

    total = lax.fori_loop(0, 3, body, 0.0)
    return r[...] ** 2 + total


@beside(lambda x: x[0] ** 8 * x[1])
def in_a_while_loop(x):
    r = jax.new_ref(x[0])

    def body(i):
        r[...] = r[...] ** 2
        return i + 1

    lax.while_loop(lambda i: i < 3, body, 0)
    return r[...] * x[1]


@beside(lambda x: x[1] ** 2 * x[0])
def read_by_a_condition(x):
    r = jax.new_ref(x[2])
    r[...] = r[...] * 2
    y = lax.while_loop(lambda y: y < r[...] / 2, lambda y: y * x[1], x[1])
    return y * x[0]


@beside(lambda x: jnp.sum(x * jnp.cos(x)))
def in_a_jit(x):
    r = jax.new_ref(x)

    @jax.jit
    def change(r, y):
        r[...] = r[...] * jnp.cos(y)

    change(r, x)
    return jnp.sum(r[...])


@beside(lambda x: jnp.sum(x * x))
def in_a_conditional(x):
    r, untouched = jax.new_ref(x), jax.new_ref(x)

    def change():
        r[...] = r[...] * x

    lax.cond(x[0] > 0, change, lambda: None)
    lax.cond(x[0] < 0, change, lambda: None)
    return jnp.sum(r[...]) + jnp.sum(untouched[...] - x)


@beside(lambda x: jnp.sum(jnp.sin(x) ** 2) + jnp.sum(jnp.sin(x)))
def in_a_checkpoint(x):
    r = jax.new_ref(x)

    @jax.checkpoint
    def change():
        r[...] = jnp.sin(r[...])
        return r[...] ** 2

    return jnp.sum(change()) + jnp.sum(r[...])


@beside(lambda x: jnp.sum(jax.vmap(jnp.outer)(jnp.sin(x)[:, None], x[:, None])))
def under_vmap(x):
    def one(x):
        r = jax.new_ref(x)
        r[...] = jnp.sin(r[...])
        return r[...] * x

    return jnp.sum(jax.vmap(one)(x))


@beside(lambda x: jnp.sum(jnp.sin(x) * jnp.cos(x)))
def by_another_derivative(x):
    """Inside, a function that is differentiated reads a reference of this one's."""
    r = jax.new_ref(jnp.cos(x))
    return jnp.sum(jnp.sin(x) * jk.grad(lambda y: jnp.sum(r[...] * y))(x))


@beside(lambda x: jnp.sum(x**2))
def without_a_tangent(x):
    r = jax.new_ref(jnp.ones(3))
    r[...] = lax.stop_gradient(x)
    r[0] += 1.0
    return jnp.sum(x**2) + 0 * jnp.sum(lax.stop_gradient(r[...]))


def close(ours, theirs):
    np.testing.assert_allclose(ours, theirs, 1e-10, 1e-12)


@pytest.mark.parametrize("name", PAIRS)
@pytest.mark.parametrize("run", [lambda f: f, jax.jit], ids=["eager", "jit"])
def test_first_derivatives(name, run):
    f, plain = PAIRS[name]
    close(f(X), plain(X))
    expected, v = jax.grad(plain)(X), jnp.cos(X)
    close(run(jk.grad(f))(X), expected)
    close(run(lambda x: jk.jvp(f, (x,), (v,))[1])(X), expected @ v)
    close(run(jk.jacfwd(f))(X), expected)


@pytest.mark.parametrize("name", PAIRS)
def test_second_derivatives(name):
    f, plain = PAIRS[name]
    expected = jax.hessian(plain)(X)
    close(jax.jit(jk.hessian(f))(X), expected)
    close(jax.jit(jk.jacrev(jk.grad(f)))(X), expected)


@pytest.mark.parametrize("name", PAIRS)
def test_the_program(name):
    """It is linear code like any, which is printed, transposed, and made a matrix."""
    f, plain = PAIRS[name]
    _, J = jk.linearize(f, X)
    close(J.matrix()[0], jax.grad(plain)(X))
    close(J.T.matrix()[:, 0], jax.grad(plain)(X))
    assert "return" in str(J) and "return" in str(J.T)


def test_mixed_with_jax():
    expected = jax.hessian(PAIRS["whole"][1])(X)[0]
    close(jax.grad(lambda x: jk.grad(whole)(x)[0])(X), expected)
    close(jk.grad(lambda x: jax.grad(whole)(x)[0])(X), expected)
    close(jax.vmap(jk.grad(whole))(X[None])[0], jax.grad(whole)(X))


def test_linear_functions_may_use_them():
    def f(x):
        r = jax.new_ref(x)
        r[0] = 2 * x[1]
        r[1] += x[2]
        return r[...]

    ct = jnp.array([1.0, 10.0, 100.0])
    close(jk.linear_transpose(f, X)(ct)[0], jax.vjp(f, X)[1](ct)[0])


@pytest.mark.parametrize("write", ["set", "addupdate", "swap"])
def test_one_from_outside_keeps_nothing_that_moves(write):
    kept = jax.new_ref(jnp.zeros(3))

    def f(x):
        getattr(jax.ref, write)(kept, ..., x)
        return jnp.sum(x**2)

    for run in jk.grad(f), jax.jit(jk.grad(f)), lambda x: jk.jvp(f, (x,), (x,)):
        with pytest.raises(NotImplementedError, match="into a reference from outside"):
            run(X)


def test_one_that_has_no_tangent_by_intent():
    """What is put there is read by nobody who differentiates (a log, a statistic)."""
    log = jax.new_ref(jnp.zeros(3), kind="no_grad_no_remat")

    def f(x):
        log[...] = 2 * x
        return jnp.sum(x**2)

    close(jk.grad(f)(X), 2 * X)
    close(log[...], 2 * X)

    def own(x):
        log = jax.new_ref(x, kind="no_grad_no_remat")
        log[...] = 2 * x
        return jnp.sum(x * log[...])

    close(jk.grad(own)(X), jax.grad(own)(X))


INDICES = {
    "inside": [0, 1],
    "from the end": [-1, 1],
    "twice": [1, 1],
    "outside": [0, 9],
    "far outside": [-9, 0],
}


def added_at(x, i):
    r = jax.new_ref(jnp.outer(x, x))
    jax.ref.addupdate(r, (i, slice(1, 3)), jnp.outer(x[:2], x[1:]))
    return jnp.sum(jnp.sin(r[...]))


def written_at(x, i):
    r = jax.new_ref(x)
    r[i] = x[:2] ** 2
    return jnp.sum(r[...] * jnp.arange(1.0, 4.0))


def read_at(x, i):
    return jnp.sum(jax.new_ref(x)[i] ** 2)


@pytest.mark.parametrize("f", [added_at, written_at, read_at])
@pytest.mark.parametrize("indices", INDICES)
def test_indices(f, indices):
    """Values and slopes are those of the function, also where JAX's slopes aren't."""
    i = jnp.array(INDICES[indices])
    for run in lambda f: f, jax.jit:
        plain = run(f)
        value, slope = run(jk.value_and_grad(f))(X, i)
        close(value, plain(X, i))
        for k in range(3):
            e = jnp.zeros(3).at[k].set(1e-6)
            difference = (plain(X + e, i) - plain(X - e, i)) / 2e-6
            np.testing.assert_allclose(slope[k], difference, 1e-7, 1e-8)


@pytest.mark.parametrize("value", [lambda x: 1.7 * x, lambda x: x[:2], lambda x: x[0]])
@pytest.mark.parametrize("dtype", [jnp.int32, jnp.float64])
def test_writes_that_do_not_fit(value, dtype):
    """They are refused as JAX refuses them where nothing is differentiated."""

    def f(x):
        r = jax.new_ref(jnp.zeros(4 if dtype == jnp.float64 else 3, dtype))
        r[...] = value(x)
        return jnp.sum(r[...] * x[0])

    with pytest.raises(ValueError, match=r"Invalid (dtype|shape) for `swap`"):
        jk.grad(f)(X)


def test_one_that_is_returned():
    with pytest.raises(TypeError, match="returns a reference"):
        jk.vjp(jax.new_ref, X)


def test_one_without_a_first_value():
    def f(x):
        r = jax.ref.empty_ref(jax.typeof(x))
        r[...] = 3 * x
        return jnp.sum(r[...])

    close(jax.jit(jk.grad(f))(X), 3 * jnp.ones(3))


def test_where_they_do_not_go():
    @jax.custom_jvp
    def rule(r, x):
        return r[...] * x

    rule.defjvp(lambda xs, dxs: (rule(*xs), xs[0][...] * dxs[1]))

    def f(x):
        return jnp.sum(rule(jax.new_ref(x), x))

    with pytest.raises(
        NotImplementedError, match=r"'custom_jvp_call' at .* gets a ref"
    ):
        jk.grad(f)(X)


@pytest.mark.parametrize(
    "run",
    [
        lambda r: jk.grad(lambda r: r[...] ** 2)(r),
        lambda r: jk.vjp(lambda t: t["r"][...], {"r": r}),
        lambda r: jk.jvp(lambda r: r[...], (r,), (1.0,)),
    ],
)
def test_one_is_no_argument(run):
    with pytest.raises(TypeError, match=r"argument 0.* is a reference .*what it holds"):
        run(jax.new_ref(3.0))


def outside(x, r):
    """What the reference holds at a step is what it held then."""

    def body(c):
        r[...] += 0.01
        return c[0] + 1, c[1] + 0.01 * jnp.sin(c[1] * r[...])

    return lax.while_loop(lambda c: c[0] < 600, body, (0, x))[1]


def no_reference(x, r):
    def body(c):
        r = c[2] + 0.01
        return c[0] + 1, c[1] + 0.01 * jnp.sin(c[1] * r), r

    return lax.while_loop(lambda c: c[0] < 600, body, (0, x, r))[1]


def test_code_that_is_run_again_finds_what_was_there():
    run = lambda x: jk.grad(outside)(x, jax.new_ref(0.0))  # noqa: E731
    expected = jk.grad(no_reference)(1.0, 0.0)
    close(jax.jit(run)(1.0), expected)
    close(run(1.0), expected)
    r = jax.new_ref(0.0)
    close(jk.jvp(lambda x: outside(x, r), (1.0,), (1.0,))[1], expected)
    close(r[...], 6.0)


def twice(step):
    return lambda x: step(step(x))


@pytest.mark.parametrize(
    "f",
    {
        "checkpoints": lambda step: twice(jax.checkpoint(step)),
        "calls": lambda step: twice(jax.jit(step)),
        "a scan": lambda step: (
            lambda x: lax.scan(lambda c, _: (step(c), None), x, length=2)[0]
        ),
        "a scan that is kept in parts": lambda step: jk.keeping(
            lambda x: lax.scan(lambda c, _: (step(c), None), x, length=2)[0],
            checkpoints=1,
        ),
        "conditionals": lambda step: (
            lambda x: lax.cond(x > 0, twice(step), lambda x: x, x)
        ),
    }.items(),
    ids=lambda f: f[0],
)
def test_a_structure_that_writes_outside(f):
    def run(x):
        r = jax.new_ref(0.0)

        def step(c):
            r[...] += 1
            return jnp.sin(c * r[...])

        return [*jk.value_and_grad(f[1](step))(x), r[...]]

    plain = lambda x: jnp.sin(2 * jnp.sin(x))  # noqa: E731
    for found in run(1.3), jax.jit(run)(1.3):
        close(found, [*jax.value_and_grad(plain)(1.3), 2.0])


def test_a_pullback_has_read_what_was_there():
    r = jax.new_ref(2.0)
    _, pull = jk.vjp(jax.checkpoint(lambda x: jnp.sin(x * r[...])), 0.3)
    before = pull(1.0)
    r[...] = 5.0
    close(pull(1.0), before)
    close(before[0], 2 * np.cos(0.6))


@pytest.mark.parametrize("wrap", [jax.checkpoint, jax.jit, lambda f: f])
def test_a_derivative_inside_reads_the_outer_function_s(wrap):
    def f(x):
        r = jax.new_ref(x)
        return jk.grad(wrap(lambda y: jnp.sin(y * r[...])))(x)

    plain = lambda x: x * jnp.cos(x * x)  # noqa: E731
    for run in jk.grad(f), jax.jit(jk.grad(f)), jk.jacfwd(f):
        close(run(0.3), jax.grad(plain)(0.3))


def test_a_log_stays_one_in_a_loop():
    log = jax.new_ref(0.0, kind="no_grad_no_remat")

    def f(x):
        def body(c, _):
            log[...] = c
            return c * c * log[...], None

        return lax.scan(body, x, length=2)[0]

    close(jk.grad(f)(1.1), jax.grad(f)(1.1))
    close(log[...], 1.1**3)


def test_what_moves_is_not_written_outside_by_a_loop():
    r = jax.new_ref(0.0)

    def f(x):
        def body(c, _):
            r[...] = c
            return c * c, None

        return lax.scan(body, x, length=2)[0]

    with pytest.raises(NotImplementedError, match="into a reference from outside"):
        jk.grad(f)(1.1)


def test_explain():
    """Reading and writing are steps as all others, and loops can be opened."""

    def f(a):
        states = jax.new_ref(jnp.zeros(3))
        states[0] = a

        def step(i, _):
            states[i] = jnp.cos(a * states[i - 1])

        lax.fori_loop(1, 3, step, None)
        return jnp.sum(states[...])

    explanation = jk.explain(f)(0.5)
    assert "scatter" in str(explanation) and "scan" in str(explanation)
    assert "<html" in explanation.html()
    close(jk.explain(lambda x: jax.new_ref(x)[...] * 2)(1.0).nodes[-1].value, 2.0)
