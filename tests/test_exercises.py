"""The exercises: stubs are unwritten, references are right, mistakes are explained."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections import Counter
from itertools import pairwise
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.sparse import csr_array

import jaxkit as jk
from jaxkit import rules
from jaxkit.__main__ import main as command
from jaxkit.control import schedules
from jaxkit.exercises import EXERCISES, check, find
from jaxkit.exercises.cases import call, e20_norms
from jaxkit.exercises.cases.e18_colour_a_pattern import judged
from jaxkit.exercises.checking import check_file, limit, load
from jaxkit.exercises.values import close, show
from jaxkit.sparse import colouring
from jaxkit.study import chain, symbolic, tape
from jaxkit.study.dual import Dual

ROOT = Path(__file__).parent.parent
SOLUTIONS = find("puzzles").solution.parent
each = pytest.mark.parametrize("exercise", EXERCISES, ids=lambda x: x.stem)


def main(words: list[str]) -> int:
    return command(["exercise", *words])


# A typical mistake in each: the source, and what the output says of one case.
MISTAKES = {
    1: (
        """
def product_derivative(u, du, v, dv):
    return du * dv

def partials(x, y):
    return 2 * x * y, x * x + 1
""",
        ["product_derivative(3.0, 1.0, 4.0, 2.0)", "10.0", "2.0"],
    ),
    2: (
        """
def central_difference(f, x, h=1e-8):
    return (f(x + h) - f(x)) / h
""",
        ["central_difference(lambda x: x**2, 0.0)", "0.0", "1e-08"],
    ),
    3: (
        """
def count_operations(jaxpr):
    counts = {}
    for eqn in jaxpr.eqns:
        counts[eqn.primitive.name] = counts.get(eqn.primitive.name, 0) + 1
    return counts
""",
        [
            "count_operations(jax.make_jaxpr(lambda x: jax.jit(jnp.sin)(x) * x)(1.0))",
            "{'mul': 1, 'sin': 1}",
            "{'jit': 1, 'mul': 1}",
        ],
    ),
    4: (
        """
def twice(a, b):
    return 2 * a if str(a) == str(b) else None
""",
        [
            "x + x, where the second is another variable named x, pruned",
            "'x + x'",
            "'(2) * (x)'",
        ],
    ),
    5: (
        """
def divide(a, da, b, db):
    return a / b, (da * b + a * db) / b**2
""",
        ["divide(1.0, 0.0, 2.0, 1.0)", "(0.5, -0.25)", "(0.5, 0.25)"],
    ),
    6: (
        """
def partial(y, x):
    return 1 - x * x
""",
        ["the derivative of tanh at -2.0", "0.07065082", "-3."],
    ),
    7: (
        """
def backward(tape):
    adjoints = [0.0] * len(tape)
    adjoints[-1] = 1.0
    for n in reversed(range(len(tape))):
        for a, partial in zip(*tape[n]):
            adjoints[a] = adjoints[n] * partial
    return adjoints
""",
        ["backward([((), ()), ((0, 0), (3.0, 3.0))])", "[6.0, 1.0]", "[3.0, 1.0]"],
    ),
    8: (
        """
import numpy as np

def transpose_scale(ct, factor):
    return ct / factor

def transpose_broadcast(ct, shape):
    return np.sum(ct, axis=tuple(range(ct.ndim - len(shape))))
""",
        [
            "transpose_scale([1.0, 2.0], [3.0, 4.0])",
            "[3.0, 8.0]",
            "[0.33333333",
        ],
    ),
    9: (
        """
def cheaper_order(shapes):
    inputs, outputs = shapes[0][0], shapes[-1][1]
    forward = sum(a * b * inputs for a, b in shapes[1:])
    reverse = sum(outputs * a * b for a, b in shapes[:-1])
    return ("forward", forward) if forward <= reverse else ("reverse", reverse)
""",
        [
            "cheaper_order([(50, 50), (50, 50), (1, 50)])",
            "('reverse', 5000)",
            "('forward', 127500)",
        ],
    ),
    10: (
        """
import jax.numpy as jnp
import jaxkit as jk

def hvp(f, x, v):
    return jnp.tensordot(jk.hessian(f)(x), v, jnp.ndim(x))
""",
        ["entries of the largest array in hvp, for x with 50", "50", "2500"],
    ),
    11: (
        """
import jax
import jax.numpy as jnp

@jax.custom_jvp
def norm(x):
    return jnp.sqrt(jnp.sum(x * x))

@norm.defjvp
def _norm_jvp(primals, tangents):
    (x,), (dx,) = primals, tangents
    n = norm(x)
    return n, jnp.where(n == 0, 0.0, jnp.sum(x * dx) / n)
