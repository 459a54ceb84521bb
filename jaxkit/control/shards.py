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
from collections.abc import Callable
from itertools import compress
from typing import Any, NamedTuple

import jax
from jax import lax
from jax.sharding import PartitionSpec

from jaxkit.control.structure import (
    Operator,
    derivative_of,
    per_jaxpr,
    states,
    structure,
)
from jaxkit.program import Code, LinearProgram, reached
from jaxkit.rules.arith import div
from jaxkit.rules.verbs import structured
from jaxkit.tangents import filled, given, spread


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
def _(primals, tangents, params):
    manual = Manual(params["mesh"], params["newly_manual_axes"], params["check_vma"])
    specs = params["in_specs"], params["out_specs"]
    return _shard_map(params["jaxpr"], *states(primals, tangents), manual, *specs)


@per_jaxpr
def _shard_map(jaxpr, known, moving, manual, in_specs, out_specs):
    body = manual.inside(lambda: derivative_of(jaxpr(), known, moving))
    code = body.code_of(body.live)
    ins, outs = list(compress(in_specs, known)), list(compress(out_specs, body.known))
    moving_ins, live_outs = compress(in_specs, moving), compress(out_specs, body.live)
    left = [manual.stacked(v.aval) for v in body.new(body.residuals)]
    part = Part(
        code,
        manual,
        tuple([place is None for place in body.places]),
        tuple(body.all(left, ins)),
        tuple(moving_ins),
        tuple(live_outs),
    )

    def forward(primals):
        def local(*primals):
            outs, residuals = body.run(primals)
            return outs, [lax.expand_dims(r, (0,)) for r in body.new(residuals)]

        run = manual.shard_map(local, tuple(ins), (outs, left))
        values, new = run(*primals)
        return values, body.all(new, primals)

    def jvp(primals, tangents):
        def local(primals, tangents):
            return body.jvp(code, primals, tangents)

        specs = (ins, list(part.in_specs)), (outs, list(part.out_specs))
        return manual.shard_map(local, *specs)(list(primals), list(tangents))

    parts = known, moving, body.known, body.live, forward, jvp, body.refusals
    return structure(*parts, operator, **part._asdict())


class Part(NamedTuple):
    """A linear program on each device of a mesh: the static part.

    `stacked` says which of its residuals come as one from each device; then come the
    specs of residuals, tangents and results.
    """

    code: Code
    manual: Manual
    stacked: tuple[bool, ...]
    residual_specs: tuple[PartitionSpec, ...]
    in_specs: tuple[PartitionSpec, ...]
    out_specs: tuple[PartitionSpec, ...]

    def run(self, body: Callable, residuals, values, in_specs, out_specs):
        """body(program, values) on each device, with the linear program of that one."""

        def local(residuals, values):
            own = [
                lax.squeeze(r, (0,)) if stacked else r
                for r, stacked in zip(residuals, self.stacked, strict=True)
            ]
            return body(LinearProgram(self.code, own), values)

        specs = (list(self.residual_specs), list(in_specs)), list(out_specs)
        return self.manual.shard_map(local, *specs)(list(residuals), list(values))


def _apply(residuals, tangents, **params):
    part = Part(**params)
    specs = part.in_specs, part.out_specs
    return part.run(LinearProgram.apply, residuals, tangents, *specs)


def _transpose(residuals, cts, **params):
    part = Part(**params)
    manual, avals = part.manual, part.code.cotangents
    # Empty ones say nothing, and XLA fails on some meshes whose operands are all empty.
    cts = [ct if ct is not None and ct.size else None for ct in cts]
    there = [ct is not None for ct in cts]
    where = reached(part.code, tuple(there))
    if not any(where):
        return spread([], where)

    def pull_back(program, cts):
        cts = [
            div(ct, n) if (n := manual.copies(spec)) > 1 else ct
            for ct, spec in zip(cts, out_specs, strict=True)
        ]
        moved = filled(program.transpose(spread(cts, there)), avals, where)
        return [
            lax.psum(ct, copied) if (copied := manual.copied(spec)) else ct
            for ct, spec in zip(given(moved), in_specs, strict=True)
        ]

    out_specs = list(compress(part.out_specs, there))
    in_specs = list(compress(part.in_specs, where))
    moved = part.run(pull_back, residuals, given(cts), out_specs, in_specs)
    return spread(moved, where)


operator = Operator("shard_map", _apply, _transpose)
