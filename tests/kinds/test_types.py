"""Types of derivatives: shape, dtype and weak type are JAX's, also of what is still."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

import jaxkit as jk


def types(tree):
    return jax.tree.map(lambda x: str(jax.typeof(x)), tree)


STILL = {
    "int": lambda x: (x * 2, jnp.int32(3)),
    "Python int": lambda x: (x * 2, 3),
    "NumPy int": lambda x: (x * 2, np.int32(3)),
    "ints": lambda x: (x * 2, jnp.arange(2)),
    "only ints": lambda x: 3,
    "Python float": lambda x: (x * 2, 3.0),
    "argmax": lambda x: jnp.argmax(x),
}
FORMS = {
    "number": lambda jac: jac(2.0),
    "array": lambda jac: jac(jnp.ones(2)),
    "jit": lambda jac: jax.jit(jac)(2.0),
    "vmap": lambda jac: jax.vmap(jac)(jnp.ones(2)),
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
@pytest.mark.parametrize("f", STILL.values(), ids=STILL)
def test_jacobian_of_outputs_that_do_not_move(f, form):
    ours, theirs = form(jk.jacfwd(f)), form(jax.jacfwd(f))
    jax.tree.map(np.testing.assert_array_equal, ours, theirs)
    assert types(ours) == types(theirs)


@pytest.mark.parametrize("f", [STILL["int"], STILL["Python float"]])
def test_nested_jacobian_of_outputs_that_do_not_move(f):
    ours, theirs = (lib.jacfwd(lib.jacfwd(f))(2.0) for lib in (jk, jax))
    assert types(ours) == types(theirs)


def test_jacobian_of_truth_values_and_keys():
    """JAX fails there; that of a truth value, or a key, is a zero without numbers."""
    still = jk.jacfwd(lambda x: (x > 0, True, jax.random.key(0)))(jnp.ones(2))
    assert [(x.dtype, x.shape) for x in still] == [
        (jax.dtypes.float0, (2, 2)),
        (jax.dtypes.float0, (2,)),
        (jax.dtypes.float0, (2,)),
    ]


@pytest.mark.parametrize("x", [2, np.int32(2), jnp.arange(2)])
def test_jacobian_by_integers(x):
    ours, theirs = (
        lib.jacrev(lambda i: i * 2.0, allow_int=True)(x) for lib in (jk, jax)
    )
    np.testing.assert_array_equal(ours, theirs)
    assert types(ours) == types(theirs)


def nothing(x):
    return np.zeros(np.shape(x), jax.dtypes.float0)


FLOAT0 = {
    "grad": lambda lib, n: lib.grad(lambda n: jnp.sum(n * 2.0), allow_int=True)(n),
    "jvp": lambda lib, n: lib.jvp(lambda n: n, (n,), (nothing(n),))[1],
    "linearize": lambda lib, n: lib.linearize(lambda n: n, n)[1](nothing(n)),
    "vjp": lambda lib, n: lib.vjp(lambda x, n: x, jnp.ones(2), n)[1](jnp.ones(2)),
}


@pytest.mark.parametrize("call", FLOAT0.values(), ids=FLOAT0)
@pytest.mark.parametrize("n", [3, True, jnp.arange(2)], ids=str)
def test_float0_is_of_jaxs_class(call, n):
    ours, theirs = (jax.tree.map(type, call(lib, n)) for lib in (jk, jax))
    assert ours == theirs


@pytest.mark.parametrize("transform", [jk.grad, jk.jacrev])
def test_a_key_is_no_real_output(transform):
    with pytest.raises(TypeError, match=r"key<fry>\[\], but must be"):
        transform(lambda x: jax.random.key(0))(1.0)


def test_strings_are_no_tangents():
    for call in (
        lambda: jk.vjp(jnp.sin, 1.0)[1]("a"),
        lambda: jk.linearize(jnp.sin, 1.0)[1]("a"),
        lambda: jk.jvp(jnp.sin, (1.0,), ("a",)),
    ):
        with pytest.raises(TypeError, match="'a' of <class 'str'>"):
            call()


def test_cotangents_of_integers_count_for_nothing():
    y, pull = jk.vjp(lambda x: (jnp.sin(x), jnp.argmax(x), x > 0), jnp.arange(3.0))
    for like in jnp.ones_like, jnp.zeros_like:
        ct = jax.tree.map(like, y)
        expected = like(y[0]) * np.cos(np.arange(3.0))
        np.testing.assert_allclose(pull(ct)[0], expected)
    with pytest.raises(ValueError, match="pass float0"):
        pull((y[0], jnp.arange(2), y[2]))


WEAK = jnp.broadcast_to(1.5, (2,))
WEAKLY_TYPED = {
    "jvp, strong tangent": lambda lib: lib.jvp(
        lambda x: x * x, (0.4,), (np.float64(1),)
    ),
    "jvp, weak tangent": lambda lib: lib.jvp(
        lambda x: x * x, (np.float64(0.4),), (1.0,)
    ),
    "vjp, strong cotangent": lambda lib: lib.vjp(lambda x: x * 2, 0.4)[1](
        np.float64(1)
    ),
    "jacfwd": lambda lib: lib.jacfwd(jnp.sin)(1.0),
    "jacrev": lambda lib: lib.jacrev(jnp.sin)(1.0),
    "hessian": lambda lib: lib.hessian(jnp.sin)(1.0),
    "grad of a power": lambda lib: lib.grad(lambda x: x**2.5)(2.0),
    "jvp of a power": lambda lib: lib.jvp(lambda x: x**2.5, (2.0,), (1.0,)),
    "grad of grad of a power": lambda lib: lib.grad(lib.grad(lambda x: x**2.5))(2.0),
    "grad of a scan": lambda lib: lib.grad(
        lambda x: lax.scan(lambda c, _: (c * x, None), x, None, 2)[0]
    )(2.0),
    "grad of a scan whose carry turns strong": lambda lib: lib.grad(
        lambda x: lax.scan(lambda c, t: (c * t, c), x, jnp.ones(3))[0]
    )(1.0),
    "grad of a loop whose carry turns strong": lambda lib: lib.grad(
        lambda x: lax.fori_loop(0, 3, lambda i, c: c * np.float32(2), x)
    )(1.0),
    "jvp of a scan whose carry turns strong": lambda lib: lib.jvp(
        lambda x: lax.scan(lambda c, t: (c * t, c), x, jnp.ones(3)), (1.0,), (1.0,)
    ),
    "grad of jacfwd": lambda lib: lib.grad(lib.jacfwd(jnp.sin))(1.0),
    "jvp of jacrev": lambda lib: lib.jvp(lib.jacrev(jnp.sin), (1.0,), (1.0,)),
    "jacfwd, leaves": lambda lib: lib.jacfwd(lambda p: p["a"] * p["b"])(
        {"a": 1.0, "b": jnp.ones(2)}
    ),
    "zero tangent": lambda lib: lib.jvp(lambda x: WEAK, (1.0,), (1.0,)),
    "zero gradient": lambda lib: lib.grad(lambda x: 1.0)(WEAK),
    "cond": lambda lib: lib.grad(lambda x: lax.cond(x > 0, jnp.sin, jnp.cos, x))(1.0),
    "a real part": lambda lib: lib.grad(jnp.real)(1.5 + 1j),
    "an imaginary part": lambda lib: lib.grad(jnp.imag)(1.5 + 1j),
    "a product of weak values": lambda lib: lib.grad(lambda x: jnp.dot(x, x))(1.0),
    "second derivative": lambda lib: lib.grad(lib.grad(lambda x: x * x * x))(1.0),
}


@pytest.mark.parametrize("call", WEAKLY_TYPED.values(), ids=WEAKLY_TYPED)
def test_weak_types(call):
    assert types(call(jk)) == types(call(jax))


def test_numbers_that_an_inlined_jit_returns_are_arrays():
    f = jax.jit(lambda x: (x, True, 2, 1.5), inline=True)
    ours, theirs = (lib.jvp(f, (1.0,), (1.0,)) for lib in (jk, jax))
    assert types(ours) == types(theirs)
    assert all(isinstance(x, jax.Array) for x in jax.tree.leaves(ours[0]))


@pytest.mark.parametrize("name", ["grad", "jacfwd", "jacrev", "hessian"])
def test_a_derivative_by_a_number_adapts(name):
    d = getattr(jk, name)(lambda x: x * x)(1.0)
    assert (d * jnp.ones(2, jnp.bfloat16)).dtype == jnp.bfloat16
