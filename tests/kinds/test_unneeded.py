"""What nothing needs may be anything: it is neither judged, nor differentiated."""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax
from jax.extend.core import Primitive
from jax.sharding import PartitionSpec as P

import jaxkit as jk
from jaxkit.program import reached
from zoo.case import generator, moves, sample
from zoo.cases import families

# --- Code on tangents alone that isn't linear -----------------------------------------

UNUSED = {
    "direct": lambda x: (2 * x, x > 0)[0],
    "jit": lambda x: jax.jit(lambda x: (2 * x, x > 0))(x)[0],
    "scan": lambda x: lax.scan(lambda c, _: (c * 2, c > 0), x, None, 1)[0],
    "carry": lambda x: lax.scan(lambda c, _: ((c[0] * 2, c[1] ** 2), None),
                                (x, x), None, 1)[0][0],
    "cond": lambda x: lax.cond(True, lambda x: (2 * x, jnp.sin(x)),
                               lambda x: (x, x), x)[0],
    "while": lambda x: lax.while_loop(lambda c: c[2] < 1, lambda c: (
        2 * c[0], jnp.sin(c[1]), c[2] + 1), (x, x, 0))[0],
    "checkpoint": lambda x: jax.checkpoint(lambda x: (2 * x, abs(x)))(x)[0],
    "print": lambda x: (jax.debug.print("{}", x), 2 * x)[1],
}  # fmt: skip


@pytest.mark.parametrize("name", UNUSED)
def test_linear_transpose(name):
    assert jk.linear_transpose(UNUSED[name], 1.0)(3.0) == (6.0,)


LOOKS = {
    "print": lambda t: jax.debug.print("{}", t),
    "isnan": jnp.isnan,
    "norm": lambda t: jnp.sqrt(t * t),
    "stop": lax.stop_gradient,
    "abs": jnp.abs,
    "scan": UNUSED["scan"],
    "while": UNUSED["while"],
    "sorted": lambda t: jnp.sort(jnp.stack([t, -t])),
}


@pytest.mark.parametrize("look", LOOKS.values(), ids=LOOKS)
def test_a_rule_may_look_at_its_tangent(look):
    @jax.custom_jvp
    def f(x):
        return x**2

    @f.defjvp
    def _(primals, tangents):
        look(tangents[0])
        return f(*primals), 2 * primals[0] * tangents[0]

    for g in (
        f,
        jax.jit(f),
        lambda x: lax.scan(lambda c, _: (f(c), None), x, None, 1)[0],
    ):
        assert jk.grad(g)(3.0) == 6.0
        assert jk.linearize(g, 3.0)[1](1.0) == 6.0
        assert jk.jvp(g, (3.0,), (1.0,))[1] == 6.0
        assert jk.hessian(g)(3.0) == 2.0


@pytest.mark.parametrize("name", UNUSED)
def test_what_is_needed_is_judged(name):
    """The other output of the same code."""
    f = {
        "direct": lambda x: x * x,
        "jit": lambda x: jax.jit(lambda x: (2 * x, x * x))(x)[1],
        "scan": lambda x: lax.scan(lambda c, _: (c * 2, c * c), x, None, 1)[1],
        "carry": lambda x: lax.scan(lambda c, _: ((c[0] * 2, c[1] ** 2), None),
                                    (x, x), None, 2)[0][1],
        "cond": lambda x: lax.cond(True, lambda x: (2 * x, jnp.sin(x)),
                                   lambda x: (x, x), x)[1],
        "while": lambda x: lax.while_loop(lambda c: c[2] < 1, lambda c: (
            2 * c[0], jnp.sin(c[1]), c[2] + 1), (x, x, 0))[1],
        "checkpoint": lambda x: jax.checkpoint(lambda x: (2 * x, x * x))(x)[1],
        "print": lambda x: jnp.sqrt(x),
    }[name]  # fmt: skip
    with pytest.raises(NotImplementedError, match="not linear"):
        jk.linear_transpose(f, 1.0)


