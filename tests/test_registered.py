"""Rules that others registered with JAX for their own primitives are used here too."""

import warnings
from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp
import lineax as lx
import numpy as np
import optimistix as optx
import pytest
from equinox import internal as eqxi
from jax import lax
from jax._src.dtypes import ExtendedDType
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir

import jaxkit as jk
from tests.selections import long_but

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # it says that nobody maintains it
    import jaxopt


A = jnp.array([[3.0, 1.0], [1.0, 2.0]])
B = jnp.array([1.0, 2.0])


def made(name, run, several=False):
    """A primitive that computes what `run` does."""
    primitive = Primitive(name)
    primitive.multiple_results = several
    primitive.def_impl(run)

    @primitive.def_abstract_eval
    def _(*avals, **params):
        found = jax.make_jaxpr(lambda *xs: run(*xs, **params))(*avals).out_avals
        return found if several else found[0]

    mlir.register_lowering(primitive, mlir.lower_fun(run, several))

    def batch(xs, axes, **params):
        size = next(x.shape[a] for x, a in zip(xs, axes, strict=True) if a is not None)
        one = lambda *xs: run(*xs, **params)  # noqa: E731
        outs = jax.vmap(one, axes, 0, axis_size=size)(*xs)
        return outs, [0] * len(outs) if several else 0

    batching.primitive_batchers[primitive] = batch
    return primitive


# A shift is linear, and a pair of outputs; of a cube the user says 5 x**2, to be told
# from what it computes.
shifted_p = made("shifted", lambda x, y, *, by: [jnp.roll(x, by), x * y], several=True)
cubed_p = made("cubed", lambda x: x**3)


def _jvp(primals, tangents, *, by):
    (x, y), (dx, dy) = primals, tangents
    assert isinstance(dy, ad.Zero)
    return shifted_p.bind(x, y, by=by), shifted_p.bind(
        ad.instantiate_zeros(dx), y, by=by
    )


def _transpose(cts, x, y, *, by):
    assert ad.is_undefined_primal(x) and not ad.is_undefined_primal(y)
    moved, times = cts
    total = 0.0
    if not isinstance(moved, ad.Zero):
        total = jnp.roll(moved, -by)
    if not isinstance(times, ad.Zero):
        total = total + times * y
    return [total, None]


ad.primitive_jvps[shifted_p] = _jvp
ad.primitive_transposes[shifted_p] = _transpose
ad.defjvp(cubed_p, lambda t, x: 5 * x**2 * t)

SHIFTS = {
    "both": lambda x, y: jnp.stack(shifted_p.bind(x, y, by=1)),
    "the first": lambda x, y: jnp.sin(shifted_p.bind(x, y, by=1)[0]),
    "the second": lambda x, y: shifted_p.bind(jnp.sin(x), y, by=1)[1] ** 2,
    "a number": lambda x, y: shifted_p.bind(x[0], 2.0, by=0)[1],
}


@pytest.mark.parametrize("f", SHIFTS.values(), ids=list(SHIFTS))
@pytest.mark.parametrize("wrap", [lambda f: f, jax.jit, jax.checkpoint])
def test_a_primitive_of_ones_own(f, wrap):
    x, y = jnp.array([1.0, 2.0, 4.0]), jnp.array([0.5, -1.0, 3.0])
    total = lambda x, y: jnp.sum(wrap(f)(x, y) ** 2)  # noqa: E731
    for here, theirs in (
        (jk.grad(total), jax.grad(total)),
        (jk.jacfwd(f), jax.jacfwd(f)),
        (jk.jacrev(f), jax.jacrev(f)),
        (jk.hessian(total), jax.hessian(total)),
        (jax.jit(jk.grad(total)), jax.grad(total)),
    ):
        np.testing.assert_allclose(here(x, y), theirs(x, y), 1e-6, 1e-6)


def test_what_was_registered_counts():
    assert jk.grad(cubed_p.bind)(2.0) == jax.grad(cubed_p.bind)(2.0) == 20
    assert jk.jvp(cubed_p.bind, (2.0,), (1.0,))[1] == 20
    assert "registered with JAX" in str(jk.rules[cubed_p])


def test_a_rule_of_the_table_comes_first():
    own_p = made("own", lambda x: x * 2)
    ad.deflinear2(own_p, lambda ct, x: [ct * 2])
    assert jk.grad(own_p.bind)(1.0) == 2
    jk.rules.elementwise(own_p, lambda y, x: 7.0)
    assert jk.grad(own_p.bind)(1.0) == 7


def test_what_was_not_registered_is_refused():
    bare_p = made("bare", lambda x: x * 2)
    with pytest.raises(NotImplementedError, match=r"no derivative rule .* 'bare'"):
        jk.grad(bare_p.bind)(1.0)
    ad.primitive_jvps[bare_p] = lambda xs, ts: (bare_p.bind(*xs), bare_p.bind(*ts))
    assert jk.jvp(bare_p.bind, (1.0,), (3.0,))[1] == 6
    with pytest.raises(NotImplementedError, match="no transpose of 'bare' is known"):
        jk.grad(bare_p.bind)(1.0)


