"""Elementwise primitives: each output element depends on one element of each operand.

Each line states the partial derivatives, given the output and the operands.  Where no
source is named, the formula is school calculus or from the NIST Digital Library of
Mathematical Functions (DLMF, chapters 4 to 8 and 10).  At points where a function has
no derivative (abs at 0, max at a tie) the value follows JAX's conventions.
"""

from __future__ import annotations

import math
from functools import partial

import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.extend.core import primitives as p

from jaxkit.program import Var
from jaxkit.rules.arith import add, constant, div, eq, ge, mul, sub
from jaxkit.rules.extremes import SHARES
from jaxkit.rules.shapes import repeated, summed
from jaxkit.rules.terms import minus, only, over, times
from jaxkit.rules.verbs import custom, elementwise, linear, transposable, zero
from jaxkit.tangents import full_like, moves, refusal
from jaxkit.tracing import aval_of


def unfill(ct, x):
    """Cotangent of operand x: summed along the axes where x was repeated."""
    if type(x) is not Var:
        return None
    shape = x.aval.shape
    if shape == ct.shape:
        return ct
    if shape == ():
        return summed(ct, range(ct.ndim), x.aval, ())
    axes = [d for d, n in enumerate(shape) if n != ct.shape[d]]
    return summed(ct, axes, x.aval, range(ct.ndim))


def _fill(x, like):
    """x repeated to the shape of `like`, beside which it was an operand."""
    shape = np.shape(x)
    if shape == like.shape:
        return x
    axes = range(len(shape), like.ndim)
    return repeated(x, aval_of(like), axes)


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
    # -z / y may overflow though its product with a tangent is a number: so the tangent
    # is divided.  In complex numbers a quotient is dear, and this one is shared.
    if z.dtype.kind == "c" and y.shape == z.shape:
        return minus(z / y)
    return times(-1, z, over=y)


elementwise(p.div_p, lambda z, x, y: over(y), _by_divisor)
transposable(p.div_p, lambda ct, x, y: unfill(div(ct, y), x))


# z = x - n y with a whole number n
elementwise(p.rem_p, 1, lambda z, x, y: lax.round((z - x) / y))


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
    # Clipped, so that the quotient of two infinities is 1; by 1 at 0, where all orders
    # are finite, so that they don't turn the zeros beside them to NaN.
    most = float(jnp.finfo(y.dtype).max)
    size = lax.select(eq(y, 0), lax.full_like(y, 1), y)
    size = lax.min(size, constant(most, y.dtype))
    re, im = (div(_clip(p, -most, most), size) for p in (lax.real(x), lax.imag(x)))
    return lax.real(mul(lax.complex(re, lax.neg(im)), dx))


def _clip(x, low, high):
    return lax.clamp(constant(low, x.dtype), x, constant(high, x.dtype))


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
    return [jnp.ldexp(x, n)], [mul(dx, jnp.ldexp(full_like(x, 1), n))]


@custom("Frexp")
def _(primals, tangents, **params):
    # x = m 2^n with n constant: dm = dx 2^-n.
    (x,), (dx,) = primals, tangents
    m, n = jnp.frexp(x)
    return [m, n], [mul(dx, jnp.ldexp(full_like(x, 1), lax.neg(n))), None]


# --- Powers and roots ----------------------------------------------------------------

elementwise(p.square_p, lambda z, x: 2.0 * x)
elementwise(p.sqrt_p, lambda z, x: 0.5 / z)
elementwise(p.rsqrt_p, lambda z, x: -0.5 * z / x)
elementwise(p.cbrt_p, lambda z, x: 1 / 3 * lax.integer_pow(z, -2))


def _integer_pow(z, x, *, y):
    if y == 0:
        return None
    return float(y) * (x if y == 2 else lax.integer_pow(x, y - 1))


elementwise(p.integer_pow_p, _integer_pow, static=("y",))


def _pow_base(z, x, y):
    # y x^(y-1); an integer y = 0 has none, also at x = 0.
    if moves(y.dtype):
        # As in JAX not weakly typed, though z may be.
        x, y = (lax.convert_element_type(v, z.dtype) for v in (x, y))
        return y * lax.pow(x, sub(y, 1))
    nonzero = lax.ne(y, lax.full_like(y, 0))
    partial = y.astype(z.dtype) * lax.pow(x, sub(y, nonzero.astype(y.dtype)))
    return only(_fill(nonzero, z), partial)


