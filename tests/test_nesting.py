"""Derivatives inside derivatives: none is confused with another, whoever takes it.

The cases of perturbation confusion are those of Siskind and Pearlmutter, "Nesting
forward-mode AD in a functional framework" (2008). Expected values are closed forms
worked out in the comments; each nest is tried in all mixes of jaxkit and JAX.
"""

import math
from itertools import product

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxkit as jk


def _by_jvp(lib):
    return lambda f: lambda x: lib.jvp(f, (x,), (jnp.ones_like(x),))[1]


def _by_vjp(lib):
    def derivative(f):
        def at(x):
            y, pullback = lib.vjp(f, x)
            return pullback(jnp.ones_like(y))[0]

        return at

    return derivative


def _by_linearize(lib):
    return lambda f: lambda x: lib.linearize(f, x)[1](jnp.ones_like(x))


# Ways to take the derivative of a function of one number.
OURS = {
    "jk.jvp": _by_jvp(jk),
    "jk.grad": jk.grad,
    "jk.vjp": _by_vjp(jk),
    "jk.linearize": _by_linearize(jk),
    "jk.jacfwd": jk.jacfwd,
    "jk.jit-grad": lambda f: jax.jit(jk.grad(f)),
}
THEIRS = {"jax.jvp": _by_jvp(jax), "jax.grad": jax.grad}
WAYS = OURS | THEIRS


def _nests(names, depth):
    return [
        pytest.param(*(WAYS[name] for name in nest), id="-".join(nest))
        for nest in product(names, repeat=depth)
        if any(name in OURS for name in nest)
    ]


PAIRS = _nests(["jk.jvp", "jk.grad", "jk.linearize", "jax.jvp", "jax.grad"], 2)
TRIPLES = _nests(["jk.jvp", "jk.grad", "jax.jvp", "jax.grad"], 3)
JK = [pytest.param(way, id=name) for name, way in OURS.items()]


def close(actual, expected):
    np.testing.assert_allclose(actual, expected, rtol=1e-12, atol=1e-12)


# --------------------------------------------------------------- whose perturbation?


@pytest.mark.parametrize(("outer", "inner"), PAIRS)
def test_inner_derivative_ignores_the_outer_variable(outer, inner):
    # d/dy (x + y) = 1 whatever x is, so x * 1 has derivative 1.
    close(outer(lambda x: x * inner(lambda y: x + y)(1.0))(1.0), 1.0)


@pytest.mark.parametrize(("outer", "inner"), PAIRS)
def test_inner_derivative_contains_the_outer_variable(outer, inner):
    # d/dy (x y) = x, so x * x has derivative 2 x.
    close(outer(lambda x: x * inner(lambda y: x * y)(1.0))(4.0), 8.0)


@pytest.mark.parametrize(("outer", "inner"), PAIRS)
def test_inner_derivative_taken_at_the_outer_variable(outer, inner):
    # d/dy (x^2 y^3) at y = x is 3 x^4, whose derivative is 12 x^3.
    close(outer(lambda x: inner(lambda y: x**2 * y**3)(x))(2.0), 96.0)


@pytest.mark.parametrize(("outer", "inner"), PAIRS)
def test_inner_function_constant_in_its_own_variable(outer, inner):
    # d/dy x^2 = 0: the outer derivative must not leak into the inner one.
    close(outer(lambda x: x + inner(lambda y: x**2 + 0 * y)(x))(3.0), 1.0)


@pytest.mark.parametrize(("outer", "inner"), PAIRS)
def test_inner_function_that_returns_the_outer_variable(outer, inner):
    # d/dy x = 0, and so is its derivative: what is returned is nothing of the inner's.
    close(outer(lambda x: x + inner(lambda y: x)(1.0))(3.0), 1.0)


@pytest.mark.parametrize(("outer", "middle", "inner"), TRIPLES)
def test_three_levels_share_closures(outer, middle, inner):
    # The innermost: d/dz (x y z + z^2) at z = x y is 3 x y.
    # The middle: d/dy (y * 3 x y) at y = x is 6 x^2. The outer: d/dx (x * 6 x^2).
    def f(x):
        def g(y):
            return y * inner(lambda z: x * y * z + z * z)(x * y)

        return x * middle(g)(x)

    close(outer(f)(1.5), 18 * 1.5**2)


