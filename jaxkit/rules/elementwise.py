"""Elementwise primitives: each output element depends on one element of each operand.

Each line states the partial derivatives, given the output and the operands.  Where no
source is named, the formula is school calculus or from the NIST Digital Library of
Mathematical Functions (DLMF, chapters 4 to 8 and 10).  At points where a function has
no derivative (abs at 0, max at a tie) the value follows JAX's conventions.
"""

from __future__ import annotations

import math

import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.extend.core import primitives as p

from jaxkit.program import Var
from jaxkit.rules.arith import add, div, eq, ge, mul, sub
from jaxkit.rules.extremes import SHARES
from jaxkit.rules.terms import minus, only, over, times
from jaxkit.rules.verbs import custom, elementwise, linear, transposable, zero
from jaxkit.tangents import moves, refusal


def unfill(ct, x):
    """Cotangent of operand x: summed along the axes where x was repeated."""
    if type(x) is not Var:
        return None
    shape = x.aval.shape
    if shape == ct.shape:
        return ct
    if shape == ():
        return lax.reduce_sum(ct, range(ct.ndim))
    repeated = [d for d, n in enumerate(shape) if n != ct.shape[d]]
    return lax.reshape(lax.reduce_sum(ct, repeated), shape)


def _fill(x, like):
    """x repeated to the shape of `like`, beside which it was an operand."""
    shape = np.shape(x)
    if shape == like.shape:
        return x
    return lax.broadcast_in_dim(x, like.shape, range(len(shape)))


# --- Derivative zero wherever it exists: comparisons, rounding, integers and bits ----

zero(
    p.eq_p, p.ne_p, p.lt_p, p.le_p, p.gt_p, p.ge_p, p.eq_to_p, p.le_to_p, p.lt_to_p,
    p.is_finite_p,
    why="a truth value doesn't move",
)  # fmt: skip
zero(p.floor_p, p.ceil_p, p.round_p, why="it is constant between its steps")
zero(
    p.not_p, p.and_p, p.or_p, p.xor_p, p.population_count_p, p.clz_p, p.shift_left_p,
    p.shift_right_arithmetic_p, p.shift_right_logical_p, "mulhi",
    "SearchSorted", "Nonzero",
    why="an integer doesn't move",
)  # fmt: skip
zero(p.bitcast_convert_type_p, why="bits are no numbers that one could move")
zero(p.stop_gradient_p, why="it says so")
zero(
    "debug_print", "debug_callback", "check", "inspect_sharding", "dce_sink",
    why="it has no output that moves",
)  # fmt: skip

# --- Arithmetic ----------------------------------------------------------------------


def _add_transpose(ct, x, y):
    return unfill(ct, x), unfill(ct, y)


for add_p in p.add_p, p.add_jaxvals_p:
    elementwise(add_p, 1, 1)
    transposable(add_p, _add_transpose, operands=(0, 1))

elementwise(p.sub_p, 1, -1)


def _sub_transpose(ct, x, y):
    ct_y = unfill(ct, y)
    return unfill(ct, x), None if ct_y is None else lax.neg(ct_y)


transposable(p.sub_p, _sub_transpose, operands=(0, 1))

elementwise(p.neg_p, -1)
elementwise(p.nextafter_p, 1, None)  # x, but for one rounding
transposable(p.neg_p, lambda ct, x: lax.neg(ct))

elementwise(p.mul_p, lambda z, x, y: y, lambda z, x, y: x)


def _mul_transpose(ct, x, y, **params):
    if type(x) is Var:
        return unfill(p.mul_p.bind(ct, y, **params), x), None
    return None, unfill(p.mul_p.bind(x, ct, **params), y)


transposable(p.mul_p, _mul_transpose, operands=(0, 1), jointly=False)


def _by_divisor(z, x, y):
    # -z / y, where y divides z, or the tangent if that is smaller.
    return minus(z / y) if y.shape == z.shape else times(-1, z, over=y)


elementwise(p.div_p, lambda z, x, y: over(y), _by_divisor)
transposable(p.div_p, lambda ct, x, y: unfill(div(ct, y), x))


# x - y trunc(x / y)
elementwise(p.rem_p, 1, lambda z, x, y: -lax.sign(x / y) * lax.floor(abs(x / y)))


elementwise(p.max_p, *SHARES)
elementwise(p.min_p, *SHARES)


def _clamp_shares(z, low, x, high):
    # Of crossed bounds the upper one counts.
    is_low, is_high = (low > x) & (low < high), (high < x) | (high < low)
    within = (x > low) & (x < high)
    return only(is_low), only(within), only(is_high)


elementwise(p.clamp_p, together=_clamp_shares)