# --- Derivatives that there aren't ----------------------------------------------------


def no_second(c):
    """igamma's derivative in `a` has none."""
    return lax.igamma(c + 1, c + 1)


SIN_TWICE = -0.7783957  # the second derivative of sin(sin(x)) at 1


@pytest.mark.parametrize(
    ("f", "expected"),
    [
        (lambda x: (jnp.sin(jnp.sin(x)), no_second(x))[0], SIN_TWICE),
        (lambda x: lax.scan(lambda c, _: (jnp.sin(c), no_second(c)), x, None, 2)[0],
         SIN_TWICE),
        (lambda x: lax.scan(lambda c, _: ((jnp.sin(c[0]), no_second(c[1])), None),
                            (x, x), None, 2)[0][0], SIN_TWICE),
        (lambda x: jax.jit(lambda x: (jnp.sin(x), no_second(x)))(x)[0], -np.sin(1)),
        (lambda x: lax.cond(x > 0, lambda x: (jnp.sin(x), no_second(x)),
                            lambda x: (x, x), x)[0], -np.sin(1)),
        (lambda x: jax.checkpoint(lambda x: (jnp.sin(x), no_second(x)))(x)[0],
         -np.sin(1)),
    ],
)  # fmt: skip
def test_a_derivative_that_nothing_needs(f, expected):
    for hessian in (jk.hessian(f), jax.jit(jk.hessian(f)), jk.jacrev(jk.jacrev(f))):
        np.testing.assert_allclose(hessian(1.0), expected, rtol=1e-6)


def test_a_derivative_that_is_needed_is_missed():
    for f in (
        no_second,
        lambda x: lax.scan(lambda c, _: (c, no_second(c)), x, None, 2)[1][0],
    ):
        with pytest.raises(
            NotImplementedError, match=r"test_unneeded.py:\d+.* \(no_second"
        ):
            jk.hessian(f)(1.0)


@pytest.mark.parametrize("order", [1, 2])
def test_a_loop_that_refuses_its_operand_from_the_second_step_on(order):
    """The reason is the same where what refuses is another output, or another step."""

    def f(x):
        def step(c, _):
            return jax.pure_callback(np.sin, jax.typeof(c), c), c

        return lax.scan(step, x, None, 2)[1][1]

    for _ in range(order):
        f = jk.grad(f)
    with pytest.raises(ValueError, match="pure_callback"):
        f(2.0)


refusing = Primitive("refusing")  # without a rule
refusing.def_impl(lambda x: x)
refusing.def_abstract_eval(lambda aval: aval)

# One case of each primitive.
SIMPLE = {
    getattr(case.primitive, "name", case.primitive): case
    for cases in families().values()
    for case in reversed(cases)
    if case.available and isinstance(case.primitive, Primitive | str)
}


@pytest.mark.parametrize("name", SIMPLE)
def test_what_cannot_be_had_is_carried_through_each_primitive(name):
    """Beside tangents that are zero too, and to the end, where it is no error yet."""
    case = SIMPLE[name]
    args = tuple(map(jnp.asarray, sample(case, generator(case), case.dtypes[0])))
    moving = [i for i, x in enumerate(args) if moves(x)]

    def f(x, i):
        return case.function(*args[:i], refusing.bind(x), *args[i + 1 :])

    for i in moving[:3]:
        check_that_it_is_carried(partial(f, i=i), args[i])


def check_that_it_is_carried(f, x):
    """Through f, whose argument's tangent can't be had."""
    _, dx = jk.jvp(lambda x: (f(x), 2 * x)[1], (x,), (x,))
    np.testing.assert_array_equal(dx, 2 * x)
    _, dx, _ = jk.jvp(lambda x: (2 * x, f(x)), (x,), (x,), has_aux=True)
    np.testing.assert_array_equal(dx, 2 * x)
    _, pull = jk.vjp(lambda x: (f(x), 2 * x)[1], x)
    np.testing.assert_array_equal(pull(x)[0], 2 * x)
    for call in (
        lambda: jk.jvp(f, (x,), (x,)),
        lambda: jk.linearize(f, x),
        lambda: jk.jvp(lambda x: jk.vjp(f, x)[0], (x,), (x,)),
    ):
        try:
            moved = jax.tree.leaves(call()[1])  # its outputs don't move
            assert not any(np.any(dy) for dy in moved if moves(dy))
        except NotImplementedError as error:
            assert "'refusing'" in str(error)