""",
        ["jk.grad(norm)([0.0, 0.0])", "[0.0, 0.0]", "[nan, nan]"],
    ),
    12: (
        """
def every_other(n):
    kept = list(range(1, n + 1, 2))
    return kept, [k for k in range(n, 0, -1) if k not in kept]
""",
        ["every_other(6)", "([1, 3, 5], [4, 2])", "([1, 3, 5], [6, 4, 2])"],
    ),
    13: (
        """
def fewest_runs(n, s):
    if n == 1 or s == 1:
        return n * (n - 1) // 2
    return n // 2 + fewest_runs(n // 2, s) + fewest_runs(n - n // 2, s - 1)

def furthest(n, s):
    return n // 2
""",
        ["fewest_runs(10, 3)", "15", "16"],
    ),
    0: (
        """
def descend(slope, x, rate, steps):
    return [x := x - rate * slope(x) for _ in range(steps)]

def descend_until(slope, x, rate, size):
    return x, 0
""",
        ["descend(lambda x: 2 * (x - 3), 0.0, 0.25, 2)", "[0.0, 1.5, ", "[1.5, 2.25]"],
    ),
    14: (
        """
import jax, jax.numpy as jnp, jaxkit as jk

def jacobian(f, x):
    return jax.vmap(jk.linearize(f, x)[1])(jnp.eye(len(x)))

def gradient_lengths(loss, w, xs):
    return jnp.linalg.norm(jax.vmap(jk.grad(loss), (None, 0))(w, xs), axis=1)
""",
        [
            "jacobian(lambda x: x[:2] * x[2], [3.0, 4.0, 5.0])",
            "[[5.0, 0.0, 3.0], [0.0, 5.0, 4.0]]",
            "[[5.0, 0.0], [0.0, 5.0], [3.0, 4.0]]",
        ],
    ),
    15: (
        """
import jaxkit as jk

def wirtinger(f, z):
    _, along_x = jk.jvp(f, (z,), (1 + 0j,))
    _, along_y = jk.jvp(f, (z,), (1j,))
    return (along_x + 1j * along_y) / 2, (along_x - 1j * along_y) / 2

def moved(f, z, dz):
    return wirtinger(f, z)[0] * dz
""",
        ["wirtinger(lambda z: z**2, (3+4j))", "((6+8j), 0j)", "(0j, (6+8j))"],
    ),
    16: (
        """
import jax, jax.numpy as jnp

@jax.custom_jvp
def rounded(x):
    return jnp.round(x)

rounded.defjvp(lambda primals, tangents: (primals[0], tangents[0]))

@jax.custom_vjp
def clipped(x):
    return jnp.clip(x, -1, 1)

clipped.defvjp(lambda x: (x, None), lambda kept, ct: (jnp.clip(ct, -1, 1),))
""",
        ["clipped([2.6, -0.4, 1.0])", "[2.6, -0.4, 1.0]", "[1.0, -0.4, 1.0]"],
    ),
    17: (
        """
import jaxkit as jk

def slope(f, x, a):
    return -jk.grad(f)(x, a) / jk.grad(f, 1)(x, a)

def slopes(f, x, a):
    return -jk.jacfwd(f, 1)(x, a) / jk.jacfwd(f)(x, a)
""",
        ["slope(lambda x, a: x**2 - a, 2.0, 4.0)", "0.25", "4.0"],
    ),
    18: (
        """
import numpy as np

def colour(pattern):
    return [j % 2 for j in range(len(pattern[0]))]

def recovered(pattern, colours, passes):
    return np.where(pattern, np.transpose(passes)[:, colours], 0.0)
""",
        [
            "colour([[1, 1, 1]])",
            "'no two columns of a colour meet; number of colours: at most 3'",
            "'columns 0 and 2 meet, and have one colour: [0, 1, 0]'",
        ],
    ),
    19: (
        (SOLUTIONS / "e19_bottleneck.py")
        .read_text()
        .replace("left.get((a, b), 0.0) + first", "first"),
        [
            "eliminate({(0, 1): 2.0, (0, 2): 1.0, (1, 2): 3.0}, 1)",
            "{(0, 2): 7.0}",
            "{(0, 2): 6.0}",
        ],
    ),
    20: (
        """
import jax.numpy as jnp

def norms(x, g):
    return jnp.linalg.norm(x, axis=1) * jnp.linalg.norm(g, axis=1)

def norms_of_sequences(x, g):
    return jnp.sqrt(jnp.sum(jnp.sum(x**2, 2) * jnp.sum(g**2, 2), 1))
