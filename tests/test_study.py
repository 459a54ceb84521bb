"""The notebook's systems: its numbers (S1 to S17) and what it gets wrong (1 to 13)."""

from __future__ import annotations

import ast
import math
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxkit
import jaxkit as jk
from jaxkit.study import chain, dual, finite, symbolic, tape
from jaxkit.study.dual import Dual
from jaxkit.study.symbolic import Add, Const, Mul, Power, Var


def f(x, y):
    return x * x * y + (y + 2)


GRADIENT = [24.0, 10.0]
HESSIAN = [[8.0, 6.0], [6.0, 0.0]]


@pytest.fixture
def graph():
    x, y = Var("x", 3.0), Var("y", 4.0)
    return Add(Mul(Mul(x, x), y), Add(y, Const(2))), x, y


def close(a, b, rtol=1e-12):
    np.testing.assert_allclose(a, b, rtol=rtol, atol=1e-12)


# ------------------------------------------------------------- S1 to S4, finite differe


def test_s1_all_systems_have_the_manual_derivatives(graph):
    expr, x, y = graph
    assert f(3, 4) == 42
    assert jk.grad(f, (0, 1))(3.0, 4.0) == (24.0, 10.0)
    assert dual.gradient(f, [3.0, 4.0]) == GRADIENT
    assert tape.Tape(f, [3.0, 4.0]).gradient() == GRADIENT
    assert tape.backpropagate(expr, [x, y]) == GRADIENT
    assert [expr.gradient(v).evaluate() for v in (x, y)] == GRADIENT
    assert jnp.allclose(jnp.array(jk.hessian(f, (0, 1))(3.0, 4.0)), jnp.array(HESSIAN))


def test_s2_newtons_quotient():
    counted = finite.counted(f)
    dx = finite.directional(counted, [3, 4], [1, 0], 1e-5)
    dy = finite.directional(counted, [3, 4], [0, 1], 1e-5)
    close([dx, dy], [24.000039999805264, 10.000000000331966])
    assert counted.calls == 4
    close(dx - 24, 4 * 1e-5, 1e-4)  # y * eps
    counted.calls = 0
    close(finite.gradients(counted, [3, 4], 1e-5), [dx, dy])
    assert counted.calls == 3


def test_s3_gradients():
    counted = finite.counted(f)
    found = finite.gradients(counted, [3, 4], eps=1e-4)
    close(found, [24.000400000048216, 10.000000000047748])
    assert counted.calls == 3


def test_s4_hessian_by_nesting():
    counted = finite.counted(f)
    expected = [7.999999951380232, 6.000099261882497]
    expected = [expected, [6.000099261882497, -1.4210854715202004e-06]]
    close(finite.hessian(counted, [3.0, 4.0]), expected, 1e-9)
    assert counted.calls == 18


def test_central_and_complex_steps():
    counted = finite.counted(f)
    close(finite.gradients(counted, [3.0, 4.0], 1e-4, "central"), GRADIENT, 1e-9)
    assert counted.calls == 4
    found = finite.gradients(f, [3.0, 4.0], 1e-20, "complex")
    close(found, GRADIENT, 1e-15)  # nothing is subtracted, so nothing is lost


@pytest.mark.parametrize("method", ["newton", "central"])
def test_the_best_step_is_between_larger_and_smaller_ones(method):
    def error(h):
        found = finite.directional(np.exp, [1.0], [1.0], h, method)
        return abs(found - math.e)

    best = finite.best_step(1.0, method)
    assert error(best) < error(100 * best) and error(best) < error(best / 1000)


def test_bad_steps_and_methods_are_named():
    with pytest.raises(ValueError, match="eps is 0"):
        finite.directional(f, [3.0, 4.0], [1, 0], 0.0)
    with pytest.raises(ValueError, match="'backward': pass one of newton, central"):
        finite.directional(f, [3.0, 4.0], [1, 0], 1e-5, "backward")
    with pytest.raises(ValueError, match="'five': pass one of newton"):
        finite.gradients(f, [3.0, 4.0], 1e-5, "five")
    with pytest.raises(ValueError, match="'five': pass one of newton"):
        finite.best_step(1.0, "five")


# --------------------------------------------------------------- S5, S6, S9 to S11: gra


