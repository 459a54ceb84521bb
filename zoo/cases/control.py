"""Cases of `jaxkit.control`: code that runs code."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.ad_checkpoint import checkpoint_name
from jax.custom_batching import custom_vmap
from jax.custom_derivatives import linear_call
from jax.experimental import checkify, hijax
from jax.extend.core import primitives as p

import jaxkit
from jaxkit.control import (
    branches,
    checkpoint,
    composites,
    custom_vjp,
    jit,
    loops,
    scan,
)
from zoo.case import BOTH, DOUBLE, REAL, Case
from zoo.samplers import constant, sampler, uniform

x3 = sampler(uniform(3))
# By its name before JAX 0.12, or since.
COMPOSITE: Any = getattr(hijax, "VJPHiPrimitive", None) or hijax.HiPrim

# --- Calls ----------------------------------------------------------------------------


@jax.jit
def _inner(x, y):
    return jnp.sin(x) * y


@jax.jit
def _called(x, y, n):
    """Outputs that move, that don't, that are linear, constant, and unused."""
    return _inner(x, y), n + 1, _inner(y, y) + x[n], y, jnp.ones(2, x.dtype), 2 * x


@jax.custom_vjp
def _squared_sum(x, y):
    return jnp.sum(x * x) * y, y


def _squared_sum_fwd(x, y):
    return (jnp.sum(x * x) * y, y), (x, y)


def _squared_sum_bwd(residuals, cts):
    (x, y), (ct, ct_y) = residuals, cts
    return 2 * x * y * ct, jnp.sum(x * x) * ct + ct_y


_squared_sum.defvjp(_squared_sum_fwd, _squared_sum_bwd)


@jax.custom_jvp
def _bent(x):
    return jnp.sin(x) * x


@_bent.defjvp
def _bent_jvp(primals, tangents):
    (x,), (dx,) = primals, tangents
    return _bent(x), dx * jnp.sin(x) + jax.jit(jnp.multiply)(jnp.cos(x) * dx, x)


def _printing(x):
    jax.debug.print("{}", x)
    return x * x


def _calling_back(x):
    jax.debug.callback(lambda x: None, x)
    return x * x


def _checking(x):
    checkify.debug_check(jnp.all(x < 9), "too large")
    return x * x


def _sinking(x):
    lax.dce_sink(x)
    return jnp.outer(x, jnp.tile(x, 7))  # too large for a matrix


@custom_vmap
def _batched(x, y):
    return lax.sin(x) * y


@_batched.def_vmap
def _(axis_size, in_batched, x, y):
    return jax.vmap(lambda x, y: lax.sin(x) * y)(x, y), True


_put_away = jax.custom_vjp(lax.sin)
_put_away.defvjp(
    lambda x: (lax.sin(x), x), lambda x, ct: (ct * lax.cos(x),), optimize_remat=True
)


