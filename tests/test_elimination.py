"""Elimination: counts are the literature's, Jacobians JAX's, and programs run."""

from __future__ import annotations

import random

import jax
import jax.extend.core
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

import jaxkit as jk
from jaxkit.elimination import Elimination, Graph
from jaxkit.elimination.graph import MANY, Value
from jaxkit.elimination.orders import RULES, best, counted, ordered, search
from tests.selections import long_but
from zoo.counted import COUNTED, heart_dipole, robot_arm, roe_flux
from zoo.programs import PROGRAMS

ORDERS = "auto", *RULES, "search"


def as_counted(f, count: int) -> Graph:
    """A function's graph as the paper has it: each primitive is a vertex.

    So is what is added to a constant; and of no partial it is known that it is 1.
    """
    jaxpr = jax.make_jaxpr(f)(*[1.0] * count).jaxpr
    vertices = {v: i for i, v in enumerate(jaxpr.invars)}
    edges: list[dict[int, Value]] = [{} for _ in jaxpr.invars]
    numbers = iter(range(10**6))

    def run(jaxpr):
        for eqn in jaxpr.eqns:
            moving = [x for x in eqn.invars if isinstance(x, jax.extend.core.Var)]
            operands = [vertices[x] for x in moving]
            if eqn.primitive.name == "jit":
                inner = eqn.params["jaxpr"].jaxpr
                vertices.update(zip(inner.invars, operands, strict=True))
                run(inner)
                outs = [vertices[v] for v in inner.outvars]
                vertices.update(zip(eqn.outvars, outs, strict=True))
                continue
            vertices[eqn.outvars[0]] = len(edges)
            edges.append({v: Value(1, next(numbers)) for v in set(operands)})

    run(jaxpr)
    return Graph(count, edges, [vertices[v] for v in jaxpr.outvars])


# --- Counts ---------------------------------------------------------------------------


@pytest.mark.parametrize("case", COUNTED, ids=lambda c: c.f.__name__)
def test_products_are_those_of_the_literature(case):
    graph = as_counted(case.f, len(case.point))
    found = {rule: counted(graph, ordered(graph, rule)).products for rule in RULES}
    assert (found["forward"], found["reverse"]) == (case.forward, case.reverse)
    assert found["fill"] <= case.agent
    assert counted(graph, best(graph)).products == min(found.values())


# Products of our rules on the same graphs.
BY_RULE = {
    "roe_flux": (344, 306),
    "robot_arm": (221, 221),
    "heart_dipole": (148, 148),
    "propane_combustion": (88, 88),
}


@pytest.mark.parametrize("case", COUNTED, ids=lambda c: c.f.__name__)
def test_products_by_rule(case):
    graph = as_counted(case.f, len(case.point))
    found = [counted(graph, ordered(graph, x)).products for x in ("markowitz", "fill")]
    assert tuple(found) == BY_RULE[case.f.__name__]


def test_a_search_finds_less():
    graph = as_counted(roe_flux, 6)
    assert counted(graph, search(graph, 2000)).products <= 300
    assert search(graph, 50, 3) == search(graph, 50, 3)
    assert search(graph, 0) == best(graph)


@pytest.mark.long
@pytest.mark.parametrize(
    ("case", "least"),
    list(zip(COUNTED, (295, 221, 148, 88), strict=True)),
    ids=lambda x: getattr(getattr(x, "f", None), "__name__", ""),
)
def test_what_a_long_search_finds(case, least):
    """Half a minute."""
    graph = as_counted(case.f, len(case.point))
    assert counted(graph, search(graph, 100_000)).products <= least


# Of the kit's own graphs, in which what is added to a constant has no vertex: products
# of the forward and the reverse order; multiplications of these, by rule and by search.
MULTIPLICATIONS = {
    "roe_flux": (620, 364, 362, 234, 229, 186),
    "robot_arm": (394, 298, 227, 221, 157, 153),
    "heart_dipole": (188, 156, 48, 60, 48, 48),
    "propane_combustion": (136, 82, 26, 26, 24, 24),
}


