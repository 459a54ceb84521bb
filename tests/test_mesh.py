"""Programs on a mesh of eight devices: derivatives and where they are, as with JAX.

That each collective's derivative is right is checked with the other rules, in
`zoo/cases/parallel.py`; the mesh's devices are from `tests/conftest.py`.
"""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax
from jax.ad_checkpoint import checkpoint_name
from jax.sharding import AxisType, NamedSharding
from jax.sharding import PartitionSpec as P

import jaxkit as jk
from jaxkit.program import Var
from jaxkit.rules import RULES
from zoo.cases.parallel import COLLECTIVES, MESH, SHARDS, on_mesh, unchecked

LINE = jax.make_mesh((8,), ("data",), axis_types=(AxisType.Auto,))
ROWS, WHOLE = NamedSharding(LINE, P("data")), NamedSharding(LINE, P())


def compare(ours, theirs, rtol=1e-12):
    """Equal trees of arrays, each in the same place."""
    assert jax.tree.structure(ours) == jax.tree.structure(theirs)
    for y, r in zip(jax.tree.leaves(ours), jax.tree.leaves(theirs), strict=True):
        size = np.max(np.abs(r), initial=0)
        np.testing.assert_allclose(y, r, rtol=0, atol=rtol * max(size, 1e-300))
        assert y.dtype == r.dtype
        assert y.sharding.is_equivalent_to(r.sharding, r.ndim), (y.sharding, r.sharding)


# --- Training -------------------------------------------------------------------------


def layers(params, x):
    for w, b in params[:-1]:
        x = jnp.tanh(x @ w + b)
    w, b = params[-1]
    return x @ w + b


def loss(params, x, labels):
    scores = jax.nn.log_softmax(layers(params, x))
    return -jnp.mean(jnp.take_along_axis(scores, labels[:, None], 1))


def sharded_loss(params, x, labels):
    """The compiler divides the work, as the constraint and the inputs suggest."""
    x = lax.with_sharding_constraint(x, ROWS)
    return loss(params, x, labels)


def mapped_loss(params, x, labels, check_vma):
    """Each device has its rows, and the mean over all devices is taken at the end."""

    def body(params, x, labels):
        return lax.pmean(loss(params, x, labels), "data")

    specs = P(), P("data"), P("data")
    return jax.shard_map(
        body, mesh=LINE, in_specs=specs, out_specs=P(), check_vma=check_vma
    )(params, x, labels)


def inner_step(lib, params, x, labels):
    """The derivative is taken on each device, and then its mean."""

    def body(params, x, labels):
        varying = jax.tree.map(lambda p: lax.pcast(p, "data", to="varying"), params)
        value, slope = lib.value_and_grad(loss)(varying, x, labels)
        value = lax.psum(value, "data") / lax.axis_size("data")
        return value, jax.tree.map(lambda g: lax.pmean(g, "data"), slope)

    specs = P(), P("data"), P("data")
    return jax.shard_map(body, mesh=LINE, in_specs=specs, out_specs=P())(
        params, x, labels
    )


def outer_step(loss, lib, params, x, labels):
    return lib.value_and_grad(loss)(params, x, labels)


STEPS = {
    "sharded jit": partial(outer_step, sharded_loss),
    "shard_map": partial(outer_step, partial(mapped_loss, check_vma=True)),
    "shard_map, unchecked": partial(outer_step, partial(mapped_loss, check_vma=False)),
    "grad in shard_map": inner_step,
}


@pytest.mark.parametrize("name", STEPS)
def test_training(name):
    """Losses and gradients of a data-parallel step, and of ten that follow it."""
    rng = np.random.default_rng(0)
    x = jax.device_put(rng.normal(size=(32, 5)), ROWS)
    labels = jax.device_put(rng.integers(0, 3, 32), ROWS)
    shapes = [((5, 7), 7), ((7, 6), 6), ((6, 3), 3)]
    start = [(rng.normal(size=w), rng.normal(size=b)) for w, b in shapes]
    start = jax.device_put(start, WHOLE)

    def train(lib):
        @partial(jax.jit, in_shardings=(WHOLE, ROWS, ROWS))
        def step(params, x, labels):
            value, slope = STEPS[name](lib, params, x, labels)
            new = jax.tree.map(lambda p, g: p - 0.5 * g, params, slope)
            return new, value, slope

        params, history = start, []
        for _ in range(10):
            params, value, slope = step(params, x, labels)
            history.append((value, slope))
        return params, history

    ours, theirs = train(jk), train(jax)
    compare(ours, theirs)
    values = [float(value) for value, _ in ours[1]]
    assert values[-1] < 0.8 * values[0]


# --- Derivatives and their shardings --------------------------------------------------

X = np.random.default_rng(1).uniform(-1, 1, (8, 4))


