"""The functions of the sweep: what is differentiated, and the exact derivative.

The derivative is a formula on power series, so that it tells the higher ones too.  It
is written to lose no digits in arithmetic of some hundred of them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import product
from math import comb

import mpmath as mp
from jax import lax

from tests.accuracy.series import LENGTH, Series, exp, log, of, series

INF = float("inf")
HIGHEST = lax.AccuracyMode.HIGHEST


@dataclass(frozen=True)
class Function:
    """A function of one operand, `run(x, *others)`, and its derivative `slope`.

    It is differentiated `low` < x < `high`; `others` are values for each of the other
    operands, all combinations of which are tried.
    """

    name: str
    run: Callable
    slope: Callable[..., Series]
    low: float = -INF
    high: float = INF
    others: tuple[tuple[float, ...], ...] = ()
    orders: int = LENGTH
    kink: bool = False  # whether 0 isn't tried

    @property
    def fixed(self):
        return list(product(*self.others))


# --- Derivatives at a point, f', f'', f''' --------------------------------------------


def _by(derivatives):
    return lambda x: of(x, *derivatives(x.c[0]))


def _sign(x):
    return 1 if x.c[0] >= 0 else -1


def _gaussian(x):
    return exp(-x * x) * (2 / mp.sqrt(mp.pi))


def _sech_square(x):
    at = x.c[0]
    return of(x, mp.cosh(at), mp.sinh(at), mp.cosh(at)) ** -2


def _sec_square(x):
    at = x.c[0]
    return of(x, mp.cos(at), -mp.sin(at), -mp.cos(at)) ** -2


def _logistic(x):  # sech(x / 2)^2 / 4
    return _sech_square(x * mp.mpf(0.5)) * mp.mpf(0.25)


def _asinh(x):
    return (1 + x * x) ** mp.mpf(-0.5)


def _erf_inv(x):
    y = mp.erfinv(x.c[0])  # y' = f = sqrt(pi) / 2 exp(y^2), f' = 2 y f^2, ...
    f = mp.sqrt(mp.pi) / 2 * mp.exp(y**2)
    return of(x, f, 2 * y * f**2, 2 * f**3 + 8 * y**2 * f**3)


def _bessel(n, x):
    """e^-|x| I_n(x) as a series; far out from its expansion in 1/x (DLMF 10.40.1)."""
    s, at = _sign(x), abs(x.c[0])
    if at > 100:
        x, total, term = x * s, series(mp.mpf(1)), series(mp.mpf(1))
        for k in range(1, 24):
            term = term * (-mp.mpf(4 * n * n - (2 * k - 1) ** 2) / (8 * k)) / x
            total = total + term
        even = total * (2 * mp.pi * x) ** mp.mpf(-0.5)
        return even if n % 2 == 0 else even * s
    derivatives = [
        sum(comb(k, j) * mp.besseli(n - k + 2 * j, x.c[0]) for j in range(k + 1)) / 2**k
        for k in range(LENGTH)
    ]
    return exp(x * -s) * of(x, *derivatives)


def _bessel_slope(n, x):
    neighbours = (_bessel(n - 1, x) + _bessel(n + 1, x)) * mp.mpf(0.5)
    return neighbours - _bessel(n, x) * _sign(x)


def _psi(m):
    return _by(lambda x: [mp.psi(m + k, x) for k in range(LENGTH)])


def _power_in_exponent(y, x):
    return exp(y * mp.log(x)) * mp.log(x)


def _gamma_density(x, a):
    return exp((a - 1) * log(x) - x - mp.loggamma(a))


def _beta_density(x, a, b):
    scale = mp.loggamma(a) + mp.loggamma(b) - mp.loggamma(a + b)
    return exp((a - 1) * log(x) + (b - 1) * log(1 - x) - scale)


def _log_gamma_density(x, a):
    """d/dx of the derivative of P(a, x) in a."""
    return _gamma_density(x, a) * (log(x) - mp.psi(0, a))


WIDE = -1e30, -3.0, -1e-12, 1e-25, 0.7, 2.5, 1e12
SHAPES = 0.3, 1.0, 2.5, 40.0

REAL = [
    Function("square", lax.square, lambda x: 2 * x),
    Function("sqrt", lax.sqrt, lambda x: 0.5 * x ** mp.mpf(-0.5), 0),
    Function("rsqrt", lax.rsqrt, lambda x: -0.5 * x ** mp.mpf(-1.5), 0),
    Function(
        "cbrt",
        lax.cbrt,
        lambda x: (x * _sign(x)) ** (mp.mpf(-2) / 3) / 3,
        kink=True,
    ),
    *(
        Function(
            f"x ** {n}",
            partial(lambda n, x: lax.integer_pow(x, n), n),
            partial(lambda n, x: n * x ** (n - 1), n),
            kink=True,
        )
        for n in (2, 3, 7, -1, -2)
    ),
    Function("exp", lax.exp, exp),
    Function("exp2", lax.exp2, lambda x: mp.log(2) * exp(mp.log(2) * x)),
    Function("expm1", lax.expm1, exp),
    Function("log", lax.log, lambda x: 1 / x, 0),
    Function("log1p", lax.log1p, lambda x: 1 / (1 + x), -1),
    Function("logistic", lax.logistic, _logistic),
    Function("tanh", lax.tanh, _sech_square),
    *(
        Function(f"{name}, accuracy=HIGHEST", partial(f, accuracy=HIGHEST), slope)
        for name, f, slope in [
            ("logistic", lax.logistic, _logistic),
            ("tanh", lax.tanh, _sech_square),
        ]
    ),
    Function("sin", lax.sin, _by(lambda x: [mp.cos(x), -mp.sin(x), -mp.cos(x)])),
    Function("cos", lax.cos, _by(lambda x: [-mp.sin(x), -mp.cos(x), mp.sin(x)])),
    Function("tan", lax.tan, _sec_square),
    Function("asin", lax.asin, lambda x: (1 - x * x) ** mp.mpf(-0.5), -1, 1),
    Function("acos", lax.acos, lambda x: -((1 - x * x) ** mp.mpf(-0.5)), -1, 1),
    Function("atan", lax.atan, lambda x: 1 / (1 + x * x)),
    Function("sinh", lax.sinh, _by(lambda x: [mp.cosh(x), mp.sinh(x), mp.cosh(x)])),
    Function("cosh", lax.cosh, _by(lambda x: [mp.sinh(x), mp.cosh(x), mp.sinh(x)])),
    Function("asinh", lax.asinh, _asinh),
    Function(
        "acosh", lax.acosh, lambda x: ((x - 1) * (x + 1)) ** mp.mpf(-0.5), 1
    ),
    Function("atanh", lax.atanh, lambda x: 1 / (1 - x * x), -1, 1),
    Function("erf", lax.erf, _gaussian),
    Function("erfc", lax.erfc, lambda x: -_gaussian(x)),
    Function("erf_inv", lax.erf_inv, _erf_inv, -1, 1),
    Function("lgamma", lax.lgamma, _psi(0), 0),
    Function("digamma", lax.digamma, _psi(1), 0),
    Function("bessel_i0e", lax.bessel_i0e, partial(_bessel_slope, 0)),
    Function("bessel_i1e", lax.bessel_i1e, partial(_bessel_slope, 1)),
    Function("div by x", lambda x, y: lax.div(y, x), lambda x, y: -y / (x * x),
             others=(WIDE,), kink=True),
    Function("rem by x", lambda x, y: lax.rem(y, x),
             lambda x, y: series(-mp.mpf(int(y / x.c[0]))), others=(WIDE,), kink=True),
    Function("pow of x", lax.pow, lambda x, y: y * x ** (y - 1), 0,
             others=((-2.5, -1e-3, 0.0, 0.5, 1.0, 3.0, 30.0),)),
    Function("pow by x", lambda y, x: lax.pow(x, y), _power_in_exponent,
             others=((1e-30, 0.5, 1.0, 1.5, 1e20),)),
    Function("atan2 of x", lax.atan2, lambda y, x: x / (y * y + x * x), others=(WIDE,)),
    Function("atan2 by x", lambda x, y: lax.atan2(y, x),
             lambda x, y: -y / (x * x + y * y), others=(WIDE,)),
    Function("igamma", lambda x, a: lax.igamma(a, x), _gamma_density, 0,
             others=(SHAPES,)),
    Function("igammac", lambda x, a: lax.igammac(a, x),
             lambda x, a: -_gamma_density(x, a), 0, others=(SHAPES,)),
    Function("igamma_grad_a", lambda x, a: lax.igamma_grad_a(a, x), _log_gamma_density,
             0, others=(SHAPES,), orders=2),
    Function("betainc", lambda x, a, b: lax.betainc(a, b, x), _beta_density, 0, 1,
             others=((0.3, 2.5), (1.0, 12.0))),
]  # fmt: skip


COMPLEX = [
    Function("square", lax.square, lambda x: 2 * x),
    Function("sqrt", lax.sqrt, lambda x: 0.5 * x ** mp.mpf(-0.5)),
    Function("rsqrt", lax.rsqrt, lambda x: -0.5 * x ** mp.mpf(-1.5)),
    Function("exp", lax.exp, exp),
    Function("log", lax.log, lambda x: 1 / x),
    Function("log1p", lax.log1p, lambda x: 1 / (1 + x)),
    Function("sin", lax.sin, _by(lambda x: [mp.cos(x)])),
    Function("cos", lax.cos, _by(lambda x: [-mp.sin(x)])),
    Function("sinh", lax.sinh, _by(lambda x: [mp.cosh(x)])),
    Function("cosh", lax.cosh, _by(lambda x: [mp.sinh(x)])),
    Function("tanh", lax.tanh, _by(lambda x: [mp.sech(x) ** 2])),
    Function("asinh", lax.asinh, lambda x: (1 + x * x) ** mp.mpf(-0.5)),
    Function("asin", lax.asin, lambda x: (1 - x * x) ** mp.mpf(-0.5)),
    Function("acos", lax.acos, lambda x: -((1 - x * x) ** mp.mpf(-0.5))),
    Function("acosh", lax.acosh,
             lambda x: (x - 1) ** mp.mpf(-0.5) * (x + 1) ** mp.mpf(-0.5)),
    Function("atan", lax.atan, lambda x: 1 / (1 + x * x)),
    Function("atanh", lax.atanh, lambda x: 1 / (1 - x * x)),
]  # fmt: skip
