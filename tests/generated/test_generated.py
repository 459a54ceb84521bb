"""A few random programs, each time the same; and what can be drawn at all.

`python -m tests.generated` draws as many as there is time for.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from unittest import mock

import jax
import numpy as np
import pytest
from hypothesis import given, settings

import jaxkit as jk
from tests.coverage.reasons import NOTES
from tests.generated import evaluate, inference, judge
from tests.generated.drawing import SHAPES, programs
from tests.generated.hunt import QUIET, Hunt
from tests.generated.inference import IllTyped
from tests.generated.operations import FAMILIES, Operation
from tests.generated.program import Equation, Program, Type, Var
from tests.generated.properties import alone, beside_jax, check, leaks, returned
from tests.generated.stacks import Level

# Primitives with a rule that no program has, and why.
_MISSING = {
    "jaxkit makes it, of a structure's tangents": "checkpoint custom_vjp",
    "JAX makes it of a derivative, or inside another primitive": (
        "custom_lin select_and_scatter_add select_and_gather_add pbroadcast_dynamic "
        "igamma_grad_a "
        "one_minus_square all_gather_reduced remat_opt"
    ),
    "it is about places, which zoo/cases tries": (
        "sharding_constraint layout_constraint reshard inspect_sharding "
        "unreduced_psum unreduced_reduce_scatter preduced vary_unreduced_cast "
        "reduced_vary_cast"
    ),
    "it is of references from outside, as in tests/test_references": "swap addupdate",
    "a class of a user brings it, as in tests/kinds": "call_hi_primitive",
    "it is printed, or checked, and returns nothing": "debug_print check dce_sink",
    "JAX has it in some versions only": (
        "SearchSorted Nonzero Ldexp Frexp CustomRoot polynomial stop_gradient "
        "RematTraced mulhi log2 copy unstack stack split tile"
    ),
}
MISSING = {name for names in _MISSING.values() for name in names.split()}


def test_programs():
    hunt = Hunt()
    hunt.run(0, lambda: None, 15)
    assert not hunt.known, str(hunt.known[0])


SAMPLES = {"f": "f64", "n": "f64", "d": "f64", "z": "f64", "a": "f64", "c": "c128",
           "i": "i64", "b": "b1"}  # fmt: skip


def operands(operation: Operation) -> list[Var]:
    """A value of each of an operation's kinds."""
    found: list[Var] = []
    for n, kind in enumerate(operation.kinds):
        same = kind in (".", "~")
        t = found[0].type if same else Type(SAMPLES[kind[0]], SHAPES[kind[1:]])
        found.append(Var(f"v{n}", t))
    return found


def primitives_of(operation: Operation) -> set[str]:
    """What an operation reaches; raises IllTyped if it can't be drawn."""
    xs = operands(operation)
    reached = set()
    if operation.place == "axis":  # more of them exist on a mesh than under `vmap`
        with suppress(IllTyped):
            reached |= inference.outcome(Equation((), operation, tuple(xs)), True)[2]
        text = (
            f"jax.shard_map(lambda v0: jnp.asarray({operation.text.format(*xs)})[None],"
            " mesh=mesh(), in_specs=P('i'), out_specs=P('i'))"
            "(jnp.concatenate([{0}, {0}]))"
        )
        operation = Operation("structures", text, ())
    return reached | inference.outcome(Equation((), operation, tuple(xs)), False)[2]


EVERY = [x for family in FAMILIES.values() for x in family]


def test_every_primitive_can_be_drawn():
    traced = [x for x in EVERY if x.place != "eager" and "fail" not in x.text]
    reached = set().union(*map(primitives_of, traced))

    @settings(max_examples=60, derandomize=True, **QUIET)
    @given(programs())
    def draw(program):
        reached.update(program.primitives)

    draw()
    rules = jk.rules.RULES.values()
    table = {rule.name for rule in rules if rule.verb != "refused"}
    assert table - reached - MISSING - NOTES.keys() == set()


@settings(max_examples=6, derandomize=True, **QUIET)
@given(programs())
def test_numpy_does_what_jax_does(program):
    """Primitive by primitive, of a program under its stack, by JAX alone."""
    f, args = program.load()
    in_numpy, off = evaluate.in_numpy, []

    def beside(run, xs, eqn):
        y = in_numpy(run, xs, eqn)
        expected = evaluate.by_jax(xs, eqn)[0]
        close = np.allclose(judge.numbers(y), judge.numbers(expected), 1e-2, 1e-2, True)
        return y if close else off.append(str(eqn)) or y

    with mock.patch.object(evaluate, "in_numpy", beside):
        returned(f(jax), args, traced=True)
    assert not off


