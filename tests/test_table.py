"""The table of rules: what it says of a primitive, and what the verbs make of it."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax
from jax.core import ShapedArray
from jax.extend.core import Primitive, primitives
from jax.interpreters import mlir

import jaxkit as jk
from jaxkit import control
from jaxkit.rules.table import NotLinear

RULES = jk.rules.RULES


@pytest.fixture
def primitive():
    """A primitive of a user's: x y / (x^2 + y^2)."""
    p = Primitive("quotient_of_products")
    p.def_impl(lambda x, y: x * y / (x**2 + y**2))
    p.def_abstract_eval(lambda x, y: ShapedArray(x.shape, x.dtype))
    mlir.register_lowering(p, mlir.lower_fun(p.impl, multiple_results=False))
    return p


def derivatives(p, x=3.0, y=4.0):
    """Both partials, in reverse and in forward mode, eagerly and compiled."""
    for f in (p.bind, jax.jit(p.bind)):
        forward = [jk.jvp(f, (x, y), v)[1] for v in ((1.0, 0.0), (0.0, 1.0))]
        reverse = jk.grad(f, argnums=(0, 1))(x, y)
        np.testing.assert_allclose(forward, reverse, rtol=1e-15)
        yield reverse


def exact(x=3.0, y=4.0):
    s = x**2 + y**2
    return y * (y**2 - x**2) / s**2, x * (x**2 - y**2) / s**2


# ------------------------------------------------------------------------------ to read


@pytest.mark.parametrize(
    ("primitive", "text"),
    [
        (primitives.sin_p, "dz = cos(x) dx"),
        (primitives.mul_p, "dz = y dx + x dy"),
        (primitives.sub_p, "dz = dx - dy"),
        (primitives.div_p, "dz = dx / y - z dy / y"),
        (primitives.tan_p, "dz = (1 + z ** 2) dx"),
        (primitives.cos_p, "dz = -sin(x) dx"),
        (primitives.log_p, "dz = dx / x"),
        (primitives.atan2_p, "by jaxkit/rules/elementwise.py:"),  # too long
        (primitives.floor_p, "it is constant between its steps"),
        ("pure_callback", "it calls back into Python"),
        (primitives.dot_general_p, "linear in each operand"),
        (primitives.sort_p, "by jaxkit/rules/reductions.py:"),
        (primitives.polygamma_p, "no known derivative in closed form"),
        (primitives.scan_p, "by jaxkit/control/scan.py:"),
    ],
    ids=str,
)
def test_a_rule_prints_what_it_says(primitive, text):
    assert text in str(jk.rules[primitive])


def test_a_rule_prints_its_verb_and_place():
    first, *_ = str(jk.rules["exp"]).splitlines()
    assert first.startswith("exp: elementwise, jaxkit/rules/elementwise.py:")
    assert "transposed by jaxkit/rules/structural.py:" in str(jk.rules["reshape"])


def test_every_rule_prints_and_says_where_it_is():
    for rule in RULES.values():
        assert f"{rule.name}: {rule.verb}, " in str(rule)
        assert rule.file.endswith(".py") and rule.line > 0
        assert " at 0x" not in str(rule)


def test_every_zero_and_refusal_has_a_reason():
    silent = [
        rule.name
        for rule in RULES.values()
        if rule.verb in ("zero", "refused") and rule.why == "it has none but zero"
    ]
    assert not silent


def test_rules_are_found_by_primitive_and_by_name():
    assert jk.rules["sin"] is jk.rules[primitives.sin_p] is RULES[primitives.sin_p]
    assert jk.rules["scatter-sub"] is RULES["scatter-sub"]
    operator = control.scan.operator
    assert jk.rules[operator].transposed_by and jk.rules[operator].name == "scan"


def test_a_primitive_without_a_rule():
    with pytest.raises(KeyError, match="'unheard_of' has no rule"):
        jk.rules["unheard_of"]
    with pytest.raises(KeyError, match="'nothing' has no rule"):
        jk.rules[Primitive("nothing")]


# ------------------------------------------------------------------------------- to add


def test_partials_one_by_one(primitive):
    jk.rules.elementwise(
        primitive,
        lambda z, x, y: y * (y**2 - x**2) / (x**2 + y**2) ** 2,
        lambda z, x, y: x * (x**2 - y**2) / (x**2 + y**2) ** 2,
    )
    for found in derivatives(primitive):
        np.testing.assert_allclose(found, exact(), rtol=1e-14)
    assert jk.rules[primitive].file == "tests/test_table.py"


def test_partials_together_share_their_work(primitive):
    calls = []

    def partials(z, x, y):
        calls.append(1)
        s = x**2 + y**2
        return y * (y**2 - x**2) / s**2, x * (x**2 - y**2) / s**2

    jk.rules.elementwise(primitive, together=partials)
    for found in derivatives(primitive):
        np.testing.assert_allclose(found, exact(), rtol=1e-14)
    assert calls


def test_of_partials_together_what_is_not_asked_for_is_not_computed():
    def equations(f):
        return [e.primitive.name for e in jax.make_jaxpr(f)(3.0).eqns]

    # atan2 in one operand: what both share, and one product; that by x is negated.
    assert equations(jk.grad(lambda y: jnp.arctan2(y, 4.0))).count("neg") == 0
    assert equations(jk.grad(lambda x: jnp.arctan2(4.0, x))).count("neg") == 1


def test_too_few_partials_together(primitive):
    jk.rules.elementwise(primitive, together=lambda z, x, y: (x,))
    with pytest.raises(TypeError, match="has 1 partials, but the primitive has 2"):
        jk.grad(primitive.bind)(3.0, 4.0)


