"""Edges: sizes of zero, settings that change between calls, depth, arguments."""

from __future__ import annotations

import types
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

import jaxkit as jk

# --- Sizes ----------------------------------------------------------------------------


def test_padding_a_scalar():
    for pad in lambda x: lax.pad(x, 0.0, ()), lambda x: jnp.pad(x, 0):
        assert jk.grad(pad)(2.0) == 1.0


def test_convolution_of_an_empty_image():
    def f(x):
        return lax.conv_general_dilated(
            x, jnp.ones((1, 1, 1, 2)), (1, 1), ((0, 0), (0, 0)), lhs_dilation=(2, 1)
        )

    y, pull = jk.vjp(f, jnp.ones((1, 1, 0, 4)))
    assert pull(y)[0].shape == (1, 1, 0, 4)


# --- Checkpoints ----------------------------------------------------------------------

C = jnp.array([1.0, 2.0, 3.0])


@pytest.mark.parametrize("transform", [lambda f: f, jax.jit])
@pytest.mark.parametrize("prevent_cse", [(False, True), (True, False), (False, False)])
def test_cse_is_prevented_for_each_operand(prevent_cse, transform):
    @partial(jax.checkpoint, prevent_cse=prevent_cse)
    def layer(w, x):
        return jnp.sin(w) @ jnp.cos(x) + C

    w, x = jnp.eye(3), jnp.ones(3)
    ours, theirs = (
        transform(lib.grad(lambda w, x: jnp.sum(layer(w, x) ** 2), (0, 1)))(w, x)
        for lib in (jk, jax)
    )
    jax.tree.map(partial(np.testing.assert_allclose, rtol=1e-12), ours, theirs)


# --- Linear functions -----------------------------------------------------------------


def test_linear_transpose_of_integers():
    assert jk.linear_transpose(lambda x: 2 * x, 1)(3) == (6,)
    ours, theirs = (
        lib.linear_transpose(lambda x: (x[1:] * 3, x[0]), jnp.arange(3))
        for lib in (jk, jax)
    )
    ct = jnp.array([5, 7]), jnp.array(2)
    np.testing.assert_array_equal(ours(ct)[0], theirs(ct)[0])
    with pytest.raises(TypeError, match="bool"):
        jk.linear_transpose(lambda x: x, True)


def test_linear_transpose_at_anything_with_a_shape():
    x = types.SimpleNamespace(shape=(3,), dtype=np.dtype("float64"))
    for like in x, jax.ShapeDtypeStruct((3,), np.float64):
        np.testing.assert_array_equal(
            jk.linear_transpose(lambda x: 2 * x, like)(jnp.arange(3.0))[0], [0, 2, 4]
        )


# --- Arguments ------------------------------------------------------------------------


@pytest.mark.parametrize("transform", [jk.grad, jk.jacrev, jk.jacfwd])
def test_argnums(transform):
    f = jnp.multiply
    assert transform(f, argnums={0})(2.0, 3.0) == (3.0,)
    assert transform(f, argnums=[1, 0])(2.0, 3.0) == (2.0, 3.0)
    assert transform(lambda x, w: x * w, argnames="w")(2.0, w=3.0) == 2.0
    for several in ((i for i in (1, 0)), np.array([1, 0]), jnp.array([1, 0])):
        assert transform(f, argnums=several)(2.0, 3.0) == (2.0, 3.0)
    for one in (np.array(1), jnp.int32(1), True):
        assert transform(f, argnums=one)(2.0, 3.0) == 2.0
    for wrong, text in (
        (None, "None"),
        (1.0, "1.0"),
        ("x", "'x'"),
        ((0, 1.5), r"\(0, 1.5\)"),
        (np.ones((8, 8)), r"float64\[8,8\]"),
    ):
        with pytest.raises(TypeError, match=f"must be an int .*, got {text};"):
            transform(f, argnums=wrong)
    with pytest.raises(ValueError, match="argnums is empty"):
        transform(f, argnums=[])


@pytest.mark.parametrize("transform", [jk.grad, jk.jvp, jk.vjp])
def test_masked_arrays_are_refused_as_by_jax(transform):
    x = np.ma.array([1.0, 2.0], mask=[0, 1])
    calls = {
        jk.grad: lambda: jk.grad(jnp.sum)(x),
        jk.jvp: lambda: jk.jvp(jnp.sum, (x,), (np.ones(2),)),
        jk.vjp: lambda: jk.vjp(jnp.sum, x),
    }
    with pytest.raises(ValueError, match=r"argument 0 is a masked array .*filled"):
        calls[transform]()