def _pow_exponent(z, x, y):
    # x^y log(x), and 0 at x = 0.
    return lax.log(lax.select(x == 0, lax.full_like(x, 1), x)) * z


elementwise(p.pow_p, _pow_base, _pow_exponent)

# --- Exponentials, logarithms, trigonometric and hyperbolic functions -----------------

elementwise(p.exp_p, lambda z, x: z)
elementwise(p.exp2_p, lambda z, x: math.log(2) * z)

# `accuracy` is that of the primitive, and so of the functions in its partial.
accurately = partial(elementwise, static=("accuracy",))
accurately(  # z + 1 would lose digits, x << 0
    p.expm1_p, lambda z, x, *, accuracy=None: lax.exp(x, accuracy=accuracy)
)
elementwise(p.log_p, lambda z, x: over(x))
elementwise("log2", lambda z, x: over(math.log(2) * x))
elementwise(p.log1p_p, lambda z, x: over(1.0 + x))
accurately(p.sin_p, lambda z, x, *, accuracy=None: lax.cos(x, accuracy=accuracy))
accurately(p.cos_p, lambda z, x, *, accuracy=None: minus(lax.sin(x, accuracy=accuracy)))
elementwise(p.tan_p, lambda z, x: 1.0 + z**2)


# Where z is 1 but for rounding, 1 - z has no digits left.  They would take another
# exponential for each element, and so are had by asking for the highest accuracy.


def _logistic(z, x, *, accuracy=None):
    if accuracy is lax.AccuracyMode.HIGHEST:
        return z * lax.logistic(-x, accuracy=accuracy)
    return z * (1.0 - z)


def _tanh(z, x, *, accuracy=None):
    if accuracy is lax.AccuracyMode.HIGHEST and x.dtype.kind != "c":
        # 1 - |z| = e (1 + |z|) for e = e^(-2|x|); not near 0, where 1 - e is inexact.
        far = lax.exp(-2.0 * abs(x), accuracy=accuracy) * (1.0 + abs(z)) ** 2
        return lax.select(abs(z) > 0.5, far, 1.0 - z**2)
    return _one_minus_square(z)


accurately(p.logistic_p, _logistic)
accurately(p.tanh_p, _tanh)


def _asin(z, x):
    if x.dtype.kind == "c":  # the square may overflow
        return lax.rsqrt(1.0 - x) * lax.rsqrt(1.0 + x)
    return lax.rsqrt(_one_minus_square(x))


elementwise(p.asin_p, _asin)
elementwise(p.acos_p, lambda z, x: minus(_asin(z, x)))
elementwise(p.atan_p, lambda z, x: over(1.0 + x**2))
elementwise(p.sinh_p, lambda z, x: lax.cosh(x))
elementwise(p.cosh_p, lambda z, x: lax.sinh(x))


def _over_root(square, x):
    """1 / sqrt(x^2 +- 1), of which the square may overflow: it is 1 / |x| far out."""
    far = square > 4 / float(jnp.finfo(x.dtype).eps)
    return over(lax.select(far, abs(x), lax.sqrt(square)))


def _asinh(z, x):
    if x.dtype.kind == "c":  # 1 + x^2 = (1 + ix)(1 - ix)
        return lax.rsqrt(1.0 + 1j * x) * lax.rsqrt(1.0 - 1j * x)
    return _over_root(1.0 + x**2, x)


def _acosh(z, x):
    if x.dtype.kind == "c":  # the root of a product may be the other one
        return lax.rsqrt(x - 1.0) * lax.rsqrt(x + 1.0)
    return _over_root(x**2 - 1.0, x)


elementwise(p.asinh_p, _asinh)
elementwise(p.acosh_p, _acosh)
elementwise(p.atanh_p, lambda z, x: over(_one_minus_square(x)))
elementwise("one_minus_square", lambda z, x: -2.0 * x)


def _one_minus_square(x):
    """1 - x^2, without cancellation near |x| = 1."""
    if one_minus_square_p := getattr(p, "one_minus_square_p", None):  # JAX 0.11 on
        return one_minus_square_p.bind(x)
    return (1.0 - x) * (1.0 + x)


