"""Composite ("hijax") primitives: the rules that they bring count."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax
from jax.custom_derivatives import SymbolicZero
from jax.experimental import hijax

import jaxkit as jk

# By JAX's name before 0.12, or since.
Composite = getattr(hijax, "VJPHiPrimitive", None) or hijax.HiPrim
FORMS = {
    "grad": lambda f: jk.grad(f),
    "grad(jit)": lambda f: jk.grad(jax.jit(f)),
    "jit(grad)": lambda f: jax.jit(jk.grad(f)),
    "scan": lambda f: jk.grad(
        lambda x: lax.scan(lambda c, _: (f(c), None), x, None, 1)[0]
    ),
    "linearize": lambda f: lambda x: jk.vjp(f, x)[1](jnp.ones_like(x))[0],
}
FORWARD = {
    "jvp": lambda f: lambda x: jk.jvp(f, (x,), (jnp.ones_like(x),))[1],
    "jvp(jit)": lambda f: lambda x: jk.jvp(jax.jit(f), (x,), (jnp.ones_like(x),))[1],
    "linearize": lambda f: lambda x: jk.linearize(f, x)[1](jnp.ones_like(x)),
    "jit": lambda f: jax.jit(lambda x: jk.linearize(f, x)[1](jnp.ones_like(x))),
}
X = jnp.float64(3.0)


def square(*rules):
    """The square, by a composite primitive that has some of these rules."""

    class Square(Composite):
        def __init__(self, aval):
            self.in_avals, self.out_aval, self.params = (aval,), aval, {}
            super().__init__()

        def expand(self, x):
            return x**2

        if "vjp" in rules:

            def vjp_fwd(self, moving, x):
                return self(x), x

            def vjp_bwd_retval(self, x, ct):
                return (jnp.clip(2 * ct * x, -0.1, 0.1),)

        if "linear vjp" in rules:

            def vjp_fwd(self, moving, x):
                return self(x), x

            def vjp_bwd_retval(self, x, ct):
                return (5 * ct * x,)

        if "jvp" in rules:

            def jvp(self, primals, tangents):
                return self(primals[0]), 3 * tangents[0] * primals[0]

        if "lin" in rules:

            def lin(self, moving, x):
                return self(x), x

            def linearized(self, x, dx):
                return 4 * dx * x

        if "transpose" in rules:

            def transpose(self, ct, *operands):
                raise AssertionError

    return lambda x: Square(jax.typeof(x))(x)


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        ((), 6.0),
        (("vjp",), 0.1),
        (("linear vjp",), 15.0),
        (("jvp",), 9.0),
        (("lin",), 12.0),
        (("vjp", "jvp"), 0.1),
        (("linear vjp", "lin"), 15.0),
    ],
)
def test_reverse_mode_is_by_its_rules(rules, expected, form):
    np.testing.assert_allclose(form(square(*rules))(X), expected)


@pytest.mark.parametrize("form", FORWARD.values(), ids=FORWARD)
@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        ((), 6.0),
        (("linear vjp",), 15.0),
        (("jvp",), 9.0),
        (("lin",), 12.0),
        (("vjp", "jvp"), 9.0),
    ],
)
def test_forward_mode_is_by_its_rules(rules, expected, form):
    np.testing.assert_allclose(form(square(*rules))(X), expected)


def test_a_backward_rule_that_is_not_linear_has_no_forward_mode():
    with pytest.raises(TypeError, match=r"through Square, .* isn't linear"):
        jk.jvp(square("vjp"), (X,), (X,))


def test_a_backward_rule_says_nothing_of_linear_inputs():
    with pytest.raises(NotImplementedError, match="Square has a backward rule, which"):
        jk.linear_transpose(square("vjp"), X)


def test_a_transpose_alone_is_refused():
    with pytest.raises(NotImplementedError, match="Square has a transpose, but"):
        jk.grad(square("transpose"))(X)


@pytest.fixture
def new_forms():
    """JAX's new ways to bring rules, which are composite primitives."""
    names = "jax_custom_vjp3", "jax_custom_jvp3", "jax_remat3"
    known = [name for name in names if hasattr(jax.config, name)]
    for name in known:
        jax.config.update(name, True)
    yield
    for name in known:
        jax.config.update(name, False)


@pytest.mark.usefixtures("new_forms")
def test_custom_rules_in_their_new_form():
    f = jax.custom_vjp(jnp.sin)
    f.defvjp(lambda x: (f(x), jnp.cos(x)), lambda c, ct: (2 * c * ct,))
    g = jax.custom_jvp(jnp.sin)
    g.defjvp(lambda primals, tangents: (g(*primals), 5 * tangents[0]))
    for form in [*FORMS.values(), *FORWARD.values()]:
        np.testing.assert_allclose(form(f)(X), 2 * np.cos(3.0))
        np.testing.assert_allclose(form(g)(X), 5.0)
    many = jnp.stack([X, X])
    batched = jk.grad(lambda xs: jnp.sum(jax.vmap(f)(xs) + jax.vmap(g)(xs)))(many)
    np.testing.assert_allclose(batched, 5 + 2 * np.cos(3.0) * np.ones(2))


@pytest.mark.usefixtures("new_forms")
def test_symbolic_zeros_in_the_new_form():
    found = []

    def backward(_, cts):
        found.append([type(ct) for ct in cts])
        return (jnp.zeros(()) if type(cts[0]) is SymbolicZero else cts[0],)

    f = jax.custom_vjp(lambda x: (x, x))
    f.defvjp(lambda x: ((x.value, x.value), None), backward, symbolic_zeros=True)
    assert jk.grad(lambda x: f(x)[0])(X) == 1.0
    assert jk.grad(lambda x: f(x)[1])(X) == 0.0
    assert [[t is SymbolicZero for t in types] for types in found] == [
        [False, True],
        [True, False],
    ]
    batched = jk.grad(lambda x: jax.vmap(jax.vmap(f))(x)[1].sum())
    assert (batched(jnp.ones((2, 2))) == 0.0).all()
    assert found[-1] == [SymbolicZero, found[-1][1]]


@pytest.mark.usefixtures("new_forms")
def test_a_checkpoint_in_its_new_form_computes_again():
    y, pull = jk.vjp(jax.checkpoint(lambda x: jnp.sin(jnp.sin(x))), X)
    text = str(jax.make_jaxpr(pull)(y))
    assert (text.count(" sin "), text.count(" cos ")) == (1, 2)


@pytest.mark.skipif(
    not hasattr(jax, "custom_remat"), reason="custom_remat is of JAX 0.11 on"
)
@pytest.mark.usefixtures("new_forms")
def test_rules_of_a_custom_remat_are_not_dropped_silently():
    f = jax.custom_remat(
        jnp.sin,
        lambda policy, x: (jnp.sin(x), jnp.cos(x)),
        lambda c, x: (jnp.sin(x), c),
        lambda c, ct: (7 * c * ct,),
    )
    for g in (f, jax.checkpoint(f)):
        with pytest.raises(NotImplementedError, match=r"rules that jax\.custom_remat"):
            jk.grad(g)(X)
