"""Where the matrix of a linear program isn't zero: index sets, pushed through it.

The walk is that of tangents.  In place of a tangent stands a pattern, with a row for
each of its entries: the inputs on which that depends.  An equation combines rows as its
operator spreads (`rules.spreads`), and code that runs code says what it runs
(`control.structure.Operator`).  Residuals are known, or of a type alone: then they may
have any value, and what they select, or index, may be any entry.

Source: A. Griewank, A. Walther, Evaluating Derivatives (2008), ch. 7.1.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextvars import ContextVar, copy_context
from functools import reduce
from itertools import pairwise
from typing import Any

import jax
import numpy as np
from scipy.sparse import csr_array, eye_array, kron, vstack
from scipy.sparse.csgraph import connected_components

from jaxkit.control.structure import Repeated
from jaxkit.program import Constant, LinearProgram, Residual, Var, Zero, forward
from jaxkit.rules.spreads import At, Pattern, dense

FEW = 64  # steps of a loop that are looked at one after the other
MANY = 10**8  # entries of a helping matrix that may be made


class TooDense(Exception):
    """A pattern takes more operations than it is allowed to."""


# How many operations are left, in a list to be changed.
LEFT: ContextVar[list[float] | None] = ContextVar("left", default=None)


def pattern(program: LinearProgram, limit: float | None = None) -> Pattern:
    """Where the program's matrix may differ from zero: (all outputs, all inputs).

    Raises:
        TooDense: it takes more than `limit` operations.
    """
    if limit is not None:
        return copy_context().run(_limited, program, limit)
    with jax.ensure_compile_time_eval():
        inputs = split(identity(sizes(program.code.inputs)), program.code.inputs)
        return stacked(pushed(program, inputs), sum(sizes(program.code.inputs)))


def _limited(program: LinearProgram, limit: float) -> Pattern:
    LEFT.set([limit])
    return pattern(program)


def pushed(program: LinearProgram, inputs: Sequence[Pattern]) -> list[Pattern]:
    """The patterns of a program's outputs, given those of its inputs."""
    if not inputs:
        return [empty(n, 0) for n in sizes(program.code.outputs)]
    width = inputs[0].shape[1]

    def read(x, _):
        if type(x) is Residual:
            return program.residuals[x.index]
        return x.value if type(x) is Constant else x

    def do(eqn, values):
        given = [
            (i, x, y) for i, (x, y) in enumerate(zip(eqn.operands, values, strict=True))
        ]
        moving = {i: y for i, x, y in given if type(x) is Var}
        known = [x.aval if isinstance(y, csr_array | Zero) else y for _, x, y in given]
        if hasattr(eqn.operator, "opened"):
            opened = _through(eqn, known, list(moving.values()))
            if opened is not None:
                return opened
        found = [empty(math.prod(v.aval.shape), width) for v in eqn.outputs]
        spread, avals = eqn.rule.spread or dense, [v.aval for v in eqn.outputs]
        for i, before in moving.items():
            if not before.nnz or not any(y.shape[0] for y in found):
                continue
            at = At(eqn.operator, eqn.rule, known, eqn.params, avals, i)
            for j, chain in enumerate(spread(at)):
                found[j] = found[j] + product(chain, before)
        return found

    outs = forward(program.code, inputs, do, read)
    return [
        y if isinstance(y, csr_array) else empty(math.prod(y.aval.shape), width)
        for y in outs
    ]


def product(chain: Sequence[Pattern], before: Pattern) -> Pattern:
    left = LEFT.get()
    for factor in reversed(chain):
        if left is not None:
            left[0] -= np.diff(before.indptr)[factor.indices].sum(dtype=np.int64)
            if left[0] < 0:
                raise TooDense
        before = factor @ before
    return before


