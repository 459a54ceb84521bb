"""Structures in the forms in which other transforms leave them, before ours."""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax
from jax.experimental.ode import odeint

import jaxkit as jk

# --- A while loop under vmap: as many truth values as there are loops -----------------


def power(x):
    return lax.while_loop(lambda c: c < 10, lambda c: c * x, x)


def counted(a, n):
    """a to the power of n, by a loop whose condition closes over n."""
    return lax.while_loop(lambda c: c[0] < n, lambda c: (c[0] + 1, c[1] * a), (0.0, a))[
        1
    ]


XS = jnp.array([1.5, 3.0])
BATCHED = {
    "jvp(vmap)": lambda lib: lib.jvp(jax.vmap(power), (XS,), (jnp.ones(2),)),
    "jacfwd(vmap)": lambda lib: lib.jacfwd(jax.vmap(power))(XS),
    "jit(jacfwd(vmap))": lambda lib: jax.jit(lib.jacfwd(jax.vmap(power)))(XS),
    "jvp(jit(vmap))": lambda lib: lib.jvp(
        jax.jit(jax.vmap(power)), (XS,), (jnp.ones(2),)
    ),
    "linearize(vmap)": lambda lib: lib.linearize(jax.vmap(power), XS)[1](jnp.ones(2)),
    "jvp(map)": lambda lib: lib.jvp(
        lambda xs: lax.map(power, xs, batch_size=2), (XS,), (jnp.ones(2),)
    ),
    "jvp(vmap(vmap))": lambda lib: lib.jvp(
        jax.vmap(jax.vmap(power)), (jnp.stack([XS, XS]),), (jnp.ones((2, 2)),)
    ),
    "jacfwd of jacfwd": lambda lib: lib.jacfwd(
        lib.jacfwd(lambda xs: jax.vmap(counted)(xs, jnp.array([2.0, 3.0])))
    )(XS),
    "by the condition's constant": lambda lib: lib.jacfwd(
        lambda ns: jax.vmap(partial(counted, 2.0))(ns)
    )(jnp.array([2.0, 3.0])),
}


@pytest.mark.parametrize("call", BATCHED.values(), ids=BATCHED)
def test_a_batched_while_loop(call):
    jax.tree.map(np.testing.assert_allclose, call(jk), call(jax))


def test_a_batched_while_loop_in_numbers():
    assert jk.jvp(jax.vmap(power), (XS,), (jnp.ones(2),))[1].tolist() == [45.5625, 27.0]


def test_a_batched_while_loop_in_reverse_mode():
    for f in (
        (lambda g: jax.vmap(jk.grad(g))),
        (lambda g: jk.grad(lambda xs: jax.vmap(g)(xs).sum())),
    ):
        assert f(power)(XS).tolist() == [45.5625, 27.0]


def test_a_batched_while_loop_is_explained():
    assert "while" in str(jk.explain(jax.vmap(power))(XS))


# --- A branch for each platform -------------------------------------------------------


def chosen(x):
    return lax.platform_dependent(x, cpu=lambda x: 2 * x**2, default=lambda x: x**2)


def listed(x):
    return lax.platform_dependent(x, cpu=lambda x: 2 * x**2, cuda=lambda x: x**2)


PLATFORM = {
    "grad": lambda lib, f: lib.grad(f)(3.0),
    "grad(jit)": lambda lib, f: lib.grad(jax.jit(f))(3.0),
    "jit(grad)": lambda lib, f: jax.jit(lib.value_and_grad(f))(3.0),
    "jit(jvp)": lambda lib, f: jax.jit(lambda x: lib.jvp(f, (x,), (x,)))(3.0),
    "jit(hessian)": lambda lib, f: jax.jit(lib.hessian(f))(3.0),
    "linearize": lambda lib, f: jax.jit(lambda x: lib.linearize(f, x)[1](x))(3.0),
    "vmap": lambda lib, f: lib.grad(lambda x: jax.vmap(jax.jit(f))(x).sum())(XS),
    "scan": lambda lib, f: lib.grad(
        lambda x: lax.scan(lambda c, _: (f(c), None), x, None, 2)[0]
    )(3.0),
    "checkpoint": lambda lib, f: jax.jit(lib.grad(jax.checkpoint(f)))(3.0),
}


