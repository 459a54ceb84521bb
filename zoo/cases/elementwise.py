"""Cases of `jaxkit.rules.elementwise`, in its order."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.extend.core import primitives as p

from zoo.case import BOTH, COMPLEX, DOUBLE, REAL, REAL_AND_LOW, Case
from zoo.samplers import integers, offgrid, sampler, uniform

# --- Derivative zero: what is multiplied by it has a derivative, the factor has none --


def _choosing(op):
    return lambda x, y: lax.select(op(x, y), x * y, x - y)


def _factor(op):
    def function(x, *rest):
        return x * lax.convert_element_type(op(x, *rest), x.dtype)

    return function


def _bits(x):
    width = {8: np.int64, 4: np.int32}[x.dtype.itemsize]
    return lax.bitcast_convert_type(x, width)


two_grids = sampler(offgrid(3, 4), offgrid(3, 4))
with_integer = sampler(uniform(3), integers(3, low=1, high=40))
with_integers = sampler(
    uniform(3), integers(3, low=1, high=40), integers(3, low=1, high=6)
)

ZERO = [
    *(
        Case(key, key.name, _choosing(op), two_grids)
        for key, op in [
            (p.lt_p, lax.lt),
            (p.le_p, lax.le),
            (p.gt_p, lax.gt),
            (p.ge_p, lax.ge),
            (p.le_to_p, p.le_to_p.bind),
            (p.lt_to_p, p.lt_to_p.bind),
        ]
    ),
    *(
        Case(
            key,
            key.name,
            _choosing(lambda x, y, op=op: op(lax.round(x), lax.round(y))),
            two_grids,
        )
        for key, op in [
            (p.eq_p, lax.eq),
            (p.ne_p, lax.ne),
            (p.eq_to_p, p.eq_to_p.bind),
        ]
    ),
    Case(p.eq_p, "eq of complex", _choosing(lax.eq), two_grids, COMPLEX),
    *(
        Case(key, key.name, _factor(op), sampler(offgrid(3, 4)))
        for key, op in [
            (p.floor_p, lax.floor),
            (p.ceil_p, lax.ceil),
            (p.round_p, lax.round),
            (p.sign_p, lax.sign),
            (p.is_finite_p, lax.is_finite),
        ]
    ),
    # The next number after x moves with x; JAX knows it from 0.12 on.
    Case(
        p.nextafter_p,
        "nextafter",
        lambda x, y: x * lax.nextafter(x, y),
        two_grids,
        reference=lambda x, y: x * x,
    ),
    Case(
        p.bitcast_convert_type_p,
        "bitcast_convert_type",
        _factor(lambda x: lax.population_count(_bits(x))),
        sampler(uniform(3)),
        differences=None,  # the bits of x + h are others
    ),
    Case(
        p.stop_gradient_p,
        "stop_gradient",
        lambda x: x * lax.stop_gradient(lax.sin(x)),
        sampler(uniform(3)),
        BOTH,
        differences=None,  # it is not the derivative that it yields
    ),
    *(
        Case(key, key.name, _factor(lambda x, n, op=op: op(n)), with_integer)
        for key, op in [
            (p.not_p, lax.bitwise_not),
            (p.population_count_p, lax.population_count),
            (p.clz_p, lax.clz),
        ]
    ),
    *(
        Case(key, key.name, _factor(lambda x, m, n, op=op: op(m, n)), with_integers)
        for key, op in [
            (p.and_p, lax.bitwise_and),
            (p.or_p, lax.bitwise_or),
            (p.xor_p, lax.bitwise_xor),
            (p.shift_left_p, lax.shift_left),
            (p.shift_right_arithmetic_p, lax.shift_right_arithmetic),
            (p.shift_right_logical_p, lax.shift_right_logical),
        ]
    ),
    Case(
        "mulhi",
        "mulhi",
        _factor(lambda x, m, n: 1 + lax.mulhi(m << 20, n << 20)),
        with_integers,
        needs="jax.lax.mulhi",
    ),
]

COMPOSITE = [
    Case(key, name, function, sampler(*draws), since=(0, 12))
    for key, name, function, draws in [
        ("Ldexp", "ldexp", jnp.ldexp, [offgrid(4), integers(4, low=-3, high=4)]),
        ("Frexp", "frexp", lambda x: jnp.frexp(x)[0], [offgrid(4)]),
        (
            "SearchSorted",
            "searchsorted",
            lambda x, y: x * jnp.searchsorted(x, y).astype(x.dtype),
            [lambda rng: np.sort(offgrid(4)(rng)), offgrid(4)],
        ),
        (
            "Nonzero",
            "nonzero",
            lambda x: x[jnp.nonzero(x > 0, size=2)[0]],
            [offgrid(4)],
        ),
    ]
]

# --- Arithmetic: operands of one shape, a scalar beside an array, axes of length 1 ----

SHAPES = {
    "": ((2, 3), (2, 3)),
    ", scalar first": ((), (3,)),
    ", scalar second": ((3,), ()),
    ", both repeated": ((2, 1), (1, 3)),
    ", row": ((1, 3), (2, 3)),
    ", empty": ((0, 2), (0, 2)),
}


def _binary(key, op, low=0.5, high=2.0, dtypes=REAL, shapes=SHAPES, **rest):
    return [
        Case(
            key,
            f"{key.name}{name}",
            op,
            sampler(uniform(*x, low=low, high=high), uniform(*y, low=low, high=high)),
            dtypes if name == "" else DOUBLE,
            **{"orders": 3 if name == "" else 2, **rest},
        )
        for name, (x, y) in shapes.items()
    ]


SAME = {"": SHAPES[""], ", scalar first": SHAPES[", scalar first"]}


def _clamp(low, x, high):
    # JAX can't differentiate in scalar bounds, nor rightly where they are crossed.
    bounds = (lax.broadcast(y, x.shape) if y.ndim == 0 else y for y in (low, high))
    low, high = bounds
    return lax.min(lax.max(low, x), high)


def _chosen(op):
    def either(x, y):  # in complex numbers JAX differentiates it until 0.10 only
        if not jnp.iscomplexobj(x):
            return op(x, y)
        return jnp.where(op(*map(lax.stop_gradient, (x, y))) == x, x, y)

    return either


def _unit(x):
    size = lax.sqrt(lax.real(x) ** 2 + lax.imag(x) ** 2)
    return x / lax.convert_element_type(size, x.dtype)


ARITHMETIC = [
    *_binary(p.add_p, lax.add, -2, 2, BOTH),
    *_binary(p.add_jaxvals_p, p.add_jaxvals_p.bind, -2, 2, BOTH, {"": SHAPES[""]}),
    *_binary(p.sub_p, lax.sub, -2, 2, BOTH),
    *_binary(p.mul_p, lax.mul, -2, 2, (*BOTH, "bfloat16")),
    *_binary(p.div_p, lax.div, dtypes=(*BOTH, "bfloat16")),
    *(
        case  # of complex: in lexicographic order
        for key, op in [(p.max_p, lax.max), (p.min_p, lax.min)]
        for case in _binary(key, op, dtypes=BOTH, reference=_chosen(op))
    ),
    *_binary(p.pow_p, lax.pow, dtypes=BOTH),
    *_binary(p.atan2_p, lax.atan2, -2, 2),
    *_binary(p.complex_p, lax.complex, -2, 2, shapes=SAME | {"": SHAPES[""]}),
    *(
        Case(
            p.rem_p,
            f"rem{name}",
            lax.rem,
            sampler(uniform(*x, low=5.3, high=5.7), uniform(*y, low=1.4, high=1.7)),
            REAL if name == "" else DOUBLE,
            orders=3,
        )
        for name, (x, y) in SHAPES.items()
    ),
    Case(
        p.rem_p,
        "rem of negative numbers",
        lax.rem,
        sampler(
            lambda rng: np.array([5.5, -5.5, 5.5, -5.5]) + uniform(4)(rng) / 10,
            lambda rng: np.array([1.6, 1.6, -1.6, -1.6]) + uniform(4)(rng) / 10,
        ),
    ),
    Case(p.neg_p, "neg", lax.neg, sampler(uniform(3)), BOTH, orders=3),
    Case(p.mul_p, "mul of one operand twice", lambda x: x * x, sampler(uniform(3))),
    *(
        Case(
            p.clamp_p,
            f"clamp{name}",
            lax.clamp,
            sampler(
                uniform(*bound, low=-0.8, high=-0.6),
                lambda rng: rng.permuted(np.linspace(-1.5, 1.4, 6)),
                uniform(*bound, low=0.6, high=0.8),
            ),
            reference=_clamp,
        )
        for name, bound in {"": (6,), ", scalar bounds": ()}.items()
    ),
    Case(
        p.clamp_p,
        "clamp, bounds crossed",
        lax.clamp,
        sampler(uniform(low=0.5, high=1.0), uniform(6), uniform(low=-1.0, high=-0.5)),
        reference=_clamp,
    ),
    Case(p.abs_p, "abs", lax.abs, sampler(offgrid(4)), REAL_AND_LOW, orders=3),
    Case(p.abs_p, "abs of complex", lax.abs, sampler(offgrid(4)), COMPLEX),
    Case(
        p.sign_p,
        "sign of complex",
        lax.sign,
        sampler(offgrid(4)),
        COMPLEX,
        reference=_unit,  # JAX has sign's derivative from 0.12 on
    ),
]

# --- Functions of one variable: name, domain, dtypes ----------------------------------

ALL, POSITIVE, UNIT, ABOVE_ONE = (-2.0, 2.0), (0.3, 2.5), (-0.8, 0.8), (1.3, 3.0)

FUNCTIONS = [
    (p.square_p, lax.square, ALL, BOTH),
    (p.sqrt_p, lax.sqrt, POSITIVE, BOTH),
    (p.rsqrt_p, lax.rsqrt, POSITIVE, BOTH),
    (p.cbrt_p, lax.cbrt, POSITIVE, REAL),
    (p.exp_p, lax.exp, ALL, (*BOTH, "bfloat16")),
    (p.exp2_p, lax.exp2, ALL, BOTH),
    (p.expm1_p, lax.expm1, ALL, BOTH),
    (p.log_p, lax.log, POSITIVE, BOTH),
    (p.log1p_p, lax.log1p, POSITIVE, BOTH),
    (p.logistic_p, lax.logistic, ALL, BOTH),
    (p.sin_p, lax.sin, ALL, (*BOTH, "bfloat16")),
    (p.cos_p, lax.cos, ALL, BOTH),
    (p.tan_p, lax.tan, (-1.2, 1.2), BOTH),
    (p.asin_p, lax.asin, UNIT, BOTH),
    (p.acos_p, lax.acos, UNIT, BOTH),
    (p.atan_p, lax.atan, ALL, BOTH),
    (p.sinh_p, lax.sinh, ALL, BOTH),
    (p.cosh_p, lax.cosh, ALL, BOTH),
    (p.tanh_p, lax.tanh, ALL, (*BOTH, "bfloat16")),
    (p.asinh_p, lax.asinh, ALL, BOTH),
    (p.acosh_p, lax.acosh, ABOVE_ONE, BOTH),
    (p.atanh_p, lax.atanh, UNIT, BOTH),
    (p.lgamma_p, lax.lgamma, (0.6, 4.0), REAL),
    (p.digamma_p, lax.digamma, (0.6, 4.0), REAL),
    (p.erf_p, lax.erf, ALL, REAL_AND_LOW),
    (p.erfc_p, lax.erfc, ALL, REAL),
    (p.erf_inv_p, lax.erf_inv, UNIT, REAL),
    (p.bessel_i0e_p, lax.bessel_i0e, (0.3, 3.0), REAL),
    (p.bessel_i1e_p, lax.bessel_i1e, (0.3, 3.0), REAL),
]

# Their third derivatives take XLA long to compile.
SLOW = p.lgamma_p, p.digamma_p, p.bessel_i0e_p, p.bessel_i1e_p

UNARY = [
    Case(
        key,
        key.name,
        function,
        sampler(uniform(3, low=low, high=high)),
        dtypes,
        orders=2 if key in SLOW else 3,
    )
    for key, function, (low, high), dtypes in FUNCTIONS
]
UNARY += [
    Case(
        p.acosh_p,
        "acosh, left half plane",
        lax.acosh,
        sampler(uniform(3, low=-3, high=-1.5)),
        COMPLEX,
        # JAX has a derivative of the wrong sign there, up to 0.11.
        reference=lambda x: jnp.log(x + jnp.sqrt(x + 1) * jnp.sqrt(x - 1)),
    ),
    Case(
        "log2",
        "log2",
        lambda x: lax.log2(x),
        sampler(uniform(3, low=0.3, high=2.5)),
        BOTH,
        3,
        needs="jax.lax.log2",
    ),
    Case(
        "one_minus_square",
        "one_minus_square",
        lambda x: lax.one_minus_square(x),
        sampler(uniform(3)),
        BOTH,
        3,
        needs="jax.lax.one_minus_square",
    ),
    Case(p.sin_p, "sin of a scalar", lax.sin, sampler(uniform()), REAL, 3),
    Case(p.exp_p, "exp of an empty array", lax.exp, sampler(uniform(2, 0)), REAL, 3),
    Case(
        p.cbrt_p,
        "cbrt of negative numbers",
        lax.cbrt,
        sampler(uniform(3, low=-2.5, high=-0.3)),
        REAL,
        3,
    ),
    Case(
        p.lgamma_p,
        "lgamma of negative numbers",
        lax.lgamma,
        sampler(uniform(3, low=-1.8, high=-1.2)),
        REAL,
        1,
    ),
    *(
        Case(
            key,
            f"{key.name} of negative numbers",
            function,
            sampler(uniform(3, low=-3.0, high=-0.3)),
            DOUBLE,
        )
        for key, function in [
            (p.bessel_i0e_p, lax.bessel_i0e),
            (p.bessel_i1e_p, lax.bessel_i1e),
        ]
    ),
    *(
        Case(
            p.integer_pow_p,
            f"integer_pow {n}",
            lambda x, n=n: lax.integer_pow(x, n),
            sampler(uniform(3, low=0.5, high=2.0)),
            BOTH if n == 3 else DOUBLE,
            3,
        )
        for n in (0, 1, 2, 3, 5, -1, -3)
    ),
    Case(
        p.integer_pow_p,
        "integer_pow of negative numbers",
        lambda x: lax.integer_pow(x, 3),
        sampler(uniform(3, low=-2.0, high=-0.5)),
        REAL,
        3,
    ),
    Case(
        p.pow_p,
        "pow with an integer exponent",
        lax.pow,
        sampler(uniform(3, low=-2.0, high=-0.5), integers(3, low=-2, high=4)),
        REAL,
    ),
    Case(
        p.pow_p,
        "pow with a scalar integer exponent",
        lambda x: lax.pow(x, jnp.int32(3)),
        sampler(uniform(3)),
        REAL,
    ),
]

# --- Special functions of several variables -------------------------------------------


def _igamma_grad_a(a, x):
    """From P(a, x) = sum of x^(a+n) e^-x / Gamma(a + n + 1)  (DLMF 8.7.1, 8.2.4)."""
    n = jnp.arange(1.0, 41)[:, None].astype(x.dtype)
    terms = jnp.exp((a + n - 1) * jnp.log(x) - x - lax.lgamma(a + n))
    return jnp.sum(terms * (jnp.log(x) - lax.digamma(a + n)), 0)


INCOMPLETE = [
    # The series behind the derivative in `a` has a few digits fewer.
    *(
        Case(
            key,
            f"{key.name}{name}",
            function,
            sampler(uniform(*a, low=0.7, high=3.0), uniform(*x, low=0.5, high=3.0)),
            dtypes,
            orders=1,
            tolerance=100,
        )
        for key, function in [(p.igamma_p, lax.igamma), (p.igammac_p, lax.igammac)]
        for name, dtypes, a, x in [
            ("", REAL, (3,), (3,)),
            (", scalar a", ("float32",), (), (3,)),
        ]
    ),
    *(
        Case(
            key,
            f"{key.name} in x",
            lambda x, function=function: function(
                jnp.array([0.8, 1.7, 2.9], x.dtype), x
            ),
            sampler(uniform(3, low=0.5, high=3.0)),
            DOUBLE,
        )
        for key, function in [(p.igamma_p, lax.igamma), (p.igammac_p, lax.igammac)]
    ),
    Case(
        "igamma_grad_a",
        "igamma_grad_a in x",
        lambda x: lax.igamma_grad_a(jnp.array([0.8, 1.7, 2.9], x.dtype), x),
        sampler(uniform(3, low=0.5, high=3.0)),
        tolerance=100,
        reference=lambda x: _igamma_grad_a(jnp.array([0.8, 1.7, 2.9], x.dtype), x),
    ),
    Case(
        p.regularized_incomplete_beta_p,
        "betainc in x",
        lambda x: lax.betainc(
            jnp.array([0.8, 1.7, 2.9], x.dtype), jnp.array([1.3, 0.6, 2.2], x.dtype), x
        ),
        sampler(uniform(3, low=0.2, high=0.8)),
        tolerance=10,
    ),
    Case(
        p.polygamma_p,
        "polygamma in x",
        lambda x: lax.polygamma(jnp.array([1.0, 2.0, 3.0], x.dtype), x),
        sampler(uniform(3, low=0.8, high=3.0)),
        tolerance=10,
    ),
    *(
        Case(
            "polynomial",
            f"polynomial{name}",
            lambda x, *c: lax.polynomial(x, c),
            sampler(uniform(3), *(uniform(3) for _ in range(n))),
            REAL,
            needs="jax.lax.polynomial",
        )
        for name, n in {"": 4, " of degree 1": 2}.items()
    ),
]

# --- Complex numbers ------------------------------------------------------------------

COMPLEX_PARTS = [
    Case(p.real_p, "real", lax.real, sampler(uniform(3)), COMPLEX),
    Case(p.imag_p, "imag", lax.imag, sampler(uniform(3)), COMPLEX),
    Case(p.conj_p, "conj", lax.conj, sampler(uniform(3)), COMPLEX),
    Case(p.conj_p, "conj of real", lax.conj, sampler(uniform(3)), REAL),
    Case(
        p.complex_p,
        "complex there and back",
        lambda x, y: lax.imag(lax.exp(lax.complex(x, y))),
        sampler(uniform(3), uniform(3)),
        REAL,
        3,
    ),
]

CASES = [*ZERO, *COMPOSITE, *ARITHMETIC, *UNARY, *INCOMPLETE, *COMPLEX_PARTS]