def test_s5_graph(graph):
    expr, *_ = graph
    assert expr.evaluate() == 42
    assert str(expr) == "((x) * (x)) * (y) + y + 2"
    assert (symbolic.size(expr), len(symbolic.nodes(expr))) == (9, 7)
    built, variables = symbolic.build(f, x=3, y=4)
    assert str(built) == str(expr) and built.evaluate() == 42
    assert list(variables) == ["x", "y"]


def test_s7_chain_rule():
    inner = dual.derivative(lambda x: x**2)(3.0)
    outer = dual.derivative(np.sin)(9.0)
    assert inner == 6
    close(outer, -0.9111302618846769)
    (by_forward,), _ = chain.forward_product([inner, outer])
    (by_reverse,), _ = chain.reverse_product([inner, outer])
    close([by_forward, by_reverse], [[-5.466781571308061]] * 2)
    quotient = finite.directional(lambda x: math.sin(x**2), [3.0], [1.0], 1e-4)
    close(quotient, -5.46761419430053, 1e-9)


@pytest.mark.parametrize("n", [1, 2, 5, 8, 9])
def test_s8_every_other_intermediate(n):
    functions, derivatives = [np.sin, np.exp] * n, [np.cos, np.exp] * n
    functions, derivatives = functions[:n], derivatives[:n]
    all_kept = chain.reverse(functions, derivatives, 0.3)
    some = chain.reverse(functions, derivatives, 0.3, chain.every_other)
    assert some.kept == list(range(1, n + 1, 2)) and len(some.kept) == math.ceil(n / 2)
    assert sorted(some.recomputed) == list(range(2, n, 2))  # each of them once
    assert all_kept.recomputed == [] and len(all_kept.kept) == n
    assert some.derivative == all_kept.derivative

    def composed(x):
        for function in functions:
            x = function(x)
        return x

    close(some.derivative, dual.derivative(composed)(0.3))


def test_s9_symbolic_forward():
    x, y = Var("x", 3.0), Var("y", 4.0)
    g = Add(Const(5), Mul(x, y))
    dx, dy = g.gradient(x), g.gradient(y)
    assert str(dx) == "0 + (x) * (0) + (1) * (y)"
    assert str(dx.prune()) == "y" and symbolic.size(dx.prune()) == 1
    assert dx.evaluate() == dx.prune().evaluate() == 4.0
    assert str(dy.prune()) == "x" and dy.evaluate() == 3.0


def test_s10_symbolic_forward_of_f(graph):
    expr, x, y = graph
    dx, dy = expr.gradient(x), expr.gradient(y)
    expected = "((x) * (x)) * (0) + ((x) * (1) + (1) * (x)) * (y) + 0 + 0"
    assert str(dx) == expected
    assert [dx.evaluate(), dy.evaluate()] == GRADIENT
    assert symbolic.size(dx) == symbolic.size(dy) == 19


def test_s11_symbolic_second_order(graph):
    expr, x, y = graph
    second = [[expr.gradient(a).gradient(b) for b in (x, y)] for a in (x, y)]
    assert [[d.evaluate() for d in row] for row in second] == HESSIAN
    assert {symbolic.size(d) for row in second for d in row} == {47}
    pruned = [[d.prune() for d in row] for row in second]
    assert [[d.evaluate() for d in row] for row in pruned] == HESSIAN
    assert max(symbolic.size(d) for row in pruned for d in row) <= 3
    assert symbolic.size(pruned[1][1]) == 1


# Each operation at a point, with the order to which it is differentiated.
EXPRESSIONS = {
    "sub": lambda x, y: (x - y) * (1 - x),
    "neg": lambda x, y: -x * -(2 * -y),
    "div": lambda x, y: x / y + 1 / x,
    "power": lambda x, y: x**3 + x**y + 2**x,
    "sin": lambda x, y: np.sin(x * y),
    "cos": lambda x, y: np.cos(x) * np.cos(y),
    "exp": lambda x, y: np.exp(x / y),
    "log": lambda x, y: np.log(x * y + 1),
}