@pytest.mark.parametrize("case", COUNTED, ids=lambda c: c.f.__name__)
def test_multiplications(case):
    argnums = tuple(range(len(case.point)))

    def plan(order):
        return jk.eliminated(case.f, argnums, order=order).plan(*case.point)

    forward, reverse, auto, found = map(plan, ("forward", "reverse", "auto", "search"))
    *counts, least = MULTIPLICATIONS[case.f.__name__]
    assert counts == [
        *(forward.products, reverse.products),
        *(forward.multiplications, reverse.multiplications, auto.multiplications),
    ]
    assert found.multiplications <= least
    for plan in (forward, reverse, auto, found):
        text = str(plan)
        assert text.count(" * ") == plan.multiplications
        assert text.count(" + ") + text.count(" - ") == plan.additions
        counts = counted(plan.graph, plan.order)
        assert counts == (plan.products, plan.multiplications)


def test_what_runs_is_what_is_counted():
    plan = jk.eliminated(robot_arm, tuple(range(6))).plan(*COUNTED[1].point)
    jaxpr = jax.make_jaxpr(plan.run)([1.0] * plan.partials)
    floats = [eqn for eqn in jaxpr.eqns if eqn.outvars[0].aval.dtype.kind == "f"]
    names = [eqn.primitive.name for eqn in floats]
    assert names.count("mul") == plan.multiplications
    assert names.count("add") + names.count("sub") == plan.additions


# --- Jacobians ------------------------------------------------------------------------


def same(found, expected, tolerance=1e-12):
    assert jax.tree.structure(found) == jax.tree.structure(expected)
    for x, y in zip(*map(jax.tree.leaves, (found, expected)), strict=True):
        assert (x.shape, x.dtype) == (y.shape, y.dtype)
        scale = tolerance * (1 + np.max(np.abs(y), initial=0))
        np.testing.assert_allclose(x, y, rtol=0, atol=scale)


@pytest.mark.parametrize("order", long_but(["auto", "search"], ORDERS))
@pytest.mark.parametrize("case", COUNTED, ids=lambda c: c.f.__name__)
def test_the_jacobians_that_are_counted(case, order):
    argnums = tuple(range(len(case.point)))
    point = [jnp.asarray(x, jnp.float64) for x in case.point]
    found = jk.eliminated(case.f, argnums, order=order, tries=20)(*point)
    same(found, jax.jacfwd(case.f, argnums)(*point))


UNARY = [jnp.sin, jnp.exp, jnp.tanh, jnp.negative, jnp.square, lambda x: 2 * x + 1]
BINARY = [jnp.add, jnp.subtract, jnp.multiply, jnp.arctan2, lambda x, y: x / (2 + y**2)]


def scalar_program(seed: int):
    """A function of three numbers to three, of as many steps as chance has it."""

    def f(x, y, z):
        rng, values = random.Random(seed), [x, y, z]
        for _ in range(rng.randrange(1, 25)):
            if rng.random() < 0.4:
                values.append(rng.choice(UNARY)(rng.choice(values[-6:])))
            else:
                a, b = rng.choice(values[-6:]), rng.choice(values)
                values.append(rng.choice(BINARY)(a, b))
        return [rng.choice(values[-6:]) for _ in range(2)] + [values[-1] / 3]

    return f


@pytest.mark.parametrize("seed", long_but(range(6), range(30)))
def test_random_programs(seed):
    f, point = scalar_program(seed), [jnp.asarray(x) for x in (0.3, -0.7, 0.9)]
    expected = jax.jacfwd(f, (0, 1, 2))(*point)
    for order in ORDERS if seed < 3 else ("forward", "auto"):
        jacobian = jk.eliminated(f, (0, 1, 2), order=order, tries=10)
        same(jacobian(*point), expected)
        plan = jacobian.plan(*point)
        text = str(plan)
        assert text.count(" * ") == plan.multiplications
        found = plan.run(jacobian.partials(*point))
        np.testing.assert_allclose(found, np.array(expected), atol=1e-12)


def test_random_graphs():
    """Orders and lines agree on what an order takes, units or not."""
    rng = random.Random(0)
    for _ in range(30):
        edges, numbers = [{} for _ in range(3)], iter(range(1000))
        for v in range(3, 15):
            edges.append(
                {
                    a: Value(rng.choice((1, -1)))
                    if rng.random() < 0.4
                    else Value(1, next(numbers))
                    for a in rng.sample(range(min(v, 13)), rng.randrange(1, 4))
                }
            )
        graph = Graph(3, edges, [13, 14])
        plans = [Elimination(graph, ordered(graph, rule)) for rule in RULES]
        partials = np.cos(np.arange(plans[0].partials))
        jacobians = [plan.run(partials) for plan in plans]
        for plan, jacobian in zip(plans, jacobians, strict=True):
            assert counted(graph, plan.order).multiplications == plan.multiplications
            np.testing.assert_allclose(jacobian, jacobians[0], atol=1e-9)