""",
        [
            "norms_of_sequences([[[3.0], [4.0]]], [[[1.0], [-1.0]]])",
            "'[1.0]'",
            "'[5.0]: without the products of different places'",
        ],
    ),
    None: (
        (SOLUTIONS / "puzzles.py")
        .read_text()
        .replace("np.roll(ct, -1)", "np.roll(ct, 1)"),
        ["roll([-1.25, -0.73, -0.54, -0.32])", "[-0.73, -0.54, ", "[-0.32, -1.25, "],
    ),
}


def reference(number: int):
    path = find(number).solution
    return load(path, path.read_bytes())


def written(folder: Path, source: str) -> Path:
    path = folder / "learner.py"
    path.write_text(source, encoding="utf-8")
    return path


def divide(body: str) -> str:
    """A file for the fifth exercise; the function's body is its second line."""
    return f"def divide(a, da, b, db):\n    {body}\n"


# ------------------------------------------------------------------------ the exercises


@each
def test_the_task_is_not_written(exercise, capsys, tmp_path):
    path = written(tmp_path, exercise.task.read_text(encoding="utf-8"))
    assert main([exercise.name, "--file", str(path)]) == 1
    printed = capsys.readouterr().out
    assert printed.startswith(f"{exercise.label} {exercise.title}: not yet (")
    for name in exercise.functions:
        assert f"  {name} is not written yet (line " in printed
    assert "expected" not in printed and "hint" not in printed


@each
def test_the_task_says_what_to_do_and_does_not_import_the_solution(exercise):
    source = exercise.task.read_text(encoding="utf-8")
    first = "Puzzles" if exercise.number is None else exercise.number
    assert source.startswith(f'"""{first}. ')
    assert "Example: " in source and "solutions" not in source
    assert source.count('raise NotImplementedError("your code here")') >= 1


@each
def test_the_reference_passes(exercise, capsys):
    assert main([exercise.name, "--file", str(exercise.solution)]) == 0
    count = len(exercise.cases())
    expected = f"{exercise.label} {exercise.title}: done, all {count} cases agree\n"
    assert capsys.readouterr().out == expected


@each
def test_a_mistake_is_explained(exercise, tmp_path, capsys):
    source, (text, expected, got) = MISTAKES[exercise.number]
    path = written(tmp_path, source)
    assert main([exercise.name, "--file", str(path)]) == 1
    printed = capsys.readouterr().out
    start = printed.index(f"\n  {text}\n")
    lines = printed[start:].splitlines()[2:4]
    assert lines[0].startswith(f"    expected  {expected}")
    assert lines[1].startswith(f"    got       {got}")
    assert f"cases differ.\n  hint: {exercise.hints[0]}\n" in printed
    assert printed.endswith(f"exercise {exercise.label} --hint 2 says more)\n")


@each
def test_cases_are_the_same_each_time(exercise):
    texts = [case.text for case in exercise.cases()]
    assert texts == [case.text for case in exercise.cases()]
    assert len(set(texts)) == len(texts)


def test_checks_leave_the_tables_of_rules_as_they_were():
    before = set(rules.RULES), list(symbolic.RULES[symbolic.Add])
    for number in 4, 6:
        assert check_file(find(str(number)), find(str(number)).solution).passed
    assert before == (set(rules.RULES), list(symbolic.RULES[symbolic.Add]))


# ------------------------------------------------ the references, by other ways to them


def test_references_1_and_2_are_derivatives():
    f = jax.grad(lambda x, y: x * x * y + (y + 2), (0, 1))
    assert close(reference(1).partials(1.5, -2.0), f(1.5, -2.0))
    product = reference(1).product_derivative(1.5, 2.0, -0.5, 3.0)
    dual = Dual(1.5, 2.0) * Dual(-0.5, 3.0)
    assert product == dual.eps
    for f, df, x in (np.sin, np.cos, 0.4), (np.exp, np.exp, -1.0):
        assert close(reference(2).central_difference(f, x), df(x), 1e-10)


def test_reference_3_counts_what_is_printed():
    jaxpr = jax.make_jaxpr(lambda x: jax.jit(lambda y: jnp.sin(y) * y)(x) * x)(1.0)
    words = Counter(str(jaxpr).split())
    counts = reference(3).count_operations(jaxpr)
    assert counts == {"sin": words["sin"], "mul": words["mul"]} == {"sin": 1, "mul": 2}


def test_reference_4_keeps_the_value():
    x = symbolic.Var("x", 3.0)
    smaller = reference(4).twice(x, x)
    assert smaller.evaluate() == (x + x).evaluate() and str(smaller) == "(2) * (x)"


