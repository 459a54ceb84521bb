"""Linear maps as operators: sums, products, multiples, and other packages' solvers."""

import jax
import jax.numpy as jnp
import lineax as lx
import numpy as np
import pytest
from scipy.sparse.linalg import cg

import jaxkit as jk

X = jnp.array([0.5, 1.0, 1.5])


def pairs(x):
    return jnp.sin(x[1:] * x[:-1])


def quartic(x):
    return jnp.sum(x**4) + x[0] * x[1]


def model(params, x):
    return jnp.tanh(params["w"] @ x + params["b"])


PARAMS = {"w": jnp.arange(6.0).reshape(2, 3) / 5, "b": jnp.array([0.1, -0.2])}


def close(found, expected):
    np.testing.assert_allclose(found, expected, 1e-5, 1e-5)


def dense(J):
    return np.asarray(jax.jacfwd(pairs)(X))


ALGEBRA = {
    "J @ J.T": (lambda J: J @ J.T, lambda M: M @ M.T),
    "J.T @ J": (lambda J: J.T @ J, lambda M: M.T @ M),
    "transposed": (lambda J: (2 * J.T @ J @ J.T).T, lambda M: 2 * M @ M.T @ M),
    "a sum": (lambda J: J @ J.T + J @ J.T, lambda M: 2 * M @ M.T),
    "of transposes": (lambda J: J.T + J.T, lambda M: 2 * M.T),
    "a difference": (lambda J: 3.0 * J - J / 2, lambda M: 2.5 * M),
    "negative": (lambda J: -J, lambda M: -M),
    "times zero": (lambda J: J * 0, lambda M: 0 * M),
    "times an array": (lambda J: jnp.float32(3) * J, lambda M: 3 * M),
    "nothing": (lambda J: J - J, lambda M: 0 * M),
}


@pytest.mark.parametrize("name", ALGEBRA)
def test_algebra(name):
    ours, of_matrix = ALGEBRA[name]
    operator, expected = ours(jk.jacobian_operator(pairs)(X)), of_matrix(dense(pairs))
    close(operator.matrix(), expected)
    close(operator.T.matrix(), expected.T)
    vector = jnp.arange(1.0, 1 + expected.shape[1])
    jitted = jax.jit(lambda a, v: a @ v)
    for found in (operator @ vector, operator(vector), jitted(operator, vector)):
        (found,) = jax.tree.leaves(found)
        close(found, expected @ vector)


def test_what_does_not_fit():
    J = jk.jacobian_operator(pairs)(X)
    with pytest.raises(
        TypeError, match=r"@: the first map takes .*3.*, but the second"
    ):
        J @ J
    with pytest.raises(TypeError, match=r"\+: the first map is from .* to"):
        J + J.T
    with pytest.raises(TypeError, match="is complex, and the map is real"):
        1j * J
    with pytest.raises(TypeError, match="unsupported operand"):
        J + 1
    with pytest.raises(TypeError, match=r"as_scipy: a leaf of .* doesn't move"):
        jk.operators.as_scipy(jk.linearize(lambda x, n: x * n, 1.0, 2)[1])


def test_of_trees_and_several_arguments():
    gradient = lambda p: jax.grad(lambda p: jnp.sum(model(p, X)))(p)  # noqa: E731
    H = jk.hessian_operator(lambda p: jnp.sum(model(p, X)))(PARAMS)
    v = jax.tree.map(jnp.ones_like, PARAMS)
    expected = jax.jvp(gradient, (PARAMS,), (v,))[1]
    for x, y in zip(jax.tree.leaves(H(v)), jax.tree.leaves(expected), strict=True):
        close(x, y)
    J = jk.jacobian_operator(lambda a, b: a * b, argnums=(0, 1))(2.0, 3.0)
    close((J @ J.T).matrix(), [[13.0]])
    named = jk.jacobian_operator(lambda a, b: a * b, argnames="b")(2.0, b=3.0)
    close(named(1.0), 2.0)


def test_gauss_newton():
    run = 0

    def counted(params, x):
        nonlocal run
        run += 1
        return model(params, x)

    loss = lambda y: jnp.sum(jnp.cosh(y))  # noqa: E731
    G = jk.gauss_newton_operator(counted, loss)(PARAMS, X)
    y = model(PARAMS, X)
    flat, back = jax.flatten_util.ravel_pytree(PARAMS)
    J = jax.jacfwd(lambda p: model(back(p), X))(flat)
    expected = J.T @ jax.hessian(loss)(y) @ J
    close(G.matrix(), expected)
    v = jax.tree.map(jnp.ones_like, PARAMS)
    for _ in range(3):
        close(jax.flatten_util.ravel_pytree(G(v))[0], expected @ np.ones(8))
    assert run == 1, "the model runs once"
    assert G.tags == G.T.tags == {"symmetric", "positive_semidefinite"}
    assert (-1 * G).tags == {"symmetric"} and (2 * G + G).tags == G.tags


