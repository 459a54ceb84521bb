"""Arrays whose type says how they are divided: derivatives are of the right types.

A tangent has the type of its primal, and a cotangent that of its operand's cotangent,
sharding and what varies included; where JAX has the derivative, it has these types too.
"""

from __future__ import annotations

from collections import Counter
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax
from jax.sharding import AxisType
from jax.sharding import PartitionSpec as P

import jaxkit as jk
from zoo.case import flat, generator, sample
from zoo.cases import families
from zoo.nestings import FAST

FOUR = jax.devices()[:4]


def mesh_of(kind, shape=(2, 2)):
    names = ("i", "j")[: len(shape)]
    return jax.make_mesh(shape, names, (kind,) * len(shape), devices=FOUR)


def types(tree):
    return [str(jax.typeof(x)) for x in jax.tree.leaves(tree)]


# --- All rules ------------------------------------------------------------------------

# Each case of a rule, on a mesh of four devices with axes i and j.  Where these are
# explicit or automatic, two points at once, under `vmap`, are divided by i, and another
# axis of an array, where one is even, by j; or arrays of one point are.  Where they are
# manual, inside `jax.shard_map`, each device has a point of its own.


def first_even(x, start):
    return next((d for d in range(start, x.ndim) if x.shape[d] in (2, 4, 6, 8)), None)


def spec_of(x, parts: dict):
    return P(*[parts.get(d) for d in range(x.ndim)])


def ways(case, kind):
    """Ways to divide a case: (its function, its reference, arguments, their specs)."""
    functions = case.function, case.reference or case.function
    rng = generator(case)
    points = [sample(case, rng, case.dtypes[0]) for _ in range(4)]
    if kind is AxisType.Manual:
        args = [np.stack(x) for x in zip(*points, strict=True)]
        yield *functions, args, [P(("i", "j"))] * len(args)
        return
    args = [np.stack(x) for x in zip(*points[:2], strict=True)]
    many = [jax.vmap(f) for f in functions]
    if case.batches:
        yield *many, args, [spec_of(x, {0: "i", first_even(x, 1): "j"}) for x in args]
        yield *many, args, [P("i")] * len(args)
    args = points[0]
    yield *functions, args, [spec_of(x, {first_even(x, 0): "j"}) for x in args]


def problems(case, f, g, xs):
    """What is off with the types of f's derivatives, and values to be compared."""
    tangents, cotangents = types(f(xs)), [str(jax.typeof(x).to_ct_aval()) for x in xs]

    def push(lib, f):
        return lib.jvp(f, (xs,), (xs,))

    def pull(lib, f):
        return lib.vjp(f, xs)[1](f(xs))

    def transpose():
        return jk.linear_transpose(jk.linearize(f, xs)[1], xs)(f(xs))

    def curved(xs):
        return jk.vjp(f, xs)[1](f(xs))

    both = {"jvp": (push, tangents * 2)}
    ours = {"linearize": (lambda: jk.linearize(f, xs)[1](xs), tangents)}
    if case.reverse:
        both["vjp"] = pull, cotangents
        ours["linear_transpose"] = transpose, cotangents
        if case.orders > 1:
            ours["hvp"] = lambda: jk.jvp(curved, (xs,), (xs,))[1], cotangents
    lines, values = [], {}

    def check(name, compute, expected):
        try:
            result = compute()
        except Exception as error:
            if case.name.startswith(REFUSED):
                return None
            lines.append(f"{name} raised {type(error).__name__}: {error}"[:300])
            return None
        if (found := types(result)) != expected:
            lines.append(f"{name}: {found}, not {expected}")
        return result

    for name, (compute, expected) in both.items():
        result = check(name, partial(compute, jk, f), expected)
        try:
            reference = compute(jax, g)
        except Exception:  # JAX has no such derivative, or not of arrays so divided
            continue
        values[name] = result, reference
        if types(reference) != expected and case.name not in LESS_IN_JAX:
            lines.append(f"JAX's {name}: {types(reference)}, not {expected}")
    for name, (compute, expected) in ours.items():
        check(name, compute, expected)
    return lines, values


