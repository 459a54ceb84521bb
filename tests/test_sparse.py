"""Sparse derivatives: patterns are never too small, colours few, entries right."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax
from scipy.sparse import csr_array, random_array

import jaxkit as jk
from jaxkit.sparse import colouring
from jaxkit.sparse.colouring import count
from tests.selections import long_but
from zoo.case import flat, generator, sample
from zoo.cases import families
from zoo.programs import PROGRAMS

POINT = np.linspace(0.3, 1.7, 12)


@jax.custom_jvp
def rounded(x):
    return jnp.round(x)


rounded.defjvp(lambda primals, tangents: (rounded(*primals), tangents[0]))


@jax.custom_vjp
def rounded_back(x):
    return jnp.round(x)


rounded_back.defvjp(lambda x: (jnp.round(x), None), lambda kept, ct: (ct,))


def doubling(x):
    step = lambda s: (s[0] + 1, s[1] + jnp.roll(s[1], 1))  # noqa: E731
    return lax.while_loop(lambda s: s[0] < 3, step, (0, x))[1]


def arrow(x):
    return jnp.concatenate([jnp.sum(x)[None] ** 2, x[0] * x[1:] ** 2])


def scanned(x):
    return lax.scan(lambda c, a: (c * 0.9 + a, c * a), 0.0, x)


def again(x, c):
    """Of constants c it matters what they are: c - 2 and an index."""

    @jax.checkpoint
    def step(x, c):
        same = jnp.roll(c, 1) == c
        return x + jnp.where(same[0], x[c[0].astype(int)], (c[0] - 2) * x), None

    return lax.scan(step, x, jnp.tile(jnp.array(c), (80, 1)))[0]


def cases(x):
    return lax.cond(x[0] > 0, lambda x: x * 2, lambda x: jnp.cumsum(x), x)


# A function of twelve numbers, and how many entries its pattern has: at every input,
# and at `POINT`.
PATTERNS = {
    "straight through": (lambda x: 2 * rounded(x), 12, 12),
    "the same, backwards": (lambda x: 2 * rounded_back(x), 12, 12),
    "a stencil in a loop": (
        lambda x: lax.fori_loop(0, 3, lambda _, x: x + 0.1 * jnp.roll(x, 1) * x, x),
        48,
        48,
    ),
    "a stencil in a while loop": (doubling, 48, 48),
    "an arrow": (arrow, 34, 34),
    "integers": (lambda x: x.astype(int).astype(float), 0, 0),
    "a conditional": (cases, 78, 12),
    "elements": (lambda x: jnp.sin(x) * x, 12, 12),
    "neighbours": (lambda x: x * jnp.roll(x, 1) - jnp.roll(x, -1), 36, 36),
    "a known matrix": (lambda x: jnp.tril(jnp.ones((12, 12))) @ x, 78, 78),
    "running sums": (jnp.cumsum, 78, 78),
    "a Fourier transform": (lambda x: jnp.abs(jnp.fft.fft(x.reshape(3, 4))), 48, 48),
    "sorting": (lambda x: jnp.sort(x[::-1]), 144, 12),
    "known places": (lambda x: x[jnp.arange(0, 12, 3)], 4, 4),
    "places that are computed": (lambda x: x[jnp.argsort(x)[:2]], 24, 2),
    "a convolution": (
        lambda x: jnp.convolve(x, jnp.array([1.0, 0, 2]), "same"),
        22,
        22,
    ),
    "a scan": (lambda x: scanned(x)[1], 78, 77),
    "a scan's end": (lambda x: scanned(x)[0], 12, 12),
    "a scan, reversed": (
        lambda x: lax.scan(lambda c, a: (c + a, c), 0.0, x, reverse=True)[1],
        66,
        66,
    ),
    "a long scan": (
        lambda x: lax.scan(lambda c, a: (c + a, c * a), 0.0, jnp.tile(x, 8))[1],
        1086,
        1086,
    ),
    "a long map": (lambda x: lax.map(jnp.sin, jnp.tile(x, 8)), 96, 96),
    "a long loop": (
        lambda x: lax.fori_loop(
            0, 100, lambda _, x: jnp.tanh(x + 0.1 * x.at[1:].mul(x[:-1])), x
        ),
        78,
        78,
    ),
    "a checkpoint": (
        jax.checkpoint(lambda x: jnp.sin(x) * jnp.roll(x, 2)[jnp.arange(12)]),
        24,
        24,
    ),
    "a jit": (jax.jit(lambda x: jnp.sin(x) * jnp.roll(x, 2)[jnp.arange(12)]), 24, 24),
    "the larger": (lambda x: jnp.maximum(x, jnp.roll(x, 1)), 24, 12),
    "softmax": (lambda x: jax.nn.softmax(x.reshape(3, 4), axis=1), 48, 48),
    "windows": (
        lambda x: lax.reduce_window(
            x.reshape(3, 4), 0.0, lax.add, (2, 2), (1, 1), "SAME"
        ),
        35,
        35,
    ),
    "a stencil as a kernel": (
        lambda x: lax.conv_general_dilated(
            x.reshape(1, 1, 3, 4),
            jnp.array([[0, 1.0, 0], [1, -4, 1], [0, 1, 0]])[None, None],
            (1, 1),
            "SAME",
        ),
        46,
        46,
    ),
    "a batch of products": (
        lambda x: jnp.einsum("bij,bjk->bik", x.reshape(2, 2, 3), x.reshape(2, 3, 2)),
        36,
        36,
    ),
    "a computed slice": (
        lambda x: lax.dynamic_slice(x, (x[0].astype(int) + 2,), (3,)),
        36,
        3,
    ),
    "indices, one of which is computed": (
        lambda x: lax.dynamic_slice(x.reshape(3, 4), (jnp.argmax(x), 0), (1, 2)),
        6,
        2,
    ),
    "a long scan, checkpointed": (lambda x: again(x, [2.0, 3.0]), 12, 12),
    "the same, of one index": (lambda x: again(x, [2.0, 2.0]), 23, 23),
    "a map": (lambda x: lax.map(jnp.sin, x), 12, 12),
    "lanes": (lambda x: jax.vmap(jnp.cumsum)(x.reshape(3, 4)), 30, 30),
    "an associative scan": (lambda x: lax.associative_scan(jnp.multiply, x), 78, 78),
    "a solve, in blocks": (
        lambda x: jax.vmap(jnp.linalg.solve)(
            x[:8].reshape(2, 2, 2) + 3 * jnp.eye(2), x[8:].reshape(2, 2)
        ),
        24,
        24,
    ),
}


def matrix_of(f, *args, loop=map):
    """The Jacobian, all leaves side by side, column by column.

    Not by `jacfwd`: JAX has no, or a wrong, `vmap` of some primitives.
    """
    # JAX's ravel of an array in another layout is wrong.
    lib = np if loop is map else jnp
    leaves, tree = jax.tree.flatten(args)
    places = np.cumsum([0, *[x.size for x in leaves]])
    if not places[-1]:
        sizes = [y.size for y in jax.tree.leaves(f(*args))]
        return lib.zeros((sum(sizes), 0))

    def column(unit):
        tangents = [
            unit[i:j].reshape(x.shape).astype(x.dtype)
            for x, i, j in zip(leaves, places, places[1:], strict=False)
        ]
        _, moved = jk.jvp(f, args, jax.tree.unflatten(tree, tangents))
        return lib.concatenate([lib.ravel(y) for y in jax.tree.leaves(moved)])

    return lib.stack(list(loop(column, lib.eye(places[-1]))), 1)


def elsewhere(args):
    """Twenty other points."""
    rng = np.random.default_rng(0)
    for _ in range(20):
        yield jax.tree.map(lambda x: x * (1 + 0.3 * rng.normal(size=x.shape)), args)


def check_everywhere(pattern, f, args):
    assert pattern.where == "global"
    matrix = jax.jit(lambda *args: matrix_of(f, *args, loop=lax.map))
    for other in elsewhere(args):
        assert not (np.asarray(matrix(*other)) != 0)[~pattern.matrix.toarray()].any()


@pytest.mark.parametrize("name", PATTERNS)
def test_patterns(name):
    f, everywhere, here = PATTERNS[name]
    x = jnp.asarray(POINT)
    whole, local = jk.sparsity(f)(x), jk.sparsity(f, where="local")(x)
    assert local.where == "local"
    assert not (matrix_of(f, x) != 0)[~local.matrix.toarray()].any()
    assert not local.matrix.toarray()[~whole.matrix.toarray()].any()
    assert (whole.nnz, local.nnz) == (everywhere, here)
    check_everywhere(whole, f, [x])


@pytest.mark.parametrize(
    "program", long_but(PROGRAMS[::12], PROGRAMS), ids=lambda p: p.name
)
def test_programs(program):
    """Patterns hold, and what is recovered is the dense derivative."""
    with jax.enable_x64(True):
        args = program.cast("float64")
        f, argnums = program.f, tuple(range(len(args)))
        if not program.forward:
            pytest.skip("its custom_vjp rule isn't linear")
        expected = matrix_of(f, *args)
        local = jk.sparsity(f, argnums, where="local")(*args)
        assert not (expected != 0)[~local.matrix.toarray()].any()
        if not program.traceable:
            with pytest.raises(jax.errors.JAXTypeError):
                jk.sparsity(f, argnums)(*args)
            return
        whole = jk.sparsity(f, argnums)(*args)
        assert not (expected != 0)[~whole.matrix.toarray()].any()
        check_everywhere(whole, f, args)
        found = jk.sparse_jacobian(f, argnums, format="dense")(*args)
        np.testing.assert_allclose(found, expected, 1e-9, 1e-11)
        if expected.shape[0] == 1:
            hessian = jk.sparse_hessian(f, argnums, format="dense")(*args)
            gradient = jax.jit(jk.grad(f, argnums))
            expected = matrix_of(gradient, *args)
            bound = 1e-9 * max(np.abs(expected).max(), 1e-2)
            np.testing.assert_allclose(hessian, expected, 1e-9, bound)


def one_of_each(cases):
    """The first case of each primitive."""
    found = {}
    for case in cases:
        found.setdefault(str(case.primitive), case)
    return list(found.values())


AVAILABLE = [case for cases in families().values() for case in cases if case.available]


@pytest.mark.parametrize(
    "case", long_but(one_of_each(AVAILABLE)[::4], AVAILABLE), ids=lambda c: c.name
)
def test_every_primitive(case):
    with jax.enable_x64(True):
        if "float64" not in case.dtypes or not case.batches:
            pytest.skip("of complex numbers, or without a Jacobian")
        args = map(jnp.asarray, sample(case, generator(case), "float64"))
        f, moving = flat(case.function, list(args))
        if any(jnp.iscomplexobj(x) for x in (*moving, *f(moving))):
            pytest.skip("of complex numbers")
        expected = matrix_of(lambda *xs: f(xs), *moving)
        argnums = tuple(range(len(moving)))
        for where in "local", "global":
            found = jk.sparsity(lambda *xs: f(xs), argnums, where=where)(*moving)
            missing = (expected != 0) & ~found.matrix.toarray()
            assert not missing.any(), where


# --- Colours --------------------------------------------------------------------------


def brusselator(n):
    def f(u):
        x, y = u.reshape(2, n, n)

        def laplacian(a):
            near = [jnp.roll(a, s, axis) for s in (1, -1) for axis in (0, 1)]
            return sum(near) - 4 * a

        moves = 1 + x * x * y - 4.4 * x + 0.1 * laplacian(x)
        return jnp.stack([moves, 3.4 * x - x * x * y + 0.1 * laplacian(y)]).ravel()

    return f


def minimal_surface(u):
    """The area of a surface over a grid, of two triangles in each cell."""
    u = u.reshape(32, 32)
    down, right = u[1:] - u[:-1], u[:, 1:] - u[:, :-1]
    lower = jnp.sqrt(1 + down[:, :-1] ** 2 + right[:-1] ** 2)
    return jnp.sum(lower + jnp.sqrt(1 + down[:, 1:] ** 2 + right[1:] ** 2))


def rosenbrock(x):
    return jnp.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)


def test_colours_of_a_brusselator():
    plan = jk.sparse_jacobian(brusselator(32)).plan(jnp.ones(2048))
    assert plan.pattern.nnz == 6 * 2048
    assert plan.forward + plan.reverse <= 10


@pytest.mark.parametrize("n", [5, 12, 100, 5000])
def test_colours_of_an_arrow(n):
    plan = jk.sparse_jacobian(arrow).plan(jnp.ones(n))
    assert (plan.reverse, plan.forward) == (1, 2)


def test_colours_of_hessians():
    def colours(f, n):
        plan = jk.sparse_hessian(f, recovery="substitution").plan(jnp.ones(n))
        return plan.forward

    assert colours(minimal_surface, 1024) == 4
    assert colours(rosenbrock, 50) == 2
    assert colours(lambda x: jnp.sum(x[1:] * x[:-1]), 50) == 2


def test_the_quicker_recovery_of_a_hessian():
    """Fewer passes pay where a pass takes long."""

    def slow(x):
        y = lax.fori_loop(0, 500, lambda _, y: jnp.sin(y) + y, x)
        return jnp.sum(y[1:] * y[:-1])

    passes = lambda f: jk.sparse_hessian(f).plan(jnp.ones(20)).forward  # noqa: E731
    assert (passes(rosenbrock), passes(slow)) == (3, 2)


PAPERS = {  # each greedy colouring and what must hold of it
    "columns": lambda p: (colouring.columns(p),),
    "both": colouring.both,
    "star": colouring.star,
    "acyclic": lambda p: (colouring.acyclic(p),),
}


@pytest.mark.parametrize("seed", range(4))
def test_colourings_are_valid(seed):
    rng = np.random.default_rng(seed)
    square = random_array((12, 12), density=0.2, rng=rng, format="csr")
    pattern = csr_array(
        (square != 0) + (square.T != 0) + csr_array(np.eye(12, dtype=bool))
    )
    wide = csr_array(random_array((9, 14), density=0.2, rng=rng, format="csr") != 0)
    a = wide.toarray()
    found = colouring.columns(wide)
    for c in range(count(found)):
        assert (a[:, found == c].sum(1) <= 1).all()
    rows, columns, by_column = colouring.both(wide)
    for i, j, of_column in zip(*wide.tocoo().coords, by_column, strict=True):
        if of_column:
            assert a[i, columns == columns[j]].sum() == 1 and columns[j] >= 0
        else:
            assert a[rows == rows[i], j].sum() == 1 and rows[i] >= 0
    s = pattern.toarray()
    colours, hub = colouring.star(pattern)
    for i, j, h in zip(*pattern.tocoo().coords, hub, strict=True):
        other = i if h == j else j
        assert s[other, colours == colours[h]].sum() == 1
    colours = colouring.acyclic(pattern)
    edges = [(i, j) for i, j in zip(*np.nonzero(s), strict=True) if i < j]
    assert all(colours[i] != colours[j] for i, j in edges)
    for c in range(count(colours)):
        for d in range(c):
            own = [e for e in edges if {colours[e[0]], colours[e[1]]} == {c, d}]
            assert _is_forest(own)


def _is_forest(edges) -> bool:
    parent: dict[int, int] = {}

    def root(v):
        while parent.setdefault(v, v) != v:
            v = parent[v]
        return v

    for i, j in edges:
        if root(i) == root(j):
            return False
        parent[root(i)] = root(j)
    return True


# --- Entries --------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["auto", "forward", "reverse", "both"])
@pytest.mark.parametrize("f", [arrow, brusselator(3), lambda x: x[1:] * x[:-1]])
def test_jacobians(f, mode):
    x = jnp.asarray(np.random.default_rng(0).normal(size=18), jnp.float32)
    expected = jk.jacfwd(f)(x)
    of = jk.sparse_jacobian(f, mode=mode)
    np.testing.assert_allclose(of(x).todense(), expected, 1e-5, 1e-6)
    plan = of.plan(jax.ShapeDtypeStruct(x.shape, x.dtype))
    assert {"forward": plan.reverse, "reverse": plan.forward}.get(mode, 0) == 0
    scipy = jk.sparse_jacobian(f, mode=mode, format="scipy")(x)
    np.testing.assert_allclose(scipy.toarray(), expected, 1e-5, 1e-6)
    full = jk.sparse_jacobian(f, mode=mode, format="dense")
    np.testing.assert_allclose(full(x), expected, 1e-5, 1e-6)
    several = jax.vmap(full)(jnp.stack([x, 2 * x]))
    np.testing.assert_allclose(several[1], jk.jacfwd(f)(2 * x), 1e-5, 1e-5)
    jitted = jax.jit(lambda x: of(x).todense())(x)
    np.testing.assert_allclose(jitted, expected, 1e-5, 1e-6)
    weigh = lambda J: jnp.sum(jnp.sin(J))  # noqa: E731
    gradient = jk.grad(lambda x: weigh(full(x)))(x)
    np.testing.assert_allclose(
        gradient, jax.grad(lambda x: weigh(jax.jacfwd(f)(x)))(x), 1e-4, 1e-4
    )


@pytest.mark.parametrize("recovery", ["auto", "direct", "substitution"])
@pytest.mark.parametrize(
    "f", [rosenbrock, lambda x: minimal_surface(jnp.pad(x, (0, 1004)))]
)
def test_hessians(f, recovery):
    with jax.enable_x64(True):
        x = jnp.asarray(np.random.default_rng(0).normal(size=20))
        expected = jk.hessian(f)(x)
        found = jk.sparse_hessian(f, recovery=recovery, format="dense")(x)
        np.testing.assert_allclose(found, expected, 1e-10, 1e-10)
        third = jk.jvp(
            jk.sparse_hessian(f, recovery=recovery, format="dense"), (x,), (x,)
        )
        _, expected = jax.jvp(jax.hessian(f), (x,), (x,))
        np.testing.assert_allclose(third[1], expected, 1e-9, 1e-9)


def test_of_trees_by_names_with_aux():
    def f(p, scale, *, name):
        assert name == "a name"
        return {"y": p["w"] @ p["b"] * scale, "z": p["b"] ** 2}, scale

    p = {"w": jnp.arange(6.0).reshape(3, 2), "b": jnp.array([1.0, 2.0])}
    of = jk.sparse_jacobian(f, argnames="p", has_aux=True, format="dense")
    found, aux = of(p, 2.0, name="a name")
    expected = matrix_of(lambda p: f(p, 2.0, name="a name")[0], p)
    np.testing.assert_allclose(found, expected)
    assert aux == 2.0 and len(of._plans) == 1
    of(p, 3.0, name="a name")
    assert len(of._plans) == 1, "another number needs no other plan"


def test_nothing_in_and_nothing_out():
    f = lambda x: jnp.zeros((0,)) * jnp.sum(x)  # noqa: E731
    assert jk.sparse_jacobian(f, format="dense")(jnp.ones(3)).shape == (0, 3)
    constant = jk.sparse_jacobian(lambda x: jnp.ones(2), format="dense")
    np.testing.assert_array_equal(constant(jnp.ones(3)), np.zeros((2, 3)))
    no_features = lambda x: lax.conv(x, jnp.ones((0, 2, 2)), (1,), "SAME")  # noqa: E731
    assert jk.sparsity(no_features)(jnp.ones((1, 2, 5))).shape == (0, 10)


def test_a_pattern_of_one_triangle():
    f = lambda x: jnp.sum(x[1:] * x[:-1] ** 2)  # noqa: E731
    x = jnp.arange(4.0)
    for recovery in ("direct", "substitution"):
        found = jk.sparse_hessian(
            f, recovery=recovery, format="dense", pattern=np.tri(4) - np.tri(4, k=-2)
        )
        np.testing.assert_allclose(found(x), jax.hessian(f)(x))


def test_a_loop_of_computed_length_in_a_hessian():
    def f(x):
        return jnp.sum(lax.fori_loop(0, jnp.argmax(x), lambda _, x: jnp.sin(x), x) ** 2)

    x = jnp.arange(3.0)
    expected = jax.jacfwd(jax.jacfwd(f))(x)
    np.testing.assert_allclose(
        jk.sparse_hessian(f, format="dense")(x), expected, rtol=1e-5
    )


def test_what_has_no_hash_may_change():
    f = lambda x, which: jnp.stack([x[i] for i in sorted(which)])  # noqa: E731
    which, jacobian = {0, 1}, jk.sparse_jacobian(f, 0, format="dense")
    assert jacobian(jnp.ones(3), which).tolist() == [[1, 0, 0], [0, 1, 0]]
    which.remove(1)
    which.add(2)
    assert jacobian(jnp.ones(3), which).tolist() == [[1, 0, 0], [0, 0, 1]]


def test_what_is_printed():
    x = jax.ShapeDtypeStruct((4,), jnp.float32)
    plan = jk.sparse_jacobian(lambda x: x[1:] * x[:-1]).plan(x)
    assert str(plan).splitlines() == [
        "3 x 4, 6 entries (50 %), at every input",
        "passes: 2 forward; entries are had directly",
        "passes return 24 B, entries take 24 B, the dense matrix 48 B",
    ]
    assert plan.svg().count("<rect") == 7 and "#d55e00" in plan.svg()
    assert str(plan.pattern).splitlines()[:3] == ["x x . .", ". x x .", ". . x x"]


def test_pictures_are_saved(tmp_path):
    found = jk.sparsity(arrow)(jnp.ones(3))
    found.save(tmp_path / "arrow.svg")
    assert "<svg" in (tmp_path / "arrow.svg").read_text()
    with pytest.raises(ValueError, match=r"\.svg"):
        found.save(tmp_path / "arrow.png")


def test_a_user_says_how_an_operator_spreads():
    from jax.extend.core import Primitive
    from jax.interpreters import mlir

    from jaxkit.rules.spreads import moves, spreads

    flip_p = Primitive("flip_of_this_test")
    flip_p.def_impl(lambda x: jnp.flip(x))
    flip_p.def_abstract_eval(lambda x: x)
    mlir.register_lowering(flip_p, mlir.lower_fun(jnp.flip, multiple_results=False))
    jk.rules.linear(flip_p, lambda ct, x: flip_p.bind(ct))
    assert jk.sparsity(flip_p.bind)(jnp.ones(4)).nnz == 16, "dense, if nobody says"
    spreads(flip_p, how=moves)
    assert jk.sparsity(flip_p.bind)(jnp.ones(4)).nnz == 4
    del jk.rules.RULES[flip_p]


@pytest.mark.parametrize(
    ("call", "kind", "message"),
    [
        (lambda f, x: jk.sparse_jacobian(f, mode="fast"), ValueError, "mode is 'fast'"),
        (
            lambda f, x: jk.sparse_jacobian(f, format="csr"),
            ValueError,
            "pass one of 'bcoo'",
        ),
        (lambda f, x: jk.sparsity(f, where="here"), ValueError, "'global' or 'local'"),
        (lambda f, x: jk.sparse_jacobian(f)(jnp.arange(3)), TypeError, r"int\d\d\["),
        (
            lambda f, x: jk.sparse_jacobian(f)(x + 1j),
            TypeError,
            "real numbers; use jaxkit.jacobian with",
        ),
        (lambda f, x: jk.sparse_hessian(f)(x), TypeError, "must return a scalar"),
        (
            lambda f, x: jk.sparse_jacobian(f, pattern=np.eye(2))(x),
            ValueError,
            r"the pattern has shape \(2, 2\), but the matrix has \(2, 3\)",
        ),
        (
            lambda f, x: jk.sparse_hessian(jnp.sum, pattern=np.eye(2)).plan(x),
            ValueError,
            r"the pattern has shape \(2, 2\), but the matrix has \(3, 3\)",
        ),
        (
            lambda f, x: jk.sparse_jacobian(f, pattern="abc").plan(x),
            TypeError,
            r"pattern is of type str; pass a Sparsity.* of shape \(2, 3\)",
        ),
        (
            lambda f, x: jax.jit(lambda x: jk.sparsity(f, where="local")(x).nnz)(x),
            TypeError,
            "where='local' needs values",
        ),
        (
            lambda f, x: jk.sparse_jacobian(f)(jax.ShapeDtypeStruct((3,), float)),
            TypeError,
            "a type without values; pass an array",
        ),
        (
            lambda f, x: jax.jit(jk.sparse_jacobian(f, format="scipy"))(x),
            TypeError,
            "pass format='bcoo'",
        ),
    ],
)
def test_messages(call, kind, message):
    with pytest.raises(kind, match=message):
        call(lambda x: x[1:] * x[:-1], jnp.ones(3))