def test_reference_5_divides_as_dual_numbers_do():
    quotient = Dual(1.2, -0.3) / Dual(-0.7, 2.0)
    found = reference(5).divide(1.2, -0.3, -0.7, 2.0)
    assert close(found, (quotient.value, quotient.eps), 1e-14)


def test_reference_6_is_jaxs_rule():
    x = jnp.linspace(-3.0, 3.0, 7)
    expected = jax.vmap(jax.grad(jnp.tanh))(x)
    assert close(reference(6).partial(jnp.tanh(x), x), expected)


def test_reference_7_is_the_tape_of_the_kit():
    def f(x, y):
        return np.sin(x * y) * x + y / x

    ran = tape.Tape(f, [1.5, 0.7])
    number = {node: i for i, node in enumerate(ran.nodes)}
    nodes = [(tuple(number[x] for x in n.operands), n.partials) for n in ran.nodes]
    expected = ran.gradient()
    assert close(reference(7).backward(nodes)[:2], expected, 1e-14)


def test_reference_8_is_jaxs_transpose():
    ct = np.random.default_rng(1).normal(size=(4, 2, 3))
    for shape in (), (3,), (1, 3), (2, 1), (4, 2, 3), (1, 1, 1):
        x = np.zeros(shape)
        (expected,) = jax.linear_transpose(lambda x: jnp.broadcast_to(x, ct.shape), x)(
            ct
        )
        assert close(reference(8).transpose_broadcast(ct, shape), expected)
    (expected,) = jax.linear_transpose(lambda x: x * ct, ct)(2 * ct)
    assert close(reference(8).transpose_scale(2 * ct, ct), expected)


def test_reference_9_counts_as_the_kit_does():
    for sizes in [2, 5, 3], [7, 1, 4, 2], [3, 3, 3], [1, 6]:
        jacobians = [np.ones((b, a)) for a, b in pairwise(sizes)]
        forward = chain.forward_product(jacobians)[1]
        reverse = chain.reverse_product(jacobians)[1]
        expected = "reverse" if reverse < forward else "forward", min(forward, reverse)
        assert reference(9).cheaper_order([x.shape for x in jacobians]) == expected


def test_references_10_and_11_are_jaxs_derivatives():
    x, v = jnp.array([0.3, -1.2, 2.0]), jnp.array([1.0, 0.5, -2.0])

    def f(x):
        return jnp.sum(jnp.sin(x) * x[::-1])

    assert close(reference(10).hvp(f, x, v), jax.hessian(f)(x) @ v)
    norm = reference(11).norm
    assert close(jax.grad(norm)(x), jax.grad(jnp.linalg.norm)(x))
    assert close(jax.grad(norm)(jnp.zeros(3)), np.zeros(3))
    assert close(jk.hessian(norm)(x), jax.hessian(jnp.linalg.norm)(x))


@pytest.mark.parametrize("n", [1, 2, 5, 8])
def test_reference_12_is_what_the_kit_keeps_and_recomputes(n):
    found = chain.reverse([np.sin] * n, [np.cos] * n, 0.3, chain.every_other)
    assert reference(12).every_other(n) == (found.kept, found.recomputed)


def test_reference_13_is_what_the_kit_does():
    for n, s in (9, 2), (20, 3), (33, 6):
        assert reference(13).fewest_runs(n, s) == schedules.fewest(n, s)
        m = int(schedules.split(jnp.int32(n), jnp.int32(s), s))
        assert reference(13).furthest(n, s) == m


def test_reference_18_shares_as_the_kit_does_where_order_does_not_matter():
    colour, recovered = reference(18).colour, reference(18).recovered
    band = np.abs(np.subtract.outer(np.arange(9), np.arange(9))) <= 1
    assert colour(band) == [j % 3 for j in range(9)]
    assert colouring.count(colouring.columns(csr_array(band))) == 3
    matrix = np.where(band, np.arange(81.0).reshape(9, 9), 0)
    passes = [matrix @ (np.arange(9) % 3 == k) for k in range(3)]
    assert close(recovered(band, colour(band), passes), matrix)


def test_the_answer_18():
    """Three colours from left to right, where two do."""
    colour, answer = reference(18).colour, find(18).answer
    pattern = np.array(ast.literal_eval(answer.partition(".")[0]))
    assert pattern.shape == (3, 4)
    assert max(colour(pattern)) == 2 and max(colour(pattern[:, [0, 2, 3, 1]])) == 1


