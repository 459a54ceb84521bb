"""The derivative of a loop is a loop of derivatives: `lax.scan` in both modes.

A step's linear program depends on residuals that the step leaves.  Forward mode runs
both in one loop.  For reverse mode a first loop leaves the residuals of all steps,
stacked, and a second one, in the opposite direction, pulls cotangents back through
them.  Of the residuals only those that differ from step to step are stacked: what is a
constant of the loop, or depends on constants alone, is computed and kept once.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

from jax import lax
from jax.extend.core import primitives

from jaxkit import tracing
from jaxkit.control.linearized import (
    compiled,
    derivative,
    filled,
    linearized,
    needed,
    per_jaxpr,
    settled,
    with_zeros,
)
from jaxkit.linear import Code, LinearProgram
from jaxkit.rules.table import structured, transposable
from jaxkit.tangents import zeros


@structured(primitives.scan_p)
def _(primitive, arithmetic, primals, tangents, params):
    scan = tracing.scan_layout(params)
    carry = slice(scan.n_consts, scan.n_consts + scan.n_carry)
    moving = [dx is not None for dx in tangents]
    moving = settled(scan.body, moving, arithmetic.linear, carry)
    tangents = with_zeros(primals, tangents, moving)
    lengths = scan.n_consts, scan.n_carry
    steps = _steps(scan.body, *lengths, scan.options, moving, arithmetic.linear)
    params = steps.loop._asdict()
    return derivative(steps, arithmetic, primals, tangents, linear_scan, **params)


class Loop(NamedTuple):
    """A scan of linear programs: the static part.

    `code` maps the tangents of constants, carry and slices to those of carry and ys;
    `stacked` says which of its residuals are different in each step.
    """

    code: Code
    stacked: tuple[bool, ...]
    n_consts: int
    n_carry: int
    options: tuple[tuple[str, Any], ...]

    def split(self, operands: Sequence[Any]):
        """(residuals, tangents of consts, of the carry, of xs) among the operands."""
        n = len(self.stacked)
        m = n + self.n_consts
        k = m + self.n_carry
        return operands[:n], operands[n:m], operands[m:k], operands[k:]

    def sort(self, residuals) -> tuple[list[Any], list[Any]]:
        """(residuals that are the same in all steps, those that are stacked)"""
        kinds = list(zip(residuals, self.stacked, strict=True))
        return [x for x, s in kinds if not s], [x for x, s in kinds if s]

    def program(self, fixed, slices) -> LinearProgram:
        """The linear program of the step with these slices of stacked residuals."""
        fixed, slices = iter(fixed), iter(slices)
        residuals = [next(slices if s else fixed) for s in self.stacked]
        return LinearProgram(self.code, residuals)


class Steps:
    """The steps of a scan, taken apart: what runs before the loop, and what in it."""

    def __init__(self, body, n_consts, n_carry, options, moving, linear):
        self.step = step = linearized(body(), moving, linear)
        self.n_consts, self.n_carry, self.options = n_consts, n_carry, options
        carry = slice(n_consts, n_consts + n_carry)
        self.live = (*moving[carry], *step.live[n_carry:])

        known, constant = {*step.constants, *step.inputs[:n_consts]}, []
        start, computed = frozenset(known), []
        for eqn in step.equations:
            inputs = tracing.variables(eqn.invars)
            if known.issuperset(inputs) and not eqn.effects:
                constant.append(eqn)
                known.update(eqn.outvars)
                computed += eqn.outvars if inputs else []
        stacked = [not tracing.is_literal(v) and v not in known for v in step.residuals]
        kinds = list(zip(step.residuals, stacked, strict=True))
        # What has no inputs, such as a number that was filled into an array, is no
        # work; it runs in the loop, where XLA folds it, unless it is a residual.
        fixed = [v for v, s in kinds if not s]
        self.before = needed(constant, [*fixed, *computed], start)
        early = set(map(id, self.before))
        self.inside = [eqn for eqn in step.equations if id(eqn) not in early]
        # What the loop need not leave, since it is there, stacked, already.
        there = {*step.inputs[carry.stop :]}
        there.update(tracing.variables(step.outputs[n_carry:]))
        self.left = list(dict.fromkeys(v for v, s in kinds if s and v not in there))

        code = step.code_of(self.live)
        n_moving = sum(moving[:n_consts]), sum(moving[carry])
        self.loop = Loop(code, tuple(stacked), *n_moving, options)
        self.linearize = compiled(self._linearize)
        self.jvp = compiled(self._jvp)

    def _start(self, primals):
        """(variables known before the loop, the first carry, xs)"""
        n = self.n_consts + self.n_carry
        env = tracing.environment(self.step.forward, primals)
        for v in self.step.inputs[self.n_consts :]:
            del env[v]  # known step by step
        tracing.run_equations(self.before, env)
        return env, primals[self.n_consts : n], primals[n:]

    def _run_step(self, env, carry, xs):
        """(the next carry, ys, all variables) of one step."""
        env = env | dict(
            zip(self.step.inputs[self.n_consts :], [*carry, *xs], strict=True)
        )
        tracing.run_equations(self.inside, env)
        outs = [tracing.read(env, v) for v in self.step.outputs]
        return outs[: self.n_carry], outs[self.n_carry :], env

    def _linearize(self, primals):
        """(outputs, residuals)"""
        env, carry, xs = self._start(primals)

        def step(carry, xs):
            carry, ys, inside = self._run_step(env, carry, xs)
            return carry, (ys, [inside[v] for v in self.left])

        carry, (ys, left) = lax.scan(step, carry, xs, **dict(self.options))
        slices = self.step.inputs[self.n_consts + self.n_carry :]
        found = dict(zip(slices, xs, strict=True))
        outputs = zip(self.step.outputs[self.n_carry :], ys, strict=True)
        found |= {v: y for v, y in outputs if not tracing.is_literal(v)}
        found |= dict(zip(self.left, left, strict=True)) | env
        return [*carry, *ys], [tracing.read(found, v) for v in self.step.residuals]

    def _jvp(self, primals, tangents):
        """(outputs, tangents of those that are live)"""
        env, carry, xs = self._start(primals)
        tangents_alone = self.loop._replace(stacked=())  # no residuals among them
        _, d_consts, d_carry, d_xs = tangents_alone.split(tangents)

        def step(duals, slices):
            carry, ys, inside = self._run_step(env, duals[0], slices[0])
            residuals = [tracing.read(inside, v) for v in self.step.residuals]
            program = LinearProgram(self.loop.code, residuals)
            moved = program.apply([*d_consts, *duals[1], *slices[1]])
            n = len(d_carry)
            return (carry, moved[:n]), (ys, moved[n:])

        (carry, d_carry), (ys, d_ys) = lax.scan(
            step, (carry, d_carry), (xs, d_xs), **dict(self.options)
        )
        return [*carry, *ys], [*d_carry, *d_ys]


_steps = per_jaxpr(Steps)


class LinearScan:
    """Linear operator: a scan of linear programs.

    Operands: their residuals, then the tangents of constants, first carry, and xs.
    """

    name = "scan"
    multiple_results = True

    def __repr__(self):
        return self.name

    def bind(self, *operands, **params):
        return _apply(operands, loop=Loop(**params))


linear_scan = LinearScan()


@partial(compiled, static=("loop",))
def _apply(operands, loop: Loop):
    residuals, consts, carry, xs = loop.split(operands)
    fixed, stacked = loop.sort(residuals)

    def step(carry, slices):
        program = loop.program(fixed, slices[0])
        outs = program.apply([*consts, *carry, *slices[1]])
        return outs[: loop.n_carry], outs[loop.n_carry :]

    carry, ys = lax.scan(step, list(carry), (stacked, list(xs)), **dict(loop.options))
    return [*carry, *ys]


def _transpose(cts, *operands, **params):
    loop = Loop(**params)
    residuals, *_ = loop.split(operands)
    return [None] * len(residuals) + _pull_back(residuals, cts, loop=loop)


@partial(compiled, static=("loop",))
def _pull_back(residuals, cts, loop: Loop):
    fixed, stacked = loop.sort(residuals)
    n_consts, n_carry = loop.n_consts, loop.n_carry
    inputs = [v.aval for v in loop.code.inputs[: n_consts + n_carry]]
    start = [zeros(aval) for aval in inputs[:n_consts]]
    last = filled(cts[:n_carry], inputs[n_consts:])

    def step(duals, slices):
        sums, ct_carry = duals
        program = loop.program(fixed, slices[0])
        cts = program.transpose([*ct_carry, *slices[1]])
        sums = [
            total if ct is None else lax.add(total, ct)
            for total, ct in zip(sums, cts[:n_consts], strict=True)
        ]
        ct_carry = filled(cts[n_consts : n_consts + n_carry], inputs[n_consts:])
        return (sums, ct_carry), cts[n_consts + n_carry :]

    options = dict(loop.options)
    options["reverse"] = not options["reverse"]
    (sums, ct_carry), ct_xs = lax.scan(
        step, (start, last), (stacked, cts[n_carry:]), **options
    )
    return [*sums, *ct_carry, *ct_xs]


transposable(linear_scan, _transpose, operands=None)