def attempt(case, kind, way, run=False):
    """What is off with a case that is so divided; None if JAX can't run the case."""
    f, g, args, specs = way
    found = None

    def all_of(*args):
        nonlocal found
        own, xs = flat(f, args)
        theirs, _ = flat(g, args)
        own(xs)
        found = []  # JAX can
        found, values = problems(case, own, theirs, xs)
        return values

    def on_each(*args):
        all_of(*[x[0] for x in args])
        return ()

    try:
        if kind is AxisType.Manual:
            mesh, in_specs = mesh_of(AxisType.Auto), tuple(specs)
            body = jax.shard_map(on_each, mesh=mesh, in_specs=in_specs, out_specs=())
            jax.eval_shape(body, *args)
            return found
        with jax.set_mesh(mesh_of(kind)):
            args = [jax.device_put(x, s) for x, s in zip(args, specs, strict=True)]
            if not run:
                jax.eval_shape(all_of, *args)
                return found
            values = jax.jit(all_of, compiler_options=FAST)(*args)
    except jax.errors.JaxRuntimeError:
        return None  # XLA can't
    except Exception:
        if found is not None:
            raise
        return None
    for name, pair in values.items():
        for y, r in zip(*map(jax.tree.leaves, pair), strict=True):
            size = max(np.max(np.abs(r), initial=0), 1e-3)
            if not np.max(np.abs(np.subtract(y, r)), initial=0) <= 1e-11 * size:
                found.append(f"{name}: {y}, not {r}")
    return found


# Of arrays divided along the axes that are reduced, or made longer by less than there
# are devices, JAX has none of these derivatives either.
REFUSED = "reduce_window, ", "reduce_window_sum, all of these", "pad, interior"
LESS_IN_JAX = "integer_pow 0", "reduce_prod of nothing", "reduce, product of none"
MOVING = "structural", "indexing", "reductions", "windows", "reducers", "fourier"
HAVE_A_MESH = "device_put", "reshard", "sharding_constraint"


def cases_of(family):
    for case in families()[family]:
        if case.available and not case.name.startswith(HAVE_A_MESH):
            yield case


@pytest.mark.parametrize("kind", AxisType, ids=lambda kind: kind.name)
@pytest.mark.parametrize("family", [x for x in families() if x != "parallel"])
def test_types(family, kind, every=False):
    """Of each primitive a case, or every one."""
    lines, done = [], Counter()
    for case in cases_of(family):
        if done[case.primitive] and not every:
            continue
        for way in ways(case, kind):
            found = attempt(case, kind, way)
            lines += [f"{case.name}: {x}" for x in found or ()]
            done[case.primitive] += found is not None
            if found is not None and kind is AxisType.Auto:
                break  # the types don't say how they are divided
    assert not lines, "\n".join(lines)
    assert done.total() or family in ("convolution", "ragged")


@pytest.mark.long
@pytest.mark.parametrize("kind", AxisType, ids=lambda kind: kind.name)
@pytest.mark.parametrize("family", [x for x in families() if x != "parallel"])
def test_types_of_every_case(family, kind):
    test_types(family, kind, every=True)


@pytest.mark.parametrize("family", MOVING)
def test_values(family):
    """Of rules that move elements from device to device: of each primitive a case."""
    if family == "fourier" and jax.__version_info__[:2] == (0, 11):
        pytest.skip("XLA on CPU fails of itself on the transposes, JAX's too")
    lines, done = [], set()
    for case in cases_of(family):
        for way in ways(case, AxisType.Explicit):
            if case.primitive in done:
                break
            found = attempt(case, AxisType.Explicit, way, run=True)
            lines += [f"{case.name}: {x}" for x in found or ()]
            done |= set() if found is None else {case.primitive}
    assert not lines, "\n".join(lines)
    assert done