@pytest.mark.parametrize(("outer", "inner"), PAIRS)
def test_closure_made_under_one_derivative_called_under_another(outer, inner):
    # f(x) = (d/dy exp(x y) at y = 1) = x exp(x); f' = (1 + x) exp(x).
    def f(x):
        def g(y):
            return jnp.exp(x * y)

        return inner(g)(1.0)

    close(outer(f)(0.3), 1.3 * math.exp(0.3))


@pytest.mark.parametrize("derivative", JK)
def test_tracer_captured_by_a_pullback(derivative):
    # The pullback of y -> x y^2 at y = 3, made and used inside: 6 x * x.
    def f(x):
        pullback = jk.vjp(lambda y: x * y**2, 3.0)[1]
        return pullback(x)[0]

    close(derivative(f)(2.0), 24.0)


@pytest.mark.parametrize("derivative", JK)
def test_tracer_captured_by_a_pushforward(derivative):
    # The pushforward of y -> sin(x y) at y = 1, applied to x: x^2 cos(x).
    def f(x):
        pushforward = jk.linearize(lambda y: jnp.sin(x * y), 1.0)[1]
        return pushforward(x)

    x = 0.7
    close(derivative(f)(x), 2 * x * math.cos(x) - x**2 * math.sin(x))


@pytest.mark.parametrize(("outer", "inner"), PAIRS)
def test_tangent_that_depends_on_the_outer_variable(outer, inner):
    # A jvp's tangent may be a tracer too: x -> (y^3)' x at y = 2 is 12 x.
    def f(x):
        return inner(lambda t: (2.0 + t * x) ** 3)(0.0)

    close(outer(f)(5.0), 12.0)


# ----------------------------------------------------------------------- high orders

X = 0.4
TOWERS = {
    "exp": (jnp.exp, [math.exp(X)] * 6),
    "sin": (jnp.sin, [math.sin(X + n * math.pi / 2) for n in range(6)]),
    "power": (lambda x: x**4, [X**4, 4 * X**3, 12 * X**2, 24 * X, 24, 0]),
    "log": (
        jnp.log,
        [math.log(X)]
        + [(-1) ** (n + 1) * math.factorial(n - 1) / X**n for n in range(1, 6)],
    ),
    "inverse": (
        lambda x: 1 / x,
        [(-1) ** n * math.factorial(n) / X ** (n + 1) for n in range(6)],
    ),
    "sqrt": (
        jnp.sqrt,
        [math.prod(0.5 - k for k in range(n)) * X ** (0.5 - n) for n in range(6)],
    ),
    "x exp": (lambda x: x * jnp.exp(x), [(X + n) * math.exp(X) for n in range(6)]),
}


@pytest.mark.parametrize("name", TOWERS)
@pytest.mark.parametrize("way", ["jk.grad", "jk.jvp", "jk.linearize"])
def test_tower_of_derivatives(name, way):
    f, expected = TOWERS[name]
    for value in expected:
        np.testing.assert_allclose(f(X), value, rtol=1e-11, atol=1e-11)
        f = OURS[way](f)


def test_tower_of_mixed_derivatives():
    f = jnp.sin
    for way in ("jk.grad", "jax.jvp", "jk.linearize", "jax.grad", "jk.jvp"):
        f = WAYS[way](f)
    close(f(X), math.cos(X))


# ---------------------------------------------------------------------- vmap and jit


def _quartic(x, y):
    return jnp.sum(x**2 * y) ** 2


def test_vmap_of_grad_of_vmap():
    xs = np.arange(6.0).reshape(3, 2)
    ys = np.array([[1.0, -1.0], [0.5, 2.0]])

    def total(x):
        return jnp.sum(jax.vmap(lambda y: _quartic(x, y))(ys))

    # d/dx of (x^2 . y)^2 is 4 (x^2 . y) x y.
    expected = [sum(4 * (x**2 @ y) * x * y for y in ys) for x in xs]
    close(jax.vmap(jk.grad(total))(xs), expected)
    close(jax.jit(jax.vmap(jk.grad(total)))(xs), expected)