def _through(eqn, known, moving) -> list[Pattern] | None:
    """The patterns behind an operator that runs code; None if it doesn't say which."""
    kept = eqn.params["kept"]
    params = {name: x for name, x in eqn.params.items() if name != "kept"}
    opened = eqn.operator.opened(known[:kept], known[kept:], **params)
    if opened is None:
        return None
    of_all = iter(moving)
    width = moving[0].shape[1] if moving else 0
    inputs = [
        next(of_all) if type(x) is Var else empty(math.prod(x.aval.shape), width)
        for x in eqn.operands[kept:]
    ]
    if isinstance(opened, Repeated):
        return repeated(opened, inputs)
    found = [
        backwards(program, inputs) if opened.transposed else pushed(program, inputs)
        for program in opened.programs
    ]
    return [reduce(csr_array.__add__, parts) for parts in zip(*found, strict=True)]


def backwards(program: LinearProgram, inputs: Sequence[Pattern]) -> list[Pattern]:
    """The same through the transpose of a program."""
    matrix = pattern(program).T.tocsr() @ stacked(inputs, inputs[0].shape[1])
    return split(matrix, program.code.inputs)


# --- Loops ----------------------------------------------------------------------------


def repeated(loop: Repeated, inputs: Sequence[Pattern]) -> list[Pattern]:
    """The patterns behind a loop: its carry at the end, and what it stacks.

    A few steps are looked at one by one.  Of many, all are taken for one that may be
    any of them, and what that spreads over any number of steps is a closure.
    """
    n = loop.n_consts + loop.n_carry
    consts, carry, xs = inputs[: loop.n_consts], inputs[loop.n_consts : n], inputs[n:]
    if loop.length is not None and loop.length <= FEW:
        return _step_by_step(loop, consts, carry, xs)
    return _closed(loop, consts, carry, xs)


def _step_by_step(loop, consts, carry, xs) -> list[Pattern]:
    ys: list[list[Pattern]] = []
    length = loop.length
    for t in reversed(range(length)) if loop.reverse else range(length):
        rows = [x[_step(x, t, length)] for x in xs]
        outs = pushed(loop.program(t), [*consts, *carry, *rows])
        carry = outs[: loop.n_carry]
        ys.append(outs[loop.n_carry :])
    if not length:
        width = consts[0].shape[1] if consts else carry[0].shape[1] if carry else 0
        return [*carry, *(empty(0, width) for _ in loop.code.outputs[loop.n_carry :])]
    ordered = reversed(ys) if loop.reverse else ys
    return [*carry, *(vstack(y, "csr") for y in zip(*ordered, strict=True))]


def _step(x, t: int, length: int) -> slice:
    n = x.shape[0] // length
    return slice(t * n, (t + 1) * n)


def _closed(loop, consts, carry, xs) -> list[Pattern]:
    """The carry at any step, by the closure of how a step spreads it.

    With A for the carry, B for constants, C for the slices, and E, F, H for what is
    stacked: carry A* (carry0 + B consts + C of all slices before), and
    ys = E carry + F consts + H slice.
    """
    code, length, width = loop.code, loop.length, inputs_width(consts, carry, xs)
    counts = sizes(code.inputs)
    a, b = loop.n_consts, loop.n_consts + loop.n_carry
    consts_n, carry_n = sum(counts[:a]), sum(counts[a:b])
    step = pattern(loop.any_program())
    by_consts = step[:, :consts_n]
    by_carry = step[:, consts_n : consts_n + carry_n]
    by_xs = step[:, consts_n + carry_n :]
    closure = closed(by_carry[:carry_n])
    fixed, start = stacked(consts, width), stacked(carry, width)
    base = closure @ (start + by_consts[:carry_n] @ fixed)
    if length is None:  # a while loop: nothing is stacked
        return split(base, code.outputs)
    order = np.arange(length)[::-1] if loop.reverse else np.arange(length)
    slices = _by_step(xs, counts[b:], order, width)
    one = eye_array(length, dtype=bool, format="csr")
    each = _kron(one, closure @ by_xs[:carry_n]) @ slices
    before, whole = _before(each, length, carry_n)
    base_of_all = _kron(csr_array(np.ones((length, 1), bool)), base) + before
    n_ys = step.shape[0] - carry_n
    ys = _kron(one, by_carry[carry_n:]) @ base_of_all
    ys = ys + _kron(csr_array(np.ones((length, 1), bool)), by_consts[carry_n:] @ fixed)
    ys = ys + _kron(one, by_xs[carry_n:]) @ slices
    of_ys = sizes(code.outputs[loop.n_carry :])
    starts = np.cumsum([0, *of_ys])
    place = np.empty(length, int)
    place[order] = np.arange(length)  # at which step an entry is made
    return [
        *split(base + whole, code.outputs[: loop.n_carry]),
        *(
            ys[(place[:, None] * n_ys + np.arange(i, j)).ravel()]
            for i, j in pairwise(starts)
        ),
    ]