# --- Programs -------------------------------------------------------------------------

LINE = jax.make_mesh((4,), ("i",), (AxisType.Explicit,), devices=FOUR)
RNG = np.random.default_rng(0)


def put(shape, *parts):
    with jax.set_mesh(LINE):
        return jax.device_put(RNG.uniform(0.5, 1.5, shape), P(*parts))


X, W = put((4, 2), "i", None), put((2, 3))
IDS = jax.device_put(np.arange(8).reshape(4, 2), jax.NamedSharding(LINE, P("i", None)))
CHANNELS_LAST = lax.ConvDimensionNumbers((0, 2, 1), (2, 1, 0), (0, 2, 1))


def convolution(kernel, image):
    y = lax.conv_general_dilated(
        image, kernel, (1,), "VALID", dimension_numbers=CHANNELS_LAST
    )
    return jnp.sum(y**2)


def in_scan(x):
    def step(carry, v):
        return carry + v, carry * v

    return jnp.sum(lax.scan(step, jnp.zeros_like(x[:, 0]), x.T)[1])


def in_cond(x, w):
    y = x @ w
    return jnp.sum(lax.cond(jnp.sum(w) > 0, lambda y: jnp.sin(y), lambda y: y * y, y))


@jax.custom_vjp
def halved(x, y):
    return x * 2.0, y


halved.defvjp(lambda x, y: ((x * 2.0, y), x), lambda x, cts: (cts[0] / 2.0 + x, cts[1]))


def layers(w, v):
    def layer(x, w):
        return jax.sharding.reshard(jnp.tanh(x @ w), P("i", None)), None

    body = jax.checkpoint(layer)
    return jnp.sum(lax.scan(body, v, jnp.stack([w, w * 2]))[0] ** 2)


def attention(q, k, v):
    scores = jnp.einsum("bqh,bkh->bqk", q, k)
    return jnp.sum(jnp.einsum("bqk,bkh->bqh", jax.nn.softmax(scores), v) ** 2)


PROGRAMS = {
    "data parallel": (lambda w: jnp.sum(jnp.sin(X @ w)), W),
    "bias": (lambda w, b: jnp.sum(jnp.sin(X @ w + b)), W, put((3,))),
    "tensor parallel": (
        lambda w, x: jnp.sum(jnp.dot(x, w, out_sharding=P()) ** 2),
        put((4, 3), "i", None),
        put((2, 4), None, "i"),
    ),
    "embedding": (
        lambda e: jnp.sum(e.at[IDS].get(out_sharding=P("i", None, None)) ** 2),
        put((8, 2)),
    ),
    "divided embedding": (
        lambda e: jnp.sum(e.at[IDS].get(out_sharding=P("i", None, None)) ** 2),
        put((8, 2), "i", None),
    ),
    "convolution": (convolution, put((3, 1, 4)), put((8, 6, 1), "i", None, None)),
    "attention": (attention, *[put((4, 3, 2), "i", None, None) for _ in range(3)]),
    "expand_dims": (lambda x: jnp.sum(jnp.expand_dims(x, -1) ** 2), put((4, 1), "i")),
    "squeeze": (lambda x: jnp.sum(jnp.squeeze(x, 1) ** 2), put((4, 1), "i")),
    "scan": (in_scan, X),
    "cond": (in_cond, X, W),
    "set": (lambda x: jnp.sum(x.at[:, 0].set(1.0) ** 2), X),
    "split": (lambda x: jnp.sum(jnp.split(x, 2, 1)[0] ** 2), X),
    "reshape": (lambda x: jnp.sum(jnp.reshape(x, (4, 2, 3)) ** 3), put((4, 6), "i")),
    "reshard": (
        lambda x: jnp.sum(jnp.sin(jax.sharding.reshard(x, P(None, None)))),
        X,
    ),
    "layers": (layers, put((3, 3)), put((4, 3), "i", None)),
    "custom_vjp": (lambda x: jnp.sum(halved(x, x * x)[0] ** 2), X),
    "norm": (lambda x: jnp.sum(x / jnp.sqrt(jnp.sum(x * x, -1, keepdims=True))), X),
    "mean and maximum": (lambda x: jnp.max(x - jnp.mean(x, 0)) * jnp.min(x), X),
    "unused": (lambda x, w: jnp.sum(x**2), X, W),
    "auto inside": (
        lambda x: jnp.sum(
            jax.sharding.auto_axes(
                lambda a: jnp.sin(a) * a + a.at[1].get(), out_sharding=P("i")
            )(x)
        ),
        X,
    ),
    "unreduced": (
        lambda w: jnp.sum(jnp.sin(X @ w)),
        jax.device_put(W, jax.NamedSharding(LINE, P(None, None, reduced={"i"}))),
    ),
}