def of_text(text: str, value: str, *levels: Level) -> Program:
    """v1 = text, at an argument v0."""
    x, y = Var("v0", Type("f64")), Var("v1", Type("f64"))
    eqn = Equation((y,), Operation("", text, ("f",)), (x,))
    return Program(("v0",), (value,), (), (eqn,), "v1,", levels)


def test_a_program_prints_as_a_script(capsys):
    program = of_text("lax.sin({0})", "0.5", Level("jvp"))
    exec(compile(str(program), "<script>", "exec"), {})
    ours, theirs = capsys.readouterr().out.split("--- jax\n")
    assert ours.removeprefix("--- jaxkit\n") == theirs
    assert "float64[]" in theirs


@pytest.mark.parametrize("how", [beside_jax, alone])
def test_a_wrong_rule_is_found(how):
    sin = jax.extend.core.primitives.sin_p
    wrong = {beside_jax: "values", alone: ""}[how]  # a wrong partial is linear
    jk.rules.elementwise(sin, lambda y, x: 2 * jax.numpy.cos(x))
    assert how(of_text("lax.sin({0})", "0.5", Level("vjp"))) == wrong


def test_a_transpose_that_is_wrong_is_found():
    rev = jax.extend.core.primitives.rev_p
    jk.rules.linear(rev, lambda ct, x, *, dimensions: ct)
    program = of_text("lax.rev({0}, (0,))", "jnp.array([1.0, 2.0], f64)", Level("jvp"))
    assert alone(program) == "<u, J v> differs from <J' u, v>"


def test_a_tracer_that_leaks_is_found():
    sin, kept = jax.extend.core.primitives.sin_p, []
    program = of_text("lax.sin({0})", "0.5", Level("jvp"))
    assert leaks(program) == ""

    @jk.rules.custom(sin)
    def _(primals, tangents, **params):
        kept.extend(primals)
        return sin.bind(*primals, **params), tangents[0]

    assert leaks(program) == "a tracer leaks"


def test_what_is_written_past_the_end_of_a_divided_axis():
    """XLA writes nothing then; where it does, `misplaced` can go."""
    identity = (
        "jax.shard_map(lambda x: x, mesh=mesh(), in_specs=P('i'), out_specs=P('i'))"
    )
    text = f"lax.dynamic_update_index_in_dim({identity}({{0}}), 3.0, 7, 0)"
    program = of_text(text, "jnp.array([1.0, 2.0], f64)", Level("jvp"))
    f, args = program.load(plain=True)
    np.testing.assert_array_equal(jax.jit(f(jk))(*args), [[1, 2]])
    assert alone(program) == "<u, J v> differs from <J' u, v>"
    names = frozenset({"shard_map", "dynamic_update_slice"})
    assert alone(replace(program, primitives=names)) == ""


def test_a_user_rule_in_a_loop_is_judged_by_the_loop_written_out():
    text = "lax.scan(lambda c, _: (jnp.frexp(positive(c))[0], None), {0}, None, 2)[0]"
    program = of_text(text, "0.5", Level("grad"), Level("grad"))
    wrong = jax.__version_info__ < (0, 12)  # JAX's
    assert beside_jax(program) == ("values" if wrong else "")
    assert check(program) == ""


def test_types_trees_and_exceptions_count():
    found = judge.Result([np.ones(2)], ("float64[2]",), jax.tree.structure(0))
    weak = judge.Result([np.ones(2)], ("~float64[2]",), jax.tree.structure(0))
    pair = judge.Result([np.ones(2)], ("float64[2]",), jax.tree.structure((0,)))
    failed, other = (judge.Result(error=e("no")) for e in (TypeError, ValueError))
    assert judge.difference(found, found) == ""
    assert judge.difference(weak, found) == "type ~float64[n], not float64[n]"
    assert judge.difference(weak, found, weak=False) == ""
    assert judge.difference(pair, found) == "tree"
    assert judge.difference(failed, found) == "raises TypeError: no"
    assert judge.difference(found, failed) == ""
    assert judge.difference(failed, other).endswith("JAX ValueError: no")


def test_what_is_found_is_made_small():
    sin = jax.extend.core.primitives.sin_p
    jk.rules.elementwise(sin, lambda y, x: 2 * jax.numpy.cos(x))
    hunt = Hunt()
    for run in range(5):
        hunt.run(run, lambda: None, 20)
        if hunt.known:
            break
    (found,) = hunt.known
    assert found.problem == "values"
    assert "lax.sin" in str(found) or "inside" in str(found)
    assert len(found.program.equations) <= 3