@pytest.mark.parametrize("name", EXPRESSIONS)
def test_symbolic_operations_to_third_order(name):
    function = EXPRESSIONS[name]
    expr, v = symbolic.build(function, x=1.3, y=0.7)

    def of_jax(x, y):
        return function(Box(x), Box(y)).value

    for order in range(1, 4):
        expr, of_jax = expr.gradient(v["x"]), jax.grad(of_jax)
        expected = of_jax(1.3, 0.7)
        close(expr.evaluate(), expected, 1e-9)
        expr = expr.prune() if order == 1 else expr
        close(expr.evaluate(), expected, 1e-9)
        close(symbolic.share(expr).evaluate(), expected, 1e-9)


class Box(symbolic.Overloaded):
    """JAX's numbers, for functions that are written with NumPy's."""

    def __init__(self, value):
        self.value = value

    @classmethod
    def apply(cls, name, *operands):
        values = [x.value if isinstance(x, Box) else x for x in operands]
        return Box(getattr(jnp, name)(*values))


def test_what_symbolic_lacks_is_named():
    with pytest.raises(TypeError, match="no expression for 'tanh'; there are add"):
        np.tanh(Var("x"))
    with pytest.raises(TypeError, match=r"np\.arctan is not among"):
        np.arctan(Var("x"))
    with pytest.raises(TypeError, match="x has no truth value"):
        bool(Var("x"))


def test_pruning_rules_can_be_added():
    @symbolic.rule(Mul)
    def square(a, b):
        return Power(a, 2) if a is b else None

    try:
        x = Var("x", 3)
        assert str(Mul(x, x).prune()) == "(x) ** (2)"
    finally:
        symbolic.RULES[Mul].remove(square)


def test_a_pruning_rule_that_returns_no_expression_is_named():
    @symbolic.rule(Mul)
    def hasty(a, b):
        return False

    try:
        with pytest.raises(TypeError, match="'hasty' returned False for"):
            Mul(Var("x"), Var("y")).prune()
    finally:
        symbolic.RULES[Mul].remove(hasty)


def test_sharing_makes_equal_parts_one():
    expr, v = symbolic.build(lambda x: np.sin(x * x) * np.cos(x * x) * (x * x), x=0.5)
    third = expr.gradient(v["x"]).gradient(v["x"]).gradient(v["x"])
    shared = symbolic.share(third)
    assert symbolic.size(shared) == symbolic.size(third)  # the tree is as it was
    assert len(symbolic.nodes(shared)) < len(symbolic.nodes(third))
    assert len(symbolic.nodes(symbolic.share(third.prune()))) < 100
    assert shared.evaluate() == third.evaluate()
    assert len(symbolic.nodes(symbolic.share(Add(Const(1), Const(1.0))))) == 3


# --------------------------------------------------------------------- S12: dual number


def test_s12_dual_numbers():
    assert repr(3 + Dual(3, 4)) == "6 + 4ε"
    assert repr(Dual(3, 4) * Dual(5, 7)) == "15 + 41ε"
    at_x = f(Dual(3, 1), 4)
    at_y = f(3, Dual(4, 1))
    assert (repr(at_x), repr(at_y)) == ("42 + 24ε", "42 + 10ε")
    double = (lambda z: 2 * z)(Dual(3, 4))
    assert repr(double) == "6 + 8ε"
    power = Dual(3.0, 4.0) ** 3
    assert (power.value, power.eps) == (27.0, 108.0)


# h, h', and a point: h(a + b ε) = h(a) + b h'(a) ε
ELEMENTARY = [
    (np.sin, np.cos, 0.4),
    (np.cos, lambda a: -np.sin(a), 0.4),
    (np.exp, np.exp, 0.4),
    (np.log, lambda a: 1 / a, 0.4),
    (np.sqrt, lambda a: 0.5 / np.sqrt(a), 0.4),
    (np.tanh, lambda a: 1 / np.cosh(a) ** 2, 0.4),
    (abs, lambda a: -1, -0.4),
    (lambda z: z - 2, lambda a: 1, 0.4),
    (lambda z: 2 - z, lambda a: -1, 0.4),
    (lambda z: 2 / z, lambda a: -2 / a**2, 0.4),
    (lambda z: z / 2, lambda a: 0.5, 0.4),
    (lambda z: z**-2, lambda a: -2 * a**-3, -0.4),
    (lambda z: 2**z, lambda a: np.log(2) * 2**a, 0.4),
    (lambda z: z**z, lambda a: a**a * (np.log(a) + 1), 0.4),
    (lambda z: np.maximum(z, 0.1), lambda a: 1, 0.4),
    (lambda z: z**0, lambda a: 0, 0.0),
]