def test_grad_of_vmap_of_grad():
    xs = np.linspace(0.5, 2, 4)
    gradient = jk.grad(lambda xs: jnp.sum(jax.vmap(jk.grad(lambda x: x**3))(xs)))
    close(gradient(xs), 6 * xs)


@pytest.mark.parametrize("derivative", JK)
def test_vmap_over_a_closure_only(derivative):
    # The mapped variable is the captured one; the differentiated one isn't mapped.
    ks = np.array([1.0, 2.0, 3.0])
    slopes = jax.vmap(lambda k: derivative(lambda x: jnp.sin(k * x))(0.2))(ks)
    close(slopes, ks * np.cos(0.2 * ks))


@pytest.mark.parametrize("derivative", JK)
def test_jit_inside_and_outside(derivative):
    @jax.jit
    def f(x, y):
        return jnp.tanh(x) * y

    x = 0.3
    expected = 2 / math.cosh(x) ** 2
    close(derivative(lambda x: f(x, 2.0))(x), expected)
    close(jax.jit(derivative(lambda x: f(x, 2.0)))(x), expected)
    close(jax.jit(lambda k: derivative(lambda x: f(x, k))(x))(2.0), expected)


@pytest.mark.parametrize(("outer", "inner"), PAIRS)
def test_jit_between_two_derivatives(outer, inner):
    close(outer(jax.jit(inner(jnp.sin)))(0.6), -math.sin(0.6))


def test_jitted_closure_over_a_tracer():
    def f(x):
        return jax.jit(lambda y: x * y**2)(x)

    close(jk.grad(f)(2.0), 12.0)
    close(jk.jvp(f, (2.0,), (1.0,))[1], 12.0)
    close(jk.grad(jk.grad(f))(2.0), 12.0)


# ------------------------------------------------------- matrices of second derivatives


def _two_layer(w):
    h = jnp.tanh(w["a"] @ w["b"])
    return jnp.sum(h**2) + w["b"][0] * h[1]


WEIGHTS = {"a": np.array([[0.1, -0.4], [0.7, 0.2]]), "b": np.array([0.5, -0.3])}
STEP = {"a": np.array([[1.0, 0.5], [-0.3, 0.2]]), "b": np.array([0.4, 0.9])}


def test_hvp_is_hessian_times_vector():
    hessian = jk.hessian(_two_layer)(WEIGHTS)
    product_ = jk.hvp(_two_layer, (WEIGHTS,), (STEP,))
    assert jax.tree.structure(product_) == jax.tree.structure(WEIGHTS)
    for row in WEIGHTS:
        blocks = [
            np.tensordot(hessian[row][column], STEP[column], STEP[column].ndim)
            for column in WEIGHTS
        ]
        close(product_[row], sum(blocks))


@pytest.mark.parametrize("rows", [jk.jacfwd, jk.jacrev, jax.jacfwd, jax.jacrev])
@pytest.mark.parametrize("columns", [jk.jacfwd, jk.jacrev, jax.jacfwd, jax.jacrev])
def test_hessian_by_each_pair_of_modes(rows, columns):
    # f = a b^2 + exp(a c)
    def f(x):
        return x[0] * x[1] ** 2 + jnp.exp(x[0] * x[2])

    a, b, c = x = np.array([0.5, -1.2, 0.8])
    e = math.exp(a * c)
    expected = [
        [c * c * e, 2 * b, (1 + a * c) * e],
        [2 * b, 2 * a, 0],
        [(1 + a * c) * e, 0, a * a * e],
    ]
    close(rows(columns(f))(x), expected)


def test_jacobian_of_a_function_of_a_gradient():
    # A Newton step for sum(x^4) / 4: x - x^3 / (3 x^2) = 2 x / 3.
    def step(x):
        # The Hessian is diagonal, so that its row sums are its diagonal.
        return x - jk.grad(f)(x) / jnp.sum(jk.hessian(f)(x), axis=1)

    def f(x):
        return jnp.sum(x**4) / 4

    x = np.array([1.0, -2.0, 0.5])
    for jacobian in (jk.jacfwd, jk.jacrev, jax.jacfwd, jax.jacrev):
        close(jacobian(step)(x), np.eye(3) * 2 / 3)