CALLS = [
    Case("debug_print", "debug_print", _printing, x3),
    Case("debug_callback", "debug_callback", _calling_back, x3),
    *(
        Case(
            key,
            f"{name} of several outputs",
            _called,
            sampler(uniform(3), uniform(3), constant(np.int32(2))),
            dtypes,
        )
        for key, name, dtypes in [
            (p.jit_p, "jit", BOTH),
            (jit.operator, "linear call", DOUBLE),
        ]
    ),
    Case("check", "check", _checking, x3),
    Case("dce_sink", "dce_sink", _sinking, x3, batches=False),
    Case(
        "custom_vmap_call",
        "custom_vmap",
        lambda x, y: _batched(x, y) * x,
        sampler(uniform(3), uniform()),
        reference=lambda x, y: lax.sin(x) * y * x,  # JAX can't reverse it
    ),
    Case(
        "remat_opt",
        "remat_opt",
        jax.value_and_grad(_put_away),
        sampler(uniform()),
        reference=lambda x: (lax.sin(x), lax.cos(x)),  # JAX can't reverse it
    ),
    Case(
        "linear_call",
        "linear_call",
        lambda x, y: linear_call(
            lambda r, xs: (xs[0] * r + xs[1], xs[1]),
            lambda r, cts: (cts[0] * r, cts[0] + cts[1]),
            jnp.arange(5.0, dtype=x.dtype),
            (x, y),
        ),
        sampler(uniform(5), uniform(5)),
        reference=lambda x, y: (x * jnp.arange(5.0, dtype=x.dtype) + y, y),
        batches=False,
    ),
    Case(
        p.jit_p,
        "jit, one output used",
        lambda x, y: _called(x, y, 1)[2],
        sampler(uniform(3), uniform(3)),
    ),
    Case(
        p.jit_p,
        "jit of constants",
        lambda x: x * _inner(jnp.ones(3, x.dtype), jnp.arange(3).astype(x.dtype)),
        x3,
    ),
    *(
        Case(
            p.cond_p,
            f"cond of platform_dependent{name}",
            lambda x, y, ways=ways: lax.platform_dependent(x, y, **ways),
            sampler(uniform(3), uniform(3)),
            BOTH,
        )
        for name, ways in {
            "": {"tpu": lambda x, y: lax.sin(x) * y, "default": _inner},
            ", no default": {"cuda": _inner, "cpu": lambda x, y: _inner(x, y)},
        }.items()
    ),
    *(
        Case("custom_jvp_call", f"custom_jvp{name}", function, sampler(uniform(3)))
        for name, function in {
            "": _bent,
            " in jit": lambda x: jax.jit(_bent)(lax.sin(x)),
            " in scan": lambda x: lax.scan(lambda c, y: (c * _bent(y), c), x[0], x),
        }.items()
    ),
    Case(
        "custom_vjp_call",
        "custom_vjp of one output",
        lambda x, y: _squared_sum(x, y)[1] * _squared_sum(y * x, y)[0],
        sampler(uniform(3), uniform()),
        reference=lambda x, y: y * jnp.sum(y * x * y * x) * y,
    ),
    *(
        Case(
            custom_vjp.operator,
            f"custom_vjp{name}",
            function,
            sampler(uniform(3), uniform()),
            reference=reference,  # JAX has no forward mode here
        )
        for name, (function, reference) in {
            "": (_squared_sum, lambda x, y: (jnp.sum(x * x) * y, y)),
            " in jit": (
                lambda x, y: jax.jit(_squared_sum)(lax.sin(x), y),
                lambda x, y: (jnp.sum(lax.sin(x) ** 2) * y, y),
            ),
            ", one output used": (
                lambda x, y: _squared_sum(x, y)[0],
                lambda x, y: jnp.sum(x * x) * y,
            ),
            " in scan": (
                lambda x, y: lax.scan(
                    lambda c, z: (_squared_sum(x, c)[0] * z, c), y, x
                ),
                lambda x, y: lax.scan(lambda c, z: (jnp.sum(x * x) * c * z, c), y, x),
            ),
        }.items()
    ),
]

# --- Rules of users on tangents, and of composite primitives --------------------------


@jax.custom_vjp
def _twice(dx):
    return 2 * dx


_twice.defvjp(lambda dx: (_twice(dx), None), lambda _, ct: (2 * ct,))


@jax.custom_jvp
def _square(x):
    return x * x


@_square.defjvp
def _square_jvp(primals, tangents):
    (x,), (dx,) = primals, tangents
    return _square(x), x * _twice(dx)


class _Cube(COMPOSITE):
    """The cube of an array, with a backward rule."""

    def __init__(self, aval):
        self.in_avals, self.out_aval, self.params = (aval,), aval, {}
        super().__init__()

    def expand(self, x):
        return x**3

    def vjp_fwd(self, moving, x):
        return self(x), x

    def vjp_bwd_retval(self, x, ct):
        return (3 * x * x * ct,)


RULES_OF_USERS = [
    Case(
        custom_vjp.on_tangents,
        "custom_vjp on a tangent",
        _square,
        x3,
        reference=lambda x: x * x,
    ),
    *(
        Case(
            key,
            f"{name} with a backward rule",
            lambda x: _Cube(jax.typeof(x))(x),
            x3,
            reference=lambda x: x**3,
            batches=False,
        )
        for key, name in (
            (composites.operator, "operator of a composite"),
            ("call_hi_primitive", "composite"),
        )
    ),
]

# --- Conditionals ---------------------------------------------------------------------


def _cond(x, y):
    """Branches with different residuals, and an output that only one of them moves."""
    return lax.cond(
        x[0] > 0,
        lambda x, y: (lax.sin(x) * y, jnp.outer(x, x) @ x, y, 3),
        lambda x, y: (lax.exp(x * y), x, jnp.ones_like(y), 4),
        x,
        y,
    )