@pytest.mark.parametrize("case", range(len(ELEMENTARY)))
def test_s12_functions_of_dual_numbers_and_tapes(case):
    h, slope, a = ELEMENTARY[case]
    y = h(Dual(a, 3.0))
    close([y.value, y.eps], [h(a), 3 * slope(a)])
    close(tape.Tape(h, [a]).gradient(), [slope(a)])


def test_dual_numbers_branch_by_value():
    def g(x):
        return x**2 if 1.0 < x <= 5 and x != 4 else -x

    assert dual.derivative(g)(3.0) == 6.0
    assert dual.derivative(g)(0.5) == -1.0
    assert Dual(Dual(2.0, 1.0, 1), 1.0, 2) == 2.0 and bool(Dual(1.0))


def test_no_derivative_is_lost_in_a_plain_float():
    for derivative in (dual.derivative, lambda f: tape.Tape(f, [3.0]).gradient):
        with pytest.raises(TypeError, match=r"np.sin for math.sin"):
            derivative(lambda x: math.sin(x) * x)(3.0)


def nested_tape(f):
    return lambda x: tape.Tape(f, [x]).gradient()[0]


@pytest.mark.parametrize(
    ("f", "g", "x"),
    [
        (lambda x: x**3, lambda x: x**3, -2.0),
        (lambda x: x**2, lambda x: x**2, 0.0),
        (lambda x: 1 / x, lambda x: 1 / x, -2.0),
        (np.tanh, jnp.tanh, -1.3),
        (lambda x: x**x, lambda x: x**x, 1.0),
    ],
)
def test_third_derivatives_by_nesting_any_two(f, g, x):
    expected = jax.grad(jax.grad(jax.grad(g)))(x)
    D, T = dual.derivative, nested_tape
    for nested in (D(D(D(f))), T(T(T(f))), D(T(D(f))), T(D(T(f)))):
        close(nested(x), expected, 1e-9)


def test_an_exponent_that_moves_through_zero():
    D = dual.derivative
    close(D(lambda b: D(lambda a: a**b)(2.0))(0.0), 0.5)


@pytest.mark.parametrize("result", [lambda x: (x, x), lambda x: np.where(x > 0, x, -x)])
def test_a_result_that_is_no_number_is_named(result):
    with pytest.raises(TypeError, match="must return one number, but returned"):
        dual.derivative(result)(3.0)
    with pytest.raises(TypeError, match="must return one number, but returned"):
        tape.Tape(result, [3.0])


def test_constant_powers_of_graphs_at_negative_numbers():
    expr, v = symbolic.build(lambda x: x**3, x=-2.0)
    assert expr.gradient(v["x"]).gradient(v["x"]).evaluate() == -12.0
    (first,) = tape.backpropagate(expr, [v["x"]], graphs=True)
    assert first.gradient(v["x"]).evaluate() == -12.0
    with pytest.raises(TypeError, match="has no truth value"):
        symbolic.build(lambda x: x if x > 0 else -x, x=1.0)


def test_a_chain_holds_no_more_than_it_says():
    with pytest.raises(ValueError, match="2 functions, but 1 derivatives"):
        chain.reverse([np.sin, np.sin], [np.cos], 0.3)
    assert chain.reverse([np.sin], [np.cos], 0.3, lambda n: [7]).kept == []
    with pytest.raises(ValueError, match="eps is 0"):
        finite.gradients(f, [3.0, 4.0], 0.0)


def test_dual_numbers_of_arrays():
    x = np.array([1.0, 2.0])
    y = x * Dual(x, np.ones(2)) + np.sin(Dual(x, np.ones(2)))
    close(y.eps, x + np.cos(x))


# ------------------------------------------------------------- S13, S14: reverse mode


