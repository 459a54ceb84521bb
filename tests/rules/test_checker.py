"""The checker catches wrong rules, each by the check that is there for it.

Each test gives a primitive of its own, which JAX can't differentiate, a rule with one
mistake; JAX differentiates the plain function in its place.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax
from jax.core import ShapedArray
from jax.extend.core import Primitive
from jax.interpreters import batching, mlir

from jaxkit.rules import custom, elementwise, linear
from tests.rules.checker import check
from zoo.case import Case
from zoo.samplers import sampler, uniform

ORDER_1 = {"jvp", "vjp", "linearize", "recorded transpose", "matrix"}
ORDER_2 = {"jvp of jvp", "jvp of vjp", "vjp of jvp", "vjp of vjp"}


@pytest.fixture
def primitive_of():
    """Makes a primitive from an elementwise function."""

    def make(function):
        primitive = Primitive("checked")
        primitive.def_impl(jax.jit(function))
        primitive.def_abstract_eval(lambda x, *_: ShapedArray(x.shape, x.dtype))
        lowering = mlir.lower_fun(function, multiple_results=False)
        mlir.register_lowering(primitive, lowering)
        batching.defvectorized(primitive)
        return primitive

    return make


def caught(primitive, function, arguments=1, dtype="float64", **rest) -> set[str]:
    """The names of the checks that found something."""
    case = Case(
        primitive,
        "checked",
        primitive.bind,
        sampler(*(uniform(3) for _ in range(arguments))),
        **{"reference": function, "orders": 3, **rest},
    )
    lines = check(case, dtype)
    return {line.split(" (")[0].split(" raised")[0] for line in lines}


@pytest.mark.parametrize("dtype", ["float64", "float32", "bfloat16", "complex128"])
def test_a_right_rule_passes(primitive_of, dtype):
    sin_p = primitive_of(lax.sin)
    elementwise(sin_p, lambda y, x: lax.cos(x))
    assert not caught(sin_p, lax.sin, dtype=dtype)


@pytest.mark.parametrize("dtype", ["float64", "float32", "complex128"])
@pytest.mark.parametrize("factor", [-1, 2, 0, 1.01], ids="times {}".format)
def test_a_wrong_factor_is_caught(primitive_of, factor, dtype):
    sin_p = primitive_of(lax.sin)
    elementwise(sin_p, lambda y, x: jnp.asarray(factor, x.dtype) * lax.cos(x))
    found = caught(sin_p, lax.sin, dtype=dtype)
    assert found >= (ORDER_1 | ORDER_2) - ({"matrix"} if dtype != "float64" else set())
    assert ("differences" in found) == (dtype != "float32")
    # Both modes read the same rule, so they agree on what is wrong.
    assert "adjoint" not in found


def test_a_partial_in_single_precision_is_caught(primitive_of):
    sin_p = primitive_of(lax.sin)
    elementwise(sin_p, lambda y, x: lax.cos(x.astype(np.float32)).astype(x.dtype))
    assert caught(sin_p, lax.sin) >= ORDER_1 | ORDER_2


def test_differences_need_no_reference(primitive_of):
    """A mistake that JAX shares is seen in the quotients alone."""
    sin_p = primitive_of(lax.sin)
    elementwise(sin_p, lambda y, x: jnp.asarray(1.01, x.dtype) * lax.cos(x))

    def shared(x):
        y = 1.01 * lax.sin(x)
        return y + lax.stop_gradient(lax.sin(x) - y)

    assert caught(sin_p, shared, orders=1) == {"differences"}


def test_a_constant_partial_is_caught_at_order_two(primitive_of):
    sin_p = primitive_of(lax.sin)
    elementwise(sin_p, lambda y, x: lax.stop_gradient(lax.cos(x)))
    assert caught(sin_p, lax.sin, orders=1) == set()
    assert caught(sin_p, lax.sin, orders=2) == ORDER_2


def test_a_constant_second_partial_is_caught_at_order_three(primitive_of):
    cube_p, square_p = primitive_of(lambda x: x**3), primitive_of(lambda x: x**2)
    elementwise(cube_p, lambda y, x: 3 * square_p.bind(x))
    elementwise(square_p, lambda y, x: 2 * lax.stop_gradient(x))
    found = caught(cube_p, lambda x: x**3)
    assert found == {"jvp of jvp of vjp", "vjp of vjp of vjp", "vjp of jvp of jvp"}


@pytest.mark.parametrize("factor", [-1.0, 1.01])
def test_a_transpose_that_is_not_the_forward_rules_is_caught(primitive_of, factor):
    triple_p = primitive_of(lambda x: 3 * x)
    linear(triple_p, lambda ct, x: lax.mul(ct, np.full(ct.shape, 3 * factor)))
    found = caught(triple_p, lambda x: 3 * x, orders=2)
    assert found >= {"adjoint", "vjp", "recorded transpose", "jvp of vjp"}
    assert not found & {"jvp", "linearize", "jvp of jvp", "differences"}


def test_a_missing_partial_is_caught(primitive_of):
    product_p = primitive_of(lax.mul)
    elementwise(product_p, lambda z, x, y: y, None)
    found = caught(product_p, lax.mul, 2)
    assert found >= ORDER_1 | ORDER_2 | {"jvp of operand 1", "vjp of operand 1"}
    assert not found & {"jvp of operand 0", "vjp of operand 0"}


def test_swapped_partials_are_caught(primitive_of):
    product_p = primitive_of(lax.mul)
    elementwise(product_p, lambda z, x, y: x, lambda z, x, y: y)
    assert caught(product_p, lax.mul, 2) >= ORDER_1 | ORDER_2 | {"differences"}


def test_a_term_lost_when_the_other_operand_is_still_is_caught(primitive_of):
    product_p = primitive_of(lax.mul)

    @custom(product_p)
    def _(primals, tangents):
        (x, y), (dx, dy) = primals, tangents
        if dx is None or dy is None:
            return lax.mul(x, y), None
        return lax.mul(x, y), lax.add(lax.mul(dx, y), lax.mul(x, dy))

    found = caught(product_p, lax.mul, 2, orders=1)
    assert found == {
        f"{mode} of operand {i}" for mode in ("jvp", "vjp") for i in (0, 1)
    }


def test_a_mistake_outside_jit_alone_is_caught(primitive_of):
    sin_p = primitive_of(lax.sin)

    @custom(sin_p)
    def _(primals, tangents):
        (x,), (dx,) = primals, tangents
        traced = isinstance(x, jax.core.Tracer)
        return lax.sin(x), lax.mul(dx, lax.cos(x) if traced else lax.sin(x))

    lines = check(
        Case(sin_p, "checked", sin_p.bind, sampler(uniform(3)), reference=lax.sin),
        "float64",
    )
    assert lines
    assert all("(eager)" in line for line in lines)


def test_a_rule_that_raises_is_reported(primitive_of):
    sin_p = primitive_of(lax.sin)

    @custom(sin_p)
    def _(primals, tangents):
        raise KeyError("axis")

    assert caught(sin_p, lax.sin) >= ORDER_1 | ORDER_2


def test_a_reference_that_is_not_finite_is_refused(primitive_of):
    """Equal infinities and NaNs at a carelessly sampled point prove nothing."""
    log_p = primitive_of(lax.log)
    elementwise(log_p, lambda y, x: 1 / x)
    case = Case(
        log_p, "checked", log_p.bind, lambda rng: (np.zeros(2),), reference=lax.log
    )
    assert any("not finite" in line for line in check(case, "float64"))
