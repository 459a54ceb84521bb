"""Code that a primitive runs, taken apart: what runs forward, and what moves with it.

A control structure holds the code that it runs as a jaxpr.  Its `Derivative` is

    forward    a jaxpr: operands -> outputs, then the residuals of the linear program
    code       the linear program over those residuals, from the tangents of the
               operands that move to the tangents of the outputs

and a structure is then a matter of where the residuals go: one from each step of a loop
are stacked, those of the branches of a conditional share places, those of a checkpoint
are computed again.  In forward mode both run together, and residuals go nowhere.

What the structure does to tangents is an `Operator`: a linear operator like JAX's
primitives, but one that runs code.  Its transpose is the same structure of the
transposed code.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextvars import ContextVar
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary, ref

import jax

from jaxkit import tracing
from jaxkit.arithmetic import run_recording
from jaxkit.keeping import budget
from jaxkit.program import Code, LinearProgram, NotTransposable, Var, Zero, reached
from jaxkit.rules.table import RULES
from jaxkit.rules.verbs import transposable
from jaxkit.tangents import Refused, given, moves, spread


def code_reaches(there, *, code, **params) -> list[bool | None]:
    """Where cotangents arrive if the operator runs one linear program."""
    return reached(code, there)


def reached_in_steps(code: Code, n_consts: int, carry, ys=()) -> tuple[list, list]:
    """Where cotangents of a loop's carry are in some step, and all that arrive at last.

    The code of a step has `n_consts` constants and then the carry as inputs.
    """
    while True:  # what arrives at the carry in one step is there in the next
        arrives = reached(code, (*carry, *ys))
        pairs = zip(carry, arrives[n_consts:], strict=False)
        after = [x or y for x, y in pairs]
        if after == carry:
            return carry, arrives
        carry = after


def code_inside(i: int, code: Any = None, **params) -> list[tuple[Code, int]]:
    """Where a residual is if all are those of one code; a user's rule has none."""
    return [(code, i)] if isinstance(code, Code) else []


def so_many(number: int, of: str) -> str:
    return f"{number} {of}{'' if number == 1 else 's'}"


class OneOf(NamedTuple):
    """What an operator runs: one of these linear programs, or their transposes."""

    programs: Sequence[LinearProgram]
    transposed: bool = False


class Repeated(NamedTuple):
    """What a loop runs: one code again and again.

    Attributes:
        code: of a step, from the tangents of `n_consts` constants, of the carry (of
            `n_carry`), and of slices, to those of the carry and of what is stacked.
        length: how many steps there are; None if that isn't known.
        residuals: of a step, and whether each is `stacked`: an array of all steps.
        reverse: whether it begins with the last slice.
    """

    code: Code
    n_consts: int
    n_carry: int
    length: int | None
    residuals: Sequence[Any]
    stacked: Sequence[bool]
    reverse: bool = False

    def program(self, t: int) -> LinearProgram:
        """That of step t."""

        def at(x, stacked):
            if not stacked:
                return x
            if isinstance(x, tracing.ShapedArray):
                return x.update(shape=x.shape[1:])
            return x[t]

        return LinearProgram(self.code, list(map(at, self.residuals, self.stacked)))

    def any_program(self) -> LinearProgram:
        """One that stands for that of any step: what is the same in all is known."""

        def of_all(x, stacked):
            if not stacked:
                return x
            if isinstance(x, tracing.ShapedArray):
                return x.update(shape=x.shape[1:])
            same = len(x) and (x == x[:1]).all()
            return x[0] if same else tracing.typeof(x).update(shape=x.shape[1:])

        return LinearProgram(self.code, list(map(of_all, self.residuals, self.stacked)))


class Operator:
    """A linear operator that runs code, of `kept` residuals and then tangents.

    `apply(residuals, tangents, **params)` returns the tangents of its outputs, and
    `transpose(residuals, cts, **params)` the cotangents of its tangents, of which
    `reaches(there, **params)` says where something may arrive (see `Rule`).
    `inside(i, **params)` says in which codes residual i is a residual, and of which
    number; `entries(i, params)`, what there is in it if it is of a loop: "9 steps".
    `opened(residuals, tangents, **params)` says what it runs, of residuals of which
    some are known, and others abstract types, and the types of the tangents: `OneOf`,
    `Repeated`, or None if that can't be told.
    """

    multiple_results = True

    def __init__(
        self,
        name: str,
        apply: Callable,
        transpose: Callable,
        reaches=code_reaches,
        inside=code_inside,
        entries=lambda i, params: "",
        opened=lambda residuals, tangents, **params: None,
    ):
        self.name, self.apply = name, apply
        self.inside, self.entries, self.opened = inside, entries, opened

        def pull(cts, *operands, kept, **params):
            return [None] * kept + list(transpose(operands[:kept], cts, **params))

        transposable(self, pull, operands=lambda n, kept, **params: range(kept, n))
        RULES[self].transposed_by = (transpose,)

        def arrives(there, params):
            rest = {name: x for name, x in params.items() if name != "kept"}
            return [None] * params["kept"] + list(reaches(there, **rest))

        RULES[self].reaches = arrives

    def bind(self, *operands, kept: int, **params):
        return self.apply(operands[:kept], operands[kept:], **params)

    def __repr__(self):
        return self.name


