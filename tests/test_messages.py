"""Bad input: the same kind of exception as in JAX, and an exact, helpful message."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax
from jax.extend.core import Primitive
from jax.interpreters import mlir

import jaxkit as jk

X = np.ones(3)
FLOAT0 = jax.dtypes.float0


def square(x):
    return x * x


def total(x):
    return jnp.sum(x * x)


def pair(x):
    return {"a": x, "b": x[0]}


# Each case: what is called on the module (jaxkit, or jax), and what the message says.
CASES = {
    "argnums of a Jacobian": (
        lambda t: t.jacfwd(square, argnums=3)(X),
        "argnums=3 needs at least 4 positional arguments",
    ),
    "integer input": (
        lambda t: t.grad(square)(3),
        "argument 0 is int64[]",
        "pass 3.0",
    ),
    "integer array": (
        lambda t: t.grad(total)(np.arange(3)),
        "argument 0 is int64[3]",
        "x.astype(float)",
    ),
    "integer leaf": (
        lambda t: t.grad(lambda p: p["w"][1])({"w": [1.0, 2]}),
        "argument 0['w'][1] is int64[]",
        "pass 2.0",
    ),
    "boolean input": (
        lambda t: t.grad(square)(True),
        "argument 0 is bool[]",
        "pass an array of floats",
    ),
    "integer input of jacfwd": (lambda t: t.jacfwd(square)(3), "pass 3.0"),
    "integer input of jacrev": (lambda t: t.jacrev(square)(3), "pass 3.0"),
    "integer input of hessian": (lambda t: t.hessian(square)(3), "pass 3.0"),
    "vector output": (
        lambda t: t.grad(square)(X),
        "output has shape (3,)",
        "vjp",
        "jacrev",
    ),
    "pytree output": (
        lambda t: t.grad(pair)(X),
        "returned a pytree PyTreeDef({'a': *, 'b': *})",
        "vjp or jacrev",
    ),
    "no output": (lambda t: t.grad(lambda x: None)(1.0), "returned a pytree"),
    "integer output": (
        lambda t: t.grad(lambda x: x.astype(int))(1.0),
        "the output is int64[]",
        "must be real",
    ),
    "complex output": (
        lambda t: t.grad(lambda x: x * 1j)(1.0),
        "the output is complex128[]",
        "holomorphic=True",
    ),
    "complex output of jacrev": (
        lambda t: t.jacrev(lambda x: {"a": x * 1j})(1.0),
        "the output['a'] is complex128[]",
        "holomorphic=True",
    ),
    "complex input of jacfwd": (
        lambda t: t.jacfwd(square)(1j),
        "argument 0 is complex128[]",
        "holomorphic=True",
    ),
    "real input, holomorphic": (
        lambda t: t.grad(square, holomorphic=True)(1.0),
        "argument 0 is float64[]",
        "must be complex",
    ),
    "real input of jacfwd, holomorphic": (
        lambda t: t.jacfwd(square, holomorphic=True)(1.0),
        "argument 0 is float64[]",
        "must be complex",
    ),
    "real output, holomorphic": (
        lambda t: t.grad(abs, holomorphic=True)(1j),
        "the output is float64[]",
        "must be complex",
    ),
    "string as argument": (
        lambda t: t.grad(square)("x"),
        "argument 0 is 'x' of <class 'str'>",
        "not a valid JAX type",
    ),
    "string as leaf": (
        lambda t: t.vjp(square, {"a": [1.0, "x"]}),
        "argument 0['a'][1] is 'x'",
    ),
    "string as primal of jvp": (
        lambda t: t.jvp(square, ("x",), (1.0,)),
        "argument 0 is 'x'",
    ),
    "array of objects": (
        lambda t: t.grad(total)(np.ones(2, object)),
        "not a valid JAX type",
    ),
    "string as output": (
        lambda t: t.grad(lambda x: "y")(1.0),
        "the output of the function is 'y'",
        "has_aux=True",
    ),
    "no pair with has_aux": (
        lambda t: t.grad(square, has_aux=True)(1.0),
        "pair (output, aux)",
    ),
    "argnums too large": (
        lambda t: t.grad(square, argnums=2)(1.0),
        "argnums=2 needs at least 3 positional arguments, but the call has 1",
    ),
    "argnums too small": (
        lambda t: t.grad(square, argnums=(-3,))(1.0),
        "argnums=-3 is out of range",
        "the least is -1",
    ),
    "no arguments": (lambda t: t.grad(square)(), "the call has 0"),
    "argnums of strings": (
        lambda t: t.grad(square, argnums="x")(1.0),
        "got 'x'",
        "argnames",
    ),
    "not a function": (lambda t: t.grad(3.0), "got 3.0", "grad(f)(x)"),
    "tangent of wrong shape": (
        lambda t: t.jvp(square, (X,), (np.ones(4),)),
        "the tangent of argument 0 is float64[4], but the primal is float64[3]",
        "pass float64[3]",
    ),
    "tangent leaf of wrong shape": (
        lambda t: t.jvp(lambda p: p, ({"w": X, "b": 1.0},), ({"w": X, "b": X},)),
        "the tangent of argument 0['b'] is float64[3], but the primal is float64[]",
    ),
    "tangent of wrong dtype": (
        lambda t: t.jvp(square, (X,), (np.ones(3, np.float32),)),
        "the tangent of argument 0 is float32[3], but the primal is float64[3]",
        "pass float64[3]",
    ),
    "tangent of integers": (
        lambda t: t.jvp(square, (3,), (1.0,)),
        "the primal is int64[]",
        "float0",
    ),
    "tangent of wrong structure": (
        lambda t: t.jvp(lambda p: p, ({"w": X, "b": X},), ({"w": X},)),
        "it lacks one for argument 0['b']",
    ),
    "tangent with a leaf too many": (
        lambda t: t.jvp(lambda p: p, ({"w": X},), ({"w": X, "c": X},)),
        "one too many, for argument 0['c']",
    ),
    "tangents as a list": (
        lambda t: t.jvp(square, (X,), [X]),
        "pass a tuple",
    ),
    "primals not in a tuple": (lambda t: t.jvp(square, X, X), "pass (x,)"),
    "tangents not in a tuple": (lambda t: t.jvp(square, (X,), X), "pass (dx,)"),
    "cotangent of wrong structure": (
        lambda t: t.vjp(pair, X)[1]({"a": X}),
        "it lacks one for the output['b']",
    ),
    "cotangent of wrong shape": (
        lambda t: t.vjp(pair, X)[1]({"a": X, "b": X}),
        "the cotangent of the output['b'] is float64[3], but the output is float64[]",
    ),
    "cotangent of wrong dtype": (
        lambda t: t.vjp(square, X)[1](np.ones(3, np.float32)),
        "the cotangent of the output is float32[3]",
        "pass float64[3]",
    ),
    "tangent of wrong shape of linearize": (
        lambda t: t.linearize(square, X)[1](np.ones(4)),
        "the tangent of argument 0 is float64[4]",
    ),
    "too many tangents of linearize": (
        lambda t: t.linearize(square, X)[1](X, X),
        "one too many, for argument 1",
    ),
    "transpose of what isn't linear": (
        lambda t: t.linear_transpose(jnp.sin, X)(X),
        "'sin' is not linear, or no transpose of it is known",
        "test_messages.py",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_message(name):
    call, *fragments = CASES[name]
    with pytest.raises(Exception) as ours:
        call(jk)
    for fragment in fragments:
        assert fragment in str(ours.value)
    with pytest.raises(Exception) as jaxs:
        call(jax)
    kinds = TypeError, ValueError, NotImplementedError
    kind = next(k for k in kinds if isinstance(jaxs.value, k))
    assert isinstance(ours.value, kind)


def test_product_of_tangents_is_not_linear():
    with pytest.raises(NotImplementedError, match="'mul' of two values that both"):
        jk.linear_transpose(square, X)


def test_missing_rule_names_the_primitive_and_the_users_line():
    unknown_p = Primitive("unknown")
    unknown_p.def_impl(lambda x: x)
    unknown_p.def_abstract_eval(lambda x: x)
    lowering = mlir.lower_fun(lambda x: x, multiple_results=False)
    mlir.register_lowering(unknown_p, lowering)

    def f(x):
        return unknown_p.bind(x)

    for call in (jk.grad(f), jax.jit(jk.grad(f)), jk.grad(jax.jit(f))):
        with pytest.raises(NotImplementedError) as error:
            call(2.0)
        line = f.__code__.co_firstlineno + 1
        assert "primitive 'unknown'" in str(error.value)
        assert f"test_messages.py:{line}" in str(error.value)


@pytest.mark.parametrize(
    "transform", [jk.grad, lambda f: lambda x: jk.jvp(f, (x,), (x,))]
)
def test_escaped_tracer(transform):
    escaped = []

    def f(x):
        escaped.append(x)
        return x * x

    transform(f)(3.0)
    with pytest.raises(jax.errors.UnexpectedTracerError):
        escaped[0] + 1.0


def test_forward_mode_through_custom_vjp():
    @jax.custom_vjp
    def clipped(x):
        return x

    clipped.defvjp(lambda x: (x, None), lambda _, ct: (jnp.clip(ct, -1, 1),))
    with pytest.raises(TypeError, match="custom_vjp function 'clipped'"):
        jk.jvp(clipped, (1.0,), (1.0,))
    assert jk.grad(lambda x: 5 * clipped(x))(2.0) == 1.0


def test_reverse_mode_through_a_while_loop():
    def f(x):
        return lax.while_loop(lambda c: c < 9, lambda c: c * x, x)

    line = f.__code__.co_firstlineno + 1
    for call in (jk.grad(f), jax.jit(jk.grad(f)), jk.grad(jk.grad(f))):
        with pytest.raises(ValueError, match=f"test_messages.py:{line}"):
            call(2.0)
    assert jk.jvp(f, (2.0,), (1.0,)) == (16.0, 32.0)


def test_elementwise_rule_with_a_partial_too_few():
    product_p = Primitive("product")
    product_p.def_impl(lambda x, y: x * y)
    jk.rules.elementwise(product_p, lambda z, x, y: y)
    with pytest.raises(TypeError, match="rule of 'product' has 1 partials"):
        jk.grad(lambda x: product_p.bind(x, 2.0))(1.0)


def test_hvp_speaks_in_its_own_name():
    with pytest.raises(TypeError, match=r"^hvp: primals must be a tuple"):
        jk.hvp(total, X, X)
    with pytest.raises(TypeError, match=r"^hvp: the function must return a scalar"):
        jk.hvp(square, (X,), (X,))


def test_argnames_are_checked():
    with pytest.raises(TypeError, match="select an argument twice"):
        jk.grad(lambda x, y: x * y, argnums=1, argnames="y")(1.0, 2.0)
    for argnames, text in {("y", "y"): "twice", 3: "string", (): "string"}.items():
        with pytest.raises(TypeError, match=f"argnames.*{text}"):
            jk.grad(lambda x, y: x * y, argnames=argnames)(1.0, y=2.0)
    with pytest.raises(TypeError, match="argnames names 'z', but the call passes"):
        jk.grad(lambda x, y: x * y, argnames="z")(1.0, y=2.0)
    with pytest.raises(TypeError, match="argnames must be a string"):
        jk.grad(square, argnames=(0,))


def test_rule_whose_primal_output_depends_on_its_tangent():
    @jax.custom_jvp
    def f(x):
        return x

    f.defjvp(lambda primals, tangents: (tangents[0], tangents[0]))
    with pytest.raises(TypeError, match="primal output depends on its tangents"):
        jk.grad(f)(1.0)


def test_bad_input_changes_nothing():
    x = np.ones(3)
    with pytest.raises(ValueError, match=re.escape("float64[4]")):
        jk.jvp(square, (x,), (np.ones(4),))
    np.testing.assert_array_equal(x, np.ones(3))
    assert jk.grad(total)(x).tolist() == [2.0, 2.0, 2.0]
