"""What is around a derivative: settings, threads, exceptions, what outlives it."""

from __future__ import annotations

import threading
from contextlib import ExitStack
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax
from jax.sharding import AxisType
from jax.sharding import PartitionSpec as P

import jaxkit as jk
from tests.generated.properties import older_kept
from tests.selections import long_but
from zoo.case import generator, moves, sample
from zoo.cases import families

# --- Programs, one for each structure -------------------------------------------------


@jax.custom_jvp
def ruled(x):
    return jnp.sin(x)


ruled.defjvp(lambda xs, dxs: (jnp.sin(xs[0]), jnp.cos(xs[0]) * dxs[0]))


@jax.custom_vjp
def ruled_back(x):
    return jnp.sin(x)


ruled_back.defvjp(lambda x: (jnp.sin(x), x), lambda x, ct: (jnp.cos(x) * ct,))

AROUND = {  # a function of x and f, in which f runs
    "plain": lambda f, x: f(x),
    "jit": lambda f, x: jax.jit(f)(x),
    "cond": lambda f, x: lax.cond(x[0] > 0, f, jnp.sin, x),
    "switch": lambda f, x: lax.switch(1, [jnp.sin, f, jnp.cos], x),
    "scan": lambda f, x: lax.scan(lambda c, _: (f(c), jnp.sum(c)), x, None, 2)[0],
    "map": lambda f, x: lax.map(lambda y: f(jnp.array([y, 1.0])), x),
    "while": lambda f, x: lax.while_loop(lambda c: jnp.sum(c) < 1, f, x),
    "checkpoint": lambda f, x: jax.checkpoint(f)(x),
    "vmap": lambda f, x: jax.vmap(f)(jnp.stack([x, 2 * x])),
    "custom_jvp": lambda f, x: f(ruled(x)),
    "custom_vjp": lambda f, x: f(ruled_back(x)),  # JAX: in reverse mode alone
    "associative_scan": lambda f, x: lax.associative_scan(jnp.multiply, f(x)),
    "solve": lambda f, x: lax.custom_linear_solve(
        lambda y: f(x)[0] * y, x, lambda mv, b: b / f(x)[0], symmetric=True
    ),
}
X = jnp.array([0.3, 0.4])


def leaf(x):
    return jnp.exp(x) * 0.5 + 0.2


def loss(around, x, f=leaf):
    return jnp.sum(AROUND[around](f, x) ** 2)


def modes(around):
    """Of each mode the derivative of a library, as a function."""
    f = partial(loss, around)
    ways = {
        "jvp": lambda lib: lambda x: lib.jvp(f, (x,), (jnp.ones_like(x),))[1],
        "jacfwd": lambda lib: lib.jacfwd(f),
    }
    if around != "while":
        ways |= {"grad": lambda lib: lib.grad(f), "hessian": lambda lib: lib.hessian(f)}
    return ways


# --- Transforms inside a structure inside a transform ---------------------------------


def derivatives(lib, x):
    """Functions of x by a derivative of another function that closes over x."""
    return {
        "grad": lambda y: lib.grad(lambda z: jnp.sum(jnp.sin(z) * x * y))(y),
        "jvp": lambda y: lib.jvp(lambda z: jnp.sin(z * x), (y,), (y,))[1],
        "vjp": lambda y: lib.vjp(lambda z: jnp.sin(z * x), y)[1](y)[0],
        "linearize": lambda y: lib.linearize(lambda z: jnp.sin(z * x), y)[1](y),
        "jacrev": lambda y: lib.jacrev(lambda z: jnp.sin(z * x))(y) @ y,
        "hvp": lambda y: hvp(lib, lambda z: jnp.sum(jnp.sin(z * x)), y, y),
    }


def hvp(lib, f, x, v):
    return lib.jvp(lib.grad(f), (x,), (v,))[1]


@pytest.mark.parametrize(
    "around", long_but(["cond", "scan", "while", "checkpoint"], AROUND)
)
@pytest.mark.parametrize("name", derivatives(jk, X))
def test_a_derivative_inside_a_structure_inside_a_derivative(around, name):
    def f(inner, x):
        return loss(around, x, lambda y: leaf(derivatives(inner, x[:1])[name](y)))

    outer = "jacfwd" if around == "while" else "grad"
    expected = getattr(jax, outer)(partial(f, jax))(X)
    for out, inner in [(jk, jk), (jk, jax), (jax, jk)]:
        found = getattr(out, outer)(partial(f, inner))(X)
        np.testing.assert_allclose(found, expected, rtol=1e-12)