def test_reference_19_is_what_the_kit_does():
    def f(x, y):
        s = jnp.sin(x * y)
        return s * x, jnp.exp(s) * s

    jacobian = jk.eliminated(f, (0, 1), order="reverse")
    plan, partials = jacobian.plan(0.5, 2.0), jacobian.partials(0.5, 2.0)
    edges = {
        (a, b): partials[value.number]
        for b, found in enumerate(plan.graph.edges)
        for a, value in found.items()
    }
    for v in plan.order:
        edges = reference(19).eliminate(edges, v)
    matrix = [[edges[i, v] for i in (0, 1)] for v in plan.graph.outputs]
    assert close(matrix, np.array(jk.jacfwd(f, (0, 1))(0.5, 2.0)))
    assert reference(19).bottleneck([4, 4, 1, 4, 4])[0] == 2


@pytest.mark.parametrize("shape", [(5,), (5, 3)])
def test_reference_20_is_what_the_kit_does(shape):
    """Of a layer whose outputs are multiplied by the cotangents that it shall have."""
    names = ("norms", "norms_of_sequences")
    keys, shapes = jax.random.split(jax.random.key(0)), [(*shape, 4), (*shape, 2)]
    x, g = (jax.random.normal(*pair) for pair in zip(keys, shapes, strict=True))
    kit = jk.per_sample_norms(lambda w, x, g: jnp.sum(x @ w * g))
    expected = kit(jnp.zeros((4, 2)), x, g)
    assert close(getattr(reference(20), names[len(shape) - 1])(x, g), expected)
    assert close(e20_norms.true(np.array(x), np.array(g)), expected)


def test_the_answer_20():
    """Normal numbers make an error of the diagonal, too."""
    H, key = jnp.array([[3.0, 1.0], [1.0, -2.0]]), jax.random.key(0)
    rest = H - jnp.diag(jnp.diag(H))
    for draw, counted in (jax.random.normal, H), (jax.random.rademacher, rest):
        v = draw(key, (100_000, 2), float)
        variance = jnp.var(jnp.sum((v @ H) * v, 1))
        np.testing.assert_allclose(variance, 2 * jnp.sum(counted**2), 0.05)


def test_any_first_allowed_colours_pass_18(tmp_path):
    """From right to left, too."""
    source = find(18).solution.read_text()
    reversed_too = (
        source.replace("def colour", "def _colour")
        + """

def colour(pattern):
    return _colour(np.array(pattern)[:, ::-1])[::-1]
"""
    )
    report = check_file(find(18), written(tmp_path, reversed_too))
    assert report.passed, report


@pytest.mark.parametrize(
    ("colours", "said"),
    [
        ([0, 1, 2, 3], "number of colours: 4: [0, 1, 2, 3]"),
        ([0, 1, 0], "3 colours, but there are 4 columns: [0, 1, 0]"),
        ([1, 2, 1, 2], "the colours aren't 0, 1, 2, ...: [1, 2, 1, 2]"),
    ],
)
def test_what_is_said_of_colours(colours, said):
    assert judged([[1, 1, 0, 0], [0, 1, 1, 0], [0, 0, 1, 1]], colours) == said


def test_gradients_that_are_made_are_found_in_20():
    """Inside of a jit, as in jnp.einsum, too."""

    def norms(x, g):
        return jnp.sqrt(jnp.sum(jnp.einsum("na,nb->nab", x, g) ** 2, (1, 2)))

    report = check(20, norms, reference(20).norms_of_sequences)
    text = "the arrays in norms for x of shape (5, 40) and g (5, 30)"
    expected = "'no array with more entries than x or g'"
    assert report.differences == [(text, expected, "'an array with 6000 entries'")]


@pytest.mark.parametrize(
    ("found", "said"),
    [
        ([5.0, 0.0], "[5.0, 0.0]"),
        ([25.0, 0.0], "[25.0, 0.0]: the squares of the norms"),
        ([7.0, 1.0], "[7.0, 1.0]: the norms of the places' gradients, summed"),
        (
            [5.0, 2**0.5 / 2],
            "[5.0, 0.7071]: without the products of different places",
        ),
        (
            [50**0.5, 1.0],
            "[7.0711, 1.0]: the norm of x times that of g, right for one place",
        ),
        ([5.0, 1.0], "[5.0, 1.0]"),
        (5.0, "a number; there is a norm for each of the 2 samples"),
        (
            [[5.0, 0.0]],
            "an array of shape (1, 2); there is a norm for each of the 2 samples",
        ),
    ],
)
def test_what_is_said_of_norms(found, said):
    """The first sample's gradients are at right angles, the second's cancel."""
    x = np.array([[[3.0, 0.0], [0.0, 4.0]], [[1.0, 0.0], [1.0, 0.0]]])
    g = np.array([[[1.0], [1.0]], [[0.5], [-0.5]]])
    assert e20_norms.judged(x, g, found) == said