def test_s13_tape():
    nodes = tape.Tape(f, [3, 4])
    assert list(map(repr, nodes.nodes)) == [f"n{i}" for i in range(1, 8)]
    assert [n.value for n in nodes.nodes] == [3, 4, 2, 9, 36, 6, 42]
    assert [n.adjoint for n in nodes.nodes] == [None] * 7
    steps = list(nodes.backward())
    assert steps == nodes.nodes[::-1]
    assert [n.adjoint for n in nodes.nodes] == [24, 10, 1, 4, 1, 1, 1]


def test_tape_step_by_step():
    nodes = tape.Tape(f, [3, 4])
    walk = nodes.backward()
    next(walk)
    assert [n.adjoint for n in nodes.nodes] == [None] * 4 + [1, 1, 1]
    assert nodes.inputs[0].adjoint is None  # not 0: not yet known


def test_s14_reverse_by_graphs(graph):
    expr, x, y = graph
    assert expr.evaluate() == 42
    assert tape.backpropagate(expr, [x, y]) == GRADIENT
    first = tape.backpropagate(expr, [x, y], graphs=True)
    assert [d.evaluate() for d in first] == GRADIENT
    second = [tape.backpropagate(d, [x, y]) for d in first]
    assert second == HESSIAN
    third = tape.backpropagate(first[0], [x, y], graphs=True)[0]
    assert tape.backpropagate(third, [x, y]) == [0.0, 2.0]


def test_second_order_by_nested_tapes():
    def partial(i):
        return lambda x, y: tape.Tape(f, [x, y]).gradient()[i]

    assert [tape.Tape(partial(i), [3.0, 4.0]).gradient() for i in (0, 1)] == HESSIAN


# ------------------------------------------------------------------------- S15 to S17


def test_s15_like_pytorch_but_for_the_unused():
    torch_first, torch_second = [24.0, 10.0], [[8.0, 6.0], [6.0, None]]
    assert list(jk.grad(f, (0, 1))(3.0, 4.0)) == torch_first
    second = jk.hessian(f, (0, 1))(3.0, 4.0)
    zeros = [[0.0 if d is None else d for d in row] for row in torch_second]
    assert jnp.array_equal(jnp.array(second), jnp.array(zeros))


def test_s15_pytorch():
    torch = pytest.importorskip("torch")
    x, y = (torch.tensor(v, requires_grad=True) for v in (3.0, 4.0))
    first = torch.autograd.grad(f(x, y), (x, y), create_graph=True)
    second = [
        torch.autograd.grad(d, (x, y), retain_graph=True, allow_unused=True)
        for d in first
    ]
    assert [float(d) for d in first] == GRADIENT
    assert [[d if d is None else float(d) for d in row] for row in second] == [
        [8.0, 6.0],
        [6.0, None],
    ]


def test_s16_dynamic_graphs():
    def alternating(x, sin):
        for step in range(3):
            x = sin(x) if step % 2 == 0 else x * x
        return x

    expected = 0.6907171277182955
    close(dual.derivative(lambda x: alternating(x, np.sin))(1.0), expected)
    close(tape.Tape(lambda x: alternating(x, np.sin), [1.0]).gradient()[0], expected)
    close(jk.grad(lambda x: alternating(x, jnp.sin))(1.0), expected)


def test_s17_kinks():
    relu, log = jax.nn.relu, jnp.log
    assert jk.grad(jnp.abs)(0.0) == 1 == dual.derivative(abs)(0.0)
    assert jk.grad(relu)(0.0) == 0
    assert jk.grad(jnp.sqrt)(0.0) == jnp.inf
    shares = jk.grad(jnp.maximum, (0, 1))(1.0, 1.0)
    assert shares == (0.5, 0.5)
    assert dual.gradient(np.maximum, [1.0, 1.0]) == [0.5, 0.5]
    assert jnp.isnan(jk.grad(jnp.linalg.norm)(jnp.zeros(2))).all()
    assert jnp.isnan(jk.grad(lambda x: jnp.where(x > 0, log(x), 0.0))(0.0))


# -------------------------------------------------------- where the notebook errs: 1 to


def test_correction_1_finite_differences_are_not_exact():
    assert finite.gradients(f, [3, 4]) != GRADIENT
    assert finite.hessian(f, [3, 4]) != HESSIAN


def test_correction_2_rounding():
    assert f"{-5.466781571308061:.2f}" == "-5.47"