# --- Settings -------------------------------------------------------------------------

SETTINGS = {
    "disable_jit": jax.disable_jit,
    "debug_nans": lambda: jax.debug_nans(True),
    "checking_leaks": jax.checking_leaks,
    "strict promotion": lambda: jax.numpy_dtype_promotion("strict"),
    "rank promotion": lambda: jax.numpy_rank_promotion("raise"),
    "no transfers": lambda: jax.transfer_guard("disallow"),
    "matmul precision": lambda: jax.default_matmul_precision("highest"),
    "no 64 bits": lambda: jax.enable_x64(False),
}


@pytest.mark.parametrize("around", long_but(["scan"], AROUND))
@pytest.mark.parametrize("setting", SETTINGS)
def test_settings(around, setting):
    for name, way in modes(around).items():
        try:
            with SETTINGS[setting]():
                expected = way(jax)(X)
        except Exception:
            continue  # JAX can't
        with SETTINGS[setting]():
            found = way(jk)(X)
        np.testing.assert_allclose(found, expected, rtol=1e-6, err_msg=name)


CASES = {}
for cases in families().values():
    for case in cases:
        name = getattr(case.primitive, "name", case.primitive)
        if case.available and case.reverse and "float32" in case.dtypes:
            CASES.setdefault(name, case)


@pytest.mark.long
def test_no_rule_mixes_dtypes_or_ranks():
    """Beside float32, in double precision, where JAX would promote without a word."""
    problems = []
    for case in CASES.values():
        args = tuple(map(jnp.asarray, sample(case, generator(case), "float32")))
        with ExitStack() as stack:
            for setting in ("strict promotion", "rank promotion"):
                stack.enter_context(SETTINGS[setting]())
            try:
                y = case.function(*args)
            except Exception:
                continue  # the function itself does
            try:
                jk.jvp(case.function, args, tuple(map(direction, args)))
                jk.vjp(case.function, *args)[1](jax.tree.map(direction, y))
            except Exception as error:
                problems.append(f"{case.name}: {error}")
    assert not problems, "\n".join(problems)
    assert len(CASES) > 100


def direction(x):
    return jnp.ones_like(x) if moves(x) else np.zeros(jnp.shape(x), jax.dtypes.float0)


def counted(x, n=40):
    """A loop of n steps of which the number is known when it has run."""

    def step(c):
        return c[0] + 1, jnp.sin(c[1]) * x

    zero = jnp.zeros_like(n)
    return lax.while_loop(lambda c: c[0] < n, step, (zero, x))[1]


def scanned(x):
    return lax.scan(lambda c, t: (jnp.sin(c) * x * t, c), x, jnp.full(40, x))[0]


def several(x):
    lengths = jnp.array([3, 40, 20], jnp.int32)
    return jnp.sum(jax.vmap(lambda n: counted(x, n))(lengths))


LOOPS = counted, scanned, several
KEPT = {"checkpoints": 3}, {"steps": 3}, {"checkpoints": 1}, {"bytes": 200}, {}


@pytest.mark.parametrize("loop", long_but([counted, several], LOOPS))
@pytest.mark.parametrize("said", long_but(KEPT[:1], KEPT), ids=str)
def test_loops_mix_no_dtypes_or_ranks(loop, said):
    f = jk.grad(jk.keeping(loop, **said) if said else loop)
    x = jnp.float32(0.9)  # beside float64 and int64, which NumPy would make
    expected = f(x)
    with SETTINGS["strict promotion"](), SETTINGS["rank promotion"]():
        assert f(x) == expected
        np.testing.assert_allclose(jax.vmap(f)(x[None]), [expected], rtol=1e-6)


def model(p, x):
    return jnp.tanh(x @ p["w"]) * p["b"]


def squares(y, t):
    return jnp.sum((y - t) ** 2)


def squared(p, x, t):
    return squares(model(p, x), t)


def cubes(x):
    return jnp.sum(x**3) + x[0] * x[1]