# ------------------------------------------------------------- Python's control flow


@pytest.mark.parametrize("derivative", JK[:5])
@pytest.mark.parametrize(("x", "slope"), [(2.0, 12.0), (-3.0, -2.0), (0.5, 1.0)])
def test_branch_on_a_value(derivative, x, slope):
    def f(x):
        if x > 1:
            return x**3
        if x < 0:
            return -2 * x
        return x

    close(derivative(f)(x), slope)


@pytest.mark.parametrize("derivative", JK[:5])
def test_loop_that_ends_on_a_value(derivative):
    # Newton's square root, then bounded: d sqrt(x) = 1 / (2 sqrt(x)).
    def root(x):
        y, change = x, 1.0
        while change > 1e-9:
            y, last = 0.5 * (y + x / y), y
            change = abs(y - last)
        return y

    close(derivative(root)(3.0), 0.5 / math.sqrt(3))


@pytest.mark.parametrize("derivative", JK[:5])
def test_loop_whose_length_is_a_value(derivative):
    def power(x):
        y = 1.0
        for _ in range(int(x)):
            y = y * x
        return y

    close(derivative(power)(3.5), 3 * 3.5**2)


@pytest.mark.parametrize(("outer", "inner"), PAIRS)
def test_branch_under_two_derivatives(outer, inner):
    def f(x):
        return inner(lambda y: y**3 * x if y * x > 1 else y)(x)

    close(outer(f)(2.0), 9 * 2.0**2)
    close(outer(f)(0.5), 0.0)


def test_iteration_and_indexing_of_a_traced_array():
    def f(x):
        total = 0.0
        for i, entry in enumerate(x):
            total += entry**i * x[-1]
        return total if len(x) == 3 else 0.0

    # f = (1 + b + c^2) c
    _, b, c = x = np.array([5.0, 2.0, 3.0])
    close(jk.grad(f)(x), [0, c, 1 + b + 3 * c**2])


# --------------------------------------------------------------- the user's own rules


@jax.custom_jvp
def _cube(x):
    return x**3


@_cube.defjvp
def _cube_jvp(primals, tangents):
    # Wrong by design (7, not 3), so that it shows whether the rule was used.
    (x,), (dx,) = primals, tangents
    return _cube(x), 7 * x**2 * dx


@jax.custom_vjp
def _square(x):
    return x**2


# Wrong by design as well: 5 x in place of 2 x.
_square.defvjp(lambda x: (x**2, x), lambda x, ct: (5 * x * ct,))


@pytest.mark.parametrize("derivative", JK)
def test_custom_jvp_is_used(derivative):
    close(derivative(_cube)(2.0), 28.0)


@pytest.mark.parametrize(("outer", "inner"), PAIRS)
def test_custom_jvp_is_used_at_second_order(outer, inner):
    # The rule's own derivative: (7 x^2)' = 14 x, as the rule doesn't call the cube.
    close(outer(inner(_cube))(2.0), 28.0)


REVERSE = [pytest.param(OURS[k], id=k) for k in ("jk.grad", "jk.vjp", "jk.jit-grad")]


@pytest.mark.parametrize("derivative", REVERSE)
def test_custom_vjp_is_used(derivative):
    close(derivative(_square)(3.0), 15.0)


@pytest.mark.parametrize("inner", REVERSE)
@pytest.mark.parametrize("outer", JK)
def test_custom_vjp_is_used_at_second_order(outer, inner):
    # (5 x)' = 5, in forward mode too: only the rule itself is differentiated.
    close(outer(inner(_square))(3.0), 5.0)


