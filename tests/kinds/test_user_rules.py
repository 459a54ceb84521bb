"""Rules of users count: not dropped, not taken for others, not believed blindly."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax
from jax.core import ShapedArray
from jax.custom_derivatives import linear_call
from jax.extend.core import Primitive
from jax.interpreters import mlir

import jaxkit as jk
from jaxkit.rules import minus, over, times


def primitive(name, function):
    p = Primitive(name)
    p.def_impl(jax.jit(function))
    p.def_abstract_eval(lambda x, *_: ShapedArray(x.shape, x.dtype))
    mlir.register_lowering(p, mlir.lower_fun(function, multiple_results=False))
    return p


# --- A backward rule on linear values -------------------------------------------------

clipped = jax.custom_vjp(lambda t: 2.0 * t)
clipped.defvjp(lambda t: (clipped(t), None), lambda _, ct: (jnp.clip(2.0 * ct, -1, 1),))
scaled = jax.custom_vjp(lambda a, t: a * t)
scaled.defvjp(
    lambda a, t: (scaled(a, t), a), lambda a, ct: (0.0, jnp.clip(a * ct, -1, 1))
)


@pytest.mark.parametrize(
    ("f", "ct", "expected"),
    [
        (clipped, 5.0, 1.0),
        (jax.jit(clipped), 5.0, 1.0),
        (jax.checkpoint(clipped), 5.0, 1.0),
        (lambda t: scaled(3.0, t), 5.0, 1.0),
        (
            lambda t: lax.scan(lambda t, _: (scaled(3.0, t), None), t, None, 2)[0],
            0.1,
            0.9,
        ),
    ],
)
def test_backward_rule_of_a_linear_function(f, ct, expected):
    np.testing.assert_allclose(jk.linear_transpose(f, 1.0)(ct)[0], expected)


def test_backward_rule_on_the_tangent_of_a_rule():
    f = jax.custom_jvp(lambda x: x)
    f.defjvp(lambda primals, tangents: (primals[0], clipped(tangents[0])))
    assert jk.grad(lambda x: 5.0 * f(x))(1.0) == 1.0
    assert jk.jvp(f, (1.0,), (5.0,)) == (1.0, 10.0)
    assert jk.linearize(f, 1.0)[1](5.0) == 10.0


def test_backward_rule_that_needs_the_linear_input():
    f = jax.custom_vjp(lambda t: 2.0 * t)
    f.defvjp(lambda t: (f(t), t), lambda t, ct: (t * ct,))
    with pytest.raises(NotImplementedError, match=r"residuals .* depend on them"):
        jk.linear_transpose(f, 1.0)
    assert jk.linear_transpose(lambda t: (f(t), t)[1], 1.0)(5.0) == (5.0,)


# --- What code of users returns, numbers and NumPy's arrays too ----------------------


def by_numpy(declare):
    """The sine as a primitive that NumPy computes, with a rule by `declare`."""
    p = Primitive("by_numpy")
    p.def_impl(np.sin)
    p.def_abstract_eval(lambda x: ShapedArray(x.shape, x.dtype))
    declare(p)
    return p.bind


def test_none_from_a_backward_rule_is_an_array_of_zeros():
    """Then the rule of what was computed before runs: Flax's fp8 layers count on it."""

    @jax.custom_vjp
    def seen(x, largest):
        return x

    seen.defvjp(lambda x, largest: (x, x), lambda x, ct: (ct, abs(x)))

    @jax.custom_vjp
    def product(x, y):
        return x * y

    product.defvjp(lambda x, y: (x * y, y), lambda y, ct: (None, ct * y))

    def f(x, largest):
        return product(jnp.sin(seen(x, largest)), x)

    assert jk.grad(f, (0, 1))(2.0, 5.0) == jax.grad(f, (0, 1))(2.0, 5.0) == (2, 2)


def test_a_linear_primitive_that_numpy_computes():
    p = Primitive("twice")
    p.def_impl(lambda x: np.multiply(x, 2))
    p.def_abstract_eval(lambda x: ShapedArray(x.shape, x.dtype))
    jk.rules.linear(p, lambda ct, x: p.bind(ct))
    assert jk.jvp(p.bind, (1.0,), (3.0,)) == (2.0, 6.0)
    assert jk.grad(lambda x: p.bind(x) ** 2)(1.0) == 8.0


def in_code(p):
    @jk.rules.custom(p)
    def _(primals, tangents):
        return p.bind(*primals), tangents[0] * jnp.cos(primals[0])