@pytest.mark.parametrize("f", [chosen, listed])
@pytest.mark.parametrize("call", PLATFORM.values(), ids=PLATFORM)
def test_the_branch_of_the_platform(call, f):
    jax.tree.map(np.testing.assert_allclose, call(jk, f), call(jax, f))


def test_the_branch_of_the_platform_in_numbers():
    assert jax.jit(jk.grad(chosen))(3.0) == 12.0
    linear = jax.jit(
        lambda x: lax.platform_dependent(
            x, cpu=lambda x: 2 * x, default=lambda x: 3 * x
        )
    )
    assert jk.linear_transpose(linear, 1.0)(1.0) == (2.0,)


# --- What JAX's own transforms leave --------------------------------------------------


def test_over_jax_of_a_checkpointed_scan():
    """JAX 0.10 calls what it has partially evaluated by a primitive of its own."""

    @jax.checkpoint
    def f(x):
        return lax.scan(lambda c, _: (jnp.sin(c), None), x, None, 2)[0]

    for second in (
        jk.grad(jax.grad(f)),
        jk.jacfwd(jax.grad(f)),
        jax.jit(jk.grad(jax.grad(f))),
    ):
        np.testing.assert_allclose(second(1.0), -0.7783957, rtol=1e-6)


def with_backward_rule():
    f = jax.custom_vjp(jnp.sin)
    f.defvjp(lambda x: (f(x), x), lambda x, ct: (ct * x,))
    return f


def test_over_jax_of_a_custom_vjp_function():
    f = with_backward_rule()
    linear = jax.linearize(f, 2.0)[1]
    assert jk.linear_transpose(linear, 1.0)(3.0) == (6.0,)
    transposed = jax.jit(
        lambda x: jk.linear_transpose(jax.linearize(f, x)[1], 1.0)(3.0)
    )
    assert transposed(2.0) == (6.0,)
    assert jk.grad(jax.grad(f))(2.0) == 1.0
    for transform in jk.jacfwd, jk.grad:
        with pytest.raises(TypeError, match=r"can't apply forward-mode .* custom_vjp"):
            transform(lambda x: jax.linearize(f, x)[1](1.0))(1.0)


# --- Values that a function closes over -----------------------------------------------


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def called(f, x, *constants):
    return f(x, *constants)


called.defvjp(
    lambda f, x, *constants: (f(x, *constants), (x, constants)),
    lambda f, kept, ct: jax.vjp(f, kept[0], *kept[1])[1](ct),
)


def closure(k):
    f, constants = jax.closure_convert(lambda x: k * x * k, 2.0)
    return called(f, 2.0, *constants)


def ode(k):
    return odeint(lambda x, t: k * x, 1.0, jnp.linspace(0, 1.0, 5)).sum()


def test_a_checkpoint_that_keeps_complex_numbers():
    """JAX wants to round what is kept, which it can of real numbers alone."""
    keep = jax.checkpoint_policies.everything_saveable

    def f(x):
        step = jax.checkpoint(lambda x: jnp.sin(jnp.exp(x * (1 + 1j))), policy=keep)
        return jnp.real(step(x))

    with pytest.raises(TypeError, match="reduce_precision does not accept"):
        jax.grad(f)(1.0)
    expected = jax.grad(lambda x: jnp.real(jnp.sin(jnp.exp(x * (1 + 1j)))))(1.0)
    np.testing.assert_allclose(jk.grad(f)(1.0), expected)


@pytest.mark.parametrize("transform", [lambda f: f, jax.jit])
def test_closure_convert_finds_what_moves(transform):
    np.testing.assert_allclose(transform(jk.grad(closure))(3.0), 12.0)
    theirs = jax.grad(ode)(3.0)
    np.testing.assert_allclose(transform(jk.grad(ode))(3.0), theirs, rtol=1e-6)
    twice = jax.vmap(transform(jk.grad(closure)))(XS)
    np.testing.assert_allclose(twice, 4 * XS)