P32 = {"w": jnp.eye(3, 2, dtype=jnp.float32), "b": jnp.ones(2, jnp.float32)}
X32 = jnp.linspace(0, 1, 12, dtype=jnp.float32).reshape(4, 3)
T32 = jnp.stack([jnp.float32([1, 2])] * 4)
ONE = jnp.float32([0.3, 0.7, 0.2])
FEATURES = {
    "jacobian": lambda: jk.jacobian(jnp.sin, chunk_size=2)(ONE),
    "sparse Jacobian": lambda: jk.sparse_jacobian(jnp.sin)(ONE).todense(),
    "sparse Hessian": lambda: jk.sparse_hessian(cubes)(ONE).todense(),
    "eliminated": lambda: jk.eliminated(lambda x: x[0] * jnp.sin(x[1]))(ONE),
    "diagonal": lambda: jk.hessian_diagonal(cubes)(ONE),
    "trace": lambda: [
        jk.hessian_trace(cubes, method=m, key=jax.random.key(0))(ONE)
        for m in ("exact", "hutchinson", "hutch++")
    ],
    "of samples": lambda: jk.per_sample_grad(squared)(P32, X32, T32),
    "norms": lambda: jk.per_sample_norms(squared)(P32, X32, T32),
    "moments": lambda: jk.gradient_moments(squared)(P32, X32, T32),
    "Fisher": lambda: jk.fisher_diagonal(squared)(P32, X32, T32),
    "Gauss-Newton": lambda: jk.gauss_newton_diagonal(model, squares)(P32, X32, T32),
    "Kronecker": lambda: jk.kronecker_factors(lambda w, x: jnp.tanh(x @ w), squares)(
        P32["w"], X32, T32
    ).matrix(),
    "operator": lambda: (
        2 * jk.hessian_operator(cubes)(ONE)
        + jk.identity_operator(ONE) @ jk.hessian_operator(cubes)(ONE)
    ).matrix(),
    "explained": lambda: jk.explain(cubes)(ONE).gradient(),
}


@pytest.mark.parametrize("name", FEATURES)
def test_no_feature_mixes_dtypes_or_ranks(name):
    expected = FEATURES[name]()
    with SETTINGS["strict promotion"](), SETTINGS["rank promotion"]():
        found = FEATURES[name]()
    for y, r in zip(*map(jax.tree.leaves, (found, expected)), strict=True):
        np.testing.assert_array_equal(y, r)


# --- Exceptions, and what outlives a transform ----------------------------------------


@pytest.mark.parametrize("around", AROUND)
@pytest.mark.parametrize("transform", ["grad", "jvp", "linearize", "jacfwd", "hessian"])
def test_after_an_exception_the_next_call_works(around, transform):
    failing = [True]

    def f(x):
        def inner(y):
            if failing[0]:
                raise KeyError("mine")
            return leaf(y)

        return loss(around, x, inner)

    def call(x):
        if transform == "jvp":
            return jk.jvp(f, (x,), (x,))
        if transform == "linearize":
            return jk.linearize(f, x)[0]
        return getattr(jk, transform)(f)(x)

    for _ in range(2):
        with pytest.raises(KeyError, match="mine"):
            call(X)
    failing[0] = False
    call(X)
    assert jk.grad(jnp.sin)(0.0) == 1.0  # no trace is left behind


def test_an_exception_in_the_middle_of_two_transforms():
    def inner(x):
        if not isinstance(x, jax.core.Tracer) or x > 1:
            raise ArithmeticError
        return x**2

    with pytest.raises(ArithmeticError):
        jk.grad(lambda x: jk.grad(inner)(2 * x))(1.0)
    assert jk.grad(lambda x: jk.grad(inner)(2 * x))(0.25) == 4.0


@pytest.mark.parametrize("transform", [jk.grad, jk.jacfwd, jk.value_and_grad])
def test_a_tracer_that_escapes(transform):
    kept = []

    def f(x):
        kept.append(x)
        return x * x

    transform(f)(3.0)
    for use in (jnp.sin, lambda x: jk.grad(lambda y: y * x)(1.0), jax.jit(jnp.sin)):
        with pytest.raises(jax.errors.UnexpectedTracerError):
            use(kept[0])