@pytest.mark.parametrize(
    "declare",
    [
        lambda p: jk.rules.elementwise(p, lambda y, x: jnp.cos(x)),
        lambda p: jk.rules.custom(p, lambda dx, y, x: dx * jnp.cos(x)),
        in_code,
    ],
    ids=["elementwise", "terms", "code"],
)
@pytest.mark.parametrize("x", [0.5, np.float32(0.5), np.ones(2), jnp.ones(2)])
def test_a_primitive_that_numpy_computes(declare, x):
    f = by_numpy(declare)
    y, dy = jk.jvp(f, (x,), (np.ones_like(x),))
    assert isinstance(y, jax.Array)
    np.testing.assert_allclose(y, np.sin(x), 1e-6)
    np.testing.assert_allclose(dy, np.cos(x), 1e-6)
    gradient = jk.grad(lambda x: jnp.sum(f(x) ** 2))(x)
    np.testing.assert_allclose(gradient, np.sin(2 * x), 1e-6)


def by_jvp(y):
    f = jax.custom_jvp(lambda x: 3.0)
    f.defjvp(lambda primals, tangents: (y, 2.0 * tangents[0]))
    return f


def by_vjp(y):
    f = jax.custom_vjp(lambda x: 3.0)
    f.defvjp(lambda x: (y, 2.0), lambda r, ct: (r * ct,))
    return f


@pytest.mark.parametrize("make", [by_jvp, by_vjp])
@pytest.mark.parametrize("y", [3.0, np.float64(3), np.array(3.0), jnp.array(3.0)])
@pytest.mark.parametrize("wrap", [lambda f: f, jax.jit, jax.checkpoint])
def test_a_rule_that_returns_a_number(make, y, wrap):
    f = wrap(make(y))
    assert jk.jvp(f, (1.0,), (5.0,)) == (3.0, 10.0)
    assert jk.jvp(f, (1.0,), (5.0,))[0].dtype == jnp.float64
    assert jk.grad(lambda x: f(x) ** 2)(1.0) == 12.0
    assert jk.grad(jk.grad(lambda x: f(x) ** 2))(1.0) == 0.0


# --- A forward rule that JAX has put away ---------------------------------------------


def optimized():
    f = jax.custom_vjp(jnp.sin)
    rules = lambda x: (jnp.sin(x), x), lambda x, ct: (2.0 * jnp.cos(x) * ct,)
    f.defvjp(*rules, optimize_remat=True)
    return f


@pytest.mark.parametrize("wrap", [
    lambda f: f,
    jax.jit,
    jax.checkpoint,
    lambda f: lambda x: lax.scan(lambda c, _: (f(c), None), x, None, 1)[0],
    lambda f: lambda x: lax.cond(x > 0, f, jnp.cos, x),
])  # fmt: skip
def test_second_derivative_of_a_rule_that_jax_may_drop(wrap):
    f = wrap(optimized())
    for transform in (jk.grad(f), jax.grad(f), jax.jit(jk.grad(f))):
        np.testing.assert_allclose(jk.grad(transform)(0.5), -2 * np.sin(0.5))
        np.testing.assert_allclose(
            jk.jvp(transform, (0.5,), (1.0,))[1], -2 * np.sin(0.5)
        )


# --- Which rule it is -----------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["check", "debug_print", "mulhi", "Nonzero", "log2", "polynomial", "split"]
)
def test_a_primitive_called_like_one_of_jax(name):
    p = primitive(name, lambda x: x * x)
    with pytest.raises(NotImplementedError, match=f"no derivative rule .* '{name}'"):
        jk.grad(lambda x: p.bind(x))(3.0)
    jk.rules.elementwise(p, lambda y, x: 2.0 * x)
    assert jk.grad(lambda x: p.bind(x))(3.0) == 6.0


STRUCTURES = {
    "eager": lambda f: f,
    "jit": jax.jit,
    "scan": lambda f: lambda x: lax.scan(lambda c, _: (f(c), None), x, None, 1)[0],
    "checkpoint": jax.checkpoint,
}


@pytest.mark.parametrize("structure", STRUCTURES.values(), ids=STRUCTURES)
def test_a_rule_that_is_corrected(structure):
    """Before, what was compiled by the first one was used again, for new functions."""
    p = primitive("triple", lambda x: 3 * x)
    same = structure(lambda x: p.bind(x))
    for factor in 7.0, 3.0:
        jk.rules.linear(p, lambda ct, x, factor=factor: factor * ct)
        assert jk.grad(structure(lambda x: p.bind(x)))(1.0) == factor
        assert jk.grad(same)(1.0) == factor
    jk.rules.transposable(p, lambda ct, x: 5.0 * ct)
    assert jk.grad(same)(1.0) == 5.0
    jk.rules.elementwise(p, lambda y, x: 4.0)
    assert jk.grad(same)(1.0) == 4.0