def test_hessian_of_user_rules():
    def f(x):
        return _cube(x[0]) * x[1] + _square(x[1])

    # Gradient by the rules: (7 a^2 b, a^3 + 5 b). Its derivative keeps the rule for
    # the cube that stands in the second entry.
    a, b = x = np.array([1.5, -0.5])
    expected = [[14 * a * b, 7 * a**2], [7 * a**2, 5]]
    close(jk.hessian(f)(x), expected)
    close(jk.jacrev(jk.jacrev(f))(x), expected)
    close(jax.jacfwd(jk.grad(f))(x), expected)
    close(jk.jacfwd(jax.grad(f))(x), expected)


def test_user_rules_inside_jit_and_vmap():
    xs = np.array([1.0, 2.0])
    for rule, slopes in ((_cube, 7 * xs**2), (_square, 5 * xs)):
        close(jax.vmap(jk.grad(rule))(xs), slopes)
        close(jk.grad(lambda x, rule=rule: jnp.sum(jax.vmap(rule)(x)))(xs), slopes)
        close(jk.grad(lambda x, rule=rule: jnp.sum(jax.jit(rule)(x)))(xs), slopes)


def test_jaxkit_inside_a_custom_jvp_rule():
    @jax.custom_jvp
    def f(x):
        return jnp.sin(x) * x

    @f.defjvp
    def f_jvp(primals, tangents):
        return jk.jvp(lambda x: jnp.sin(x) * x, primals, tangents)

    x = 0.8
    slope = math.sin(x) + x * math.cos(x)
    bend = 2 * math.cos(x) - x * math.sin(x)
    for lib in (jk, jax):
        close(lib.jvp(f, (x,), (1.0,))[1], slope)
        close(lib.grad(f)(x), slope)
        close(lib.grad(lib.grad(f))(x), bend)


def test_jaxkit_inside_a_custom_vjp_rule():
    @jax.custom_vjp
    def f(x):
        return jnp.sum(jnp.exp(x) ** 2)

    def forward(x):
        return jnp.sum(jnp.exp(x) ** 2), x

    def backward(x, ct):
        return (ct * jk.grad(lambda x: jnp.sum(jnp.exp(x) ** 2))(x),)

    f.defvjp(forward, backward)
    x = np.array([0.1, -0.4])
    for lib in (jk, jax):
        close(lib.grad(f)(x), 2 * np.exp(2 * x))
        close(lib.jacfwd(lib.grad(f))(x), np.diag(4 * np.exp(2 * x)))


# --------------------------------------------------------------- pytrees in and out


def _tree_function(x):
    a, (b, c) = x["a"], x["bc"]
    return {"sum": a + b * c, "rest": [jnp.stack([a * b, c**2])], "none": None}


def test_pytrees_in_and_out_at_second_order():
    x = {"a": 2.0, "bc": (3.0, 5.0)}
    dx = {"a": 0.5, "bc": (1.0, -1.0)}

    def direction(x):
        return jk.jvp(_tree_function, (x,), (dx,))[1]

    first = direction(x)
    assert jax.tree.structure(first) == jax.tree.structure(_tree_function(x))
    close(first["sum"], 0.5 + 5 - 3)
    close(first["rest"][0], [2 + 1.5, -10])
    second = jk.jvp(direction, (x,), (dx,))[1]
    close(second["sum"], -2.0)
    close(second["rest"][0], [1.0, 2.0])


@pytest.mark.parametrize("jacobian", [jk.jacfwd, jk.jacrev])
def test_jacobian_of_a_pytree_by_a_pytree(jacobian):
    result = jacobian(_tree_function)({"a": 2.0, "bc": (3.0, 5.0)})
    assert result["none"] is None
    close(result["sum"]["a"], 1)
    close(result["sum"]["bc"], (5, 3))
    close(result["rest"][0]["a"], [3, 0])
    close(result["rest"][0]["bc"], [[2, 0], [0, 10]])


def test_pullback_takes_and_gives_pytrees():
    y, pullback = jk.vjp(_tree_function, {"a": 2.0, "bc": (3.0, 5.0)})
    ct = {"sum": jnp.ones_like(y["sum"]), "rest": [np.array([1.0, 1.0])], "none": None}
    (gradient,) = pullback(ct)
    close(gradient["a"], 1 + 3)
    close(gradient["bc"], (5 + 2, 3 + 10))
