"""`jax.checkpoint`: residuals that are computed again instead of kept.

The forward jaxpr of what is checkpointed is cut in two.  What its policy allows is
saved (nothing, by default, but the operands), and from that the linear operator
recomputes the residuals when it is applied or transposed (Griewank & Walther 2008,
ch. 12).
"""

from __future__ import annotations

from typing import Any

import jax
from jax import lax
from jax.ad_checkpoint import Offloadable, Saveable
from jax.extend.core import primitives

from jaxkit import tracing
from jaxkit.control.linearized import (
    derivative,
    linearized,
    needed,
    per_jaxpr,
)
from jaxkit.linear import LinearProgram
from jaxkit.rules.table import structured, transposable


@structured(primitives.remat_p)
def _(primitive, arithmetic, primals, tangents, params):
    moving = tuple(dx is not None for dx in tangents)
    options = params["policy"], params["prevent_cse"]
    region = _regions(params["jaxpr"], moving, arithmetic.linear, *options)
    return derivative(
        region, arithmetic, primals, tangents, linear_checkpoint, region=region
    )


class Region:
    """A checkpointed jaxpr, cut into what is saved and what is computed again.

    Attributes:
        first: the equations of the forward pass.
        saved: the variables it keeps, and where in memory (None: where they are).
        again: the equations that compute the residuals from those.
    """

    def __init__(self, jaxpr, moving, linear, policy, prevent_cse):
        # A policy is asked about single operations, so calls are run inline.
        self.lin = lin = linearized(jaxpr(), moving, linear, True)
        self.live = lin.live
        self.code = lin.code_of(self.live)
        self.prevent_cse = prevent_cse

        allowed = _allowed(policy, lin.equations)
        have = {*lin.constants, *lin.inputs, *allowed}
        self.again = needed(lin.equations, lin.residuals, have)
        read = [v for eqn in self.again for v in eqn.invars] + list(lin.residuals)
        read = dict.fromkeys(tracing.variables(read))
        self.saved = {v: allowed.get(v) for v in read if v in have}
        for v in lin.constants:
            self.saved.pop(v, None)
        known = {*lin.constants, *lin.inputs}
        wanted = [*lin.outputs, *self.saved]
        self.first = needed(lin.equations, wanted, known, effects=True)

        options = {"policy": policy, "prevent_cse": prevent_cse}
        self.jvp = jax.checkpoint(self._jvp, **options)
        self.apply = jax.checkpoint(self._apply, **options)
        self.pull_back = jax.checkpoint(self._pull_back, **options)

    def linearize(self, primals):
        """(outputs, what is saved)"""
        env = tracing.environment(self.lin.forward, primals)
        tracing.run_equations(self.first, env)
        outs = [tracing.read(env, v) for v in self.lin.outputs]
        return outs, [_moved(env[v], to and to.dst) for v, to in self.saved.items()]

    def _jvp(self, primals, tangents):
        """(outputs, tangents of those that are live)"""
        outs, residuals = self.lin.run(primals)
        return outs, LinearProgram(self.code, residuals).apply(tangents)

    def _program(self, saved, tangents):
        """The linear program, computed again, and the tangents to run it with.

        What goes in passes a barrier, lest XLA find that it has seen all this before.
        """
        if self.prevent_cse:
            saved, tangents = _barrier(saved, tangents)
        env = dict(zip(self.lin.constants, self.lin.forward.consts, strict=True))
        for (v, to), x in zip(self.saved.items(), saved, strict=True):
            env[v] = _moved(x, to and to.src)
        tracing.run_equations(self.again, env)
        residuals = [tracing.read(env, v) for v in self.lin.residuals]
        return LinearProgram(self.code, residuals), tangents

    def _apply(self, saved, tangents):
        program, tangents = self._program(saved, tangents)
        return program.apply(tangents)

    def _pull_back(self, saved, cts):
        program, cts = self._program(saved, cts)
        return program.transpose(cts)


_regions = per_jaxpr(Region)


def _barrier(*lists):
    """The lists behind a barrier; None stays None.

    One for each group of values that vary over the same axes of a mesh: until JAX 0.11,
    what passes a barrier together varies alike.
    """
    leaves, tree = jax.tree.flatten(lists)
    groups: dict[Any, list[int]] = {}
    for i, x in enumerate(leaves):
        groups.setdefault(tracing.typeof(x).manual_axis_type.varying, []).append(i)
    for places in groups.values():
        passed = lax.optimization_barrier([leaves[i] for i in places])
        for i, x in zip(places, passed, strict=True):
            leaves[i] = x
    return jax.tree.unflatten(tree, leaves)


def _allowed(policy, equations) -> dict[Any, Offloadable | None]:
    """The variables that a policy lets be saved, and where in memory if it says so."""
    allowed = {}
    for eqn in equations if policy else ():
        avals = [v.aval for v in eqn.invars]
        verdict = policy(eqn.primitive, *avals, **eqn.params)
        if isinstance(verdict, Offloadable):
            allowed.update(dict.fromkeys(eqn.outvars, verdict))
        elif verdict is True or verdict is Saveable:
            allowed.update(dict.fromkeys(eqn.outvars))
    return allowed


def _moved(x, memory: str | None) -> Any:
    """x in the memory so named, the device's or the host's; where it is if None."""
    if memory is None:
        return x
    space = jax.memory.Space
    return jax.device_put(x, space.Device if memory == "device" else space.Host)


class LinearCheckpoint:
    """Linear operator: a program whose residuals are recomputed.

    Operands: what was saved, then the tangents.
    """

    name = "checkpoint"
    multiple_results = True

    def __repr__(self):
        return self.name

    def bind(self, *operands, region: Region):
        n = len(region.saved)
        return region.apply(list(operands[:n]), list(operands[n:]))


linear_checkpoint = LinearCheckpoint()


def _transpose(cts, *operands, region: Region):
    n = len(region.saved)
    return [None] * n + region.pull_back(list(operands[:n]), cts)


transposable(linear_checkpoint, _transpose, operands=None)