def check_that_devices_meet(decision, avals, what: str, differs: str) -> None:
    """Raise NotTransposable if not all devices come to a sum over them.

    Cotangents of these types, of operands of `what`, are summed over the devices along
    which they don't vary, where `decision` may.
    """
    axes = tracing.varying_axes(decision)
    for aval in avals:
        if missing := sorted(axes - aval.manual_axis_type.varying, key=str):
            text = ", ".join(map(repr, missing))
            raise NotTransposable(
                f"reverse mode can't pass through {what}",
                f"{differs} differs from device to device along {text}, and an "
                f"operand, {aval.str_short()}, doesn't: its cotangents are summed over "
                "devices inside, where not all of them arrive.",
                f"Pass the operand as jax.lax.pcast(x, ({text},), to='varying').",
            )


class Structure(NamedTuple):
    """Code at a point, taken apart; what an output hasn't got is None.

    Attributes:
        taken, moving: of each operand whether its primal is taken, and whether it has
            a tangent (None: one that is refused); one that isn't taken is a tangent
            alone.
        jvp: (primals, tangents) -> (outputs, their tangents)
        forward: (primals) -> (outputs, residuals)
        operator: what happens to the tangents, given the residuals.
        parameters: () -> (which outputs move, the operator's parameters)
        refusals: by the number of each output whose tangent is refused the error
            (None: that of an operand); all are in it once one of the functions has run.
    """

    taken: tuple[bool, ...]
    moving: tuple[bool | None, ...]
    jvp: Callable
    forward: Callable
    operator: Operator
    parameters: Callable[[], tuple[Sequence[bool | None], dict[str, Any]]]
    refusals: dict[int, Exception | None]

    def arranged(self, primals, tangents) -> tuple[list[Any], list[Any]]:
        """(the primals that are taken, tangents for the operands that move)"""
        moved = []
        for x, dx, there in zip(primals, tangents, self.moving, strict=True):
            if there:
                moved.append(Zero(tracing.typeof(x)) if dx is None else dx)
        taken = zip(primals, self.taken, strict=True)
        return [x for x, there in taken if there], moved


def structure(taken, moving, known, live, forward, jvp, refusals, operator, **params):
    """A `Structure`, given functions that return only the outputs that are known, and
    only the tangents of those that are live.
    """

    def full_jvp(primals, tangents):
        outs, moved = jvp(primals, tangents)
        return spread(outs, known), spread(moved, live)

    def full_forward(primals):
        outs, residuals = forward(primals)
        return spread(outs, known), residuals

    run, parameters = forward if all(known) else full_forward, (live, params)
    parts = taken, moving, full_jvp, run, operator
    return Structure(*parts, lambda: parameters, refusals)


def per_jaxpr(make: Callable) -> Callable:
    """Remember what `make(jaxpr, *key)` made for as long as the jaxpr is alive.

    `make` gets a weak reference: a jaxpr holds the arrays its function closes over, and
    what is made must not keep it alive.  Jaxprs in `key` are kept as long.  It is made
    anew when the table of rules has changed, for what else may be kept (`keeping`), and
    for loops in loops.
    """
    made = WeakKeyDictionary()

    def get(jaxpr, *key):
        entries, given = made.setdefault(jaxpr, {}), key
        key = RULES.edition, budget(), _in_loop.get(), *key
        if key not in entries:
            entries[key] = make(ref(jaxpr), *given)
        return entries[key]

    return get