@pytest.mark.parametrize("dtype", ["bfloat16", "float32", "float64"])
@pytest.mark.parametrize("name", ["tanh", "logistic", "erf", "rsqrt", "log1p", "asin"])
def test_numbers_in_formulas_take_the_operands_dtype(name, dtype):
    f, x = getattr(lax, name), jnp.ones(3, dtype)
    jaxpr = jax.make_jaxpr(lambda x: jk.vjp(f, x)[1](x))(x)
    assert {v.aval.dtype.name for e in jaxpr.eqns for v in e.outvars} == {dtype}
    assert all(e.primitive.name != "broadcast_in_dim" for e in jaxpr.eqns)


def test_a_term_for_each_operand(primitive):
    jk.rules.custom(
        primitive,
        lambda dx, z, x, y: dx * exact(x, y)[0],
        lambda dy, z, x, y: dy * exact(x, y)[1],
    )
    for found in derivatives(primitive):
        np.testing.assert_allclose(found, exact(), rtol=1e-14)


def test_an_operand_without_a_term(primitive):
    jk.rules.custom(primitive, lambda dx, z, x, y: dx * exact(x, y)[0], None)
    assert jk.grad(primitive.bind, argnums=1)(3.0, 4.0) == 0
    assert jk.jvp(primitive.bind, (3.0, 4.0), (0.0, 1.0))[1] == 0


def test_terms_of_several_outputs():
    p = Primitive("sum_and_product")
    p.multiple_results = True
    p.def_impl(lambda x, y: [x + y, x * y])
    p.def_abstract_eval(lambda x, y: [ShapedArray(x.shape, x.dtype)] * 2)
    jk.rules.custom(p, lambda d, out, x, y: [d, d * y], lambda d, out, x, y: [d, d * x])
    found = jk.jacrev(lambda x, y: p.bind(x, y), argnums=(0, 1))(3.0, 4.0)
    np.testing.assert_allclose(found, [(1, 1), (4, 3)])


def test_equivalent_programs(primitive):
    @jk.rules.equivalent(primitive)
    def _(x, y):
        return [x * y / (x**2 + y**2)]

    for found in derivatives(primitive):
        np.testing.assert_allclose(found, exact(), rtol=1e-14)


def test_a_rule_that_is_declared_again_keeps_its_transpose(primitive):
    jk.rules.transposable(primitive, lambda ct, x, y: ct * y)
    jk.rules.elementwise(primitive, 1, None)
    rule = jk.rules[primitive]
    assert rule.verb == "elementwise" and rule.transpose(1.0, None, 7.0) == [7.0, None]


@pytest.mark.parametrize("wrap", ["jit", "scan", "cond", "checkpoint"])
def test_a_rule_that_has_changed_is_the_one_that_counts(primitive, wrap):
    """What was made of code by the rule before isn't used again."""

    def once(x):
        return primitive.bind(x, x)

    f = {
        "jit": jax.jit(once),
        "scan": lambda x: lax.scan(step, x, None, length=1)[0],
        "cond": lambda x: lax.cond(x > 0, once, once, x),
        "checkpoint": jax.checkpoint(once),
    }[wrap]

    def step(x, _):
        return once(x), None

    for partial in 2, 5:
        jk.rules.elementwise(primitive, partial, None)
        assert jk.grad(f)(3.0) == jk.jvp(f, (3.0,), (1.0,))[1] == partial


# --------------------------------------------------------------- code on tangents alone


def test_which_update_stays_is_not_linear():
    """Of several updates of a place one stays, and its number isn't to be known."""
    x, places = jnp.zeros(3), jnp.array([[1], [1]])
    numbers = lax.ScatterDimensionNumbers((), (0,), (0,))

    def put(unique):
        return lambda u: lax.scatter(x, places, u, numbers, unique_indices=unique)

    with pytest.raises(NotLinear, match="scatter' is not linear in operand 2"):
        jk.linear_transpose(put(False), jnp.ones(2))
    (ct,) = jk.linear_transpose(put(True), jnp.ones(2))(jnp.arange(3.0))
    np.testing.assert_array_equal(ct, [1, 1])


def test_a_loop_whose_length_depends_on_tangents_is_refused():
    def f(x):
        return lax.while_loop(lambda c: c[0] < 3, lambda c: 2 * c, x)

    with pytest.raises(NotLinear, match="how often a while loop runs depends on"):
        jk.linear_transpose(f, jnp.ones(2))


def test_a_branch_that_depends_on_tangents_is_refused():
    def f(x):
        return lax.switch(x.astype(int), [lambda x: x, lambda x: 2 * x], x)

    with pytest.raises(NotLinear):
        jk.linear_transpose(f, 1.0)


def test_loops_on_tangents_alone_run_once():
    """What has no primal is in the linear loop only."""
    w = jnp.array([2.0, 3.0])

    def f(x, w):
        return lax.scan(lambda c, w: (lax.mul(c, jnp.sin(w)), jnp.cos(w)), x, w)[0]

    def transposed(w, ct):
        return jk.linear_transpose(lambda x: f(x, w), jnp.array(1.0))(ct)

    jaxpr = jax.make_jaxpr(transposed)(w, jnp.array(1.0))
    scans = [e for e in jaxpr.eqns if e.primitive.name == "scan"]
    bodies = [[e.primitive.name for e in s.params["jaxpr"].eqns] for s in scans]
    assert [sorted(body) for body in bodies] == [["cos", "sin"], ["mul"]]
    np.testing.assert_allclose(transposed(w, 1.0)[0], jnp.prod(jnp.sin(w)))