KEPT = jnp.array([2, 0])

FUNCTIONS = {
    "slices and a sum": lambda x: jnp.stack([x[0] * x[1], jnp.sum(x[1:] ** 2)]),
    "elementwise": lambda x: jnp.sin(x) * x[::-1],
    "known places": lambda x: x[KEPT] * 2,
    "places that are computed": lambda x: x[jnp.argsort(x)[:2]],
    "a product of matrices": lambda x: jnp.outer(x, x) @ jnp.tril(jnp.ones((3, 3))),
    "a conditional": lambda x: lax.cond(x[0] > 0, jnp.sin, lambda x: x[0] * x, x),
    "a loop": lambda x: lax.fori_loop(0, 4, lambda i, y: jnp.sin(y) + x[0] * y, x),
    "a while loop": lambda x: lax.while_loop(lambda y: y[0] < 9, lambda y: 2 * y, x),
    "a call, twice": lambda x: jax.jit(jnp.sin)(jax.jit(jnp.sin)(x)),
    "where": lambda x: jnp.where(x > 0, x**2, -x),
    "a linear solve": lambda x: jnp.linalg.solve(jnp.diag(x) + 3, x),
    "one input is an output": lambda x: (x, x[0] + x[0], 3.0, x[1] - x[1], x[0] * 1),
    "nothing moves": lambda x: jnp.round(x),
    "a tree": lambda x: {"a": jnp.prod(x), "b": [x * x[0], jnp.cumsum(x)]},
    "a gradient inside": lambda x: jk.grad(lambda x: jnp.prod(jnp.sin(x)))(x),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_arrays(name):
    f, x = FUNCTIONS[name], jnp.array([0.7, -0.4, 1.2])
    same(jk.eliminated(f)(x), jk.jacfwd(f)(x))


REAL = [p for p in PROGRAMS if p.traceable and p.forward]


@pytest.mark.parametrize("program", long_but(REAL[::8], REAL), ids=lambda p: p.name)
def test_programs(program):
    args = program.cast("float64")
    argnums = tuple(range(len(args)))
    try:
        found = jk.eliminated(program.f, argnums)(*args)
    except TypeError as error:
        assert "is of complex numbers" in str(error)
        return
    expected = jk.jacobian(program.f, argnums, mode="reverse")(*args)
    same(found, expected, 1e-10)


def test_arguments_by_position_and_name():
    def f(tree, scale, *, shift):
        return tree["a"] * scale + jnp.sin(shift), {"note": shift + 1}

    args = {"a": jnp.arange(2.0), "b": jnp.ones(2)}, jnp.float32(3)
    shift = jnp.ones(2)
    for options in ({"argnums": (0, 1)}, {"argnames": "shift"}, {"argnums": 1}):
        options["has_aux"] = True
        found = jk.eliminated(f, **options)(*args, shift=shift)
        same(found, jk.jacobian(f, **options)(*args, shift=shift))


def test_transforms():
    f = lambda x: jnp.stack([jnp.sin(x[0]) * x[1], x[0] / x[1]])  # noqa: E731
    jacobian, xs = jk.eliminated(f), jnp.array([[0.4, 2.0], [0.9, 1.5]])
    same(jax.jit(jacobian)(xs[0]), jax.jacfwd(f)(xs[0]))
    same(jax.vmap(jacobian)(xs), jax.vmap(jax.jacfwd(f))(xs))
    same(jk.jacfwd(jacobian)(xs[0]), jax.jacfwd(jax.jacfwd(f))(xs[0]))
    same(jk.jacrev(jacobian)(xs[0]), jax.jacfwd(jax.jacfwd(f))(xs[0]))
    same(jk.eliminated(jacobian)(xs[0]), jax.jacfwd(jax.jacfwd(f))(xs[0]))
    plan = jacobian.plan(xs[0])
    partials = jax.vmap(jacobian.partials)(xs)
    same(jax.vmap(plan.run)(partials), jax.vmap(jax.jacfwd(f))(xs))


def lorenz(x):
    for _ in range(3):
        step = (jnp.roll(x, -1) - jnp.roll(x, 2)) * jnp.roll(x, 1) - x + 8
        x = x + 0.1 * step
    return x


def test_a_long_program_is_run_by_levels():
    x = jnp.cos(jnp.arange(16.0))
    plan = jk.eliminated(lorenz, order="forward").plan(x)
    assert len(list(plan.lines)) > 1000
    same(jk.eliminated(lorenz, order="forward")(x), jax.jacfwd(lorenz)(x))


def test_an_order_is_found_once_and_can_be_used_again():
    runs = []

    def f(x, y):
        runs.append(None)
        return heart_dipole(x, y, *[x * y] * 6)

    jacobian = jk.eliminated(f, (0, 1), order="search", tries=50)
    plan = jacobian.plan(1.0, 2.0)
    assert jacobian.plan(3.0, -2.0) is plan
    jacobian(3.0, -2.0), jacobian(1.0, 2.0)
    traced = len(runs)
    again = jk.eliminated(f, (0, 1), order=plan.order)
    assert again.plan(1.0, 2.0).multiplications == plan.multiplications
    jacobian(5.0, 2.0)
    assert len(runs) == traced + 1


# --- Text and refusals ----------------------------------------------------------------


def test_text():
    def f(x, y):
        return jnp.sin(x * y) - x

    plan = jk.eliminated(f, (0, 1)).plan(1.0, 2.0)
    lines = str(plan).splitlines()
    assert lines[0] == (
        "1 x 2 Jacobian of 3 partials; multiplications: 2, additions: 1"
    )
    head, where = lines[1].split("mul, ")
    assert head.strip() == "c0 = d v2 / d v0"
    assert "test_elimination.py" in where
    assert [line.strip() for line in lines[4:]] == [
        *("eliminate v3", "eliminate v2:", "c3 = c0 * c2 - 1", "c4 = c1 * c2"),
        *("J[0, 0] = c3", "J[0, 1] = c4"),
    ]


def test_nothing_in_and_nothing_out():
    for f, x in ((jnp.sin, jnp.ones(0)), (lambda x: jnp.sin(x[:0]), jnp.ones(3))):
        assert jk.eliminated(f)(x).shape == (0, x.size)


def test_refusals():
    with pytest.raises(ValueError, match="eliminated: order is 'best'; pass one of"):
        jk.eliminated(jnp.sin, order="best")
    with pytest.raises(ValueError, match="eliminated: order is 3; pass one of"):
        jk.eliminated(jnp.sin, order=3)
    with pytest.raises(ValueError, match=r"eliminated: tries is 1.5; pass a number"):
        jk.eliminated(jnp.sin, order="search", tries=1.5)
    with pytest.raises(ValueError, match="isn't one of the inner vertices"):
        jk.eliminated(lambda x: jnp.sin(jnp.sin(x)), order=[7])(1.0)
    with pytest.raises(TypeError, match="eliminated: "):
        jk.eliminated(jnp.sin)(1)
    with pytest.raises(TypeError, match=r"eliminated: the output is int.* real"):
        jk.eliminated(jnp.argmax)(jnp.ones(3))
    with pytest.raises(TypeError, match=r"', .*test_elim.*, is of complex numbers"):
        jk.eliminated(lambda x: jnp.abs(jnp.fft.fft(x)))(jnp.ones(3))
    with pytest.raises(ValueError, match="got 1 partials, but the program has 2"):
        jk.eliminated(lambda x: jnp.sin(jnp.sin(x))).plan(1.0).run([1.0])


def test_a_graph_that_is_too_large():
    def f(w, x):
        return jnp.tanh(w @ x)

    w, x = jnp.ones((100, 100)), jnp.ones(100)
    message = (
        r"eliminated: at 'dot_general', .*test_elimination.py:\d+.*, the graph has "
        rf"more than {MANY} edges.* Use jaxkit.jacobian"
    )
    with pytest.raises(ValueError, match=message):
        jk.eliminated(f, 1).plan(w, x)
    with pytest.raises(ValueError, match="at 'sin'"):
        jk.eliminated(jnp.sin).plan(jnp.ones(100_000))
