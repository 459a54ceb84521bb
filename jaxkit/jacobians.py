"""`jacobian`: the whole Jacobian, by the cheapest of four ways.

All run the same linear program, and differ by what goes through it:

    forward    each unit vector of the inputs
    reverse    each unit vector of the outputs, backwards
    mixed      at a bottleneck, where few numbers carry all that comes behind: the unit
               vectors of those, backwards to the inputs and forward to the outputs; the
               Jacobian is the product of the two matrices
    coloured   sums of unit vectors that never meet (`sparse_jacobian`)

What each costs is counted from the program's equations (`program.cost`).

Source: A. Griewank, A. Walther, Evaluating Derivatives (2008), ch. 8 to 10.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from functools import lru_cache, partial
from types import EllipsisType
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxkit.border.arguments import select
from jaxkit.border.space import Space
from jaxkit.border.tracebacks import entry
from jaxkit.control.jit import operator as jit
from jaxkit.gradients import (
    LinearizedCall,
    blocks,
    by_rows,
    linearized_call,
)
from jaxkit.passes import check_chunk_size, cut, passes, rows
from jaxkit.program import Code, LinearProgram, Recorder, Var, forward
from jaxkit.program.cost import cost, cost_of, width
from jaxkit.rules.table import NotLinear
from jaxkit.sparse.patterns import TooDense, pattern
from jaxkit.sparse.plan import Plan, Sparsity, jacobian_plan
from jaxkit.tangents import as_typed, spread
from jaxkit.tracing import is_traced, line_of, wide_enough

MODES = "auto", "forward", "reverse", "mixed"
MANY = 10**7  # operations, from which on a pattern is looked for
SLOWER = 30  # how much an operation on a pattern's entry is, than one on numbers


class Way(NamedTuple):
    """A way to a Jacobian, and what it costs.

    Attributes:
        mode: "forward", "reverse", "mixed" or "coloured".
        passes: how many backwards, how many forward.
        cost: counted operations.
        cut: of "mixed" the number of equations before the bottleneck.
        through: how many numbers pass there.
        plan: of "coloured" the `Plan`: what goes together in a pass.
    """

    mode: str
    passes: tuple[int, int]
    cost: int
    cut: int = 0
    through: int = 0
    plan: Plan | None = None

    def __str__(self):
        backward, ahead = self.passes
        ways = (backward, "backward"), (ahead, "forward")
        text = [f"{count} {name}" for count, name in ways if count]
        at = f", through {self.through} numbers" if self.mode == "mixed" else ""
        passes = " and ".join(text) or "none"
        return f"{self.mode:8} {self.cost:12,} operations; passes: {passes}{at}"


class Choice:
    """The ways to a Jacobian, the one chosen first; printed it says what they cost."""

    def __init__(self, ways: Sequence[Way], mode: str):
        ways = sorted(ways, key=lambda way: way.cost)  # of equals the first: reverse
        chosen = next(way for way in ways if mode in ("auto", way.mode))
        self.ways = [chosen, *(way for way in ways if way is not chosen)]

    @property
    def way(self) -> Way:
        return self.ways[0]

    def __str__(self):
        return "\n".join(map(str, self.ways))

    __repr__ = __str__


def choice(program: LinearProgram, mode: str, sparse: bool | str) -> Choice:
    code = program.code
    n, m, whole = width(code.inputs), width(code.outputs), cost(code)
    ways = [Way("reverse", (m, 0), m * whole), Way("forward", (0, n), n * whole)]
    if (narrow := bottleneck(code)) is not None:
        ways.append(narrow)
    elif mode == "mixed":
        read = width(live(code)[0])
        ways.append(Way("mixed", (read, 0), read * whole, 0, read))
    least = min(way.cost for way in ways)
    if sparse is True:
        ways.append(coloured(program, mode, None))
        mode = "coloured"
    elif sparse and mode == "auto" and least > MANY:
        with suppress(TooDense):
            ways.append(coloured(program, mode, least // SLOWER))
    return Choice(ways, mode)


def coloured(program: LinearProgram, mode: str, limit: int | None) -> Way:
    """By sums of unit vectors; finding them takes about `limit` operations at most.

    Raises:
        TooDense: that isn't enough, or the Jacobian isn't sparse.
    """
    code = program.code
    whole = tuple(
        (v.index, x.dtype, x.shape, np.asarray(x).tobytes())
        for v in code.residuals
        if not is_traced(x := program.residuals[v.index]) and x.dtype.kind in "biu"
    )
    if (plan := _planned(code, whole, mode, limit)) is None:
        raise TooDense
    n, m = width(code.inputs), width(code.outputs)
    run = (plan.forward + plan.reverse) * cost(code) + n * m
    return Way("coloured", (plan.reverse, plan.forward), run, plan=plan)


@lru_cache(maxsize=256)
def _planned(code: Code, whole, mode: str, limit: int | None) -> Plan | None:
    """The plan for all residuals, but that those of whole numbers are known.

    None: it is too dense, which is remembered too.
    """
    residuals = {v.index: v.aval for v in code.residuals}
    for i, dtype, shape, data in whole:
        residuals[i] = np.frombuffer(data, dtype).reshape(shape)
    program = LinearProgram(
        code, [residuals.get(i) for i in range(1 + max(residuals, default=-1))]
    )
    try:
        found = Sparsity(pattern(program, limit), "global")
    except TooDense:
        return None
    if limit is not None and 2 * found.nnz > math.prod(found.shape):
        return None
    return jacobian_plan(found, mode, 0)


def bottleneck(code: Code) -> Way | None:
    """The cheapest place to cut a program, if there is one inside it.

    It isn't where numbers are complex: what leads to them, or from them, needn't be a
    matrix of complex numbers (the real part isn't one).
    """
    if any(v.aval.dtype.kind == "c" for v in code.inputs):
        return None
    n, m = width(code.inputs), width(code.outputs)
    costs = np.cumsum([0, *map(cost_of, code.equations)])
    found = None
    for k, variables in enumerate(live(code)):
        through = width(variables)
        is_real = all(v.aval.dtype.kind != "c" for v in variables)
        if 0 < k < len(code.equations) and through and is_real:
            run = through * int(costs[-1]) + 2 * n * through * m
            if found is None or run < found.cost:
                found = Way("mixed", (through, through), run, k, through)
    return found


def live(code: Code) -> list[list[Var]]:
    """Of each place before an equation, and the end, what is read behind it."""
    reading: dict[int, Var] = {v.index: v for v in code.outputs if type(v) is Var}
    found = [list(reading.values())]
    for eqn in reversed(code.equations):
        for v in eqn.outputs:
            reading.pop(v.index, None)
        reading.update((x.index, x) for x in eqn.operands if type(x) is Var)
        found.append([reading[i] for i in sorted(reading)])
    return found[::-1]


def inlined(program: LinearProgram) -> LinearProgram:
    """The same program with the equations of calls in place of these.

    Equations that come from one primitive have one source still, and those of two calls
    of the same code have two.
    """
    recorder = Recorder([v.aval for v in program.code.inputs])

    def run(program, inputs, call=None):
        sources: dict[int, Any] = {}

        def do(eqn, operands):
            if eqn.operator is jit:
                kept = eqn.params["kept"]
                inner = LinearProgram(eqn.params["code"], operands[:kept])
                return run(inner, operands[kept:], _called(eqn.source, call))
            source = eqn.source
            if call is not None:
                source = sources.setdefault(id(source), _called(source, call))
            return recorder.again(eqn, operands, source)

        return forward(program.code, inputs, do, program.value)

    return recorder.program(run(program, recorder.inputs))


def _called(source: tuple[Any, Any], call: tuple[Any, Any] | None) -> tuple[Any, Any]:
    """A source of its own for what a call contains, on its line if none is known."""
    primitive, place = source
    return primitive, place if call is None or line_of(place) else call[1]


# --- The passes -----------------------------------------------------------------------


def through(program: LinearProgram, way: Way, chunk_size: int | None) -> jax.Array:
    """The matrix of a program, by the two parts before and behind a bottleneck."""
    code = program.code
    middle = live(code)[way.cut]
    first = Code(code.inputs, middle, code.equations[: way.cut])
    second = Code(middle, code.outputs, code.equations[way.cut :])
    ins, outs, mid = (
        [v.aval for v in vs] for vs in (code.inputs, code.outputs, middle)
    )
    dtype = jnp.result_type(*[x.dtype for x in (*ins, *outs)])
    before = LinearProgram(first, program.residuals)
    behind = LinearProgram(second, program.residuals)
    to_inputs = passes(before.transpose, mid, chunk_size=chunk_size)
    to_outputs = passes(behind.apply, mid, chunk_size=chunk_size)
    left = rows(to_outputs, outs, way.through, dtype)
    return left.T @ rows(to_inputs, ins, way.through, dtype)


# --- What users call ------------------------------------------------------------------


@entry
def jacobian(
    fun: Callable,
    argnums: int | Iterable[int] | EllipsisType = ...,
    has_aux: bool = False,
    holomorphic: bool = False,
    allow_int: bool = False,
    *,
    argnames: str | Sequence[str] | None = None,
    mode: str = "auto",
    chunk_size: int | None = None,
    sparse: bool | str = "auto",
) -> Callable:
    """The Jacobian of `fun`, by the mode that is estimated to be the cheapest.

    `fun` is linearized once, and the linear program run as often as it takes.

    Args:
        fun, argnums, has_aux, holomorphic, allow_int, argnames: as in `jacrev`.
        mode: "forward", a pass for each number that goes in; "reverse", one for each
            that comes out; "mixed", from a bottleneck in both directions; "auto".
        chunk_size: how many passes are made at a time: memory grows with it.  By
            default all at once.
        sparse: whether unit vectors that never meet go together, as in
            `sparse_jacobian`: True, in the passes of `mode`; "auto", if `mode` is, and
            the Jacobian is found to be so sparse that this is the cheapest way; False.

    Returns:
        a function of the same arguments that returns the Jacobian, as `jacrev`.  Its
        attribute `choice`, a function of the same arguments too, returns the ways that
        there are, the one taken first, with what they cost; print it.

    Raises:
        ValueError: `mode` or `sparse` isn't one of these, or `chunk_size` isn't
            positive; when called, what `jacrev` raises.

    Example:

        >>> f = lambda x: jnp.sin(x) * jnp.sum(x)
        >>> jacobian(f)(jnp.zeros(2))
        Array([[0., 0.],
               [0., 0.]], dtype=float32)
        >>> print(jacobian(f).choice(jnp.zeros(2)))
        mixed    ...
    """
    if mode not in MODES:
        raise ValueError(
            f"jacobian: mode is {mode!r}; pass one of {', '.join(map(repr, MODES))}"
        )
    check_chunk_size("jacobian", chunk_size)
    if not isinstance(sparse, bool) and sparse != "auto":
        raise ValueError(f"jacobian: sparse is {sparse!r}; pass 'auto', True or False")
    if sparse is True and mode == "mixed":
        raise ValueError(
            "jacobian: a 'mixed' Jacobian isn't coloured; pass sparse=False, or one of "
            "mode='auto', 'forward', 'reverse'"
        )
    selection = select("jacobian", fun, argnums, argnames)

    def linearized(args, kwargs) -> tuple[LinearizedCall, LinearProgram, Choice]:
        selected = selection(args, kwargs)
        call = linearized_call("jacobian", selected, has_aux, holomorphic, allow_int)
        program = inlined(call.program.prune())
        return call, program, choice(program, mode, sparse)

    @partial(entry, like=fun)
    def jacobian_f(*args, **kwargs):
        call, program, found = linearized(args, kwargs)
        spaces = call.domain, call.codomain
        with wide_enough(call.domain.avals):
            try:
                table = tabulated(program, found.way, *spaces, chunk_size)
            except (NotLinear, TypeError):
                if mode != "auto":
                    raise
                # A user's rule that has no forward mode: then by reverse mode.
                table = tabulated(program, BACKWARD, *spaces, chunk_size)
        return call.result(table)

    @entry
    def choose(*args, **kwargs) -> Choice:
        return linearized(args, kwargs)[-1]

    found: Any = jacobian_f
    found.choice = choose
    return found


BACKWARD = Way("reverse", (0, 0), 0)


def tabulated(
    program, way: Way, domain: Space, codomain: Space, chunk_size
) -> list[list[Any]]:
    """The blocks of the Jacobian, by output leaf and input leaf."""
    if way.mode == "reverse":
        avals = codomain.moving_avals
        found = passes(program.transpose, avals, chunk_size=chunk_size)
        return by_rows(found, domain, codomain)
    if way.mode == "forward":
        moved = passes(program.apply, domain.moving_avals, chunk_size=chunk_size)
        columns = [jnp.moveaxis(y, 0, -1) for y in moved]
    else:
        if way.plan is None:
            matrix = through(program, way, chunk_size)
        else:
            matrix = way.plan.dense(way.plan.entries(program, chunk_size))
        return from_matrix(matrix, domain, codomain)
    return by_columns(columns, domain, codomain)


def from_matrix(matrix: jax.Array, domain: Space, codomain: Space) -> list[list[Any]]:
    """The same of the whole Jacobian, numbers that come out by numbers that go in."""
    columns = [
        part.reshape(*aval.shape, matrix.shape[1]).astype(aval.dtype)
        for part, aval in zip(
            cut(matrix, codomain.sizes, 0), codomain.moving_avals, strict=True
        )
    ]
    return by_columns(columns, domain, codomain)


def by_columns(
    columns: Sequence[Any], domain: Space, codomain: Space
) -> list[list[Any]]:
    """The same of what became of the inputs' basis, the last axis, at each output."""
    found = zip(spread(columns, codomain.moving), codomain.avals, strict=True)
    return [
        [
            as_typed(block, x.update(shape=block.shape))  # as by rows
            for block, x in zip(blocks(y, aval, domain, -1), domain.avals, strict=True)
        ]
        for y, aval in found
    ]