class Derivative:
    """The derivative of a closed jaxpr, for operands that are known and that move.

    An operand that moves and isn't known is a tangent alone: in it the jaxpr is its own
    linear program, and what depends on it isn't known.

    Attributes:
        call: from primals to the outputs that are known, and the residuals that are
            new; compiled by `jit`.
        forward: the jaxpr of that; its `equations`, `constants`, `inputs`, `outputs`.
        residuals: their variables, and `places`: the number of the input that it is,
            or None if it is new.
        code: the linear program, from the tangents of all operands that move.
        known, live: which of the outputs are known, and which move (None: the tangent
            is refused).
        refusals: of those by number the error, None for that of an operand.
    """

    code: Code
    known: tuple[bool, ...]
    live: tuple[bool | None, ...]
    refusals: dict[int, Exception | None]
    places: tuple[int | None, ...]

    def __init__(self, jaxpr: Any, known, moving, inline=False, jit: Any = jax.jit):
        def forward(*primals):
            outs, moved, recorder, _ = run_recording(
                runner(jaxpr, inline), spread(primals, known), moving, avals
            )
            self.refusals = refusals_of(moved)
            self.live = tuple(
                [None if type(t) is Refused else t is not None for t in moved]
            )
            outputs = [
                t if type(t) is Var else Zero(aval)
                for t, aval in zip(moved, out_avals, strict=True)
                if moves(aval.dtype)
            ]
            program = recorder.program(outputs).prune()
            numbers = {id(x): i for i, x in enumerate(primals)}
            self.places = tuple([numbers.get(id(x)) for x in program.residuals])
            self.code = program.code
            self.known = tuple([y is not None for y in outs])
            return given(outs), self.new(program.residuals)

        avals, out_avals = jaxpr().in_avals, jaxpr().out_avals
        taken = [aval for aval, there in zip(avals, known, strict=True) if there]
        self.call = jit(forward)
        self.forward = self.call.trace(*taken).jaxpr  # which calls use again
        # Of each output that can move the tangent, a Var or a Zero.
        can_move = [moves(aval.dtype) for aval in out_avals]
        self.tangents = spread(self.code.outputs, can_move)

        inside, n = tracing.open_jaxpr(self.forward), sum(self.known)
        self.equations, self.constants = inside.eqns, inside.constvars
        self.inputs, self.outputs = inside.invars, inside.outvars[:n]
        self.residuals = self.all(inside.outvars[n:], self.inputs)

    def code_of(self, outputs: Sequence[bool | None]) -> Code:
        """The linear program's code, with the tangents of these outputs alone."""
        chosen = [t for t, there in zip(self.tangents, outputs, strict=True) if there]
        return Code(self.code.inputs, chosen, self.code.equations)

    def run(self, primals) -> tuple[list[Any], list[Any]]:
        """(outputs, residuals)"""
        values = tracing.run_jaxpr_here(self.forward, primals)
        n = len(self.outputs)
        return values[:n], self.all(values[n:], primals)

    def jvp(self, code: Code, primals, tangents) -> tuple[list[Any], list[Any]]:
        """(outputs, what `code` makes of the tangents)"""
        outs, residuals = self.run(primals)
        return outs, LinearProgram(code, residuals).apply(tangents)

    def new(self, residuals: Sequence[Any]) -> list[Any]:
        """Those of the residuals, or of what belongs to them, that aren't inputs."""
        pairs = zip(residuals, self.places, strict=True)
        return [x for x, place in pairs if place is None]

    def all(self, new: Sequence[Any], inputs: Sequence[Any]) -> list[Any]:
        """All of the residuals, given those that are new, and the inputs."""
        rest = iter(new)
        return [next(rest) if i is None else inputs[i] for i in self.places]


derivative_of = per_jaxpr(Derivative)

_in_loop = ContextVar("in_loop", default=False)


def step_of(jaxpr, known, moving) -> Derivative:
    """The derivative of a loop's body; in it `is_in_loop` holds."""
    token = _in_loop.set(True)
    try:
        return derivative_of(jaxpr, known, moving)
    finally:
        _in_loop.reset(token)


is_in_loop = _in_loop.get


def refusals_of(tangents: Sequence[Any]) -> dict[int, Exception | None]:
    """The errors of those that are refused, by number, to be kept."""
    return {
        i: t.error and t.error.with_traceback(None)
        for i, t in enumerate(tangents)
        if type(t) is Refused
    }


def runner(jaxpr: Callable, inline=False) -> Callable:
    """A jaxpr, got by `jaxpr()`, as a flat function (see `dual.Arithmetic.run`)."""
    return lambda values: (tracing.run_jaxpr_here(jaxpr(), values, inline), [])


def states(primals, tangents) -> tuple[tuple[bool, ...], tuple[bool | None, ...]]:
    """Of each operand whether its primal is known, and whether it has a tangent.

    None: it has one that is refused.
    """
    known = tuple([x is not None for x in primals])
    return known, tuple(
        [None if type(dx) is Refused else dx is not None for dx in tangents]
    )


def settled(jaxpr, known, moving, carry: range) -> tuple[tuple, tuple, dict]:
    """Which operands of a loop's body are known and which move, in all steps.

    Given is what holds in the first step, and where among the operands are those that
    the first outputs replace in each step.  What moves in one step moves from then on,
    what is refused is refused, and what a tangent alone replaced has no primal.  Also
    returns the refusals of outputs; an operand that one step refuses is the reason for
    those of the next.
    """
    refusals: dict[int, Exception | None] = {}
    while True:
        step = step_of(jaxpr, known, moving)
        refusals = step.refusals | refusals
        after_known, after_moving = list(known), list(moving)
        for place, there, live in zip(carry, step.known, step.live, strict=False):
            after_known[place] &= there
            before = after_moving[place]
            refused = live is None or before is None
            after_moving[place] = None if refused else before or live
        if (after := (tuple(after_known), tuple(after_moving))) == (known, moving):
            reason = next((error for error in refusals.values() if error), None)
            return *after, {i: error or reason for i, error in refusals.items()}
        known, moving = after