def derivatives(lib, f, *xs):
    def each(x, *rest):
        return jax.tree.leaves(f(x, *rest))

    outs = [jnp.cos(y) for y in each(*xs)]

    def pull(*xs):
        return lib.vjp(each, *xs)[1](outs)

    return {
        "jvp": lib.jvp(each, xs, xs)[1],
        "vjp": pull(*xs),
        "jacfwd": lib.jacfwd(each)(*xs),
        "jacrev": lib.jacrev(each)(*xs),
        "jvp of vjp": lib.jvp(pull, xs, xs)[1],
    }


@pytest.mark.parametrize("run", [on_mesh, unchecked])
@pytest.mark.parametrize("name", COLLECTIVES, ids=str)
def test_shardings_of_collectives(name, run):
    f = run(COLLECTIVES[name])
    x = jax.device_put(X, NamedSharding(MESH, P("i")))
    ours, theirs = (jax.jit(partial(derivatives, lib, f))(x) for lib in (jk, jax))
    compare(ours, theirs)


def moving(f):
    return lambda *xs: [y for y in f(*xs) if jnp.issubdtype(y.dtype, jnp.inexact)]


@pytest.mark.parametrize("case", SHARDS[:2], ids=lambda case: case.name)
def test_shardings_of_layers(case):
    args = case.sampler(np.random.default_rng(2))
    f = moving(case.function)
    ours, theirs = (jax.jit(partial(derivatives, lib, f))(*args) for lib in (jk, jax))
    compare(ours, theirs)


def varied(x):
    """Of many kinds of rules, whose constants must vary as what they meet does."""
    x = lax.cond(jnp.sum(x) > 0, lambda x: jnp.sin(x) * 2, lambda x: x * x, x)
    x = jax.checkpoint(lambda x: jnp.sin(jnp.sin(x) * lax.psum(x, "i")))(x)
    x = x + jax.nn.relu(x - 0.1) * jnp.linalg.norm(x) + jnp.max(x) + jnp.prod(x)
    return jax.nn.gelu(x) + jnp.cumsum(x, 0) + jnp.sort(x) + x[jnp.argmax(x[:, 0])]


def test_checkpoint_of_what_is_the_same_on_all_devices():
    f = on_mesh(jax.checkpoint(lambda x: lax.psum(jnp.sin(x) * x, "i") * x))

    def slope(lib):
        return jax.jit(lib.grad(lambda x: jnp.sum(f(x) ** 2)))(X)

    compare(slope(jk), slope(jax))


@pytest.mark.parametrize("run", [on_mesh, unchecked])
def test_varied_body(run):
    f = run(varied)

    def both(lib):
        def slope(x):
            return lib.grad(lambda x: jnp.sum(jnp.cos(f(x))))(x)

        return lib.jvp(f, (X,), (X,))[1], slope(X), lib.jvp(slope, (X,), (X,))[1]

    ours, theirs = (jax.jit(partial(both, lib))() for lib in (jk, jax))
    compare(ours, theirs, rtol=1e-11)


def together(x, y):
    return x + y + x * y


@pytest.mark.parametrize("run", [on_mesh, unchecked])
def test_reductions_from_a_start_that_does_not_vary(run):
    start = jnp.zeros((), X.dtype)
    all_of = run(lambda x: lax.reduce(x, start, together, (1,))[:, None] * x)
    window = (2, 1), (1, 1), "SAME"
    some_of = run(lambda x: lax.reduce_window(x, start, together, *window))
    expected = jax.grad(lambda x: jnp.sum(jnp.sin(all_of(x))))(X)
    compare(jk.grad(lambda x: jnp.sum(jnp.sin(all_of(x))))(X), expected)
    out, slope = jk.jvp(some_of, (X,), (jnp.ones_like(X),))
    compare(out, some_of(X))
    step = 1e-6
    quotient = (some_of(X + step) - some_of(X - step)) / (2 * step)
    np.testing.assert_allclose(slope, quotient, rtol=1e-7)


@pytest.mark.parametrize("run", [on_mesh, unchecked])
def test_linear_transpose(run):
    f = run(lambda x: 2 * x * lax.axis_index("i") + lax.psum(jnp.sum(x), "i"))
    ours, theirs = (lib.linear_transpose(f, X)(X) for lib in (jk, jax))
    compare(ours, theirs)


@pytest.mark.parametrize("outer, inner", [(jk, jax), (jax, jk)])
def test_mixed_with_jax(outer, inner):
    f = on_mesh(COLLECTIVES["pmean"])

    def second(outer, inner):
        def slope(x):
            return inner.grad(lambda x: jnp.sum(jnp.sin(f(x))))(x)

        return jax.jit(outer.grad(lambda x: jnp.sum(slope(x) ** 2)))(X)

    compare(second(outer, inner), second(jax, jax))