def _before(each, length, n) -> tuple[Pattern, Pattern]:
    """(what has come in before each step, what has come in at last)"""
    whole = _kron(csr_array(np.ones((1, length), bool)), eye(n)) @ each
    if not each.nnz:
        return each, whole
    if length * length * n <= MANY:
        earlier = np.tril(np.ones((length, length), bool), -1)
        return _kron(csr_array(earlier), eye(n)) @ each, whole
    return _kron(csr_array(np.ones((length, 1), bool)), whole), whole


def _by_step(xs, counts, order, width) -> Pattern:
    """Rows of all stacked operands, step by step, in the order in which they run."""
    length, total = len(order), sum(counts)
    if not xs or not total:
        return empty(0, width)
    starts = np.cumsum([0, *[x.shape[0] for x in xs]])
    rows = [
        start + order[:, None] * n + np.arange(n)
        for start, n in zip(starts, counts, strict=False)
    ]
    return stacked(xs, width)[np.concatenate(rows, axis=1).reshape(length * total)]


def closed(step: Pattern) -> Pattern:
    """I + A + A A + ...: what is reached in any number of steps, of which A is one.

    Entries that reach each other reach the same; of groups of them, taken for one, each
    reaches what those that it reaches at once do.
    """
    count, group = connected_components(step, connection="strong")
    where = np.arange(len(group)), group
    member = csr_array((np.ones(len(group), bool), where), (len(group), count))
    between = member.T.tocsr() @ step @ member
    reaches: list[Any] = [None] * count
    for i in _last_first(between):
        own = between.indices[between.indptr[i] : between.indptr[i + 1]]
        parts = [reaches[j] for j in own if j != i]
        reaches[i] = np.unique(np.concatenate([[i], *parts]))
    starts = np.cumsum([0, *map(len, reaches)])
    found = np.concatenate(reaches) if count else np.zeros(0, int)
    closure = csr_array((np.ones(len(found), bool), found, starts), (count, count))
    return member @ closure @ member.T.tocsr()


def _last_first(graph: Pattern) -> list[int]:
    """The nodes of a graph without circles of several, each after all it reaches."""
    found: list[int] = []
    seen = np.zeros(graph.shape[0], bool)
    for first in range(graph.shape[0]):
        stack = [(first, False)]
        while stack:
            i, done = stack.pop()
            if done:
                found.append(i)
            elif not seen[i]:
                seen[i] = True
                stack.append((i, True))
                after = graph.indices[graph.indptr[i] : graph.indptr[i + 1]]
                stack += [(j, False) for j in after if not seen[j]]
    return found


# --- Patterns as arrays ---------------------------------------------------------------


def empty(n: int, width: int) -> Pattern:
    return csr_array((n, width), dtype=bool)


def eye(n: int) -> Pattern:
    return csr_array(eye_array(n, dtype=bool, format="csr"))


def identity(counts: Sequence[int]) -> Pattern:
    return eye(sum(counts))


def inputs_width(*lists: Sequence[Pattern]) -> int:
    return next((x.shape[1] for xs in lists for x in xs), 0)


def stacked(parts: Sequence[Pattern], width: int) -> Pattern:
    return csr_array(vstack(parts, "csr")) if parts else empty(0, width)


def split(matrix: Any, variables: Sequence[Any]) -> list[Any]:
    """The rows of a pattern, or of a list, cut for variables of these types."""
    starts = np.cumsum([0, *sizes(variables)])
    return [matrix[i:j] for i, j in pairwise(starts)]


def sizes(variables: Sequence[Any]) -> list[int]:
    return [math.prod(v.aval.shape) for v in variables]


def _kron(a: Pattern, b: Pattern) -> Pattern:
    return csr_array(kron(a, b, "csr"), dtype=bool)