def test_correction_3_the_picture_of_f(graph):
    expr, _, y = graph
    inner = expr.operands[1]
    assert inner.operands[0] is y and inner.evaluate() == 6  # y + 2, not x^2 y + y
    assert [n.value for n in tape.Tape(f, [3, 4]).nodes][5] == 6


def test_correction_4_the_sign_in_division():
    z = Dual(3, 4) / Dual(5, 7)
    close([z.value, z.eps], [0.6, -0.04])


def test_correction_5_epsilon_is_nilpotent():
    epsilon = Dual(0, 1)
    square = epsilon * epsilon
    assert (square.value, square.eps) == (0, 0)


@pytest.mark.parametrize("n", [1, 3, 10])
def test_correction_6_calls_of_gradients(n):
    counted = finite.counted(lambda *xs: sum(x * x for x in xs))
    finite.gradients(counted, [1.0] * n)
    assert counted.calls == n + 1


def test_correction_7_nested_duals_without_confusion():
    D = dual.derivative
    assert D(lambda x: x * D(lambda y: x + y)(1.0))(1.0) == 1
    assert D(lambda x: x * D(lambda y: x * y)(1.0))(4.0) == 8
    assert D(D(lambda x: x**3))(2.0) == 12
    assert D(D(D(np.sin)))(0.0) == -1
    inner = Dual(Dual(1.0, 2.0, 1), 3.0, 12)
    assert repr(inner) == "(1.0 + 2.0ε₁) + 3.0ε₁₂"


def test_correction_8_a_graph_is_walked_once_per_node():
    def squarings(x):
        for _ in range(15):
            x = x * x
        return x

    expr, v = symbolic.build(squarings, x=1.0)
    assert symbolic.size(expr) == 2**16 - 1  # of these 32,767 are products
    assert len(symbolic.nodes(expr)) == 16
    assert tape.backpropagate(expr, [v["x"]]) == [2.0**15]
    once = tape.Tape(squarings, [1.0])
    assert len(once.nodes) == 16
    assert once.gradient() == once.gradient() == [2.0**15]  # nothing adds up


def test_correction_9_the_callers_array_is_not_changed():
    values = np.array([3.0, 4.0])
    close(finite.gradients(f, values), [24.000400000048216, 10.000000000047748])
    for method in finite.METHODS:
        finite.directional(f, values, [1, 0], 1e-4, method)
    assert values.tolist() == [3.0, 4.0]


def test_correction_10_a_direction_has_a_meaning():
    both = finite.directional(f, [3, 4], [1, 1], 1e-6)
    close(both, 24 + 10, 1e-5)  # not their mean
    opposite = finite.directional(f, [3, 4], [1, -1], 1e-6)
    close(opposite, 24 - 10, 1e-5)


def test_correction_11_float32_is_too_coarse():
    x, y = np.float32(3), np.float32(4)
    found = finite.gradients(f, [x, y])[0]
    assert found.dtype == np.float32
    close(found, 23.9944, 1e-5)


def test_correction_12_order_of_the_chain_rule():
    first = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])  # ds/dx: R^2 -> R^3
    second = np.array([[1.0, 0.0, 2.0]])  # dz/ds: R^3 -> R
    by_forward, n = chain.forward_product([first, second])
    by_reverse, m = chain.reverse_product([first, second])
    assert by_forward.tolist() == by_reverse.tolist() == (second @ first).tolist()
    with pytest.raises(ValueError):
        first @ second
    long = [np.ones((50, 50))] * 4 + [np.ones((1, 50))]
    n, m = chain.forward_product(long)[1], chain.reverse_product(long)[1]
    assert n == 3 * 50**3 + 50**2 and m == 4 * 50**2


def test_correction_13_integers():
    with pytest.raises(TypeError, match=r"pass 3\.0"):
        jk.grad(f)(3, 4)


# ----------------------------------------------------------------------------- the fold


def test_the_study_part_imports_nothing_of_the_core():
    folder = Path(jaxkit.__file__).parent / "study"
    allowed = "jaxkit.study", "jaxkit.drawing", "numpy", "__future__"
    for path in folder.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            for name in names:
                standard = name.split(".")[0] in STANDARD
                assert standard or name.startswith(allowed), f"{path.name}: {name}"


STANDARD = {"collections", "itertools", "typing", "operator", "math"}
