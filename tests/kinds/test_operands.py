"""Operands of primitives may be Python's and NumPy's numbers and arrays, too.

JAX passes on what a user wrote: `lax.select(True, x, y)` binds a Python boolean.
"""

from __future__ import annotations

from collections.abc import Iterator

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax
from jax.extend.core import Primitive

import jaxkit as jk
from jaxkit import tracing
from tests.selections import long_but
from zoo.case import generator, moves, sample
from zoo.cases import families

FAMILIES = {
    name: [case for case in cases if isinstance(case.primitive, Primitive | str)]
    for name, cases in families().items()
    if name not in ("control", "parallel")
}


def equations(jaxpr, values) -> Iterator[tuple]:
    """(primitive, parameters, values of the operands), also of what is called."""
    env = tracing.environment(jaxpr, values)
    for eqn in tracing.open_jaxpr(jaxpr).eqns:
        operands = tracing.read(env, eqn.invars)
        yield eqn.primitive, eqn.params, operands
        if eqn.primitive.name in ("jit", "pjit"):
            yield from equations(eqn.params["jaxpr"], operands)
        tracing.run_equations([eqn], env)


def numpy(x):
    is_key = jax.dtypes.issubdtype(x.dtype, jax.dtypes.prng_key)
    return x if is_key else np.asarray(x)[()]


def python(x):
    """A scalar as Python's, where that has its dtype."""
    x = numpy(x)
    number = x.item() if isinstance(x, np.generic) else x
    return number if jnp.asarray(number).dtype == x.dtype else x


def derivatives(primitive, params, operands, i):
    def f(x):
        outs = primitive.bind(
            *operands[:i], x, *operands[i + 1 :], **primitive.get_bind_params(params)
        )
        return [y for y in jax.tree.leaves(outs) if moves(y)]

    x = operands[i]
    outs, tangents = jk.jvp(f, (x,), (jnp.ones_like(x),))
    return tangents, jk.vjp(f, x)[1](list(map(jnp.ones_like, outs)))


USUAL = "elementwise", "structural", "reductions"


@pytest.mark.parametrize("family", long_but(USUAL, FAMILIES))
def test_other_forms_of_operands(family):
    problems, seen = [], set()
    for case in FAMILIES[family]:
        name = getattr(case.primitive, "name", case.primitive)
        if name in seen or not case.available or not case.reverse:
            continue
        args = list(map(jnp.asarray, sample(case, generator(case), case.dtypes[0])))
        jaxpr = jax.make_jaxpr(case.function)(*args)
        for primitive, params, operands in equations(jaxpr, args):
            if primitive.name != name or name in seen:
                continue
            seen.add(name)
            operands = list(map(jnp.asarray, operands))
            where = [i for i, x in enumerate(operands) if moves(x)]
            for i in {*where[:1], *where[-1:]}:
                try:
                    expected = derivatives(primitive, params, operands, i)
                except (ValueError, NotImplementedError):
                    continue  # none in this operand
                scalars = any(x.shape == () for j, x in enumerate(operands) if j != i)
                for form in (python, numpy) if scalars else (numpy,):
                    others = [form(x) for x in operands]
                    others[i] = operands[i]
                    try:
                        found = derivatives(primitive, params, others, i)
                        jax.tree.map(np.testing.assert_array_equal, found, expected)
                    except Exception as error:
                        kind = form.__name__
                        problems.append(f"{name}, {kind} beside {i}: {error!r}"[:300])
    assert not problems, "\n".join(problems)


@pytest.mark.parametrize("truth", [True, np.True_, np.array(True), jnp.array(True)])
def test_truth_values(truth):
    for structure in (lambda f: f, jax.jit, jax.checkpoint):
        taken = structure(lambda x: lax.select(truth, x * 2.0, 1.0))
        other = structure(lambda x: lax.select(truth, 1.0, x * 2.0))
        assert jk.grad(taken)(2.3) == 2.0 and jk.grad(other)(2.3) == 0.0
        assert jk.jvp(taken, (2.3,), (1.0,)) == (4.6, 2.0)
    where = jk.linear_transpose(lambda x: jnp.where(truth, x, 0.0), 1.0)
    assert where(1.0) == (1.0,)
