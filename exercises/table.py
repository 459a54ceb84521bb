"""The thirteen exercises: for each, the calls that are compared, and a hint."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import Primitive

import jaxkit as jk
from exercises.check import Case, Exercise, call, close, show
from jaxkit.study import dual, symbolic

MODULES = {"np": np, "jax": jax, "jnp": jnp}


def formula(text: str) -> Callable:
    """The function `lambda <text>`, which is shown as it was written."""
    function = eval(f"lambda {text}", MODULES)
    function.__name__ = f"lambda {text}"
    return function


class Random:
    """Seeded random numbers of few digits, so that they are shown as they are."""

    def __init__(self):
        self.rng = np.random.default_rng(0)

    def numbers(self, n: int) -> list[float]:
        return self.array(n).tolist()

    def array(self, *shape: int) -> np.ndarray:
        return np.round(self.rng.normal(size=shape), 2)

    def integers(self, low: int, high: int, n: int) -> list[int]:
        """n integers, from `low` up to but without `high`."""
        return self.rng.integers(low, high, n).tolist()


def product_rule():
    random = Random()
    return [
        call("product_derivative", 3.0, 1.0, 4.0, 0.0),
        call("product_derivative", 3.0, 1.0, 4.0, 2.0),
        call("product_derivative", 0.0, 1.0, 0.0, 1.0),
        *[call("product_derivative", *random.numbers(4)) for _ in range(3)],
        call("partials", 3.0, 4.0),
        call("partials", 0.0, 0.0),
        *[call("partials", *random.numbers(2)) for _ in range(3)],
    ]


def central_difference():
    def case(f, x):
        exact = dual.derivative(f)(x)
        return replace(call("central_difference", f, x), expected=exact)

    square = formula("x: x**2")
    return [
        case(np.sin, 1.0),
        case(np.exp, 0.0),
        case(formula("x: x**3"), -2.0),
        case(square, 0.0),
        case(square, 1e6),
        *[case(np.sin, x) for x in Random().numbers(3)],
    ]


def count_operations():
    sources = {
        "x: x * x * x + x": 1.0,
        "x: x": 1.0,
        "x: jax.jit(jnp.sin)(x) * x": 1.0,
        "x: jax.jit(lambda y: jnp.sin(jax.jit(jnp.sin)(y)) * y)(x) * x": 1.0,
        "x: jnp.linalg.norm(x) + jnp.sum(jnp.where(x > 0, x, 0.0))": np.ones(3),
    }

    def case(source, x):
        def run(module):
            return module.count_operations(jax.make_jaxpr(formula(source))(x))

        operand = "np.ones(3)" if np.ndim(x) else show(x)
        text = f"count_operations(jax.make_jaxpr(lambda {source})({operand}))"
        return Case(text, run)

    return [case(source, x) for source, x in sources.items()]


def pruning_rule():
    def case(text, build):
        def run(module):
            symbolic.rule(symbolic.Add)(module.twice)
            try:
                x, y = symbolic.Var("x", 2.0), symbolic.Var("y", 3.0)
                return str(build(x, y).prune())
            finally:
                symbolic.RULES[symbolic.Add].remove(module.twice)

        return Case(f"{text}, pruned", run)

    def doubled(a):
        return a + a

    return [
        case("x + x", lambda x, y: x + x),
        case("x + y", lambda x, y: x + y),
        case("the derivative of x * x", lambda x, y: (x * x).gradient(x)),
        case("x * (y + y)", lambda x, y: x * (y + y)),
        case("s + s with s = sin(x)", lambda x, y: doubled(np.sin(x))),
        case("s + s with s = x + x", lambda x, y: doubled(x + x)),
        case(
            "x + x, where the second is another variable named x",
            lambda x, y: x + symbolic.Var("x", 5.0),
        ),
    ]


def dual_division():
    random = Random()
    return [
        call("divide", 3.0, 4.0, 5.0, 7.0),
        call("divide", 1.0, 0.0, 2.0, 1.0),
        call("divide", 0.0, 1.0, -2.0, 0.0),
        *[call("divide", *random.numbers(4)) for _ in range(4)],
    ]


def tanh_partial():
    def case(text, differentiate, x):
        def run(module):
            tanh_p = Primitive("tanh_of_the_exercise")
            tanh_p.def_impl(jnp.tanh)
            tanh_p.def_abstract_eval(lambda x: x)
            jk.rules.elementwise(tanh_p, module.partial)
            try:
                return differentiate(tanh_p.bind)(jnp.asarray(x))
            finally:
                del jk.rules.RULES[tanh_p]

        return Case(f"{text} of tanh at {show(x)}", run)

    def along_ones(f):
        return lambda x: jk.jvp(f, (x,), (jnp.ones_like(x),))[1]

    array = Random().array(3)
    return [
        *[case("the derivative", jk.grad, x) for x in (0.0, 1.0, -2.0, 50.0)],
        case("the derivatives", along_ones, array),
        case("the gradient of the sum", lambda f: jk.grad(summed(f)), array),
        case("the second derivative", lambda f: jk.grad(jk.grad(f)), 0.5),
    ]


def summed(f: Callable) -> Callable:
    return lambda x: jnp.sum(f(x))


def backward_pass():
    random = Random()

    def random_tape(n):
        tape: list[Any] = [((), ()), ((), ())]
        for size in range(2, n):
            operands = random.integers(0, size, 2)
            tape.append((tuple(operands), tuple(random.numbers(2))))
        return tape

    inputs = [((), ())] * 3
    of_f = [((0, 0), (3.0, 3.0)), ((3, 1), (4.0, 9.0)), ((1, 2), (1.0, 1.0))]
    return [
        call("backward", [*inputs, *of_f, ((4, 5), (1.0, 1.0))]),
        call("backward", [((), ())]),
        call("backward", [((), ()), ((0, 0), (3.0, 3.0))]),
        call("backward", [*inputs, ((0,), (2.0,))]),
        *[call("backward", random_tape(n)) for n in (4, 6, 8)],
    ]


def transposes():
    random = Random()
    shapes = {
        (): (3,),
        (3,): (2, 3),
        (1, 3): (2, 3),
        (2, 1): (4, 2, 3),
        (2, 2): (2, 2),
        (1,): (1,),
    }
    return [
        call("transpose_scale", np.array([1.0, 2.0]), np.array([3.0, 4.0])),
        call("transpose_scale", np.float64(2.0), 0.0),
        call("transpose_scale", random.array(2, 2), random.array(2, 2)),
        *[
            call("transpose_broadcast", random.array(*shape), before)
            for before, shape in shapes.items()
        ],
    ]


def cheaper_order():
    random = Random()

    def random_chain(n):
        sizes = random.integers(1, 9, n + 1)
        return list(zip(sizes[1:], sizes[:-1], strict=True))

    return [
        call("cheaper_order", [(50, 50), (50, 50), (1, 50)]),
        call("cheaper_order", [(50, 1), (50, 50), (50, 50)]),
        call("cheaper_order", [(3, 2)]),
        call("cheaper_order", [(4, 4), (4, 4)]),
        call("cheaper_order", [(5, 2), (3, 5), (2, 3)]),
        *[call("cheaper_order", random_chain(n)) for n in (2, 3, 4, 5)],
    ]


def hvp():
    random = Random()
    product = formula("x: x[0] ** 2 * x[1]")
    sines = formula("x: jnp.sum(jnp.sin(x)) ** 2")

    def arrays(n):
        return jnp.asarray(random.array(n)), jnp.asarray(random.array(n))

    def largest(module):
        x = jnp.ones(50)
        jaxpr = jax.make_jaxpr(lambda x, v: module.hvp(sines, x, v))(x, x)
        return max(v.aval.size for eqn in jaxpr.eqns for v in eqn.outvars)

    x = jnp.array([3.0, 4.0])
    return [
        call("hvp", product, x, jnp.array([1.0, 0.0])),
        call("hvp", product, x, jnp.array([0.0, 0.0])),
        call("hvp", sines, *arrays(3)),
        call("hvp", formula("x: x**3"), jnp.array(2.0), jnp.array(1.0)),
        Case("entries of the largest array in hvp, for x with 50", largest),
    ]


def norm():
    random = Random()

    def value(module):
        return module.norm

    def gradient(module):
        return jk.grad(module.norm)

    def jitted_gradient(module):
        return jax.jit(jk.grad(module.norm))

    def tangent(module):
        return lambda x: jk.jvp(module.norm, (x,), (jnp.ones_like(x),))[1]

    def case(text, of, x):
        return Case(text.format(show(x)), lambda module: of(module)(jnp.asarray(x)))

    return [
        *[case("norm({})", value, x) for x in ([3.0, 4.0], [0.0, 0.0])],
        *[
            case(text, of, x)
            for x in (np.array([3.0, 4.0]), np.zeros(2), random.array(3))
            for text, of in (
                ("jk.grad(norm)({})", gradient),
                ("the derivative of norm at {} along ones", tangent),
            )
        ],
        case("jax.jit(jk.grad(norm))({})", jitted_gradient, np.zeros(3)),
    ]


def every_other_policy():
    return [call("every_other", n) for n in (5, 6, 1, 2, 3, 0, 20)]


def place_the_pebbles():
    sizes = (3, 1), (3, 2), (1, 1), (7, 2), (10, 3), (35, 3), (40, 5), (30, 9)
    return [
        *[call("fewest_runs", n, s) for n, s in sizes],
        *[call("furthest", n, s) for n, s in sizes if n > 1 and s > 1],
    ]


EXERCISES = [
    Exercise(
        1,
        "product_rule",
        "The derivative of a product, by hand",
        ("product_derivative", "partials"),
        product_rule,
        "Both factors change: (u v)' has two terms. In f, x*x is such a product, and "
        "y occurs twice: each occurrence adds its part to df/dy.",
    ),
    Exercise(
        2,
        "central_difference",
        "A central difference with a good step",
        ("central_difference",),
        central_difference,
        "The errors h**2 and eps / h are equal at h = eps ** (1/3), which is the step "
        "at x of size one; for larger x multiply it by abs(x). Divide by 2 h.",
        partial(close, tolerance=1e-9),
    ),
    Exercise(
        3,
        "count_operations",
        "Count the operations of a program",
        ("count_operations",),
        count_operations,
        'Where an equation is named "jit", count in eqn.params["jaxpr"] by calling '
        "your function again, and add what it returns; don't count the jit.",
    ),
    Exercise(
        4,
        "pruning_rule",
        "A rule that makes expressions smaller",
        ("twice",),
        pruning_rule,
        "Return None where the rule doesn't apply. Compare with `a is b`: two "
        "variables may have one name. Write 2 * a, the 2 first.",
    ),
    Exercise(
        5,
        "dual_division",
        "Division of dual numbers",
        ("divide",),
        dual_division,
        "(a + da ε)(b - db ε) = a b + (da b - a db) ε: mind the minus sign, and divide "
        "both parts by b * b.",
    ),
    Exercise(
        6,
        "tanh_partial",
        "The derivative rule of a primitive",
        ("partial",),
        tanh_partial,
        "tanh' = 1 - tanh**2, and y is tanh(x) already: square y, not x. Use jnp and "
        "operators, not np: x and y may be tracers.",
    ),
    Exercise(
        7,
        "backward_pass",
        "The backward pass over a tape",
        ("backward",),
        backward_pass,
        "A node that is used twice gets two contributions: add to its adjoint, don't "
        "overwrite it. Begin with 1 at the last node and 0 at all others.",
    ),
    Exercise(
        8,
        "transposes",
        "Transposes of two linear maps",
        ("transpose_scale", "transpose_broadcast"),
        transposes,
        "What is copied in A is summed in its transpose: sum over the axes that were "
        "added in front, then, with keepdims=True, over those of length 1 in `shape`. "
        "A multiplication by a number is its own transpose; it doesn't divide.",
    ),
    Exercise(
        9,
        "cheaper_order",
        "The cheaper order of a chain's Jacobians",
        ("cheaper_order",),
        cheaper_order,
        "The shapes are (outputs, inputs), J_1 first. Forward, each product has as "
        "many columns as x has entries, shapes[0][1]; reverse, as many rows as z has, "
        "shapes[-1][0].",
    ),
    Exercise(
        10,
        "hvp",
        "A Hessian times a vector, without the Hessian",
        ("hvp",),
        hvp,
        "Take jk.jvp of jk.grad(f), a function of x alone: tangents go through it "
        "without a matrix. It returns a pair; the derivative comes second.",
    ),
    Exercise(
        11,
        "norm",
        "A norm whose derivative at 0 is 0",
        ("norm",),
        norm,
        "Divide by jnp.where(n == 0, 1, n). With jnp.where around the quotient, "
        "reverse mode still divides 0 by 0, which is NaN.",
    ),
    Exercise(
        12,
        "every_other_policy",
        "Keep every other value",
        ("every_other",),
        every_other_policy,
        "s_1 is the first that is kept. The last value that a step needs is s_(n-1), "
        "so s_n is never computed again, nor is s_0; the pass goes from n down.",
    ),
    Exercise(
        13,
        "place_the_pebbles",
        "Keep states where the fewest steps run again",
        ("fewest_runs", "furthest"),
        place_the_pebbles,
        "Let the second state be after m steps: m steps run to it, the n - m behind it "
        "are reversed with s - 1 places, then the m before it with s. Try all m, and "
        "remember what was computed. One place: 1 + 2 + ... + (n - 1).",
    ),
]


def find(text: str) -> Exercise:
    """The exercise of this number (5, 05) or name (dual_division, e05_dual_division).

    Raises:
        ValueError: there is none.
    """
    for exercise in EXERCISES:
        if text in (exercise.name, exercise.stem):
            return exercise
        if text.isdecimal() and int(text) == exercise.number:
            return exercise
    if text.lstrip("-").isdecimal():
        known = f"1 to {len(EXERCISES)}"
    else:
        known = ", ".join(x.name for x in EXERCISES)
    raise ValueError(f"there is no exercise {text}; there are {known}")
