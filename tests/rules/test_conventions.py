"""Where a function has no derivative, jaxkit's convention is JAX's, NaN for NaN.

Kinks, ties, ends of domains, and values beyond: what a rule yields there is a
convention, and code that was tuned on JAX may depend on it.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

import jaxkit as jk
from zoo.case import flat
from zoo.nestings import NESTINGS, bent, compiled, derive

inf, nan = np.inf, np.nan


def at(function, *points, orders=2):
    return function, tuple(np.asarray(x) for x in points), orders


def _over_axis_0(op):
    return lambda x: op(x, (0,))


ZERO = [0.0, -0.0]
TIES = [2.0, 1.0, 2.0, 2.0]

POINTS = {
    "abs at 0": at(lax.abs, ZERO),
    "abs of complex at 0": at(lax.abs, [0j, 1j], orders=1),
    "abs at infinity and nan": at(lax.abs, [inf, -inf, nan]),
    "sign at 0": at(lax.sign, ZERO),
    "floor at an integer": at(lax.floor, [1.0, -2.0]),
    "round halfway": at(lax.round, [0.5, 1.5]),
    "max at a tie": at(lax.max, [1.0, 2.0, 0.0], [1.0, 2.0, -0.0]),
    "min at a tie": at(lax.min, [1.0, 2.0, 0.0], [1.0, 2.0, -0.0]),
    "max with itself": at(lambda x: lax.max(x, x), [1.0, -1.0]),
    "max with nan": at(lax.max, [nan, 1.0, nan], [1.0, nan, nan]),
    "max at infinity": at(lax.max, [inf, -inf], [inf, -inf]),
    "relu at 0": at(lambda x: lax.max(x, jnp.zeros_like(x)), ZERO),
    "clamp at its bounds": at(
        lax.clamp, [-1.0, -1.0, -1.0, 1.0], [-1.0, 1.0, nan, 1.0], [1.0, 1.0, 1.0, 1.0]
    ),
    "sqrt at 0": at(lax.sqrt, [0.0]),
    "sqrt of a negative number": at(lax.sqrt, [-1.0, inf, nan]),
    "sqrt of complex at 0": at(lax.sqrt, [0j], orders=1),
    "rsqrt at 0": at(lax.rsqrt, [0.0, inf]),
    "cbrt at 0": at(lax.cbrt, [0.0]),
    "square at infinity": at(lax.square, [inf, nan]),
    **{
        f"integer_pow {n} at 0": at(lambda x, n=n: lax.integer_pow(x, n), [0.0, inf])
        for n in (0, 1, 2, 3, -1, -2)
    },
    "pow at base 0": at(lax.pow, [0.0] * 6, [0.0, 1.0, 2.0, 3.0, 0.5, -1.0]),
    "pow of negative base": at(lax.pow, [-1.0, -2.0, -1.0], [2.0, 0.0, 0.5]),
    "pow at infinity": at(lax.pow, [inf, 2.0, inf], [2.0, inf, -1.0]),
    # Of second order at exponent 1, JAX has NaN and jaxkit the derivative.
    "pow with integers at 0": at(
        lax.pow, [0.0, 0.0, 0.0, 0.0], np.array([0, 1, 2, -1], np.int32), orders=1
    ),
    "pow with exponent 0 fixed": at(lambda x: lax.pow(x, 0.0), [0.0, 1.0]),
    "pow with exponent 2 fixed": at(lambda x: lax.pow(x, 2.0), [0.0, -1.0]),
    "exp that overflows": at(lax.exp, [1000.0, -1000.0, nan]),
    "exp2 that overflows": at(lax.exp2, [5000.0, -5000.0]),
    "expm1 at the ends": at(lax.expm1, [1000.0, -1000.0, 0.0]),
    "log at 0 and below": at(lax.log, [0.0, -1.0, inf]),
    "log of complex at 0": at(lax.log, [0j], orders=1),
    "log1p at -1 and below": at(lax.log1p, [-1.0, -2.0]),
    "logistic that saturates": at(lax.logistic, [1000.0, -1000.0, 40.0]),
    "tanh that saturates": at(lax.tanh, [1000.0, -1000.0, 20.0]),
    "sin at infinity": at(lax.sin, [inf]),
    # Of second order it depends on how 1 - x^2 is written, which changed in JAX 0.11.
    "asin at its ends": at(lax.asin, [1.0, -1.0, 2.0], orders=1),
    "acos at its ends": at(lax.acos, [1.0, -1.0, 2.0], orders=1),
    "acosh at 1": at(lax.acosh, [1.0, 0.5]),
    "atanh at its ends": at(lax.atanh, [1.0, -1.0], orders=1),  # as asin
    "asinh far out": at(lax.asinh, [1e200, -1e200]),
    "atan far out": at(lax.atan, [1e200, inf]),
    "atan2 at the origin": at(lax.atan2, [0.0, 0.0, 1.0], [0.0, 1.0, 0.0]),
    "division by 0": at(lax.div, [1.0, 0.0, inf], [0.0, 0.0, inf]),
    "rem at a multiple": at(lax.rem, [4.0, -4.0], [2.0, 2.0]),
    "mul of 0 and infinity": at(lax.mul, [0.0, inf], [inf, 0.0]),
    "lgamma at its poles": at(lax.lgamma, [0.0, -1.0, inf], orders=1),
    "digamma at its poles": at(lax.digamma, [0.0, -1.0], orders=1),
    "erf_inv at its ends": at(lax.erf_inv, [1.0, -1.0, 0.0]),
    "erf far out": at(lax.erf, [30.0, -30.0]),
    "i1e at 0": at(lax.bessel_i1e, [0.0, -0.0, 1e-20], orders=1),
    "igamma at x = 0": at(lambda x: lax.igamma(jnp.full(2, 2.0), x), [0.0, 1e3]),
    "reduce_max at a tie": at(_over_axis_0(lax.reduce_max), TIES),
    "reduce_min at a tie": at(_over_axis_0(lax.reduce_min), [1.0, 1.0, 2.0]),
    "reduce_max, all alike": at(_over_axis_0(lax.reduce_max), [[3.0] * 2] * 2),
    "reduce_max with nan": at(_over_axis_0(lax.reduce_max), [1.0, nan]),
    "reduce_max at infinity": at(_over_axis_0(lax.reduce_max), [inf, 1.0, inf]),
    "reduce_max, all -infinity": at(_over_axis_0(lax.reduce_max), [-inf, -inf]),
    "reduce_prod with zeros": at(
        _over_axis_0(lax.reduce_prod), [[0.0, 0.0, 0.0], [2.0, 0.0, inf]]
    ),
    "cummax with ties": at(lambda x: lax.cummax(x), [1.0, 2.0, 2.0, 1.0, 2.0]),
    "cummin with ties": at(lambda x: lax.cummin(x), [2.0, 1.0, 1.0, 2.0, 1.0]),
    "cumprod with zeros": at(lambda x: lax.cumprod(x), [2.0, 0.0, 3.0, 0.0, 1.0]),
    "argmax at a tie": at(
        lambda x: x * lax.argmax(x, 0, np.int32).astype(x.dtype), TIES
    ),
    "sort with ties": at(lambda x: lax.sort(x), TIES),
    "sort with ties and values": at(
        lambda x, y: lax.sort([x, y]), TIES, [1.0, 2.0, 3.0, 4.0]
    ),
    "sort with ties in both keys": at(
        lambda x, y, z: lax.sort([x, y, z], num_keys=2),
        TIES,
        [1.0, 1.0, 1.0, 0.0],
        [1.0, 2.0, 3.0, 4.0],
    ),
    "sort with nan and zeros": at(lambda x: lax.sort(x), [nan, 0.0, -0.0, 1.0, nan]),
    "select away from a nan": at(
        lambda x: lax.select(lax.gt(x, jnp.zeros_like(x)), lax.sqrt(x), x),
        [-1.0, 0.0, 4.0],
    ),
    "gather filled with nan": at(
        lambda x: x.at[np.array([1, 7])].get(mode="fill"), [1.0, 2.0]
    ),
    "scatter to one place": at(
        lambda x, y: x.at[np.array([1, 1, 0, 1])].set(y), [1.0, 2.0], TIES
    ),
    "scatter of infinity": at(lambda x: x.at[0].set(3.0), [inf, nan]),
}


@pytest.mark.parametrize("name", POINTS)
def test_convention(name):
    function, args, orders = POINTS[name]
    f, xs = flat(function, args)
    vs = [np.linspace(1, 2, x.size, dtype=x.dtype).reshape(x.shape) for x in xs]
    us = [np.linspace(3, 2, y.size, dtype=y.dtype).reshape(y.shape)
          for y in jax.eval_shape(f, xs)]  # fmt: skip
    hows = [how for how in NESTINGS if how.count("of") < orders]

    def everything(lib, xs):
        return {
            how: derive(lib, how, bent(f) if "of" in how else f, vs, us)(xs)
            for how in hows
        }

    ours = compiled(lambda xs: everything(jk, xs), xs)
    reference = compiled(lambda xs: everything(jax, xs), xs)
    for how in hows:
        for y, r in zip(ours[how], reference[how], strict=True):
            np.testing.assert_allclose(y, r, rtol=1e-12, atol=1e-14, err_msg=how)


@pytest.mark.parametrize(("op", "worst"), [(lax.max, -inf), (lax.min, inf)])
def test_an_extreme_over_infinities_is_the_first(op, worst):
    """As in JAX's reverse mode; in its forward mode such a window reads nothing."""

    def f(x):
        return lax.reduce_window(x, worst, op, (2,), (1,), "SAME") ** 2

    x, ct = np.array([1.0, worst, worst, 3.0, worst]), np.arange(1.0, 6)
    ours, reference = (lib.vjp(f, x)[1](ct)[0] for lib in (jk, jax))
    np.testing.assert_array_equal(ours, reference)
    assert np.isinf(ours[1])


@pytest.mark.parametrize(
    ("function", "args"),
    [
        (lax.betainc, (2.0, 3.0, 0.5)),
        (lambda a: lax.betainc(a, 3.0, 0.5), (2.0,)),
        (lambda b: lax.betainc(2.0, b, 0.5), (3.0,)),
        (lax.polygamma, (1.0, 2.0)),
        (lambda m: lax.polygamma(m, 2.0), (1.0,)),
    ],
)
def test_derivatives_that_nobody_has_raise_in_both_modes(function, args):
    """Rather than being silently zero."""
    for lib in jax, jk:
        with pytest.raises(ValueError):
            lib.jvp(function, args, args)
        with pytest.raises(ValueError):
            lib.vjp(function, *args)


def test_the_upper_bound_wins_where_the_bounds_of_clamp_are_crossed():
    """clamp is min(max(x, low), high); JAX has 0 for all of them where x < high."""
    for x in -2.0, 0.0, 2.0:
        gradient = jk.grad(lax.clamp, argnums=(0, 1, 2))(1.0, x, -1.0)
        assert gradient == (0.0, 0.0, 1.0)