@pytest.mark.parametrize("transform", ["grad", "jvp", "linearize", "linear_transpose"])
def test_no_tracer_outlives_a_shard_map(transform):
    mesh = jax.make_mesh((2,), ("i",), axis_types=(AxisType.Auto,))

    def f(x, still):
        run = jax.shard_map(
            lambda x, y: (2 * x, y), mesh=mesh, in_specs=P("i"), out_specs=P("i")
        )
        return jnp.sum(jnp.concatenate([x for x in run(x, still + 1)]))

    def call(x):
        g = partial(f, still=x)
        if transform == "jvp":
            return jk.jvp(g, (x,), (x,))
        if transform == "linear_transpose":
            return jk.linear_transpose(lambda y: g(y) - g(0 * x), x)(1.0)
        return jk.linearize(g, x)[0] if transform == "linearize" else jk.grad(g)(x)

    with older_kept(), jax.checking_leaks():
        jax.make_jaxpr(call)(X)


def test_no_tracer_outlives_a_users_rule_in_a_compiled_function():
    """Its jaxpr keeps the trace that it was traced in, and that kept the record."""
    double = jax.custom_vjp(lambda x: 2 * x)
    double.defvjp(lambda x: (2 * x, None), lambda _, ct: (2 * ct,))

    @jax.jit
    def still(n):
        return double(n * 0.5)

    def f(x):
        return jax.vmap(lambda x, n: jnp.sin(x) * still(n))(x, jnp.arange(2.0))

    def call(x):
        return jk.vjp(f, x)[1](x), jk.jvp(jk.grad(lambda x: jnp.sum(f(x))), (x,), (x,))

    with older_kept(), jax.checking_leaks():
        jax.make_jaxpr(call)(X)


# --- Generators, recursion, threads ---------------------------------------------------


def test_a_generator_that_is_resumed_under_another_transform():
    """What it made under the first is a value of that; the second doesn't move it."""

    def steps(x):
        while True:
            x = yield x * x

    def f(x):
        squares = steps(x)
        first = next(squares)
        slope = jk.grad(lambda y: squares.send(y) * first)(3.0)  # 2 y x^2
        return slope + first

    assert jk.grad(f)(2.0) == 7 * 4.0
    assert jax.grad(lambda x: jk.vjp(f, x)[0])(2.0) == 7 * 4.0


def test_recursion():
    def power(x, n):
        return x if n == 1 else x * power(x, n - 1)

    def tower(n, x):  # the n-th derivative, by calling itself
        return jnp.sin(x) if n == 0 else jk.grad(partial(tower, n - 1))(x)

    assert jk.grad(power)(1.5, 9) == pytest.approx(9 * 1.5**8)
    assert tower(5, 0.3) == pytest.approx(np.cos(0.3))


def test_threads_differentiate_at_once():
    found, errors = {}, []
    start = threading.Barrier(4)

    def work(i):
        try:
            start.wait()
            for _ in range(5):
                f = partial(loss, ["scan", "cond", "jit", "custom_jvp"][i])
                found.setdefault(i, []).append(jk.grad(f)(X))
                jk.jvp(jk.grad(lambda x, f=f: f(x) * (i + 1)), (X,), (X,))
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    for i, around in enumerate(["scan", "cond", "jit", "custom_jvp"]):
        for gradient in found[i]:
            np.testing.assert_allclose(gradient, jax.grad(partial(loss, around))(X))


def test_a_function_that_starts_a_thread():
    """A transform belongs to its thread: what moves in one is still in another."""

    def f(x):
        out = []
        thread = threading.Thread(target=lambda: out.append(jk.grad(jnp.sin)(0.0)))
        thread.start()
        thread.join()
        return x * out[0]

    assert jk.grad(f)(2.0) == 1.0


def test_a_box_that_is_filled_and_read():
    """A value that changes, of a type of its own, as Flax's variables may be."""
    hijax = pytest.importorskip("jax._src.hijax")
    if not hasattr(hijax, "Box"):
        pytest.skip("JAX 0.11 has none")

    def slope(lib, box, x):
        def f(x):
            box.set({"seen": lax.stop_gradient(3.0 * x)})
            return x * box.get()["seen"]

        return lib.grad(f)(x)

    for around in (jax.jit, lambda f: f):
        boxes = hijax.Box(), hijax.Box()
        for lib, box in zip((jax, jk), boxes, strict=True):
            assert around(partial(slope, lib, box))(2.0) == 6.0
            assert box.get() == {"seen": 6.0}