@pytest.mark.parametrize("name", SIMPLE)
def test_dead_code_on_tangents_may_be_any_primitive(name):
    """Also of what isn't linear in them, and with several outputs."""
    case = SIMPLE[name]
    args = tuple(map(jnp.asarray, sample(case, generator(case), case.dtypes[0])))
    moving = tuple(x for x in args if moves(x))

    def f(*tangents):
        rest = iter(tangents)
        seen = [next(rest) if moves(x) else x for x in args]
        case.function(*seen)
        case.function(*[t * t if moves(t) else t for t in seen])
        return [2 * t for t in tangents]

    if moving:
        found = jk.linear_transpose(f, *moving)(list(moving))
        jax.tree.map(np.testing.assert_array_equal, found, tuple(2 * x for x in moving))


def test_auxiliary_values_may_come_from_python():
    def f(x):
        seen = jax.pure_callback(np.sin, jax.ShapeDtypeStruct((), x.dtype), x)
        return x * x, seen

    assert jk.grad(f, has_aux=True)(jnp.float64(3.0)) == (6.0, np.sin(3.0))
    assert jax.jit(jk.grad(f, has_aux=True))(jnp.float64(3.0))[0] == 6.0


# --- Cotangents that are none ---------------------------------------------------------

stop = lax.stop_gradient


def steep(x):
    """0, with an infinite derivative: what is multiplied by it shows."""
    return jnp.sqrt(x * 0)


def doubled(x):
    return lax.while_loop(lambda c: c < 9, lambda c: c * 2, x)


NOT_REACHED = {
    "cond": (lambda x: lax.cond(x > 0, lambda x, n: x * stop(n) + x,
                                lambda x, n: x, x, steep(x)), 1),
    "switch": (lambda x: lax.switch(1, [lambda x, n: x, lambda x, n: x + stop(n)],
                                    x, steep(x)), 1),
    "scan, constant": (lambda x: (lambda n: lax.scan(
        lambda c, _: (c + c * stop(n), None), x, None, 2)[0])(steep(x)), 1),
    "scan, slices": (lambda x: lax.scan(
        lambda c, n: (c + c * stop(n), None), x, jnp.stack([steep(x)] * 2))[0], 1),
    "fori_loop": (lambda x: lax.fori_loop(
        0, 2, lambda i, c: (c[0] * 2, c[1] * 3), (x, steep(x)))[0], 4),
    "no step": (lambda x: lax.cond(x > 0, lambda x: lax.scan(
        lambda c, _: (1.0, None), x, None, 0)[0], lambda x: 1.0, x), 1),
    "no step, two": (lambda x: lax.fori_loop(
        0, 0, lambda i, c: (c[1], 0.0), (x, steep(x)))[0], 1),
    "carry that is replaced": (lambda x: sum(lax.fori_loop(
        0, 2, lambda i, c: (c[0] * 2, 0.0), (x, steep(x)))), 4),
    "while upstream, cond": (lambda x: lax.cond(
        x > 0, lambda x, n: x * stop(n), lambda x, n: x, x, doubled(x)), 16),
    "while upstream, scan": (lambda x: (lambda n: lax.scan(
        lambda c, _: (c * stop(n), None), x, None, 2)[0])(doubled(x)), 256),
    "jit": (lambda x: jax.jit(lambda x, n: x * stop(n) + x)(x, steep(x)), 1),
    "checkpoint": (lambda x: jax.checkpoint(
        lambda x, n: x * stop(n) + x)(x, steep(x)), 1),
    "cond in scan": (lambda x: lax.scan(lambda c, _: (lax.cond(
        x > 0, lambda x, n: x * stop(n) + x, lambda x, n: x, c, steep(c)), None),
        x, None, 2)[0], 1),
    "shard_map": (lambda x: jax.shard_map(
        lambda x, n: x * stop(n) + x, mesh=jax.make_mesh((2,), ("i",)),
        in_specs=(P(), P()), out_specs=P())(x, steep(x)), 1),
}  # fmt: skip