def gradient(lib, f, n):
    return lib.grad(f, tuple(range(n)))


def product(lib, f, n):
    def run(*xs):
        return lib.jvp(gradient(lib, f, n), xs, xs)[1]

    return run


def pushed(lib, f, n):
    return lambda *xs: lib.jvp(f, xs, xs)


def recorded(lib, f, n):
    def run(*xs):
        push = lib.linearize(f, *xs)[1]
        return push(*xs), lib.linear_transpose(push, *xs)(f(*xs))

    return run


def run_again(lib, f, n):
    return gradient(lib, jax.checkpoint(f), n)


def jitted_inside(lib, f, n):
    return gradient(lib, jax.jit(f), n)


def looped(lib, f, n):
    def run(*xs):
        def step(xs, _):
            slopes = gradient(lib, f, n)(*xs)
            return tuple(x - 0.1 * d for x, d in zip(xs, slopes, strict=True)), None

        return lax.scan(step, xs, length=2)[0]

    return run


REVERSE = gradient, run_again, jitted_inside, looped
FORMS = *REVERSE, product, pushed, recorded


@pytest.mark.parametrize("name", PROGRAMS)
def test_programs(name):
    """Gradients and their like, in one compiled program, and the gradient eagerly."""
    f, *xs = PROGRAMS[name]

    def everything(*xs):
        found = {}
        forms = REVERSE if name == "custom_vjp" else FORMS
        for form in forms:
            runs = [form(lib, f, len(xs)) for lib in (jk, jax)]
            try:
                reference = runs[1](*xs)
            except Exception:
                continue
            result = runs[0](*xs)
            assert types(result) == types(reference), form.__name__
            found[form.__name__] = result, reference
        return found

    with jax.set_mesh(LINE):
        pairs = jax.jit(everything, compiler_options=FAST)(*xs)
        pairs["eager"] = [gradient(lib, f, len(xs))(*xs) for lib in (jk, jax)]
        assert {"gradient", "run_again", "jitted_inside"} <= set(pairs)
        assert types(pairs["eager"][0]) == types(pairs["eager"][1])
        for result, reference in pairs.values():
            for y, r in zip(*map(jax.tree.leaves, (result, reference)), strict=True):
                total = partial(jax.sharding.reshard, out_shardings=P())
                np.testing.assert_allclose(total(y), total(r), rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("name", ["data parallel", "scan", "set", "embedding"])
def test_programs_under_vmap(name):
    f, *xs = PROGRAMS[name]
    many = [jnp.stack([x, 2 * x]) for x in xs]
    with jax.set_mesh(LINE):
        ours, theirs = (jax.vmap(gradient(lib, f, len(xs)))(*many) for lib in (jk, jax))
    assert types(ours) == types(theirs)
    jax.tree.map(np.testing.assert_allclose, ours, theirs)


@pytest.mark.parametrize("jacobian", ["jacfwd", "jacrev", "hessian"])
def test_jacobians(jacobian):
    with jax.set_mesh(LINE):
        for f, x in (
            (lambda w: jnp.sum(jnp.sin(X @ w), 1), W),
            (lambda x: jnp.sum(jnp.sin(x @ W), 1), X),
            (lambda x: x * jnp.sum(x), X),
        ):
            ours, theirs = (getattr(lib, jacobian)(f)(x) for lib in (jk, jax))
            assert types(ours) == types(theirs)
            np.testing.assert_allclose(ours, theirs, rtol=1e-12)


def two(w):
    return {"sum": jnp.sum(w) ** 2, "three": jnp.ones(3)}


DIVIDED = {  # derivatives that are linear, or zero: nothing says how they are divided
    "multiple": lambda w: 2 * w,
    "itself": lambda w: w,
    "negative": jnp.negative,
    "sines": jnp.sin,
    "sums": lambda w: jnp.sum(w, 1),
    "transposed": jnp.transpose,
    "constant": lambda w: jnp.ones(8),
    "part": lambda w: w[:4],
    "two": two,
    "of a loop": lambda w: lax.scan(lambda c, _: (2 * c, None), w, None, 2)[0],
}


def explicit():
    """A mesh of two axes, and an array of which both axes are divided."""
    mesh = jax.make_mesh((4, 2), ("i", "j"), axis_types=(AxisType.Explicit,) * 2)
    x = np.arange(32.0).reshape(8, 4)
    return mesh, jax.device_put(x, jax.NamedSharding(mesh, P("i", "j")))


@pytest.mark.parametrize("jacobian", ["jacfwd", "jacrev", "hessian"])
@pytest.mark.parametrize("name", DIVIDED)
def test_jacobians_by_two_axes(jacobian, name):
    mesh, w = explicit()
    with jax.set_mesh(mesh):
        for wrap in (lambda f: f, jax.jit):
            ours, theirs = (
                wrap(getattr(lib, jacobian)(DIVIDED[name]))(w) for lib in (jk, jax)
            )
            assert types(ours) == types(theirs)
            jax.tree.map(np.testing.assert_array_equal, ours, theirs)


@pytest.mark.parametrize("jacobian", ["jacfwd", "jacrev", "hessian"])
def test_jacobians_by_several_arguments(jacobian):
    mesh, w = explicit()
    with jax.set_mesh(mesh):
        b = jnp.ones(3)
        for f in (lambda w, b: b**2, lambda w, b: jnp.sum(w) * b, lambda w, b: 2 * w):
            ours, theirs = (
                getattr(lib, jacobian)(f, (0, 1))(w, b) for lib in (jk, jax)
            )
            assert types(ours) == types(theirs)
            jax.tree.map(np.testing.assert_array_equal, ours, theirs)
        whole, n = (lambda w, n: w * n), jnp.ones_like(w, int)
        if jacobian == "jacrev":
            calls = (lib.jacrev(whole, (0, 1), allow_int=True) for lib in (jk, jax))
            ours, theirs = (call(w, n) for call in calls)
            assert types(ours) == types(theirs)


def test_matrices_of_divided_arrays():
    """These are whole on each device, and what is like the argument is as it is."""
    mesh, w = explicit()
    with jax.set_mesh(mesh):
        slopes = np.diag(np.cos(np.ravel(w)))
        for found in (
            jk.sparse_jacobian(jnp.sin)(w).todense(),
            jk.jacobian_operator(jnp.sin)(w).matrix(),
            np.asarray(jk.jacobian(jnp.sin, chunk_size=3)(w)).reshape(32, 32),
        ):
            np.testing.assert_allclose(found, slopes, atol=1e-12)
        found = jk.hessian_diagonal(lambda w: jnp.sum(jnp.sin(w)))(w)
        assert types(found) == types(w)
        np.testing.assert_allclose(found, -np.sin(w))


def squares(y, t):
    return jnp.sum((y - t) ** 2)


def layer(w, x):
    return jnp.tanh(x @ w)


def layer_squares(w, x, t):
    return squares(layer(w, x), t)


SIZES = (3, 4), (8, 3), (8, 4)
CURVATURE = {
    "gradients": jk.per_sample_grad(layer_squares),
    "norms": jk.per_sample_norms(layer_squares),
    "moments": jk.gradient_moments(layer_squares),
    "Fisher": jk.fisher_diagonal(layer_squares),
    "Gauss-Newton": jk.gauss_newton_diagonal(layer, squares),
    "factors": lambda *args: jk.kronecker_factors(layer, squares)(*args).matrix(),
    "trace": lambda w, x, t: jk.hessian_trace(
        lambda w: squares(layer(w, x), t), method="hutchinson", key=jax.random.key(0)
    )(w),
}


@pytest.mark.parametrize("of_weight", [P(), P(None, "j")])
@pytest.mark.parametrize("name", CURVATURE)
def test_samples_that_are_divided(name, of_weight):
    w, x, t = (np.random.default_rng(i).normal(size=s) for i, s in enumerate(SIZES))
    expected = CURVATURE[name](w, x, t)
    mesh, _ = explicit()
    with jax.set_mesh(mesh):
        specs = of_weight, P("i"), P("i", *of_weight[1:])
        args = [jax.device_put(*pair) for pair in zip((w, x, t), specs, strict=True)]
        found = CURVATURE[name](*args)
    jax.tree.map(partial(np.testing.assert_allclose, rtol=1e-10), found, expected)


@pytest.mark.skipif(
    jax.__version_info__ >= (0, 11), reason="arrays that JAX fills lose the mesh"
)
@pytest.mark.parametrize("wrap", [lambda f: f, jax.jit])
def test_zeros_are_on_the_mesh_of_their_primals(wrap):
    """So that what is compiled for one gradient serves for the next."""
    mesh = jax.make_mesh((4, 2), ("i", "j"), axis_types=(AxisType.Auto,) * 2)
    w = jax.device_put(np.ones((8, 4)), jax.NamedSharding(mesh, P("i", "j")))
    calls = {
        "gradient of a sum": lambda lib: wrap(lib.grad(jnp.sum))(w),
        "zero": lambda lib: wrap(lib.grad(lambda a, b: jnp.sum(b)))(w, w),
        "constant": lambda lib: wrap(lib.grad(lambda w: 1.0))(w),
        "still": lambda lib: wrap(lambda w: lib.jvp(jnp.round, (w,), (w,))[1])(w),
    }
    for name, call in calls.items():
        ours, theirs = (jax.typeof(call(lib)).sharding for lib in (jk, jax))
        assert ours == theirs, name


@pytest.mark.parametrize("transform", ["vjp", "linearize", "linear_transpose"])
def test_directions_divided_otherwise_are_refused(transform):
    with jax.set_mesh(LINE):
        x, other = X, jax.sharding.reshard(X, P(None, None))
        calls = {
            "vjp": lambda lib: lib.vjp(jnp.sin, x)[1](other),
            "linearize": lambda lib: lib.linearize(jnp.sin, x)[1](other),
            "linear_transpose": lambda lib: lib.linear_transpose(jnp.negative, x)(
                other
            ),
        }
        for lib in (jk, jax):
            with pytest.raises((TypeError, ValueError)) as error:
                calls[transform](lib)
            if lib is jk:
                ours = type(error.value)
                assert "float64[4@i,2]" in str(error.value)
        assert ours is type(error.value)


def test_tangents_divided_otherwise_are_divided_as_the_primal():
    with jax.set_mesh(LINE):
        other = jax.sharding.reshard(X, P(None, None))
        found = [types(lib.jvp(jnp.sin, (X,), (other,))) for lib in (jk, jax)]
        from_numpy = types(jk.vjp(jnp.sin, X)[1](np.ones((4, 2))))
    assert found[0] == found[1]
    assert from_numpy == ["float64[4@i,2]"]
