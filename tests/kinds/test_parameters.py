"""Parameters of primitives that matter to a derivative reach it."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

import jaxkit as jk
from jaxkit.rules import RULES
from jaxkit.rules.kinds import Elementwise
from tests.rules.test_rules import CASES
from zoo.case import flat, generator, sample

HIGHEST = lax.AccuracyMode.HIGHEST

# Parameters of elementwise primitives that no partial reads, and why.
IRRELEVANT = {
    "accuracy": "the partial is made of the output, or of arithmetic",
    "out_dtype": "of mul: the product has it",
    "unreduced": "of mul: the kind of sharding, which the product has",
}
# Those that say how an operator computes, not what: its tangents are computed alike.
HOW = "accuracy", "precision", "preferred_element_type", "exec_time_optimization"


def equations(jaxpr):
    for eqn in getattr(jaxpr, "jaxpr", jaxpr).eqns:
        yield eqn
        for inner in jax.tree.leaves(eqn.params, is_leaf=lambda x: hasattr(x, "eqns")):
            if hasattr(inner, "eqns"):
                yield from equations(inner)


def of(case):
    """The equations of a case's function."""
    args = sample(case, generator(case), case.dtypes[0])
    return list(equations(jax.make_jaxpr(case.function)(*args)))


ELEMENTWISE = [
    c for c in CASES if c.available and type(RULES[c.primitive]) is Elementwise
]


@pytest.mark.parametrize("case", ELEMENTWISE, ids=lambda case: case.name)
def test_each_parameter_is_read_or_irrelevant(case):
    for eqn in of(case):
        rule = RULES[eqn.primitive]
        if type(rule) is Elementwise:
            assert eqn.params.keys() <= {*rule.static, *IRRELEVANT}, eqn


ACCURATE = {
    "cbrt": lax.cbrt, "cos": lax.cos, "exp": lax.exp, "exp2": lax.exp2,
    "expm1": lax.expm1, "log": lax.log, "log1p": lax.log1p, "logistic": lax.logistic,
    "rsqrt": lax.rsqrt, "sin": lax.sin, "sqrt": lax.sqrt, "tan": lax.tan,
    "tanh": lax.tanh,
}  # fmt: skip
if jax.__version_info__ >= (0, 12):
    ACCURATE["erfc"] = lax.erfc


def test_all_that_have_an_accuracy_are_tried():
    having = {e.primitive.name for case in ELEMENTWISE for e in of(case)
              if "accuracy" in e.params}  # fmt: skip
    assert having - {"log2"} == ACCURATE.keys()


@pytest.mark.parametrize("name", ACCURATE)
def test_a_derivative_is_as_accurate_as_its_primitive(name):
    """Each function in it has the accuracy that was asked for, at every order."""
    x = jnp.linspace(0.2, 0.8, 5)

    def f(x):
        return ACCURATE[name](x, accuracy=HIGHEST)

    for g in f, lambda x: jk.jvp(f, (x,), (x,))[1]:
        moved = jax.make_jaxpr(lambda x, g=g: jk.jvp(g, (x,), (x,))[1])(x)
        for eqn in equations(moved):
            assert eqn.params.get("accuracy", HIGHEST) is HIGHEST
    ours, theirs = (lib.jvp(f, (x,), (x,))[1] for lib in (jk, jax))
    np.testing.assert_allclose(ours, theirs, rtol=1e-14)


def test_tails_of_the_highest_accuracy():
    """e^-40, and sech(20)^2: there the function is 1 but for rounding."""
    for f, x, expected in [
        (lax.logistic, 40.0, 4.248354255291589e-18),
        (lax.tanh, 20.0, 1.6993417021166355e-17),
        (lax.tanh, -20.0, 1.6993417021166355e-17),
    ]:
        g = lambda x, f=f: f(x, accuracy=HIGHEST)  # noqa: E731
        for found in (
            jk.grad(g)(x),
            jk.jvp(g, (x,), (1.0,))[1],
            jax.jit(jk.grad(g))(x),
            abs(jk.grad(jk.grad(g))(x)) / (2 if f is lax.tanh else 1),
        ):
            np.testing.assert_allclose(found, expected, rtol=1e-12)


PRODUCTS = "dot_general", "conv_general_dilated", "ragged_dot_general"


@pytest.mark.parametrize(
    "case", [c for c in CASES if str(c.primitive) in PRODUCTS], ids=lambda c: c.name
)
def test_products_of_tangents_are_as_precise(case):
    args = sample(case, generator(case), case.dtypes[0])
    f, xs = flat(case.function, args)

    def how(function):
        return {
            (name, str(eqn.params[name]))
            for eqn in equations(jax.make_jaxpr(function)(xs))
            if eqn.primitive.name == str(case.primitive)
            for name in HOW
            if name in eqn.params
        }

    there = how(f)
    assert how(lambda xs: jk.jvp(f, (xs,), (xs,))) == there
    assert how(lambda xs: jk.vjp(f, xs)[1](f(xs))) == there