@pytest.mark.parametrize("lib", [jk, jax])
def test_residuals_stay_on_their_devices(lib):
    """Of a function's pullback, what is as long as the operand is divided like it."""
    x = jax.device_put(np.ones((64, 4)), NamedSharding(MESH, P("i")))
    f = on_mesh(lambda x: jnp.sin(x) * lax.psum(jnp.sum(x), "i"))
    _, pull = jax.jit(lambda x: lib.vjp(f, x))(x)
    large = [r for r in jax.tree.leaves(pull) if r.size >= x.size]
    assert large
    for r in large:
        assert len({str(shard.index) for shard in r.addressable_shards}) >= 4


def test_eager_shard_map():
    """Not jitted, and with an operand that the body closes over."""

    def f(x, y):
        body = lambda x: lax.psum(jnp.sum(x * y), "i") * x  # noqa: E731
        return jax.shard_map(body, mesh=MESH, in_specs=P("i"), out_specs=P("i"))(x)

    x = jax.device_put(X, NamedSharding(MESH, P("i")))
    for derivative in (
        lambda lib: lib.jvp(f, (x, 2.0), (x, 1.0))[1],
        lambda lib: lib.vjp(f, x, 2.0)[1](jnp.cos(x)),
    ):
        compare(derivative(jk), derivative(jax))


def test_a_cotangent_with_no_entries_runs_nothing():
    """On meshes whose operands are all empty XLA may fail (seen in tests.generated)."""

    def f(x):
        body = lambda x: lax.psum(jnp.sin(x), "i")[:, :0]  # noqa: E731
        return jax.shard_map(body, mesh=MESH, in_specs=P("i"), out_specs=P())(x)

    x = np.ones((8, 3))
    _, pull = jk.vjp(f, x)
    np.testing.assert_array_equal(pull(f(x))[0], np.zeros((8, 3)))
    assert "shard_map" not in str(jax.make_jaxpr(pull)(f(x)))


def test_explicit_shardings():
    """Of arrays with their sharding in their type, the derivatives' types agree too."""
    mesh = jax.make_mesh((4, 2), ("i", "j"))
    with jax.set_mesh(mesh):
        x = jax.device_put(X, P("i", "j"))

        def f(x):
            y = jax.sharding.reshard(jnp.sin(x), P("j", "i"))
            return jax.shard_map(
                lambda y: y * lax.psum(jnp.sum(y), "i"), out_specs=P("j", "i")
            )(y)

        def both(lib):
            y, push = lib.linearize(f, x)
            return lib.jvp(f, (x,), (x,)), push(x), lib.vjp(f, x)[1](y)

        compare(jax.jit(lambda: both(jk))(), jax.jit(lambda: both(jax))())


# --- Axes that vmap names -------------------------------------------------------------


def _rotate(x):
    return lax.ppermute(x, "i", [(0, 1), (1, 3), (3, 2), (2, 0)]) * x


NAMED = {
    **{str(name): (body, body) for name, body in COLLECTIVES.items()},
    "ppermute": (_rotate, _rotate),  # of each row, under vmap
    "pmax": (
        lambda x: lax.pmax(x, "i") * x,
        lambda x: jnp.max(lax.all_gather(x, "i"), 0) * x,  # JAX has no derivative
    ),
}


@pytest.mark.parametrize("name", NAMED)
def test_collectives_under_vmap(name):
    """The derivative of each row's function, which sees the other rows."""
    body, reference = NAMED[name]
    x = np.random.default_rng(3).uniform(-1, 1, (4, 2, 4))

    def derivatives(lib, f, x):
        def pull(x):
            return lib.vjp(f, x)[1](jnp.cos(f(x)))[0]

        return lib.jvp(f, (x,), (x,))[1], pull(x), lib.jvp(pull, (x,), (x,))[1]

    ours = jax.vmap(partial(derivatives, jk, body), axis_name="i")(x)
    compare(ours, jax.vmap(partial(derivatives, jax, reference), axis_name="i")(x))


def branching(check_vma=True, cast=False):
    """w x on those devices where x is positive, and x on the others, summed."""

    def body(x, w):
        w = lax.pcast(w, ("i",), to="varying") if cast else w
        return lax.cond(x[0] > 0, lambda x, w: x * w, lambda x, w: x, x, w)

    run = jax.shard_map(
        body,
        mesh=jax.make_mesh((2,), ("i",), axis_types=(AxisType.Auto,)),
        in_specs=(P("i"), P()),
        out_specs=P("i"),
        check_vma=check_vma,
    )
    return lambda w: jnp.sum(run(jnp.array([-1.0, 3.0]), w))


def test_devices_that_take_different_branches():
    """JAX's sum inside a branch waits for the devices that didn't take it."""
    for wrap in lambda f: f, jax.jit:
        assert jk.jvp(wrap(branching()), (2.0,), (1.0,))[1] == 3
        with pytest.raises(ValueError, match="from device to device along 'i'"):
            jk.grad(wrap(branching()))(2.0)
        for f in branching(cast=True), branching(check_vma=False):
            assert jk.grad(wrap(f))(2.0) == 3


