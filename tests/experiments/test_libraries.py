"""The libraries side by side: the same functions have the same derivatives in each."""

import jax
import numpy as np
import pytest

from experiments.functions import FUNCTIONS
from experiments.libraries import libraries


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_library_computes_the_same_jacobian(name):
    f, args = FUNCTIONS[name].at(8, 4)
    bound, own = libraries()["jax"].bind(f, args)
    reference = np.asarray(jax.jit(jax.jacrev(bound))(*own))
    assert reference.shape == (4, 8) and np.abs(reference).max() > 1e-3
    for library in libraries().values():
        bound, own = library.bind(f, args)
        for mode in (library.ad.jacfwd, library.ad.jacrev):
            found = np.asarray(library.build(mode(bound), own).call())
            np.testing.assert_allclose(found, reference, rtol=2e-4, atol=2e-6)


@pytest.mark.parametrize("name", libraries())
def test_every_transform_of_a_library(name):
    library = libraries()[name]

    def f(xp, x, places):
        return xp.put(x * 0, places, xp.sin(x[:2]) * xp.exp(x[2]))

    x = np.array([0.3, -0.2, 0.5], np.float32)
    bound, (x, places) = library.bind(f, (x, np.array([2, 0])))
    one = lambda x: library.numpy.sum(bound(x, places))  # noqa: E731
    a, b, c = 0.3, -0.2, 0.5
    e = np.exp(c)
    gradient = [np.cos(a) * e, np.cos(b) * e, (np.sin(a) + np.sin(b)) * e]
    hessian = [
        [-np.sin(a) * e, 0, np.cos(a) * e],
        [0, -np.sin(b) * e, np.cos(b) * e],
        [np.cos(a) * e, np.cos(b) * e, (np.sin(a) + np.sin(b)) * e],
    ]
    ad, close = library.ad, {"rtol": 1e-5, "atol": 1e-6}
    np.testing.assert_allclose(np.asarray(ad.grad(one)(x)), gradient, **close)
    np.testing.assert_allclose(np.asarray(ad.hessian(one)(x)), hessian, **close)
    y, dy = ad.jvp(one, (x,), (x,))
    assert float(y) == pytest.approx(gradient[2], rel=1e-5)
    expected = np.dot(gradient, [a, b, c])
    assert float(dy) == pytest.approx(expected, rel=1e-5)
    y, pullback = ad.vjp(one, x)
    (ct,) = jax.tree.leaves(pullback(y * 0 + 2))
    np.testing.assert_allclose(np.asarray(ct), np.multiply(2, gradient), **close)
    jacobian = np.asarray(ad.jacfwd(lambda x: bound(x, places))(x))
    assert jacobian[1].tolist() == [0, 0, 0]
    np.testing.assert_allclose(jacobian[[2, 0]].sum(0), gradient, **close)


def test_a_program_returns_when_its_result_is_there():
    for library in libraries().values():
        f, args = library.bind(lambda xp, x: xp.sum(x), (np.ones(3, np.float32),))
        assert float(library.build(f, args).call()) == 3