def test_a_pullback_with_two_arguments_names_the_function():
    with pytest.raises(TypeError, match="for 'sin' takes one cotangent"):
        jk.vjp(jnp.sin, 1.0)[1](1.0, 2.0)


# --- Settings -------------------------------------------------------------------------


def wide():
    with jax.enable_x64(True):
        return jnp.arange(1.0, 4.0, dtype=np.float64)


WIDE = {
    "square": lambda x: jnp.sum(x**2),
    "sqrt": lambda x: jnp.sum(jnp.sqrt(x)),
    "tanh": lambda x: jnp.sum(jnp.tanh(x)),
    "sigmoid": lambda x: jnp.sum(jax.nn.sigmoid(x)),
    "erf": lambda x: jnp.sum(lax.erf(x)),
    "slice": lambda x: jnp.sum(x[1:]),
    "softmax": lambda x: jnp.sum(jax.nn.softmax(x) * x),
    "jit": lambda x: jax.jit(lambda x: jnp.sum(x**2))(x),
    "scan": lambda x: jnp.sum(lax.scan(lambda c, _: (jnp.sin(c), None), x, None, 2)[0]),
    "power": lambda x: jnp.sum(x**2.5),
    "maximum": jnp.max,
}


@pytest.mark.filterwarnings("ignore:Explicitly requested dtype")
@pytest.mark.parametrize("f", WIDE.values(), ids=WIDE)
def test_arrays_of_64_bits_while_there_are_none(f):
    x = wide()
    expected = jax.grad(f)(x), jax.jvp(f, (x,), (x,))[1], jax.linearize(f, x)[1](x)
    with jax.enable_x64(False):
        found = jk.grad(f)(x), jk.jvp(f, (x,), (x,))[1], jk.linearize(f, x)[1](x)
        assert found[0].dtype == jk.hessian(f)(x).dtype == np.float64
    jax.tree.map(partial(np.testing.assert_allclose, rtol=1e-6), found, expected)


def test_a_pullback_made_before():
    x = wide()
    y, pull = jk.vjp(lambda x: jnp.sum(jax.nn.softmax(x) * x**2), x)
    before = pull(y)[0]
    with jax.enable_x64(False):
        np.testing.assert_array_equal(pull(y)[0], before)


@pytest.mark.parametrize(
    "f",
    [
        lambda x: jax.nn.softmax(x)[0],
        jax.nn.logsumexp,
        lambda x: jnp.max(x, initial=-jnp.inf),
    ],
)
def test_infinities_are_looked_for_in_results_alone(f):
    x = jnp.array([1.0, 2.0, 3.0])
    expected = jax.grad(f)(x)
    with jax.debug_infs(True), jax.debug_nans(True):
        np.testing.assert_allclose(jk.grad(f)(x), expected, rtol=1e-12)


def test_what_is_found_is_named_as_the_user_knows_it():
    """An operation that ran before isn't looked at by JAX, but the whole that is fused.

    It is called by what it is of.
    """
    zero, one = jnp.zeros(()), jnp.ones(())
    with jax.debug_nans(True):
        jk.grad(lax.div)(one, one)
        with pytest.raises(FloatingPointError, match="div"):
            jk.grad(lax.div)(zero, zero)


# --- Depth ----------------------------------------------------------------------------


def test_calls_within_calls():
    """More than JAX can differentiate with Python's own limit of 1,000 frames."""
    f, n = jnp.sin, 100
    for _ in range(n):
        f = jax.jit(lambda x, f=f: f(x) * 1.01)
        f(1.0)  # JAX keeps what it traced
    expected = np.cos(1.0) * 1.01**n
    np.testing.assert_allclose(jk.grad(f)(1.0), expected)
    np.testing.assert_allclose(jk.jvp(f, (1.0,), (1.0,))[1], expected)
    np.testing.assert_allclose(jax.jit(jk.grad(f))(1.0), expected)


def test_any_cotangent_of_an_integer_output_counts_for_nothing():
    def f(x):
        return x * 2, jnp.int32(3)

    for nothing in np.zeros((), jax.dtypes.float0), jnp.int32(7), 1.5, True:
        for lib in jk, jax:
            assert lib.vjp(f, 1.0)[1]((1.0, nothing)) == (2.0,)
    with pytest.raises(ValueError, match="any array of that shape"):
        jk.vjp(f, 1.0)[1]((1.0, jnp.ones(3)))
