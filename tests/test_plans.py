"""Plans of control structures: pure functions of equations and types."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax.core import ShapedArray

from jaxkit import tracing
from jaxkit.control.plans import hoist, share_places


def traced(f, *args):
    jaxpr = jax.make_jaxpr(f)(*args).jaxpr
    return jaxpr, {e.primitive.name: e for e in jaxpr.eqns}


def names(equations):
    return [e.primitive.name for e in equations]


def loop(w, c, x):
    return jnp.sin(w) * c, jnp.exp(x), jnp.zeros(()) + jnp.cos(c)


def test_what_depends_on_constants_runs_before_the_loop():
    jaxpr, eqns = traced(loop, 1.0, 2.0, 3.0)
    w, _, x = jaxpr.invars
    wanted = [eqns["sin"].outvars[0], eqns["exp"].outvars[0], w, x]
    before, inside, stacked = hoist(jaxpr.eqns, {w}, wanted)
    assert names(before) == ["sin"]
    assert names(inside) == [n for n in names(jaxpr.eqns) if n != "sin"]
    assert stacked == (False, True, False, True)


def test_constants_are_hoisted_that_nobody_wants_to_keep():
    """So they aren't computed again in each step."""
    jaxpr, _ = traced(loop, 1.0, 2.0, 3.0)
    before, _, stacked = hoist(jaxpr.eqns, {jaxpr.invars[0]}, [])
    assert names(before) == ["sin"] and stacked == ()


def test_what_has_an_effect_stays_in_the_loop():
    def printing(w, c):
        jax.debug.print("{}", jnp.sin(w))
        return w * c

    jaxpr, _ = traced(printing, 1.0, 2.0)
    before, inside, _ = hoist(jaxpr.eqns, {jaxpr.invars[0]}, [])
    assert names(before) == ["sin"]
    assert any("debug" in name for name in names(inside))


def test_filled_arrays_stay_in_the_loop_unless_they_are_kept():
    jaxpr, eqns = traced(lambda c: c * jnp.ones(3), 2.0)
    ones = eqns["broadcast_in_dim"].outvars[0]
    assert names(hoist(jaxpr.eqns, set(), [])[0]) == []
    assert names(hoist(jaxpr.eqns, set(), [ones])[0]) == ["broadcast_in_dim"]


def test_needed_is_what_leads_to_what_is_wanted():
    jaxpr, eqns = traced(loop, 1.0, 2.0, 3.0)
    product = eqns["mul"].outvars[0]
    known = set(jaxpr.invars)
    assert names(tracing.needed(jaxpr.eqns, [product], known)) == ["sin", "mul"]
    have = known | {eqns["sin"].outvars[0]}
    assert names(tracing.needed(jaxpr.eqns, [product], have)) == ["mul"]
    assert tracing.needed(jaxpr.eqns, jaxpr.invars, known) == []


def test_groups_share_places_of_one_type():
    a, b = ShapedArray((3,), jnp.float32.dtype), ShapedArray((), jnp.float32.dtype)
    numbers, types = share_places([[a, b, a], [b], [a, a, a], []])
    assert numbers == [[0, 1, 2], [1], [0, 2, 3], []]
    assert types == [a, b, a, a]


def test_no_two_arrays_of_a_group_share_a_place():
    a = ShapedArray((3,), jnp.float32.dtype)
    numbers, types = share_places([[a] * 5, [a] * 2])
    assert numbers == [[0, 1, 2, 3, 4], [0, 1]] and len(types) == 5


def test_dtypes_keep_their_own_places():
    a, b = ShapedArray((3,), jnp.float32.dtype), ShapedArray((3,), jnp.float64.dtype)
    numbers, types = share_places([[a], [b]])
    assert numbers == [[0], [1]] and types == [a, b]