def test_what_is_said_of_sums_of_norms():
    x, g = np.array([[3.0, 4.0]]), np.array([[0.0, 2.0, 0.0]])
    said = "[7.0]: the sums of both norms, not their products"
    assert e20_norms.judged(x, g, [7.0]) == said


# ------------------------------------------------------------------- the learner's file


def test_it_is_the_learners_file_that_runs(tmp_path, capsys):
    exercise = find("5")
    source = exercise.solution.read_text(encoding="utf-8")
    path = written(tmp_path, source + "print('marker of the learner')\n")
    assert main(["5", "--file", str(path)]) == 0
    assert "marker of the learner" in capsys.readouterr().out
    assert not [name for name in sys.modules if "solutions" in name]
    assert not [name for name in sys.modules if name.startswith("loaded.")]


def test_a_changed_file_is_read_anew(tmp_path):
    right, wrong = "(da * b - a * db)", "(da * b + a * db)"  # of equal length
    for part, passed in (right, True), (wrong, False), (right, True):
        path = written(tmp_path, divide(f"return a / b, {part} / (b * b)"))
        os.utime(path, (1, 1))  # and of equal age
        assert check_file(find("5"), path).passed == passed


def test_a_function_that_changes_its_operands_is_told_of_its_own_only(tmp_path):
    source = find("7").solution.read_text(encoding="utf-8")
    path = written(tmp_path, source.replace("return", "tape.clear()\n    return"))
    assert check_file(find("7"), path).passed


def test_half_a_solution(tmp_path):
    source = "def partials(x, y):\n    return 2 * x * y, x * x\n\n\n"
    source += "def product_derivative(u, du, v, dv):\n    raise NotImplementedError\n"
    report = check_file(find("1"), written(tmp_path, source))
    assert report.faults == ["product_derivative is not written yet (line 6)"]
    first = "partials(3.0, 4.0)", "(24.0, 10.0)", "(24.0, 9.0)"
    assert report.differences[0] == first


@pytest.mark.parametrize(
    "source, fault",
    [
        ("x = 1\ndef divide(:\n", "SyntaxError: invalid syntax (line 2)"),
        ("x = 1\n\nx / 0\n", "ZeroDivisionError: division by zero (line 3)"),
        ("import no_such\n", "ModuleNotFoundError: No module named 'no_such' (line 1)"),
        ("\nexit(3)\n", "SystemExit: 3 (line 2)"),
        (
            "def f():\n    return f()\nf()\n",
            "RecursionError: maximum recursion depth exceeded (line 2)",
        ),
    ],
)
def test_a_file_that_cannot_be_run(source, fault, tmp_path, capsys):
    path = written(tmp_path, source)
    assert main(["5", "--file", str(path)]) == 1
    captured = capsys.readouterr()
    title = "05 Division of dual numbers: not yet"
    expected = f"{title} ({path})\n  the file can't be run: {fault}\n"
    assert (captured.out, captured.err) == (expected, "")


@pytest.mark.parametrize(
    "body, got",
    [
        ("return divide(a, da, b, db)", "RecursionError: maximum recursion depth"),
        ("return a / 0, 0", "ZeroDivisionError: float division by zero (line 2)"),
        ("exit()", "SystemExit: None (line 2)"),
        ("raise ValueError", "ValueError (line 2)"),
        ("raise ValueError('one\\ntwo')", "ValueError: one (line 2)"),
        ("return None", "None"),
        ("return a / b", "0.6"),
        ("return 'ab'", "'ab'"),
        ("return 'x' * 1000", f"'{'x' * 296}..."),
        ("import numpy as np; return np.array(a / b)", "0.6"),
        ("return a / b, None", "(0.6, None)"),
        ("return a / b, [1, [2]]", "(0.6, [1, [2]])"),
        ("return divide", "divide"),
    ],
)
def test_whatever_a_function_does_is_shown(body, got, tmp_path, capsys):
    path = written(tmp_path, divide(body))
    assert main(["5", "--file", str(path)]) == 1
    printed, error = capsys.readouterr()
    assert "  divide(3.0, 4.0, 5.0, 7.0)\n    expected  (0.6, -0.04)\n" in printed
    assert f"    got       {got}" in printed
    assert "  7 of 7 cases differ.\n  hint: " in printed
    assert error == "" and "Traceback" not in printed


def test_the_line_of_a_recursion(tmp_path):
    path = written(tmp_path, divide("return divide(a, da, b, db)"))
    report = check_file(find("5"), path)
    assert all(got.endswith("(line 2)") for *_, got in report.differences)