def test_identity_damps():
    G = jk.gauss_newton_operator(model, lambda y: y @ y / 2)(PARAMS, X)
    I = jk.identity_operator(PARAMS)  # noqa: E741
    close((G + 0.1 * I).matrix(), G.matrix() + 0.1 * np.eye(8))
    assert (G + 0.1 * I).tags == G.tags and I(PARAMS)["w"] is PARAMS["w"]
    close(sum([G, G, I]).matrix(), 2 * G.matrix() + np.eye(8))
    with pytest.raises(TypeError):
        1 + G
    mixed = {"n": jnp.arange(2), "x": jnp.ones(2)}
    assert jk.identity_operator(mixed).matrix().shape == (2, 2)
    with pytest.raises(TypeError, match=r"identity_operator: the argument\['s'\] is"):
        jk.identity_operator({"s": "no"})
    solution = lx.linear_solve(jk.operators.as_lineax(G + I), PARAMS, lx.CG(1e-7, 1e-7))
    flat = jax.flatten_util.ravel_pytree
    expected = np.linalg.solve(G.matrix() + np.eye(8), flat(PARAMS)[0])
    np.testing.assert_allclose(flat(solution.value)[0], expected, 1e-4, 1e-5)


def test_scipy():
    H = jk.operators.as_scipy(jk.hessian_operator(quartic)(X))
    expected = jax.hessian(quartic)(X)
    close(H @ np.ones(3, np.float32), expected @ np.ones(3))
    solution, info = cg(H, np.ones(3, np.float32), rtol=1e-6)
    assert info == 0
    close(solution, np.linalg.solve(expected, np.ones(3)))
    J = jk.operators.as_scipy(jk.jacobian_operator(pairs)(X))
    close(J.rmatvec(np.ones(2, np.float32)), dense(pairs).T @ np.ones(2))
    z = jnp.array([1 + 2j, 3j])
    _, C = jk.linearize(lambda z: z[::-1] * z, z)
    M = np.asarray(jax.jacfwd(lambda z: z[::-1] * z, holomorphic=True)(z))
    close(jk.operators.as_scipy(C).rmatvec(np.asarray(z)), M.conj().T @ z)


SOLVES = {
    "conjugate gradients": (
        lambda x: jk.hessian_operator(quartic, convex=True)(x),
        lx.CG(1e-7, 1e-7),
    ),
    "LU": (lambda x: jk.hessian_operator(quartic)(x), lx.LU()),
    "a product": (
        lambda x: (lambda J: J.T @ J + jk.hessian_operator(quartic)(x))(
            jk.jacobian_operator(pairs)(x)
        ),
        lx.GMRES(1e-7, 1e-7),
    ),
}


@pytest.mark.parametrize("name", SOLVES)
def test_lineax(name):
    """Solved, differentiated, and compiled."""
    operator_at, solver = SOLVES[name]

    def solution(x):
        operator = jk.operators.as_lineax(operator_at(x))
        return jnp.sum(lx.linear_solve(operator, jnp.ones(3), solver).value)

    def expected(x):
        J, H = jax.jacfwd(pairs)(x), jax.hessian(quartic)(x)
        return jnp.sum(
            jnp.linalg.solve(H + J.T @ J * (name == "a product"), jnp.ones(3))
        )

    close(solution(X), expected(X))
    close(jax.jit(solution)(X), expected(X))
    np.testing.assert_allclose(jk.grad(solution)(X), jax.grad(expected)(X), 1e-3, 1e-4)
    np.testing.assert_allclose(jax.grad(solution)(X), jax.grad(expected)(X), 1e-3, 1e-4)


def test_lineax_of_a_jacobian():
    J = jk.operators.as_lineax(jk.jacobian_operator(model)(PARAMS, X))
    assert J.in_structure()["w"].shape == (2, 3) and J.out_structure().shape == (2,)
    close(J.as_matrix(), J.T.as_matrix().T)
    assert lx.is_symmetric(jk.operators.as_lineax(jk.hessian_operator(quartic)(X)))
    assert not lx.is_positive_semidefinite(J)


def test_a_vector_needs_no_tuple():
    J = jk.jacobian_operator(pairs)(X)
    assert J.shape == (2, 3) and J.T.shape == (3, 2)
    close(J.T @ np.ones(2), dense(pairs).T @ np.ones(2))
    close(J.T(jnp.ones(2))[0], J.T @ jnp.ones(2))
    _, product = jk.linearize(jnp.multiply, 2.0, 3.0)
    close(product @ (1.0, 10.0), 23.0)
    close(product.T @ 1.0, (3.0, 2.0))


def test_numpy_leaves_maps_alone():
    J = jk.jacobian_operator(pairs)(X)
    with pytest.raises(TypeError, match="a vector comes behind the map"):
        np.ones(2) @ J
    with pytest.raises(TypeError, match="unsupported operand"):
        np.ones(2) * J
    close((np.float32(2) * J).matrix(), 2 * J.matrix())
    close((np.array(2.0) * J).matrix(), 2 * J.matrix())


def test_scipy_of_complex_vectors():
    """A real map acts on both parts; what isn't linear over them is refused."""
    as_scipy = jk.operators.as_scipy
    z = np.array([1 + 2j, 3j, -1])
    M = dense(pairs)
    close(as_scipy(jk.jacobian_operator(pairs)(X)) @ z, M @ z)
    close(as_scipy(jk.jacobian_operator(pairs)(X)).rmatvec(z[:2]), M.T @ z[:2])
    for f, x, why in (
        (lambda x: x * (1 + 1j), X, "some are complex"),
        (lambda z: z * jnp.conj(z), z, "isn't linear over the complex"),
    ):
        with pytest.raises(TypeError, match=why):
            as_scipy(jk.linearize(f, x)[1])