def _angle(z, y, x):
    # z = atan2(y, x), the angle of the point with ordinate y and abscissa x
    # Scaled by the larger one, for a square of either may overflow, or be 0; an
    # infinite one as the largest number.
    most = float(jnp.finfo(z.dtype).max)
    x, y = _clip(x, -most, most), _clip(y, -most, most)
    scale = lax.stop_gradient(lax.max(abs(x), abs(y)))
    x, y = x / scale, y / scale
    per_square = 1.0 / ((x**2 + y**2) * scale)
    return x * per_square, -y * per_square


elementwise(p.atan2_p, together=_angle)

# --- Special functions (DLMF 5.9, 5.15, 7.2, 8.8, 8.17, 10.29) -----------------------

elementwise(p.lgamma_p, lambda z, x: lax.digamma(x))
elementwise(p.digamma_p, lambda z, x: lax.polygamma(lax.full_like(x, 1), x))
elementwise(
    p.polygamma_p,
    lambda z, m, x: _no_closed_form("polygamma", "m"),
    lambda z, m, x: lax.polygamma(m + 1.0, x),
)


def _erfc(z, x, *, accuracy=None):
    return times(-2 / math.sqrt(math.pi), lax.exp(-(x**2), accuracy=accuracy))


elementwise(p.erf_p, lambda z, x: times(2 / math.sqrt(math.pi), lax.exp(-(x**2))))
accurately(p.erfc_p, _erfc)  # from JAX 0.12 on
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
    "igamma_grad_a",
    lambda z, a, x: _no_closed_form("igamma_grad_a", "a", NotImplementedError),
    lambda z, a, x: _gamma_density(a, x) * (lax.log(x) - lax.digamma(a)),
)
elementwise(
    p.regularized_incomplete_beta_p,
    lambda z, a, b, x: _no_closed_form("betainc", "a"),
    lambda z, a, b, x: _no_closed_form("betainc", "b"),
    _beta_density,
)


def _no_closed_form(name, argument, kind: type[Exception] = ValueError):
    raise refusal(
        kind,
        f"{name} has no known derivative in closed form with respect to {argument}, "
        "and JAX has no primitive that computes it",
        f"Differentiate with respect to x only, or hold {argument} fixed with "
        "jax.lax.stop_gradient.",
    )


# i0e(x) = e^-|x| I0(x), and i1e alike.  At 0 the derivative is that from the right, as
# that of |x| is: so those of I0(x) = e^|x| i0e(x), which JAX computes so, are right.


def _times_sign(z, x):
    return lax.select(x >= 0, z, -z)


def _i1e_over_x(z, x):
    # I1(x) / x = sum of (x/2)^(2k) / (2 k! (k + 1)!)   (DLMF 10.25.2)
    near = abs(x) < 1
    square, total = lax.select(near, x**2, lax.full_like(x, 0)), 0.0
    for k in reversed(range(10)):
        total = total * square + 0.5 / (4**k * math.factorial(k) ** 2 * (k + 1))
    series = lax.exp(_times_sign(-x, x)) * total
    return lax.select(near, series, z / lax.select(near, lax.full_like(x, 1), x))


def _i1e(z, x):
    # I1'(x) = I0(x) - I1(x) / x
    return lax.bessel_i0e(x) - _times_sign(z, x) - _i1e_over_x(z, x)


elementwise(p.bessel_i0e_p, lambda z, x: lax.bessel_i1e(x) - _times_sign(z, x))
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

linear(p.real_p, lambda ct, x: lax.complex(ct, lax.full_like(ct, 0, ct.dtype)))
linear(p.imag_p, lambda ct, x: lax.complex(lax.full_like(ct, 0, ct.dtype), lax.neg(ct)))


def _complex_transpose(ct, re, im):
    return unfill(lax.real(ct), re), unfill(lax.neg(lax.imag(ct)), im)


linear(p.complex_p, _complex_transpose, operands=(0, 1))


def _conj_transpose(ct, x, **params):
    return lax.conj(ct) if x.aval.dtype.kind == "c" else lax.real(ct)


linear(p.conj_p, _conj_transpose)