CONTROL = [case for case in families()["control"] if case.available and case.reverse]


@pytest.mark.parametrize("case", CONTROL, ids=lambda case: case.name)
def test_where_cotangents_are_said_to_arrive(case):
    """Of each output alone: what isn't said to be reached gets none."""
    args = sample(case, generator(case), case.dtypes[0])
    pullback = jk.vjp(case.function, *args)[1]
    program = pullback.T.program
    for i, x in enumerate(program.code.outputs):
        there = [j == i for j in range(len(program.code.outputs))]
        cts = [jnp.ones(x.aval.shape, x.aval.dtype) if y else None for y in there]
        found = program.transpose(cts)
        said = reached(program.code, tuple(there))
        for ct, arrives in zip(found, said, strict=True):
            assert ct is None or arrives


@pytest.mark.parametrize(("f", "expected"), NOT_REACHED.values(), ids=NOT_REACHED)
def test_no_cotangent_stays_none(f, expected):
    """An array of zeros in its place would be 0 times infinity upstream."""
    for gradient in (jk.grad(f), jax.jit(jk.grad(f)), jk.grad(jax.jit(f))):
        np.testing.assert_allclose(gradient(1.0), expected)


def added_up(r, x):
    jax.ref.addupdate(r, ..., x)


def set_in_a_loop(r, x):
    def step(i, c):
        r[...] = c * x
        return c

    lax.fori_loop(0, 2, step, x)


def set_in_a_scan(r, x):
    def step(c, y):
        jax.ref.addupdate(r, ..., c * y)
        return c, None

    lax.scan(step, x, jnp.ones(3))


WRITES = {
    "set": lambda r, x: jax.ref.set(r, ..., x**2),
    "add": added_up,
    "swap": lambda r, x: jax.ref.swap(r, ..., 3 * x),
    "loop": set_in_a_loop,
    "scan": set_in_a_scan,
    "jit": lambda r, x: jax.jit(lambda x: jax.ref.set(r, ..., x))(x),
    "cond": lambda r, x: lax.cond(
        x > 0, lambda x: jax.ref.set(r, ..., x), lambda x: None, x
    ),
}


@pytest.mark.parametrize("write", WRITES)
def test_what_is_written_into_a_reference_is_not_lost(write):
    """What was written is nobody's output; where it has no tangent, an error."""

    def f(x, r=None):
        r = jax.new_ref(jnp.zeros(())) if r is None else r
        WRITES[write](r, x)
        return r[...]

    outside = jax.new_ref(jnp.zeros(()))
    for of in jk.grad, lambda f: lambda x: jk.jvp(f, (x,), (1.0,))[1], jk.jacfwd:
        for run in lambda f: f, jax.jit:
            assert run(of(f))(2.0) == jax.grad(f)(2.0) != 0
            with pytest.raises(NotImplementedError, match="a reference from outside"):
                run(of(lambda x: f(x, outside)))(2.0)


def test_what_goes_to_a_device_beside_a_tangent():
    """The other array isn't linear in it: a solver's first guess, for one."""

    def f(x):
        y, zero = jax.device_put((x, jnp.zeros(())))
        return lax.cond(zero > 0, lambda y: y, lambda y: 2 * y, y)

    assert jk.linear_transpose(f, 1.0)(3.0)[0] == 6
    assert jk.grad(f)(1.0) == 2


def test_references_that_nothing_moves_in():
    def f(x):
        r = jax.new_ref(jnp.ones(()))
        r[...] = 3.0
        return x * r[...]

    assert jk.grad(f)(2.0) == 3.0