def _abs(dx, y, x):
    # Real: sign(x) dx, with sign(0) = 1.  Complex: Re(conj(x) dx) / |x|, 0 at x = 0.
    if x.dtype.kind != "c":
        return lax.select(ge(x, 0), dx, lax.neg(dx))
    nonzero = lax.select(eq(y, 0), lax.full_like(y, 1), y)
    direction = div(lax.conj(x), lax.convert_element_type(nonzero, x.dtype))
    return lax.real(mul(dx, direction))


custom(p.abs_p, _abs)


def _sign(dx, z, x):
    # Real: constant.  Complex: z = x / |x|, dz = (dx - z Re(conj(z) dx)) / |x|.
    if x.dtype.kind != "c":
        return None
    size = lax.abs(x)
    size = lax.select(eq(size, 0), lax.full_like(size, 1), size)
    along = lax.convert_element_type(lax.real(mul(lax.conj(z), dx)), x.dtype)
    return div(sub(dx, mul(z, along)), lax.convert_element_type(size, x.dtype))


custom(p.sign_p, _sign)


# Composite primitives from JAX 0.12 on (and before, made of arithmetic and bits).


@custom("Ldexp")
def _(primals, tangents, **params):
    # z = x 2^n.
    (x, n), (dx, _) = primals, tangents
    return [jnp.ldexp(x, n)], [mul(dx, jnp.ldexp(lax.full_like(x, 1), n))]


@custom("Frexp")
def _(primals, tangents, **params):
    # x = m 2^n with n constant: dm = dx 2^-n.
    (x,), (dx,) = primals, tangents
    m, n = jnp.frexp(x)
    return [m, n], [mul(dx, jnp.ldexp(lax.full_like(x, 1), lax.neg(n))), None]


# --- Powers and roots ----------------------------------------------------------------

elementwise(p.square_p, lambda z, x: 2.0 * x)
elementwise(p.sqrt_p, lambda z, x: 0.5 / z)
elementwise(p.rsqrt_p, lambda z, x: -0.5 * (z / x))
elementwise(p.cbrt_p, lambda z, x: 1 / 3 * lax.integer_pow(z, -2))


def _integer_pow(z, x, *, y):
    if y == 0:
        return None
    return float(y) * (x if y == 2 else lax.integer_pow(x, y - 1))


elementwise(p.integer_pow_p, _integer_pow, static=("y",))


def _pow_base(z, x, y):
    # y x^(y-1); for y = 0 it is 0 also at x = 0 and infinity.
    nonzero = lax.ne(y, lax.full_like(y, 0))
    partial = y.astype(z.dtype) * lax.pow(x, sub(y, nonzero.astype(y.dtype)))
    return partial if moves(y.dtype) else only(_fill(nonzero, z), partial)


def _pow_exponent(z, x, y):
    # x^y log(x), and 0 at x = 0.
    return lax.log(lax.select(x == 0, lax.full_like(x, 1), x)) * z


elementwise(p.pow_p, _pow_base, _pow_exponent)

# --- Exponentials, logarithms, trigonometric and hyperbolic functions -----------------

elementwise(p.exp_p, lambda z, x: z)
elementwise(p.exp2_p, lambda z, x: math.log(2) * z)
elementwise(p.expm1_p, lambda z, x: lax.exp(x))  # z + 1 would lose digits, x << 0
elementwise(p.log_p, lambda z, x: over(x))
elementwise("log2", lambda z, x: over(math.log(2) * x))
elementwise(p.log1p_p, lambda z, x: over(1.0 + x))
elementwise(p.logistic_p, lambda z, x: z * (1.0 - z))
elementwise(p.sin_p, lambda z, x: lax.cos(x))
elementwise(p.cos_p, lambda z, x: minus(lax.sin(x)))
elementwise(p.tan_p, lambda z, x: 1.0 + z**2)
elementwise(p.asin_p, lambda z, x: lax.rsqrt(_one_minus_square(x)))
elementwise(p.acos_p, lambda z, x: minus(lax.rsqrt(_one_minus_square(x))))
elementwise(p.atan_p, lambda z, x: over(1.0 + x**2))
elementwise(p.sinh_p, lambda z, x: lax.cosh(x))
elementwise(p.cosh_p, lambda z, x: lax.sinh(x))
elementwise(p.tanh_p, lambda z, x: _one_minus_square(z))
elementwise(p.asinh_p, lambda z, x: lax.rsqrt(1.0 + x**2))


def _acosh_partial(z, x):
    if x.dtype.kind == "c":  # the root of a product may be the other one
        return lax.rsqrt(x - 1.0) * lax.rsqrt(x + 1.0)
    return lax.rsqrt(x**2 - 1.0)


elementwise(p.acosh_p, _acosh_partial)
elementwise(p.atanh_p, lambda z, x: over(_one_minus_square(x)))
elementwise("one_minus_square", lambda z, x: -2.0 * x)


def _one_minus_square(x):
    """1 - x^2, without cancellation near |x| = 1."""
    if one_minus_square_p := getattr(p, "one_minus_square_p", None):  # JAX 0.11 on
        return one_minus_square_p.bind(x)
    return (1.0 - x) * (1.0 + x)


