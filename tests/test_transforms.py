"""Signatures and pytrees: results have JAX's structure, whatever goes in."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxkit as jk

X = np.array([0.5, -1.5])
TREE = {"w": np.array([[1.0, 2.0], [3.0, 4.0]]), "b": [X, 0.5]}


def model(p, x, scale=1.0):
    return scale * jnp.sum(jnp.tanh(p["w"] @ x + p["b"][0]) * p["b"][1])


def vector(p, x, scale=1.0):
    return {"y": scale * jnp.tanh(p["w"] @ x), "n": jnp.sum(x) * p["b"][1]}


def same(ours, theirs):
    assert jax.tree.structure(ours) == jax.tree.structure(theirs)
    for a, b in zip(jax.tree.leaves(ours), jax.tree.leaves(theirs), strict=True):
        assert np.shape(a) == np.shape(b)
        assert getattr(a, "dtype", None) == getattr(b, "dtype", None)
        if getattr(a, "dtype", None) != jax.dtypes.float0:
            np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("argnums", [0, 1, -1, -2, (0,), (0, 1), (1, 0), (-1, 0)])
@pytest.mark.parametrize("name", ["grad", "value_and_grad", "jacfwd", "jacrev"])
def test_argnums(name, argnums):
    f = model if "grad" in name else vector
    ours = getattr(jk, name)(f, argnums)(TREE, X, scale=2.0)
    same(ours, getattr(jax, name)(f, argnums)(TREE, X, scale=2.0))


def test_hessian_of_pytrees():
    same(jk.hessian(model, (0, 1))(TREE, X), jax.hessian(model, (0, 1))(TREE, X))


@pytest.mark.parametrize(
    "name", ["grad", "value_and_grad", "jacfwd", "jacrev", "hessian"]
)
def test_has_aux(name):
    def f(p, x):
        y = model(p, x)
        return y, {"twice": 2 * y, "label": np.arange(2)}

    same(getattr(jk, name)(f, has_aux=True)(TREE, X),
         getattr(jax, name)(f, has_aux=True)(TREE, X))  # fmt: skip


def test_has_aux_of_jvp_vjp_and_linearize():
    def f(x):
        return x**2, {"x": x, "s": 3}

    same(jk.jvp(f, (X,), (X,), has_aux=True), jax.jvp(f, (X,), (X,), has_aux=True))
    for name in "vjp", "linearize":
        y, derivative, aux = getattr(jk, name)(f, X, has_aux=True)
        y2, derivative2, aux2 = getattr(jax, name)(f, X, has_aux=True)
        same((y, aux, derivative(X)), (y2, aux2, derivative2(X)))


def test_aux_may_hold_anything():
    (value, aux), g = jk.value_and_grad(lambda x: (x**2, "label"), has_aux=True)(3.0)
    assert (value, aux, g) == (9.0, "label", 6.0)


def test_argnames():
    def f(x, y, *, w):
        return x * y**2 * w**3

    args, kwargs = (2.0, 3.0), {"w": 1.5}
    dx, dy, dw = 9 * 1.5**3, 12 * 1.5**3, 18 * 3 * 1.5**2
    assert jk.grad(f, argnames="w")(*args, **kwargs) == dw
    assert jk.grad(f, argnames="y")(*args, **kwargs) == dy, (
        "also one passed by position"
    )
    assert jk.grad(f, argnames=("w", "x"))(*args, **kwargs) == {"w": dw, "x": dx}
    assert jk.grad(f, argnums=0, argnames=("w",))(*args, **kwargs) == (dx, {"w": dw})
    assert jk.grad(f, argnums=(0, 1), argnames="w")(*args, **kwargs) == ((dx, dy), dw)
    assert jk.value_and_grad(f, argnames="w")(*args, **kwargs)[1] == dw
    assert jk.jacfwd(f, argnames="w")(*args, **kwargs) == dw
    assert jk.jacrev(f, argnames="w")(*args, **kwargs) == dw
    np.testing.assert_allclose(
        jk.hessian(f, argnames="w")(*args, **kwargs), 18 * 6 * 1.5
    )


def test_holomorphic():
    def f(z):
        return jnp.sin(z) ** 2 / (z + 2)

    z = 0.3 - 0.7j
    for name in "grad", "jacfwd", "jacrev", "hessian":
        ours = getattr(jk, name)(f, holomorphic=True)(z)
        same(ours, getattr(jax, name)(f, holomorphic=True)(z))


def test_real_functions_of_complex_numbers():
    def f(z):
        return jnp.abs(z) ** 2 + jnp.real(z * z) + jnp.imag(jnp.exp(z))

    same(jk.grad(f)(0.3 - 0.7j), jax.grad(f)(0.3 - 0.7j))
    same(jk.jacfwd(lambda x: x * (1 + 2j))(X), jax.jacfwd(lambda x: x * (1 + 2j))(X))


def test_allow_int():
    def f(x, n):
        return jnp.sum(x[n] ** 2)

    n = np.array([0, 1, 1])
    for argnums in (0, 1), 1:
        same(
            jk.grad(f, argnums, allow_int=True)(X, n),
            jax.grad(f, argnums, allow_int=True)(X, n),
        )
    same(
        jk.jacrev(lambda x, n: x[n], (0, 1), allow_int=True)(X, n),
        jax.jacrev(lambda x, n: x[n], (0, 1), allow_int=True)(X, n),
    )


def test_integers_have_float0_tangents():
    zero = np.zeros((), jax.dtypes.float0)
    n = np.array(3)
    ours = jk.jvp(lambda x, n: (x * n, n), (2.0, n), (1.0, zero))[1]
    same(ours, jax.jvp(lambda x, n: (x * n, n), (2.0, n), (1.0, zero))[1])
    same(
        jk.vjp(lambda x, n: x * n, 2.0, n)[1](1.0),
        jax.vjp(lambda x, n: x * n, 2.0, n)[1](1.0),
    )


def test_hvp_of_one_and_of_several_arguments():
    H = jax.hessian(model)(TREE, X)["w"]["w"]
    only_w = jk.hvp(lambda w: model({**TREE, "w": w}, X), (TREE["w"],), (TREE["w"],))
    np.testing.assert_allclose(only_w, jnp.tensordot(H, TREE["w"], 2), rtol=1e-12)
    v = jax.tree.map(np.cos, (TREE, X))
    same(jk.hvp(model, (TREE, X), v),
         jax.jvp(jax.grad(model, (0, 1)), (TREE, X), v)[1])  # fmt: skip


def test_dtypes_and_weak_types_are_kept():
    for dtype in (jnp.float32, jnp.bfloat16, jnp.float16):
        x = jnp.ones(3, dtype)
        assert jk.grad(lambda x: jnp.sum(jnp.tanh(x) * 2.0))(x).dtype == dtype
    for f in jnp.sin, lambda x: x**2, lambda x: x * jnp.float16(2), jnp.tanh:
        assert jk.grad(f)(1.0).weak_type and jax.jit(jk.grad(f))(1.0).weak_type


@pytest.mark.parametrize("derivative", [
    jk.grad, jk.jacfwd, lambda f: lambda x: jk.jvp(f, (x,), (1.0,))[1],
])  # fmt: skip
def test_python_sees_concrete_values(derivative, capsys):
    def f(x):
        print(x)
        steps = 0
        while x < 100:  # a loop on the value
            x = x * x if int(x) % 2 else x * 3.0  # a branch on the value
            steps += 1
        return x / float(steps > 0)

    # 3 -> 9 -> 81 -> 6561, each by squaring
    assert derivative(f)(3.0) == 8 * 3.0**7
    assert "primal=" in capsys.readouterr().out


def test_python_numbers_become_arrays_where_jax_makes_them():
    """`jnp.asarray(2)`, which numeric indices become, has a shape and a dtype."""

    def f(x):
        i = jnp.asarray(2)
        assert i.shape == ()
        return x[1:, 7] * i

    x = np.arange(6.0).reshape(2, 3)
    for ours, theirs in [(jk.jacfwd, jax.jacfwd), (jk.jacrev, jax.jacrev)]:
        same(ours(f)(x), theirs(f)(x))
        same(jax.jit(ours(f))(x), theirs(f)(x))


def test_arguments_are_not_changed():
    x = np.ones(3)
    jk.grad(lambda x: jnp.sum(x.at[0].set(5.0) ** 2) if hasattr(x, "at") else 0.0)(x)
    np.testing.assert_array_equal(x, np.ones(3))


def test_functions_keep_their_name_and_doc():
    assert jk.grad(model).__name__ == "model"


def test_a_pytree_without_leaves():
    assert jk.grad(lambda p, x: x * 2.0, argnums=(0, 1))({}, 1.0) == ({}, 2.0)
    assert jk.jacrev(lambda x: {})(1.0) == {}
    assert jk.jacfwd(lambda x: {})(1.0) == {}