def test_devices_whose_loops_have_different_lengths():
    """Where the factor is the same on all devices, its cotangents would be summed."""
    mesh = jax.make_mesh((4,), ("i",), axis_types=(AxisType.Auto,))
    xs = jnp.array([1.0, 2.0, 10.0, 3.0])

    def f(a, xs, cast):
        def body(a, x):
            a = lax.pcast(a, ("i",), to="varying") if cast else a
            return lax.while_loop(lambda x: x[0] < 9, lambda x: x * a, x)

        run = jax.shard_map(body, mesh=mesh, in_specs=(P(), P("i")), out_specs=P("i"))
        return run(a, xs).sum()

    def alone(a, x):
        return lax.while_loop(lambda x: x < 9, lambda x: x * a, x)

    for wrap in lambda f: f, jax.jit:
        with pytest.raises(ValueError, match="how often it runs differs from device"):
            jk.grad(wrap(partial(f, cast=False)))(2.0, xs)
        found = jk.grad(wrap(partial(f, cast=True)), (0, 1))(2.0, xs)
        expected = jax.vmap(jk.grad(alone, (0, 1)), (None, 0))(2.0, xs)
        np.testing.assert_allclose(found[0], expected[0].sum())
        np.testing.assert_allclose(found[1], expected[1])


@pytest.mark.parametrize("kept", [{}, {"checkpoints": 2}, {"steps": 2}], ids=str)
def test_steps_that_read_a_counter_that_is_the_same_on_all_devices(kept):
    """Of a loop whose length isn't: run again, each device is at a step of its own."""
    mesh = jax.make_mesh((4,), ("i",), axis_types=(AxisType.Auto,))
    xs, lengths = jnp.array([0.5, 0.6, 0.7, 0.8]), jnp.array([0, 1, 3, 7])

    def alone(x, n):
        def step(i, c):
            c = lax.fori_loop(0, 2, lambda j, c: c * jnp.cos(c * j) + i * 0.1, c)
            return lax.cond(i % 2 == 0, lambda: c * x, lambda: jnp.sin(c) + i)

        return lax.fori_loop(0, n, step, x)

    kept_alone = jk.keeping(alone, **kept) if kept else alone

    def gradient(x, n):
        return jk.grad(lambda x: kept_alone(x[0], n[0]))(x)

    run = jax.shard_map(
        gradient, mesh=mesh, in_specs=(P("i"), P("i")), out_specs=P("i")
    )
    expected = [jk.grad(alone)(*pair) for pair in zip(xs, lengths, strict=True)]
    np.testing.assert_allclose(jax.jit(run)(xs, lengths), expected)


@pytest.mark.parametrize("name", ["pbroadcast", "pbroadcast_dynamic"])
def test_transpose_of_pbroadcast(name):
    """JAX runs it on GPUs only, so it is its transpose alone that is looked at."""
    transpose = RULES[name].transpose

    def ours(ct):
        x = Var(0, jax.typeof(ct))
        if name == "pbroadcast":
            return transpose(ct, x, axis_name="i", source=2)[0]
        return transpose(ct, x, jnp.int32(2), axis_name="i")[0]

    def theirs(ct):
        return jax.vjp(lambda x: lax.all_gather(x, "i")[2], ct)[1](ct)[0]

    for run in (on_mesh, unchecked, partial(jax.vmap, axis_name="i")):
        compare(run(ours)(X), run(theirs)(X))


# --- Memories -------------------------------------------------------------------------


def test_offloaded_residuals():
    """A checkpoint whose residuals wait in the host's memory, to second order."""
    policy = jax.checkpoint_policies.save_and_offload_only_these_names(
        names_which_can_be_saved=[],
        names_which_can_be_offloaded=["h"],
        offload_src="device",
        offload_dst="pinned_host",
    )

    @partial(jax.checkpoint, policy=policy)
    def layer(x):
        return jnp.sin(checkpoint_name(jnp.sin(x), "h")) * x

    def f(x):
        return jnp.sum(layer(layer(x)))

    x = jnp.linspace(0.1, 1, 5)

    def second(lib, f):
        return lib.grad(lambda x: jnp.sum(lib.grad(f)(x) ** 2))(x)

    plain = lambda x: jnp.sin(jnp.sin(x)) * x  # noqa: E731
    reference = second(jax, lambda x: jnp.sum(plain(plain(x))))
    np.testing.assert_allclose(jax.jit(lambda: jk.grad(f)(x))(), jax.grad(f)(x))
    np.testing.assert_allclose(jax.jit(lambda: second(jk, f))(), reference, rtol=1e-12)
