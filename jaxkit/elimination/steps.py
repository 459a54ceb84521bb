"""A linear program, cut into steps: one for each primitive that ran.

A step is a small linear program, whose matrix has the local partials.  Where that isn't
zero is known, and so is which passes give its entries (`sparse`).  If nothing in it
depends on the inputs, they are computed at once: so are the ones of a sum or a slice.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import groupby
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from scipy.sparse import csr_array

from jaxkit.program import Code, Equation, LinearProgram, Var
from jaxkit.sparse.colouring import count
from jaxkit.sparse.patterns import pattern, split
from jaxkit.sparse.plan import Plan, Sparsity, jacobian_plan
from jaxkit.tracing import ShapedArray


def steps(code: Code) -> list[Code]:
    """The parts of a program that each come from one primitive."""
    parts = [list(eqns) for _, eqns in groupby(code.equations, lambda e: id(e.source))]
    last = {x.index: i for i, eqns in enumerate(parts) for x in _read(eqns)}
    last.update((x.index, len(parts)) for x in code.outputs if type(x) is Var)
    found = []
    for i, eqns in enumerate(parts):
        made = {v.index: v for eqn in eqns for v in eqn.outputs}
        reads = {x.index: x for x in _read(eqns) if x.index not in made}
        leaves = [v for v in made.values() if last.get(v.index, -1) > i]
        found.append(Code(reads.values(), leaves, eqns))
    return found


def _read(equations: Sequence[Equation]) -> list[Var]:
    return [x for eqn in equations for x in eqn.operands if type(x) is Var]


@dataclass(frozen=True, eq=False)
class Step:
    """A part of a program, and how the entries of its matrix are had.

    Attributes:
        code: its equations, between the variables that it reads and those it leaves.
        plan: by which passes.
        entries: row and column of each.
        known: what they are, if that doesn't depend on the inputs.
    """

    code: Code
    plan: Plan
    entries: tuple[np.ndarray, np.ndarray]
    known: list[float] | None = None

    def partials(self, residuals: Sequence[Any], which: Sequence[int]) -> list[Any]:
        """The entries with these numbers, each a scalar."""
        program = LinearProgram(self.code, residuals)
        plan, code = self.plan, self.code
        forward = [
            _pushed(program.apply, seed, code.inputs) for seed in _seeds(plan.columns)
        ]
        backward = [
            _pushed(program.transpose, seed, code.outputs) for seed in _seeds(plan.rows)
        ]
        found = []
        for e in which:
            row, column = self.entries[0][e], self.entries[1][e]
            if plan.by_column[e]:
                found.append(_entry(forward[plan.columns[column]], code.outputs, row))
            else:
                found.append(_entry(backward[plan.rows[row]], code.inputs, column))
        return found


def _seeds(colours: np.ndarray) -> np.ndarray:
    """Of each colour which rows, or columns, have it."""
    return np.arange(count(colours))[:, None] == colours


def _pushed(run: Callable, seed: np.ndarray, variables: Sequence[Any]) -> list[Any]:
    """What comes of a seed, of which parts that are zero are left out."""
    return run(
        [
            jnp.asarray(part.reshape(v.aval.shape), v.aval.dtype) if any(part) else None
            for part, v in zip(split(seed, variables), variables, strict=True)
        ]
    )


def _entry(arrays: Sequence[Any], variables: Sequence[Any], number: int) -> Any:
    """The number with this number among those of several arrays."""
    for x, v in zip(arrays, variables, strict=True):
        if number < v.aval.size:
            place = np.unravel_index(number, v.aval.shape)
            return jnp.zeros((), v.aval.dtype) if x is None else x[place]
        number -= v.aval.size
    raise IndexError(number)


def step(code: Code, residuals: Sequence[Any]) -> Step:
    """A step of a program of which some residuals are known, and of others the type."""
    with jax.ensure_compile_time_eval():
        where = pattern(LinearProgram(code, residuals))
        where.sort_indices()
        starts, columns = where.indptr, where.indices
        plan = _plan(where.shape, starts.tobytes(), columns.tobytes(), columns.dtype)
        found = Step(code, plan, where.tocoo().coords)
        if any(isinstance(residuals[x.index], ShapedArray) for x in code.residuals):
            return found
        known = found.partials(residuals, range(where.nnz))
        return replace(found, known=[float(x) for x in known])


@lru_cache(maxsize=1024)
def _plan(shape, starts: bytes, columns: bytes, dtype) -> Plan:
    indptr, indices = np.frombuffer(starts, dtype), np.frombuffer(columns, dtype)
    matrix = csr_array((np.ones(len(indices), bool), indices, indptr), shape)
    return jacobian_plan(Sparsity(matrix, "global"), "auto", 8)
