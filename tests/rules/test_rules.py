"""Every rule in the table has cases, and in each its derivatives are right.

The cases are those of `zoo/cases`; what is checked of each is in `checker`.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import jax
import pytest
from jax.extend.core import Primitive

import jaxkit as jk
from jaxkit.program import Code
from jaxkit.rules import RULES
from tests.rules.checker import check
from zoo.case import Case, flat, generator, sample
from zoo.cases import families
from zoo.cases.parallel import ELSEWHERE

CASES = [case for cases in families().values() for case in cases]


def skip_unless_available(case: Case) -> None:
    if not case.available:
        pytest.skip(f"JAX {jax.__version__} has no {case.needs} {case.since or ''}")


FIRST = {case.primitive: case for case in reversed(CASES)}
ALL = [(case, dtype) for case in CASES for dtype in case.dtypes]
OF_EACH_RULE = [(case, dtype) for case, dtype in ALL if case is FIRST[case.primitive]]
OTHERS = [x for x in ALL if x not in OF_EACH_RULE]


# The quick selection has one of the others of each rule, or the only case that it has.
SECOND = {case.primitive: case for case, _ in reversed(OTHERS)}


def named(case: Case, *dtype: str):
    chosen = SECOND.get(case.primitive, case) is case and dtype in ((), case.dtypes[:1])
    marks = [pytest.mark.quick] if chosen else []
    if dtype and dtype[0] != case.dtypes[0]:
        marks.append(pytest.mark.long)
    return pytest.param(case, *dtype, id="-".join([case.name, *dtype]), marks=marks)


@pytest.mark.parametrize(("case", "dtype"), [named(*x) for x in OF_EACH_RULE])
def test_rule(case, dtype, brief=False):
    """Of each rule one case to all orders, by the long tests in all dtypes."""
    skip_unless_available(case)
    problems = check(case, dtype, brief)
    assert not problems, "\n".join([f"{case.name}, {dtype}:", *problems])


@pytest.mark.parametrize(
    "case", [named(x) for x in dict.fromkeys(y for y, _ in OTHERS)]
)
def test_case(case):
    """The other cases, in one dtype, to first order, compiled."""
    test_rule(replace(case, orders=min(case.orders, 1)), case.dtypes[0], brief=True)


@pytest.mark.long
@pytest.mark.parametrize(
    ("case", "dtype"), [pytest.param(*x, id=f"{x[0].name}-{x[1]}") for x in OTHERS]
)
def test_case_to_all_orders(case, dtype):
    test_rule(case, dtype)


# Those that only raise are called in tests/test_control.py.
WITH_CASES = [key for key, rule in RULES.items() if rule.verb != "refused"]


@pytest.mark.parametrize("key", WITH_CASES, ids=str)
def test_rule_has_a_case(key):
    assert key in ELSEWHERE or any(case.primitive == key for case in CASES), (
        f"the rule of '{key}' has no case; add one to zoo/cases"
    )


def test_only_rules_have_cases():
    for case in CASES:
        assert case.primitive in RULES, case.name


def test_names_are_distinct():
    """The name is the seed of a case's arguments, and it names its failure."""
    repeated = [name for name, n in Counter(x.name for x in CASES).items() if n > 1]
    assert not repeated


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_case_reaches_its_primitive(case):
    skip_unless_available(case)
    args = sample(case, generator(case), case.dtypes[0])
    assert case.primitive in reached(case, args)


def reached(case: Case, args) -> set:
    """Keys of the primitives in a case's program and the operators in its linear one.

    A primitive is named both by itself and, as one that JAX doesn't export, by name.
    """
    found = set()

    def visit(program):
        if hasattr(program, "jaxpr"):
            program = program.jaxpr
        if isinstance(program, Code):
            steps = [(e.operator, e.params) for e in program.equations]
        else:
            steps = [(e.primitive, e.params) for e in program.eqns]
        for operator, params in steps:
            found.update([operator, operator.name.removesuffix("_p")])
            found.add(type(params.get("_prim")).__name__)  # of composite primitives
            inner = getattr(params.get("_prim"), "params", None)
            for value in jax.tree.leaves([params, inner], is_leaf=is_program):
                if is_program(value):
                    visit(value)

    def is_program(x):
        return isinstance(x, Code) or hasattr(x, "eqns") or hasattr(x, "jaxpr")

    visit(jax.make_jaxpr(case.function)(*args))
    if not isinstance(case.primitive, Primitive | str):
        f, xs = flat(case.function, args)
        pushforward = jax.eval_shape(lambda xs: jk.linearize(f, xs)[1], xs)
        visit(pushforward.program.code)
    return found


@pytest.mark.parametrize("case", [x for x in CASES if x.needs != "jax"])
def test_what_a_case_needs_is_the_primitive_itself(case):
    """So a case isn't skipped for want of something else.

    Where JAX lacks the function it has no primitive of that name either.
    """
    name = case.primitive.replace("-", "_")
    assert case.needs == f"jax.lax.{name}"
    if not case.available:
        assert not hasattr(jax.extend.core.primitives, f"{name}_p")