# --- Packages -------------------------------------------------------------------------


def solved(a, b):
    return lx.linear_solve(lx.MatrixLinearOperator(a), b).value


def root(a):
    """x = cos(a x)"""
    found = optx.root_find(
        lambda x, a: x - jnp.cos(a * x), optx.Newton(1e-12, 1e-12), jnp.array(0.7), a
    )
    return found.value


def custom_root(a):
    def solve(f, x):
        return jax.lax.fori_loop(0, 60, lambda _, x: x - 0.6 * f(x), x)

    residue = lambda x: x - jnp.cos(a * x)  # noqa: E731
    return jax.lax.custom_root(residue, 0.7, solve, lambda g, y: y / g(1.0))


def fixed_point(a):
    """By jaxopt, whose rule is a `custom_vjp`."""
    iteration = jaxopt.FixedPointIteration(
        lambda x, a: jnp.cos(a * x), maxiter=100, tol=1e-15
    )
    return iteration.run(0.5, a).params


@pytest.mark.parametrize("f", [root, custom_root, fixed_point])
def test_a_root(f):
    """dx/da and its derivative at a = 1, by mpmath."""
    with jax.enable_x64(True):
        first, second = -0.297474341509832, 0.153337891314
        for d in (jk.grad, jk.jacfwd, lambda f: lambda a: jk.jvp(f, (a,), (1.0,))[1]):
            np.testing.assert_allclose(d(f)(1.0), first, 1e-12)
            np.testing.assert_allclose(jax.jit(d(f))(1.0), first, 1e-12)
        for d in (
            jk.hessian,
            lambda f: jk.grad(jk.grad(f)),
            lambda f: jk.jacrev(jk.jacfwd(f)),
        ):
            np.testing.assert_allclose(d(f)(1.0), second, 1e-11)


def ridge(solver):
    """The minimum over w of |x w - y|^2 / 2 + a |w|^2 / 2, by a solver of jaxopt."""
    x, y = jnp.cos(jnp.arange(12.0).reshape(4, 3)), jnp.sin(jnp.arange(4.0))

    def objective(w, a):
        return (jnp.sum((x @ w - y) ** 2) + a * jnp.sum(w**2)) / 2

    def found(a):
        return solver(objective).run(jnp.zeros(3), a).params

    def closed(a):
        return jnp.linalg.solve(x.T @ x + a * jnp.eye(3), x.T @ y)

    return found, closed


SOLVERS = {
    "gradient descent": lambda f: jaxopt.GradientDescent(f, maxiter=500, tol=1e-13),
    "LBFGS": lambda f: jaxopt.LBFGS(f, maxiter=200, tol=1e-13),
}


@pytest.mark.parametrize("solver", long_but(["LBFGS"], SOLVERS))
def test_minima(solver):
    """In both modes and all orders; JAX has no forward mode for a `custom_vjp`."""
    with jax.enable_x64(True):
        found, closed = ridge(SOLVERS[solver])
        for of in jk.jacrev, jk.jacfwd, jk.jacobian:
            np.testing.assert_allclose(of(found)(2.0), jax.jacfwd(closed)(2.0), 1e-8)
        second = jax.jacfwd(jax.jacfwd(closed))(2.0)
        for outer in jk.jacrev, jk.jacfwd:
            for inner in jk.jacrev, jk.jacfwd:
                np.testing.assert_allclose(outer(inner(found))(2.0), second, 1e-7)


def test_a_custom_linear_solve():
    """First and second derivatives by the matrix and by the right-hand side."""
    with jax.enable_x64(True):
        a = jnp.eye(3) * 3 + jnp.cos(jnp.arange(9.0).reshape(3, 3))
        b = jnp.arange(1.0, 4.0)

        def solution(a, b):
            def solve(matvec, y):
                return jnp.linalg.solve(jax.jacfwd(matvec)(y * 0), y)

            return jax.lax.custom_linear_solve(partial(jnp.matmul, a), b, solve, solve)

        f = lambda a, b: jnp.sum(jnp.sin(solution(a, b)))  # noqa: E731
        plain = lambda a, b: jnp.sum(jnp.sin(jnp.linalg.solve(a, b)))  # noqa: E731
        for of in (jk.grad, jk.hessian, lambda f, n: jk.jacrev(jk.grad(f, n), n)):
            like = jax.grad if of is jk.grad else jax.hessian
            found, expected = of(f, (0, 1))(a, b), like(plain, (0, 1))(a, b)
            for x, y in zip(*map(jax.tree.leaves, (found, expected)), strict=True):
                np.testing.assert_allclose(x, y, 1e-10, 1e-12)