def _angle(z, y, x):
    # z = atan2(y, x), the angle of the point with ordinate y and abscissa x
    square = x**2 + y**2
    return x / square, -y / square


elementwise(p.atan2_p, together=_angle)

# --- Special functions (DLMF 5.9, 5.15, 7.2, 8.8, 8.17, 10.29) -----------------------

elementwise(p.lgamma_p, lambda z, x: lax.digamma(x))
elementwise(p.digamma_p, lambda z, x: lax.polygamma(lax.full_like(x, 1), x))
elementwise(
    p.polygamma_p,
    lambda z, m, x: _no_closed_form("polygamma", "m"),
    lambda z, m, x: lax.polygamma(m + 1.0, x),
)
elementwise(p.erf_p, lambda z, x: times(2 / math.sqrt(math.pi), lax.exp(-(x**2))))
elementwise(p.erfc_p, lambda z, x: times(-2 / math.sqrt(math.pi), lax.exp(-(x**2))))
elementwise(p.erf_inv_p, lambda z, x: times(math.sqrt(math.pi) / 2, lax.exp(z**2)))


def _gamma_density(a, x):
    """x^(a-1) e^-x / Gamma(a), computed in logarithms (DLMF 8.8.13)."""
    return lax.exp((a - 1.0) * lax.log(x) - x - lax.lgamma(a))


def _igamma_a(z, a, x):
    return lax.igamma_grad_a(_fill(a, z), _fill(x, z))


elementwise(p.igamma_p, _igamma_a, lambda z, a, x: _gamma_density(a, x))
elementwise(
    p.igammac_p,
    lambda z, a, x: -_igamma_a(z, a, x),
    lambda z, a, x: -_gamma_density(a, x),
)


def _beta_density(z, a, b, x):
    """x^(a-1) (1-x)^(b-1) / B(a, b), computed in logarithms (DLMF 8.17.1)."""
    log_beta = lax.lgamma(a) + lax.lgamma(b) - lax.lgamma(a + b)
    return lax.exp((a - 1.0) * lax.log(x) + (b - 1.0) * lax.log1p(-x) - log_beta)


elementwise(
    p.regularized_incomplete_beta_p,
    lambda z, a, b, x: _no_closed_form("betainc", "a"),
    lambda z, a, b, x: _no_closed_form("betainc", "b"),
    _beta_density,
)


def _no_closed_form(name, argument):
    error = ValueError(
        f"{name} has no known derivative in closed form with respect to {argument}, "
        "and JAX has no primitive that computes it; differentiate with respect to x "
        f"only, or hold {argument} fixed with jax.lax.stop_gradient."
    )
    raise refusal(error)


def _i1e(z, x):
    # I1'(x) = I0(x) - I1(x)/x, with i1e(x) = e^-|x| I1(x); at 0 the value is 1/2.
    tiny = abs(x) < float(jnp.finfo(x.dtype).eps)
    safe = lax.select(tiny, lax.full_like(x, 1), x)
    partial = lax.bessel_i0e(safe) - z * (lax.sign(safe) + 1.0 / safe)
    return lax.select(tiny, lax.full_like(x, 0.5), partial)


elementwise(p.bessel_i0e_p, lambda z, x: lax.bessel_i1e(x) - lax.sign(x) * z)
elementwise(p.bessel_i1e_p, _i1e)


@custom("polynomial")
def _(primals, tangents, **params):
    # P(x) = c0 + c1 x + ... by Horner's rule, b_k = c_k + x b_(k+1), and its
    # differential along with it: db_k = dc_k + x db_(k+1) + b_(k+1) dx.
    (x, *coefficients), (dx, *d_coefficients) = primals, tangents
    b = db = None
    for c, dc in reversed(list(zip(coefficients, d_coefficients, strict=True))):
        terms = [] if dc is None else [dc]
        terms += [] if db is None else [mul(x, db)]
        terms += [] if b is None or dx is None else [mul(b, dx)]
        db = sum(terms[1:], terms[0]) if terms else None
        b = c if b is None else add(c, mul(x, b))
    return b, db


# --- Complex numbers; cotangents are transposed and not conjugated, as in JAX --------

linear(p.real_p, lambda ct, x: lax.complex(ct, lax.full_like(ct, 0)))
linear(p.imag_p, lambda ct, x: lax.complex(lax.full_like(ct, 0), lax.neg(ct)))


def _complex_transpose(ct, re, im):
    return unfill(lax.real(ct), re), unfill(lax.neg(lax.imag(ct)), im)


linear(p.complex_p, _complex_transpose, operands=(0, 1))


def _conj_transpose(ct, x, **params):
    return lax.conj(ct) if x.aval.dtype.kind == "c" else lax.real(ct)


linear(p.conj_p, _conj_transpose)