def test_wrong_parameters(tmp_path):
    path = written(tmp_path, "def divide(a, b):\n    return a\n")
    got = check_file(find("5"), path).differences[0][2]
    assert got == "TypeError: divide() takes 2 positional arguments but 4 were given"


def test_a_missing_function(tmp_path, capsys):
    path = written(tmp_path, "transpose_scale = 3\n")
    assert main(["8", "--file", str(path)]) == 1
    assert capsys.readouterr().out.splitlines()[1:] == [
        "  the file has no function transpose_scale",
        "  the file has no function transpose_broadcast",
    ]


def test_a_file_of_another_kind(tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("x")
    message = "notes.txt is no Python file; its name must end in .py"
    expected = [f"the file can't be run: ImportError: {message}"]
    assert check_file(find("5"), path).faults == expected


def test_dataclasses_may_be_defined(tmp_path):
    source = (
        "from __future__ import annotations\nfrom dataclasses import dataclass\n\n\n"
        "@dataclass\nclass Pair:\n    value: float\n\n\n"
    )
    path = written(tmp_path, source + divide("return a / b, (da - a / b * db) / b"))
    assert check_file(find("5"), path).passed


# -------------------------------------------------------------------------- the command


def test_the_listing(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["5", "--start"]) == 0 == main(["7", "--start"])
    (tmp_path / "e05_dual_division.py").write_bytes(find(5).solution.read_bytes())
    capsys.readouterr()
    assert main([]) == 0
    *rows, summary = capsys.readouterr().out.splitlines()
    states = {5: "done", 7: "not yet"}
    assert rows == [
        f"{x.label:7}  {states.get(x.number or -1, ''):8} {x.title}" for x in EXERCISES
    ]
    assert summary == f"1 of {len(EXERCISES)} done here"


def test_a_file_is_begun_filled_in_and_checked(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["5"]) == 2
    assert (
        "no e05_dual_division.py here; write it by --start" in capsys.readouterr().err
    )
    assert main(["5", "--start"]) == 0
    assert capsys.readouterr().out.startswith("written: e05_dual_division.py; fill it")
    path = tmp_path / "e05_dual_division.py"
    assert path.read_text() == find(5).task.read_text()
    assert main(["5"]) == 1
    path.write_bytes(find(5).solution.read_bytes())
    assert main(["05"]) == 0
    assert main(["5", "--start"]) == 2, "what is written is not lost"
    assert path.read_bytes() == find(5).solution.read_bytes()


def test_all(capsys, tmp_path):
    for number in 1, 5:
        task = find(number).task
        (tmp_path / task.name).write_bytes(task.read_bytes())
    assert main(["--all", "--file", str(tmp_path)]) == 1
    printed = capsys.readouterr().out
    assert printed.count(": not yet (") == 2
    assert printed.rstrip().endswith(f"not begun in {tmp_path}: " + ", ".join(
        x.label for x in EXERCISES if x.number not in (1, 5)
    ))  # fmt: skip
    assert main(["--all", "--file", str(SOLUTIONS)]) == 0


def test_a_class(capsys, tmp_path):
    """Each learner in a process: one who ends Python, one who never ends."""
    work = {
        "ann": ["e05_dual_division", "e12_every_other_policy"],
        "ben": ["e12_every_other_policy"],
    }
    for name, stems in work.items():
        (tmp_path / name).mkdir()
        for stem in stems:
            path = tmp_path / name / f"{stem}.py"
            path.write_bytes((SOLUTIONS / path.name).read_bytes())
    (tmp_path / "ben" / "e05_dual_division.py").write_text(divide("while True: pass"))
    (tmp_path / "eve").mkdir()
    (tmp_path / "eve" / "e05_dual_division.py").write_text("import os; os._exit(0)")
    (tmp_path / "zoe").mkdir()
    words = ["--all", "--file", str(tmp_path), "--seconds", "0.1"]
    assert main(words) == 1
    head, ann, ben, eve, zoe, legend = capsys.readouterr().out.splitlines()
    assert head.split() == [*(x.label for x in EXERCISES), "done"]
    place = [x.label for x in EXERCISES].index("05") + 1
    assert ann.split()[0] == "ann" and ann.split()[place] == "x"
    assert ben.split()[place] == "-" and ben.split()[-1] == "1"
    assert set(zoe.split()[1:-1]) == {"."}, "nothing is begun"
    assert set(eve.split()[1:-1]) == {"?"} and legend.startswith("x done")
    assert ann.count("x") == 2 and ann.count(".") == len(EXERCISES) - 2


def test_a_loop_that_never_ends_is_stopped(tmp_path):
    path = written(tmp_path, divide("while True: pass"))
    report = check_file(find(5), path, seconds=0.05)
    assert len(report.differences) == report.cases == 7
    assert all(
        got == "TimeoutError: no result after 0.05 seconds: does a loop never end?"
        " (line 2)"
        for *_, got in report.differences
    )
    path.write_text("while True: pass")
    (fault,) = check_file(find(5), path, seconds=0.05).faults
    assert fault.startswith("the file can't be run: TimeoutError: no result after")


def test_a_users_interrupt_is_not_a_timeout():
    with pytest.raises(KeyboardInterrupt), limit(60):
        raise KeyboardInterrupt


def test_numbers_and_names():
    assert [x.number for x in EXERCISES] == [*range(len(EXERCISES) - 1), None]
    for text in 5, "5", "05", "dual_division", "e05_dual_division":
        assert find(text) is EXERCISES[5]
    for x in EXERCISES:
        assert x.task.exists() and x.solution.exists() and len(x.hints) >= 2


NAMES = ", ".join(x.name for x in EXERCISES)
LAST = len(EXERCISES) - 2  # the puzzles have no number


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["99"], f"there is no exercise 99; there are 0 to {LAST}, and puzzles"),
        (["5", "--file", "."], ". is a folder; pass a file, or --all for all in it"),
        (["dual"], f"there is no exercise dual; there are {NAMES}"),
        (["99", "--hint"], f"there is no exercise 99; there are 0 to {LAST}"),
        (["5", "--hint", "4"], "there is no hint 4; there are 1 to 3"),
        (["5", "--hint", "0"], "there is no hint 0; there are 1 to 3"),
        (["5", "--file", "no_such.py"], "No such file or directory: 'no_such.py'"),
        (["5", "--all"], "pass an exercise or --all, not both"),
        (["--start"], "--answer and --solution need an exercise: python -m jaxkit"),
        (["5", "--json"], "--json needs --all"),
        (["5", "--hint", "--answer"], "pass one of --start, --file, --hint"),
        (
            ["--all", "--file", "x.py"],
            "x.py is no folder; with --all, --file takes one",
        ),
        (["--all"], "there is neither a file of an exercise, such as e00_descent.py"),
    ],
)
def test_what_cannot_be_carried_out(arguments, message, capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    printed, error = capsys.readouterr()
    assert printed == "" and message in error


@each
def test_hints_and_answers(exercise, capsys):
    assert main([exercise.name, "--hint"]) == 0
    assert main([exercise.name, "--hint", "2"]) == 0
    assert main([exercise.name, "--answer"]) == 0
    printed = capsys.readouterr().out
    first, second, *_ = exercise.hints
    assert printed == f"{first}\n{second}\n{exercise.answer}\n"
    assert "return" not in first and exercise.answer
    assert main([exercise.name, "--solution"]) == 0
    assert capsys.readouterr().out == exercise.solution.read_text()


def test_in_a_notebook(capsys):
    def divide(a, da, b, db):
        return a / b, (da * b - a * db) / (b * b)

    def partials(x, y):
        raise NotImplementedError

    assert check(5, divide).passed
    assert str(check("dual_division")).splitlines()[1:] == [
        "  there is no function divide"
    ]
    report = check(1, partials, lambda u, du, v, dv: 0.0)
    assert report.faults == ["there is no function product_derivative"]
    report = check(1, partials, find_function(1, "product_derivative"))
    assert report.faults == ["partials is not written yet"]
    with pytest.raises(
        TypeError, match=r"argument 1 .* is 3; pass functions: check\(5"
    ):
        check(5, 3)  # pyright: ignore


def find_function(number: int, name: str):
    return getattr(reference(number), name)


def test_the_command_runs():
    command = [sys.executable, "-m", "exercises", "05", "--hint"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"{find(5).hints[0]}\n"


MAP = "{'a': 0.1, 'b': 1}"


def test_values_are_shown_on_one_line():
    assert show((1,)) == "(1,)" and show({"b": 1, "a": np.float32(0.1)}) == MAP
    assert show(np.array([[1.0, 2.0], [3.0, 4.0]])) == "[[1.0, 2.0], [3.0, 4.0]]"
    assert call("f", np.sin, 1.0, [2]).text == "f(sin, 1.0, [2])"


def test_what_is_equal():
    assert close(range(3), [0, 1, 2]) and close(np.array([1.0, 2.0]), (1, 2))
    assert close(1 + 1e-7, 1.0) and not close(1 + 1e-3, 1.0)
    assert not close(np.zeros((2, 1)), np.zeros(2)) and not close([1], [1, 2])
    assert not close(jnp.nan, 0.0) and not close({"a": 1}, {"a": 1, "b": 1})
    assert not close(1j, 1.0) and not close("1", [1])
