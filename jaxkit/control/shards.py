"""`jax.shard_map`: the derivative of what each device does is done by each device.

The body of a shard_map runs on every device of a mesh, on a shard of each operand.  It
is linearized where it runs, so that collectives find their axes, and its derivative is
a shard_map again.  Residuals leave the mesh between the two, one from each device,
stacked along an axis of their own; an operand that is a residual stays where it is.

How shards make an array decides how it is transposed.  A device that holds a copy of
an operand gives a term of its cotangent, and of a result that several devices hold,
each gives an equal share:

    x_d = x[shard of d]                      ct = sum of ct_d over copies
    y[shard of d] = mean of y_d over copies  ct_d = ct[shard of d] / number of copies

Where JAX checks what varies from device to device (`check_vma`), a body says itself
where values are copied and summed, and there is nothing to add.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import compress
from typing import Any, NamedTuple

import jax
from jax import lax
from jax.sharding import PartitionSpec

from jaxkit import tracing
from jaxkit.control.linearized import derivative, filled, linearized, per_jaxpr
from jaxkit.linear import Code, LinearProgram
from jaxkit.rules.arith import div
from jaxkit.rules.table import structured, transposable
from jaxkit.tangents import given, spread


class Manual(NamedTuple):
    """The axes of a mesh over which a body runs, and whether JAX checks what varies."""

    mesh: Any
    axes: frozenset[Any]
    check: bool

    def __repr__(self):  # in printed programs
        return f"({', '.join(f'{n}={self.mesh.shape[n]}' for n in self._names)})"

    def shard_map(self, body: Callable, in_specs: Any, out_specs: Any) -> Callable:
        return jax.shard_map(
            body,
            mesh=self.mesh,
            in_specs=in_specs,
            out_specs=out_specs,
            axis_names=self.axes,
            check_vma=self.check,
        )

    def inside(self, function: Callable[[], Any]) -> Any:
        """function(), called where the axes have their names.

        Its result is no array, so that it can't come out as the body's.
        """
        result = None

        def body():
            nonlocal result
            result = function()
            return ()

        jax.eval_shape(self.shard_map(body, (), ()))
        return result

    def stacked(self, aval: Any) -> PartitionSpec:
        """The spec of an array with one such value from each device where it varies."""
        varying = aval.manual_axis_type.varying if self.check else self.axes
        return PartitionSpec(tuple(a for a in self._names if a in varying))

    def copied(self, spec: PartitionSpec) -> tuple[Any, ...]:
        """The axes along which devices hold copies; none if the body knows itself."""
        if self.check:
            return ()
        used = {name for names in spec for name in _tuple(names)}
        return tuple(name for name in self._names if name not in used)

    def copies(self, spec: PartitionSpec) -> int:
        return math.prod(self.mesh.shape[name] for name in self.copied(spec))

    @property
    def _names(self):
        return [name for name in self.mesh.axis_names if name in self.axes]


def _tuple(names: Any) -> tuple[Any, ...]:
    return names if isinstance(names, tuple) else (names,)


@structured("shard_map")
def _(primitive, arithmetic, primals, tangents, params):
    moving = tuple(dx is not None for dx in tangents)
    manual = Manual(params["mesh"], params["newly_manual_axes"], params["check_vma"])
    specs = params["in_specs"], params["out_specs"]
    shards = _shards(params["jaxpr"], moving, arithmetic.linear, manual, *specs)
    params = shards.linear._asdict()
    return derivative(shards, arithmetic, primals, tangents, linear_shard_map, **params)


class Linear(NamedTuple):
    """A shard_map of a linear program: the static part.

    `stacked` says which of its residuals come as one from each device.
    """

    code: Code
    manual: Manual
    stacked: tuple[bool, ...]
    residual_specs: tuple[PartitionSpec, ...]
    in_specs: tuple[PartitionSpec, ...]
    out_specs: tuple[PartitionSpec, ...]

    def split(self, operands: Sequence[Any]) -> tuple[list[Any], list[Any]]:
        """(residuals, tangents)"""
        n = len(self.stacked)
        return list(operands[:n]), list(operands[n:])

    def program(self, residuals) -> LinearProgram:
        """The linear program of one device, inside the mesh."""
        own = [
            lax.squeeze(r, (0,)) if stacked else r
            for r, stacked in zip(residuals, self.stacked, strict=True)
        ]
        return LinearProgram(self.code, own)

    def run(self, body: Callable, residuals, values, in_specs, out_specs):
        """body(program, values) on each device."""

        def local(residuals, values):
            return body(self.program(residuals), values)

        specs = (list(self.residual_specs), list(in_specs)), list(out_specs)
        return self.manual.shard_map(local, *specs)(residuals, values)


class Shards:
    """The body of a shard_map, taken apart."""

    def __init__(self, jaxpr, moving, linear, manual, in_specs, out_specs):
        self.lin = lin = manual.inside(lambda: linearized(jaxpr(), moving, linear))
        self.live = lin.live
        self.manual, self.in_specs, self.out_specs = manual, in_specs, out_specs
        # The operand that a residual is; None if it must be left.
        numbers = {v: i for i, v in enumerate(lin.inputs)}
        self.operands = [
            None if tracing.is_literal(v) else numbers.get(v) for v in lin.residuals
        ]
        specs = [
            manual.stacked(v.aval) if i is None else in_specs[i]
            for v, i in zip(lin.residuals, self.operands, strict=True)
        ]
        self.left = [i is None for i in self.operands]
        self.linear = Linear(
            lin.code_of(self.live),
            manual,
            tuple(self.left),
            tuple(specs),
            tuple(s for s, moves in zip(in_specs, moving, strict=True) if moves),
            tuple(s for s, live in zip(out_specs, self.live, strict=True) if live),
        )

    def linearize(self, primals):
        """(outputs, residuals)"""

        def body(*primals):
            outs, residuals = self.lin.run(primals)
            left = compress(residuals, self.left)
            return outs, [lax.expand_dims(r, (0,)) for r in left]

        specs = list(compress(self.linear.residual_specs, self.left))
        run = self.manual.shard_map(body, self.in_specs, (list(self.out_specs), specs))
        outs, left = run(*primals)
        left = iter(left)
        return outs, [next(left) if i is None else primals[i] for i in self.operands]

    def jvp(self, primals, tangents):
        """(outputs, tangents of those that are live)"""

        def body(primals, tangents):
            outs, residuals = self.lin.run(primals)
            program = LinearProgram(self.linear.code, residuals)
            return outs, program.apply(tangents)

        ins = list(self.in_specs), list(self.linear.in_specs)
        outs = list(self.out_specs), list(self.linear.out_specs)
        return self.manual.shard_map(body, ins, outs)(list(primals), tangents)


_shards = per_jaxpr(Shards)


class LinearShardMap:
    """Linear operator: a linear program on each device of a mesh.

    Operands: its residuals, then its inputs.
    """

    name = "shard_map"
    multiple_results = True

    def __repr__(self):
        return self.name

    def bind(self, *operands, **params):
        linear = Linear(**params)
        residuals, tangents = linear.split(operands)
        specs = linear.in_specs, linear.out_specs
        return linear.run(LinearProgram.apply, residuals, tangents, *specs)


linear_shard_map = LinearShardMap()


def _transpose(cts, *operands, **params):
    linear = Linear(**params)
    manual, avals = linear.manual, [v.aval for v in linear.code.inputs]
    there = [ct is not None for ct in cts]
    residuals, _ = linear.split(operands)

    def pull_back(program, cts):
        cts = [
            div(ct, n) if (n := manual.copies(spec)) > 1 else ct
            for ct, spec in zip(cts, out_specs, strict=True)
        ]
        moved = filled(program.transpose(spread(cts, there)), avals)
        return [
            lax.psum(ct, copied) if (copied := manual.copied(spec)) else ct
            for ct, spec in zip(moved, linear.in_specs, strict=True)
        ]

    out_specs = list(compress(linear.out_specs, there))
    moved = linear.run(pull_back, residuals, given(cts), out_specs, linear.in_specs)
    return [None] * len(residuals) + moved


transposable(linear_shard_map, _transpose, operands=None)
