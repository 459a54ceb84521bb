"""Control structures within each other, and what becomes of them in the derivative."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax
from jax.experimental.ode import odeint

import jaxkit as jk

X = np.array([0.7, -0.3, 0.5])
W = np.eye(3) / 2 + 0.1
XS = np.array([[0.4, -1.1, 0.3], [0.9, 0.2, -0.6], [-0.5, 0.8, 1.2]])
V = jnp.array([0.3, 1.0, -0.8])  # JAX fails on NumPy cotangents of checkpoints


# --------------------------------------------------------------- three deep, and deeper


def loop(c, x):
    """A while loop of a jit."""

    def step(carry):
        i, c, _ = carry
        return i + 1, jax.jit(lambda c: jnp.sin(c) * x[0] + x)(c), c[0] > 0

    return lax.while_loop(lambda carry: carry[0] < 2, step, (0, c, False))[1]


def scan_of_cond_of_while_of_jit(x):
    def step(carry, y):
        c, n, seen = carry
        c = lax.cond(jnp.sum(c) > 0, loop, lambda c, x: c * y, c, x)
        return (c, n + 1, seen | (c[0] > 0)), (c[0], n, y)

    (c, n, _), (ys, _, _) = lax.scan(step, (x, 0, False), XS)
    return c * jnp.sum(ys) * n


def scan_of_cond_of_scan_of_checkpoint(x):
    def inner(d, _):
        d = jax.checkpoint(lambda d: jax.jit(jnp.sin)(d) * x[0] + XS[0])(d)
        return d, d[0]

    def step(c, y):
        c = lax.cond(
            jnp.sum(c) > 0,
            lambda c: lax.scan(inner, c, None, length=2)[0],
            lambda c: c * y,
            c,
        )
        return c, (c[0], jnp.sum(y) > 0)

    c, (ys, _) = lax.scan(step, x, XS, reverse=True)
    return c * jnp.sum(ys)


def jit_of_switch_of_scan(x):
    def rising(c):
        return lax.scan(lambda c, y: (jnp.sin(c) * y + x, (c, y)), c, XS, unroll=2)[0]

    @jax.jit
    def f(i, x):
        return lax.switch(i, [jnp.cos, lambda x: x, rising], x)

    return f(0, x) + f(jnp.int32(2), x) * f(9, x)


def while_of_cond_of_scan(x):
    def step(carry):
        n, c = carry
        longer = lambda c: lax.scan(lambda c, y: (c * y + x, None), c, XS)[0]  # noqa: E731
        return n + 1, lax.cond(n % 2 == 0, longer, jnp.tanh, c)

    return lax.while_loop(lambda carry: carry[0] < 3, step, (0, x))[1]


def scan_of_no_steps_of_cond(x):
    def step(c, y):
        return lax.cond(c[0] > 0, jnp.sin, jnp.cos, c) * y, c

    c, ys = lax.scan(step, x, jnp.zeros((0, 3)))
    return c * c + jnp.sum(ys)


def scan_of_one_step_of_switch(x):
    def step(c, y):
        return lax.switch(1, [jnp.sin, lambda c: c * y], c), c

    c, ys = lax.scan(step, x, x[None])
    return c + jnp.sum(ys)


def checkpoint_of_scan_of_checkpoint(x):
    @jax.checkpoint
    def step(c, y):
        return jnp.tanh(c * y) + x, jnp.sum(c)

    c, ys = jax.checkpoint(lambda c: lax.scan(step, c, XS))(x)
    return c * jnp.sum(ys)


def map_of_solves(x):
    matrix = jnp.eye(3) * 3 + jnp.outer(x, x)

    def solve(y):
        return lax.custom_linear_solve(
            lambda z: matrix @ z,
            y * x,
            lambda _, b: jnp.linalg.inv(lax.stop_gradient(matrix)) @ b,
            symmetric=True,
        )

    return jnp.sum(lax.map(solve, XS), axis=0)


def root_in_scan(x):
    def root(y):
        return lax.custom_root(
            lambda z: z**3 + z - y,
            jnp.zeros(3),
            lambda f, z: lax.fori_loop(
                0, 40, lambda _, z: z - f(z) / (3 * z * z + 1), z
            ),
            lambda g, y: y / g(jnp.ones(3)),
        )

    return lax.scan(lambda c, y: (root(c * y), None), x, XS)[0]


def associative_scan_in_cond(x):
    products = lambda x: lax.associative_scan(lambda a, b: a * jnp.sin(b) + b, x)  # noqa: E731
    return lax.cond(x[0] > 0, products, lambda x: x, x)


def interpolation(x):  # a search, that is, a loop on integers
    return jnp.interp(x, jnp.sort(x) * 2, x * x)


def moving_late_and_no_more(x):
    def step(carry, y):
        a, b, n, _ = carry
        return (lax.stop_gradient(a[0]) + b, b * 0 + y, n + 1, a > 0), a

    (a, *_), ys = lax.scan(step, (jnp.zeros(3), x, 0, x > 0), XS)
    return a + jnp.sum(ys, axis=0)


REVERSIBLE = [
    scan_of_cond_of_scan_of_checkpoint,
    jit_of_switch_of_scan,
    scan_of_no_steps_of_cond,
    scan_of_one_step_of_switch,
    checkpoint_of_scan_of_checkpoint,
    map_of_solves,
    root_in_scan,
    associative_scan_in_cond,
    interpolation,
    moving_late_and_no_more,
]
FORWARD = [scan_of_cond_of_while_of_jit, while_of_cond_of_scan]


def push(library, f):
    return lambda x: library.jvp(f, (x,), (V,))[1]


def pull(library, f):
    return lambda x: library.vjp(f, x)[1](V)[0]


def nestings(library, f, reverse):
    modes = [push, pull] if reverse else [push]
    yield from (mode(library, f) for mode in modes)
    yield lambda x: library.linearize(f, x)[1](V)
    for outer in modes:
        yield from (outer(library, inner(library, f)) for inner in modes)


@pytest.mark.parametrize("f", REVERSIBLE + FORWARD, ids=lambda f: f.__name__)
def test_nested_structures_agree_with_jax(f):
    def all_of(library):
        reverse = f in REVERSIBLE
        return jax.jit(lambda x: [g(x) for g in nestings(library, f, reverse)])

    for ours, theirs in zip(all_of(jk)(X), all_of(jax)(X), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-10, atol=1e-12)
    batch = jnp.stack([X, -X])
    ours, theirs = (jax.vmap(push(lib, f))(batch) for lib in (jk, jax))
    np.testing.assert_allclose(ours, theirs, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(push(jk, f)(X), theirs[0], rtol=1e-10)  # eagerly


def test_transpose_of_linear_control_code():
    def linear(x):
        def step(c, y):
            return lax.cond(y[0] > 0, lambda c: c * y, lambda c: 2 * c, c), c @ y

        return lax.scan(step, x, XS)

    cts = jax.tree.map(jnp.ones_like, linear(X))
    ours = jk.linear_transpose(linear, X)(cts)
    np.testing.assert_allclose(ours[0], jax.vjp(linear, X)[1](cts)[0], rtol=1e-14)


STRUCTURES = {
    "scan": lambda f: lambda x: lax.scan(lambda c, _: (f(c), None), x, length=2)[0],
    "while": lambda f: (
        lambda x: lax.while_loop(
            lambda c: c[1] < 2, lambda c: (f(c[0]), c[1] + 1), (x, 0)
        )[0]
    ),
    "cond": lambda f: lambda x: lax.cond(V[0] > 9, lambda c: c, f, x),
    "checkpoint": jax.checkpoint,
    "jit": jax.jit,
    "jit in scan in checkpoint": lambda f: jax.checkpoint(
        STRUCTURES["scan"](jax.jit(f))
    ),
}
NOT_LINEAR = {
    "sin": jnp.sin,
    "max": lambda c: jnp.maximum(c, 0.0),
    "mul": lambda c: c * c,
    "gt": lambda c: jnp.where(c > 0, c, 0.0),
}


@pytest.mark.parametrize("name", NOT_LINEAR)
@pytest.mark.parametrize("structure", STRUCTURES)
def test_code_that_is_not_linear_is_named(structure, name):
    """Where linearity is promised: before, such code gave zeros or not-a-number."""
    f = STRUCTURES[structure](NOT_LINEAR[name])
    with pytest.raises(NotImplementedError, match=f"'{name}' .*not linear"):
        jk.linear_transpose(f, V)(V)

    @jax.custom_vjp
    def clipped(x):
        return x

    clipped.defvjp(lambda x: (x, None), lambda _, ct: (f(ct),))
    with pytest.raises(TypeError, match=f"'clipped'.*isn't linear.*'{name}'"):
        jk.jvp(clipped, (V,), (V,))

    @jax.custom_jvp
    def wrong(x):
        return x

    wrong.defjvp(lambda primals, tangents: (primals[0], f(tangents[0])))
    with pytest.raises(NotImplementedError, match=f"'{name}' .*not linear"):
        jk.vjp(wrong, V)


@pytest.mark.parametrize("structure", [x for x in STRUCTURES if x != "while"])
def test_linear_code_is_run_at_no_point(structure):
    """It has no primals; nothing of them, such as not-a-number, is computed."""
    f = STRUCTURES[structure](lambda c: 2.0 * c)
    with jax.debug_nans(True):
        (ct,) = jk.linear_transpose(f, V)(V)
    np.testing.assert_array_equal(ct, f(V))


def test_a_loop_in_a_backward_rule():
    @jax.custom_vjp
    def f(x):
        return x

    def backward(_, ct):
        return (STRUCTURES["while"](lambda c: 0.5 * c)(ct),)

    f.defvjp(lambda x: (x, None), backward)
    for moved in jk.jvp(f, (V,), (V,))[1], jk.vjp(f, V)[1](V)[0]:
        np.testing.assert_array_equal(moved, V / 4)


def test_odeint_has_no_forward_mode_and_says_so():
    """Its backward pass chooses its steps by the cotangent."""

    def f(p):
        return odeint(lambda y, t, p: -p * y, 1.0, jnp.array([0.0, 1.0]), p)[-1]

    np.testing.assert_allclose(jk.grad(f)(2.0), -np.exp(-2.0), rtol=1e-6)
    with pytest.raises(TypeError, match="custom_vjp function '_odeint'"):
        jk.jvp(f, (2.0,), (1.0,))


@pytest.mark.parametrize("transform", [lambda f: f, jax.jit])
def test_effects_of_a_checkpoint_are_kept(transform, capfd):
    @jax.checkpoint
    def f(x):
        jax.debug.print("x is {}", x)
        return jnp.sin(x)

    jax.block_until_ready(transform(jk.grad(f))(1.0))
    jax.effects_barrier()
    assert "x is 1.0" in capfd.readouterr().out


# ------------------------------------------------------------ what is in the derivative


def equations(jaxpr):
    """All equations of a jaxpr, also of those within it."""
    for eqn in getattr(jaxpr, "jaxpr", jaxpr).eqns:
        yield eqn
        for value in jax.tree.leaves(eqn.params, is_leaf=lambda x: hasattr(x, "eqns")):
            if hasattr(value, "eqns") or hasattr(value, "jaxpr"):
                yield from equations(value)


def named(jaxpr, name):
    return [eqn for eqn in equations(jaxpr) if eqn.primitive.name == name]


def test_jit_stays_a_jit_of_its_name():
    @jax.jit
    def layer(x):
        return jnp.sin(x) * x

    for derivative in (
        jk.grad(lambda x: layer(x).sum()),
        lambda x: jk.jvp(layer, (x,), (x,)),
    ):
        calls = named(jax.make_jaxpr(derivative)(X), "jit")
        assert calls and {eqn.params["name"] for eqn in calls} == {"layer"}


def test_the_derivative_of_a_jit_is_traced_once():
    traced = []

    @jax.custom_jvp
    def probe(x):
        return x * x

    @probe.defjvp
    def _(primals, tangents):
        traced.append(primals)
        return probe(*primals), 2 * primals[0] * tangents[0]

    called = jax.jit(lambda x: probe(x))
    for _ in range(3):
        jk.grad(lambda x: called(called(x)))(2.0)
    assert len(traced) == 1


def test_constants_of_a_loop_are_not_stacked():
    weights = np.ones((3, 3))

    def f(weights, h):
        def step(h, x):
            scale = jnp.exp(jnp.sum(jnp.sin(weights)))  # depends on constants alone
            return jnp.tanh(weights @ h + x) * scale, None

        return lax.scan(step, h, XS)[0].sum()

    program = jk.linearize(f, weights, X)[1].program
    stacked = [r for r in program.residuals if r.shape[:1] == (3,) and r.ndim == 3]
    assert not stacked
    first, second = named(jax.make_jaxpr(jk.grad(f))(weights, X), "scan")
    for eqn in first, second:
        assert not named(eqn.params["jaxpr"], "sin")
        assert not named(eqn.params["jaxpr"], "cos")


@pytest.mark.parametrize("around", [jax.jit, jax.checkpoint, lambda f: f])
def test_constants_of_a_loop_are_not_stacked_by_what_is_in_it(around):
    weights, start = np.ones((5, 5)), np.ones(5)
    layer = around(lambda w, h: jnp.tanh(w @ h))

    def times(n, step, w, h):
        return lax.scan(lambda h, _: (step(w, h), None), h, None, length=n)[0]

    def f(w, h):
        def step(w, h):
            branches = lambda w, h: times(2, layer, w, h), layer
            return lax.cond(h[0] > 0, *branches, w, h)

        return times(3, step, w, h).sum()

    found = named(jax.make_jaxpr(jk.grad(f))(weights, start), "scan")
    assert len(found) >= 2
    for eqn in found:
        shapes = [v.aval.shape for v in (*eqn.invars, *eqn.outvars)]
        assert all(shape[-2:] != (5, 5) or shape == (5, 5) for shape in shapes)


@pytest.mark.parametrize(
    ("policy", "products"),
    [(None, 4), ("dots_saveable", 3), ("everything_saveable", 3)],
)
def test_checkpoint_recomputes_what_its_policy_says(policy, products):
    """x @ w and its two cotangents; once more where it is computed again."""

    def f(w, x):
        return jnp.sin(jnp.tanh(x @ w) @ jnp.ones(3))

    policy = policy and getattr(jax.checkpoint_policies, policy)
    g = jax.checkpoint(f, policy=policy)
    jaxpr = jax.make_jaxpr(jk.grad(g, (0, 1)))(np.ones((3, 3)), X)
    theirs = jax.make_jaxpr(jax.grad(g, (0, 1)))(np.ones((3, 3)), X)
    count = [e for e in named(jaxpr, "dot_general") if e.invars[1].aval.ndim == 2]
    expected = [e for e in named(theirs, "dot_general") if e.invars[1].aval.ndim == 2]
    assert len(count) == len(expected)


def test_a_while_loop_over_what_does_not_move():
    def f(x):
        n = lax.while_loop(lambda n: n < 9, lambda n: 2 * n, 1)
        return x * n

    assert jk.grad(f)(2.0) == 16.0


def test_a_derivative_of_dynamic_fori_loop_in_forward_mode():
    def f(x, n):
        return lax.fori_loop(0, n, lambda i, c: c * x, 1.0)

    assert jax.jit(jk.jacfwd(f))(2.0, 5) == 80.0


def test_gradient_of_an_offloading_checkpoint():
    policy = jax.checkpoint_policies.save_and_offload_only_these_names(
        names_which_can_be_saved=[],
        names_which_can_be_offloaded=["h"],
        offload_src="device",
        offload_dst="pinned_host",
    )

    def f(x):
        h = jax.ad_checkpoint.checkpoint_name(jnp.sin(x), "h")
        return jnp.sum(jnp.cos(h) * x)

    g = jax.jit(jk.grad(jax.checkpoint(f, policy=policy)))
    np.testing.assert_allclose(g(X), jax.grad(f)(X), rtol=1e-14)
    assert "host" in str(jax.make_jaxpr(g)(X))


def test_branches_save_in_the_same_places():
    """One product in each branch: what goes in, and one product."""

    def f(x):
        branches = lambda x: jnp.sin(W @ x), lambda x: jnp.cos(W @ x)
        return jnp.sum(lax.cond(x[0] > 0, *branches, x))

    dots = jax.checkpoint_policies.dots_saveable
    kept = jk.residuals(jax.checkpoint(f, policy=dots))(X)
    assert sorted(x.shape for x in kept) == [(3,), (3,), (3, 3)]
    np.testing.assert_allclose(jk.grad(f)(X), jax.grad(f)(X), rtol=1e-14)


def test_a_policy_in_the_body_of_a_while_loop():
    """It says what is kept of each step; of one outside, nothing in the loop is."""
    policies = jax.checkpoint_policies

    def loop(body):
        return lambda x, n: jnp.sum(lax.fori_loop(0, n, lambda i, h: body(h), x))

    def body(h):
        return jnp.sin(jnp.cos(W @ jnp.exp(-h)))

    def rows(f):
        return [x for x in jk.residuals(f)(X, 4) if x.steps == 512]

    for policy, number in (None, 1), (policies.dots_saveable, 2):
        inside = loop(jax.checkpoint(body, policy=policy))
        outside = jax.checkpoint(loop(body), policy=policy)
        assert len(rows(inside)) == number and rows(outside) == []
        assert len(rows(loop(body))) == 3
        expected = jax.grad(lambda x: loop(body)(x, 4))(X)
        for f in inside, outside:
            found = jax.jit(jk.grad(f))(X, 4)
            np.testing.assert_allclose(found, expected, rtol=1e-13)


SCALAR = jax.ShapeDtypeStruct((), np.float32)


@pytest.mark.parametrize(
    "f",
    [
        lambda x: jax.pure_callback(np.sin, SCALAR, x),
        lambda x: jax.experimental.io_callback(np.sin, SCALAR, x),
        lambda x: jax.ffi.ffi_call("unknown", SCALAR)(x),
        lambda x: lax.composite(jnp.sin, "my.sin")(x),
    ],
)
def test_code_that_jax_cannot_see_has_no_derivative(f):
    line = f.__code__.co_firstlineno
    for call in jk.grad(f), lambda x: jk.jvp(f, (x,), (x,)):
        with pytest.raises(ValueError, match="no derivative") as error:
            jax.make_jaxpr(call)(jnp.float32(1.0))
        assert f"test_control.py:{line}" in str(error.value)


def scan_of_products(w, x):
    def step(h, _):
        return jnp.sin(jax.jit(lambda h: jnp.cos(w @ h))(h)), h

    return lax.scan(step, x, None, 4)


def branches_of_products(w, x):
    def other(x):
        return jnp.exp(w @ jnp.tanh(w @ x))

    return lax.cond(x[0] > 0, lambda x: jnp.sin(jnp.cos(w @ x)), other, x)


def both_of_products(w, x):
    return lax.scan(lambda h, _: (branches_of_products(w, h), None), x, None, 3)[0]


def loop_in_a_branch(w, x):
    def other(x):
        return scan_of_products(w, x)[0]

    return lax.cond(x[0] > 0, lambda x: jnp.sin(jnp.cos(w @ x)), other, x)


@pytest.mark.parametrize("policy", ["dots_saveable", "nothing_saveable", None])
@pytest.mark.parametrize(
    "f",
    [scan_of_products, branches_of_products, both_of_products, loop_in_a_branch],
    ids=lambda f: f.__name__,
)
def test_a_policy_holds_in_loops_and_branches(f, policy):
    """As many products as in JAX's derivative, and the same values."""
    policy = policy and getattr(jax.checkpoint_policies, policy)

    def loss(w, x):
        outs = jax.checkpoint(f, policy=policy)(w, x)
        return sum(jnp.sum(jnp.sin(y)) for y in jax.tree.leaves(outs))

    w = W
    counts, found = [], []
    for lib in jk, jax:
        gradient = lib.grad(loss, (0, 1))
        products = named(jax.make_jaxpr(gradient)(w, X), "dot_general")
        counts.append(len([e for e in products if e.invars[0].aval.ndim == 2]))
        found.append(gradient(w, X))
        found.append(lib.grad(lambda w: jnp.sum(lib.grad(loss)(w, X) ** 2))(w))  # noqa: B023
    assert counts[0] == counts[1]
    for ours, theirs in zip(found[:2], found[2:], strict=True):
        jax.tree.map(lambda x, y: np.testing.assert_allclose(x, y), ours, theirs)
