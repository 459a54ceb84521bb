"""Linear programs: the walk through them, watched; where equations come from."""

from __future__ import annotations

import copy
import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

import jaxkit as jk
from jaxkit.arithmetic import transposed
from jaxkit.program import (
    Code,
    Constant,
    Equation,
    LinearProgram,
    Residual,
    Var,
    backward,
)
from jaxkit.program import forward as walk_forward

X = jnp.array([0.5, -1.5, 2.0])


def sine_sum(x):
    return jnp.sum(jnp.sin(x))


def program_of(f, *args) -> LinearProgram:
    return jk.linearize(f, *args)[1].program


# ----------------------------------------------------------------------------- the walk


def test_apply_can_be_watched():
    seen = []
    outs = program_of(sine_sum, X).apply(
        [jnp.ones(3)], lambda eqn, values: seen.append((eqn.operator.name, values))
    )
    assert [name for name, _ in seen] == ["mul", "reduce_sum"]
    np.testing.assert_allclose(seen[0][1][0], jnp.cos(X))
    np.testing.assert_allclose(seen[1][1][0], outs[0])


def test_transpose_can_be_watched():
    seen = []
    program_of(sine_sum, X).transpose(
        [jnp.array(2.0)], lambda eqn, cts: seen.append((eqn.operator.name, cts))
    )
    assert [name for name, _ in seen] == ["reduce_sum", "mul"]
    assert seen[0][1] == [2.0]
    np.testing.assert_allclose(seen[1][1][0], [2.0, 2.0, 2.0])


def test_a_walk_forward_with_another_meaning():
    """The depth of each output: how many equations stand before it."""
    program = program_of(lambda x: (x, jnp.sin(jnp.sin(x)) + x, 3.0), X)
    depths = walk_forward(
        program.code,
        [0],
        lambda eqn, depths: [1 + max(depths)] * len(eqn.outputs),
        lambda x, eqn: 0,
    )
    assert depths == [0, 3, 0]


def test_a_walk_backward_with_another_meaning():
    """How many paths lead from each input to the output."""
    f = lambda x, y: x * x * y + (y + 2)  # noqa: E731
    program = program_of(f, 3.0, 4.0)
    paths = backward(
        program.code, [1], lambda eqn, n: [n[0]] * len(eqn.operands), int.__add__
    )
    assert paths == [2, 2]


def test_equations_at_which_nothing_arrives_are_passed_over():
    program = program_of(lambda x: (jnp.sin(x), jnp.cos(x)), X)
    seen = []
    backward(program.code, [1, None], lambda eqn, n: seen.append(eqn) or [1, 1], max)
    assert len(seen) == 1


def test_prune_drops_what_reaches_no_output():
    def f(x):
        jnp.cos(x)
        return jnp.sin(x)

    _, pushforward = jk.linearize(f, X)
    recorded = pushforward._recorded
    assert len(recorded.code.equations) == 3 and len(recorded.residuals) == 2
    pruned = recorded.prune()
    assert len(pruned.code.equations) == 1 and len(pruned.residuals) == 1
    assert pruned.prune() is pruned
    np.testing.assert_allclose(pruned.apply([X])[0], jnp.cos(X) * X)


# ------------------------------------------------------------------ where it comes from


def line_of(function) -> str:
    _, start = inspect.getsourcelines(function)
    return f"{__file__}:{start + 1}"


def test_an_equation_knows_its_primitive_and_line():
    eqns = program_of(sine_sum, X).code.equations
    assert [eqn.primitive.name for eqn in eqns] == ["sin", "reduce_sum"]
    assert all(eqn.line.startswith(line_of(sine_sum)) for eqn in eqns)


def test_all_equations_of_a_rule_in_code_are_of_its_primitive():
    eqns = program_of(jnp.max, X).code.equations
    assert {eqn.primitive.name for eqn in eqns} == {"reduce_max"} and len(eqns) > 1


def test_equations_of_a_users_rule_are_of_his_function():
    f = jax.custom_jvp(jnp.sin)
    f.defjvp(lambda x, dx: (f(*x), 3 * dx[0]))
    (eqn,) = program_of(f, X).code.equations
    assert eqn.primitive.name == "custom_jvp_call"


def test_equations_of_linear_code_are_of_what_it_calls():
    program = jk.linear_transpose(lambda x: 3 * lax.rev(x, (0,)), X).T.program
    assert [eqn.primitive.name for eqn in program.code.equations] == ["rev", "mul"]


def test_the_transposed_program_has_the_same_sources():
    program = program_of(sine_sum, X)
    sources = [eqn.source for eqn in reversed(program.code.equations)]
    assert [eqn.source for eqn in transposed(program).code.equations] == sources


def test_equations_in_a_loop_have_lines_too():
    def step(c, x):
        return jnp.sin(c) * x, None

    eqns = program_of(lambda x: lax.scan(step, x[0], x)[0], X).code.equations
    (eqn,) = [eqn for eqn in eqns if eqn.primitive.name == "scan"]
    inner = eqn.params["code"].equations
    assert {e.primitive.name for e in inner} >= {"sin", "mul"}
    assert all(e.line.startswith(line_of(step)) for e in inner)


def test_programs_that_differ_in_their_lines_alone_are_equal():
    one, two = program_of(lambda x: jnp.sin(x), X), program_of(lambda x: jnp.sin(x), X)
    assert one.code.equations[0].line != two.code.equations[0].line
    assert one.code == two.code and hash(one.code) == hash(two.code)
    assert one.code != program_of(lambda x: 2 * jnp.sin(x), X).code


def test_compiled_code_takes_both():
    """So a second linearization isn't compiled again."""
    runs = []

    @jax.jit
    def apply(f, dx):
        runs.append(1)
        return f(dx)

    for f in (lambda x: jnp.sin(x), lambda x: jnp.sin(x)):
        apply(jk.linearize(f, X)[1], X)
    assert len(runs) == 1


# ----------------------------------------------------------------------------- operands


def test_operands_are_equal_by_kind_number_and_type():
    aval = jax.typeof(X)
    assert Var(0, aval) == Var(0, aval) != Var(1, aval)
    assert Var(0, aval) != Residual(0, aval)
    assert Var(0, aval) != Var(0, jax.typeof(1.0))
    assert len({Var(0, aval), Var(0, aval), Residual(0, aval)}) == 2


def test_numbers_are_constants_told_apart_by_type():
    assert Constant(1) == Constant(1) and hash(Constant(1)) == hash(Constant(1))
    assert len({Constant(x) for x in (1, 1.0, np.float32(1), np.float64(1), 2)}) == 5
    (eqn, *_) = program_of(lax.erf, X).code.equations
    assert Constant(np.float64(2 / np.sqrt(np.pi))) in eqn.operands


def test_code_is_not_copied():
    code = program_of(jnp.sin, X).code
    assert copy.deepcopy(code) is code and isinstance(code, Code)
    assert isinstance(code.equations[0], Equation)


@pytest.mark.parametrize("wrong", [[], [X, X]])
def test_a_walk_takes_one_value_for_each_input(wrong):
    with pytest.raises(ValueError, match="zip"):
        program_of(jnp.sin, X).apply(wrong)