def _switch(x):
    ways = [lax.sin, lambda x: x, lambda x: jnp.outer(x, x) @ lax.tanh(x)]
    return [lax.switch(i, ways, x) for i in (0, 1, jnp.int32(2), jnp.int32(9))]


CONDITIONALS = [
    Case(p.cond_p, "cond", _cond, sampler(uniform(3), uniform()), REAL),
    Case(branches.operator, "linear cond", _cond, sampler(uniform(3), uniform())),
    Case(p.cond_p, "switch", _switch, x3, BOTH),
    Case(
        p.cond_p,
        "cond of constants",
        lambda x: x * lax.cond(x[0] > 0, lambda: 2.0, lambda: 3.0),
        x3,
    ),
]

# --- Loops ----------------------------------------------------------------------------


def _recurrent(w, h, xs):
    """Constants, integer and boolean carries and outputs, constant-only work."""

    def step(carry, x):
        h, n, seen = carry
        h = lax.tanh(w @ h + x * jnp.sum(lax.sin(w)))
        return (h, n + 1, seen | (h[0] > 0)), (h * x, n, x * x, w[0])

    (h, n, _), ys = lax.scan(step, (h, 0, False), xs)
    return h * n, ys


def _still(x):
    """A carry that starts to move late, one that stops, and one that never moves."""

    def step(carry, y):
        a, b, c = carry
        return (b * y, lax.stop_gradient(a) + x[0], c * 2), (a, c)

    return lax.scan(step, (1.0, x[1], jnp.ones(2)), jnp.array([1.0, 2.0, 0.5, 3.0]))


def _product(x, *, length, **options):
    def step(c, y):
        return c * y, (c, y)

    return lax.scan(step, x, jnp.tile(x, (length, 1)), **options)


def _while(x, y, loop=lax.while_loop):
    def step(carry):
        n, z, y = carry
        return n + 1, z * x * y / 2 + z, y

    return loop(lambda c: (c[0] < 3) | jnp.any(c[1] != c[1]), step, (0, x, y))


def _of_three_steps(function):
    """The function, where the loop has three steps, as JAX knows."""

    def loop(_, step, carry):
        return lax.fori_loop(0, 3, lambda _, carry: step(carry), carry)

    return lambda *args: function(*args, loop=loop)


def _counted(x, y, loop=lax.fori_loop):
    """Its number of steps is known when it starts, and not before."""
    n = 3 + jnp.int32(y != y)
    return loop(0, n, lambda i, c: (c[0] * x + i * lax.cos(c[1]), c[0]), (x, x + y))


LOOPS = [
    *(
        Case(key, name, _recurrent, sampler(uniform(3, 3), uniform(3), uniform(4, 3)))
        for key, name in [(p.scan_p, "scan"), (scan.operator, "linear scan")]
    ),
    Case(
        p.scan_p,
        "scan, carries that move or not",
        _still,
        x3,
        REAL,
        differences=None,  # of what the gradient stops at, too
    ),
    *(
        Case(
            p.scan_p,
            f"scan, {', '.join(f'{k}={v}' for k, v in options.items())}",
            lambda x, options=options: _product(x, **options),
            x3,
            BOTH if options["length"] == 3 else DOUBLE,
        )
        for options in [
            {"length": 0},
            {"length": 1},
            {"length": 3, "reverse": True},
            {"length": 5, "unroll": 2},
        ]
    ),
    Case(p.scan_p, "map", lambda x: lax.map(lambda y: lax.sin(y) * x, x), x3),
    Case(
        p.scan_p,
        "fori_loop of a known number",
        lambda x: lax.fori_loop(0, 3, lambda i, c: c * x + i * lax.cos(c), x),
        x3,
    ),
    *(
        Case(
            key,
            name,
            _while,
            sampler(uniform(3), uniform()),
            BOTH,
            orders=orders,
            reference=_of_three_steps(_while),
        )
        for key, name, orders in [
            (p.while_p, "while", 2),
            (loops.operator, "linear while", 1),  # the same loop
        ]
    ),
    *(
        Case(
            p.while_p,
            f"fori_loop of a computed number, {said}",
            jaxkit.keeping(_counted, **said) if said else _counted,
            sampler(uniform(3), uniform()),
            DOUBLE,
            reference=lambda x, y: _counted(
                x, y, lambda _, n, *rest: lax.fori_loop(0, 3, *rest)
            ),
        )
        for said in ({}, {"checkpoints": 2})
    ),
    Case(
        p.scan_p,
        "scan of which a few states are kept",
        jaxkit.keeping(_recurrent, checkpoints=2),
        sampler(uniform(3, 3), uniform(3), uniform(4, 3)),
        DOUBLE,
    ),
    Case(
        p.while_p,
        "while that leaves the moving one alone",
        lambda x: x * lax.while_loop(lambda n: n < 3, lambda n: n + 1, 0),
        x3,
    ),
]