# --- What rules return ----------------------------------------------------------------


def test_a_transpose_of_the_wrong_shape():
    p = primitive("identity", lambda x: x)
    jk.rules.linear(p, lambda ct, x: jnp.ones(5))
    with pytest.raises(TypeError, match=r"transpose of 'identity' .* float64\[5\]"):
        jk.grad(lambda x: p.bind(x))(1.0)


def test_a_partial_of_the_wrong_shape():
    p = primitive("identity", lambda x: x)
    jk.rules.elementwise(p, lambda y, x: jnp.ones(7))
    for call in (jk.grad(p.bind), lambda x: jk.jvp(p.bind, (x,), (x,))):
        with pytest.raises(TypeError, match=r"partial of 'identity' has shape \(7,\)"):
            call(1.0)


@pytest.mark.parametrize("by", ["code", "terms"])
def test_a_tangent_of_the_wrong_shape(by):
    p = primitive("identity", lambda x: x)
    if by == "code":
        jk.rules.custom(p)(lambda x, dx: (p.bind(*x), dx[0] * jnp.ones(4)))
    else:
        jk.rules.custom(p, lambda dx, y, x: dx * jnp.ones(4))
    for call in (jk.grad(p.bind), lambda x: jk.jvp(p.bind, (x,), (x,))):
        with pytest.raises(TypeError, match=r"rule of 'identity' .* float64\[4\]"):
            call(1.0)


@pytest.mark.parametrize(
    ("partial", "value", "text"),
    [
        (lambda y, x: None, 0.0, "dy = 0"),
        (lambda y, x: minus(over(x)), -0.5, "dy = -dx / x"),
        (lambda y, x: minus(-2.0), 2.0, "dy = 2 dx"),
        (lambda y, x: times(2, over(x)), 1.0, "dy = 2 dx / x"),
        (lambda y, x: times(2, minus(x)), -4.0, "dy = -2 x dx"),
    ],
)
def test_partials_of_every_form(partial, value, text):
    p = primitive("any", lambda x: x)
    jk.rules.elementwise(p, partial)
    assert jk.grad(p.bind)(2.0) == value
    assert jk.jvp(p.bind, (2.0,), (1.0,))[1] == value
    assert text in str(jk.rules[p])


def test_elementwise_needs_partials():
    p = primitive("any", lambda x: x)
    for partials, rest in ((), {}), ((1.0,), {"together": lambda y, x: [1.0]}):
        with pytest.raises(TypeError, match="either one partial for each operand, or"):
            jk.rules.elementwise(p, *partials, **rest)


def test_custom_needs_a_term_for_each_operand():
    p = primitive("first", lambda x, y: x)
    jk.rules.custom(p, lambda dx, z, x, y: dx)
    with pytest.raises(TypeError, match="1 terms, but the primitive has 2 operands"):
        jk.grad(lambda x: p.bind(x, 2.0))(1.0)


def test_rules_are_not_found_by_functions():
    with pytest.raises(TypeError, match="not by <"):
        jk.rules[jnp.sin]


def test_a_transpose_that_cannot_be_written_down_prints():
    text = repr(jk.vjp(clipped, 2.0)[1])
    assert "can't be written down" in text and "custom_vjp" in text


# --- Where it was ---------------------------------------------------------------------


@pytest.mark.parametrize("structure", ["jit", "scan", "checkpoint"])
def test_the_lines_of_a_transposed_structure(structure):
    f = STRUCTURES[structure](lambda x: jnp.tanh(x))
    program = jk.vjp(f, 1.0)[1].program
    inner = [
        inside
        for eqn in program.code.equations
        for inside in (eqn.params["code"].equations if "code" in eqn.params else [eqn])
    ]
    assert inner and all("test_user_rules.py" in eqn.line for eqn in inner)


def test_a_linear_call_transposed_twice_is_what_was_called():
    """Its two functions change places: here they are no transposes of each other."""

    def f(x):
        return linear_call(lambda r, x: x * r, lambda r, ct: ct * 7 * r, 2.0, x)

    def transpose(f):
        return lambda ct: jk.linear_transpose(f, 1.0)(ct)[0]

    assert transpose(f)(1.0) == 14.0
    assert transpose(transpose(f))(1.0) == 2.0
    assert jax.jit(transpose(transpose(transpose(f))))(1.0) == 14.0
    assert jk.grad(lambda x: f(x) ** 2)(3.0) == jax.grad(lambda x: f(x) ** 2)(3.0)
    second = [lib.grad(lib.grad(lambda x: f(x) ** 2))(3.0) for lib in (jk, jax)]
    np.testing.assert_allclose(*second)