def by_steps(kind, **options):
    def f(x):
        step = lambda c: (c[0] + 1, jnp.sin(c[1]))  # noqa: E731
        ends = lambda c: c[0] < 3  # noqa: E731
        loop = eqxi.while_loop(ends, step, (0, x), kind=kind, max_steps=5, **options)
        return jnp.sum(loop[1] ** 2)

    return f


PROGRAMS = {
    "lineax": (lambda a: jnp.sum(jnp.sin(solved(a, B))), A, True),
    "conjugate gradients": (
        lambda b: jnp.sum(
            lx.linear_solve(
                lx.MatrixLinearOperator(A, lx.positive_semidefinite_tag),
                b,
                lx.CG(1e-7, 1e-7),
            ).value
            ** 2
        ),
        B,
        True,
    ),
    "least squares": (
        lambda a: (
            optx.least_squares(
                lambda x, a: jnp.stack([x - jnp.cos(a * x), x * 0.1]),
                optx.LevenbergMarquardt(1e-6, 1e-6),
                jnp.array(0.7),
                a,
            ).value
        ),
        jnp.float32(1.0),
        False,
    ),
    "minimise": (
        lambda a: (
            optx.minimise(
                lambda x, a: (x - jnp.cos(a * x)) ** 2 + x**4,
                optx.BFGS(1e-6, 1e-6),
                jnp.array(0.7),
                a,
            ).value
        ),
        jnp.float32(1.0),
        False,
    ),
    "checkpointed loop": (by_steps("checkpointed", checkpoints=2), B, False),
    "bounded loop": (by_steps("bounded"), B, True),
    "noinline": (lambda x: jnp.sum(eqxi.noinline(jnp.sin)(x) * x), B, True),
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_packages(name):
    f, x, twice = PROGRAMS[name]
    expected = jax.grad(f)(x)
    np.testing.assert_allclose(jk.grad(f)(x), expected, 1e-4, 1e-5)
    np.testing.assert_allclose(jax.jit(jk.grad(f))(x), expected, 1e-4, 1e-5)
    if twice:
        np.testing.assert_allclose(jk.hessian(f)(x), jax.hessian(f)(x), 1e-4, 1e-5)


def test_truth_values_reach_a_backward_rule_as_they_are():
    """A residual that is Python's True stays that, and isn't NumPy's."""
    seen = []

    @jax.custom_vjp
    def f(x):
        return x * 2

    def back(kept, ct):
        seen.append(kept)
        return (ct * 2,)

    f.defvjp(lambda x: (f(x), True), back)
    jk.grad(f)(1.0)
    jk.grad(jax.jit(f))(1.0)
    assert len(seen) == 2 and all(x is True for x in seen)


@dataclass(frozen=True)
class Scale(ExtendedDType):
    """Floats of which a gradient is the largest, where that of others is a sum.

    So Flax keeps what it saw of numbers that are rounded to eight bits.
    """

    class _rules:
        physical_element_aval = staticmethod(
            lambda dtype: jax.core.ShapedArray((), np.float32)
        )
        convert_from = convert_to = staticmethod(lambda one, other: True)
        tangent_dtype = staticmethod(lambda dtype: dtype)
        zero = staticmethod(lambda dtype: as_scale(jnp.float32(-np.inf)))
        add = staticmethod(
            lambda dtype, x, y: as_scale(jnp.maximum(as_float(x), as_float(y)))
        )

    class type(jax.dtypes.extended):
        pass

    name = "scale"


def as_scale(x):
    return lax.convert_element_type(x, Scale())


def as_float(x):
    return lax.convert_element_type(x, np.float32)


@jax.custom_vjp
def seen(x, scale):
    return x


seen.defvjp(lambda x, scale: (x, x), lambda x, ct: (ct, as_scale(abs(x))))


def in_a_row(x, scale):
    return seen(3.0 * seen(-2.0 * seen(x, scale), scale), scale)


def in_a_loop(x, scale):
    return lax.fori_loop(0, 4, lambda _, x: -2.0 * seen(x, scale), x)


def in_a_branch(x, scale):
    return lax.cond(x > 0, seen, lambda x, _: 2.0 * x, x, scale)


@pytest.mark.parametrize("f", [in_a_row, in_a_loop, in_a_branch, lambda x, _: 2.0 * x])
def test_a_dtype_whose_gradients_add_as_it_says(f):
    def slopes(lib):
        def loss(x, scale):
            return f(x, as_scale(scale))

        return jax.jit(lib.grad(loss, (0, 1)))

    for x in jnp.float32(1.5), jnp.float32(-2.5):
        ours, theirs = (slopes(lib)(x, jnp.float32(9.0)) for lib in (jk, jax))
        np.testing.assert_array_equal(ours, theirs)
    pushed = jax.jit(lambda s: jk.jvp(lambda s: as_float(as_scale(s)), (s,), (s,)))
    assert pushed(x) == (x, x)