# --- Checkpoints and solves -----------------------------------------------------------


def _layers(x, w):
    h = checkpoint_name(lax.tanh(w @ x), "h")
    return lax.sin(jax.jit(lambda h: h @ w)(h)) * x


def _checkpoint(**options):
    region = jax.checkpoint(_layers, **options)
    return lambda x, w: region(region(x, w), w)


_policies = jax.checkpoint_policies
POLICIES = {
    "nothing": None,
    "everything": _policies.everything_saveable,
    "dots": _policies.dots_saveable,
    "dots without batch": _policies.dots_with_no_batch_dims_saveable,
    "a name": _policies.save_only_these_names("h"),
    "all names but one": _policies.save_any_names_but_these("h"),
    "all but one name": _policies.save_anything_except_these_names("h"),
    "either": _policies.save_from_both_policies(
        _policies.dots_saveable, _policies.save_only_these_names("h")
    ),
}


def _solve(x, b):
    """By two functions that know the inverse, of a matrix that isn't symmetric."""
    matrix = jnp.eye(3, dtype=x.dtype) * 4 + jnp.outer(x, jnp.arange(3, dtype=x.dtype))

    def inverse(matrix, b):
        return jnp.stack([jnp.cross(matrix[1], matrix[2]),
                          jnp.cross(matrix[2], matrix[0]),
                          jnp.cross(matrix[0], matrix[1])], axis=1) @ b / jnp.dot(
                              matrix[0], jnp.cross(matrix[1], matrix[2]))  # fmt: skip

    return lax.custom_linear_solve(
        lambda y: {"y": matrix @ y["y"]},
        {"y": b},
        lambda _, b: {"y": inverse(matrix, b["y"])},
        lambda _, b: {"y": inverse(matrix.T, b["y"])},
    )


CHECKPOINTS = [
    *(
        Case(
            p.remat_p,
            f"checkpoint that saves {name}",
            _checkpoint(policy=policy),
            sampler(uniform(3, low=-1, high=1), uniform(3, 3, low=-1, high=1)),
        )
        for name, policy in POLICIES.items()
    ),
    Case(
        checkpoint.operator,
        "linear checkpoint",
        _checkpoint(prevent_cse=False),
        sampler(uniform(3, low=-1, high=1), uniform(3, 3, low=-1, high=1)),
        REAL,
    ),
    Case(
        p.linear_solve_p,
        "custom_linear_solve",
        _solve,
        sampler(uniform(3, low=-0.3, high=0.3), uniform(3)),
    ),
    Case(
        p.linear_solve_p,
        "custom_linear_solve, symmetric",
        lambda x, b: lax.custom_linear_solve(
            lambda y: y * x * x, b, lambda _, b: b / (x * x), symmetric=True
        ),
        sampler(uniform(3, low=1), uniform(3)),
    ),
]

# --- Composites -----------------------------------------------------------------------


def _root(x):
    """The root of y^3 + y = x, elementwise, by Newton's method, and a count with it."""

    def solve(f, y):
        step = lambda _, y: y - f(y) / (3 * y * y + 1)  # noqa: E731
        return lax.fori_loop(0, 40, step, y), 40

    def tangent_solve(g, y):
        return y / g(jnp.ones_like(y))

    start = jnp.zeros_like(x)
    return lax.custom_root(lambda y: y**3 + y - x, start, solve, tangent_solve, True)


COMPOSITES = [
    Case(key, f"custom_root, by {key}", _root, x3, since=(0, 12))
    for key in ("CustomRoot", "eval_jaxpr")
]

CASES = [*COMPOSITES, *CALLS, *RULES_OF_USERS, *CONDITIONALS, *LOOPS, *CHECKPOINTS]
