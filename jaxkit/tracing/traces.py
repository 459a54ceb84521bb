"""Traces: what becomes the current trace sees each primitive, or passes it down.

A transform is a `Trace`, a trace knows its own tracers, and nothing of derivatives.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

import jax
import jax.core
from jax import ref
from jax.extend.core import Primitive, primitives, set_current_trace, take_current_trace

from jaxkit.tracing.evaluation import run_equation, run_jaxpr
from jaxkit.tracing.jaxprs import environment, open_jaxpr, read
from jaxkit.tracing.primitives import in_place
from jaxkit.tracing.shardings import mesh_here
from jaxkit.tracing.types import NUMBERS, ShapedArray, typeof

Tracer = jax.core.Tracer


def _tracer_class() -> type:
    """The class of the tracers of `jax.make_jaxpr`."""
    found = []
    jax.make_jaxpr(lambda x: found.append(type(x)))(0.0)
    return found[0]


# `jax.closure_convert` must find the values that may move among those that a function
# closes over.  It looks into tracers, and takes those of `jax.make_jaxpr` for such:
# what has this among its contents is found.
MAY_MOVE = type(
    "MayMove",
    (),
    {"__class__": _tracer_class(), "aval": ShapedArray((), jax.numpy.float32)},
)()


class Reference(Tracer):
    """A reference made under a trace: a box with a value, any that may be written."""

    __slots__ = ("value",)

    def __init__(self, trace: Trace, held: Any, kind: Any):
        super().__init__(trace, ref.AbstractRef(held, kind=kind))
        self.value: Any = None

    def _short_repr(self):
        return f"Reference<{self.value}>"


class Trace(jax.core.Trace):
    """Base of the transforms: unwraps nothing, and passes down what isn't its own.

    A subclass names the class of its tracers and defines `interpret`, called with the
    parent as current trace for each primitive that has one of this trace's tracers
    among its operands.  A function with a user's own rule is such a primitive too, with
    the functions as the parameter `subfuns`.
    """

    tracer: type[Tracer]
    # What makes or gets references, by name: whether it is to be run so,
    # (trace, operands) -> bool, and how, (trace, operands, **params) -> outputs.
    on_references: ClassVar[dict[str, tuple[Callable, Callable]]] = {}

    def __init__(self, parent: jax.core.Trace):
        super().__init__()
        self.parent = parent
        # Composite ("high") primitives come as they are, not as what they consist of:
        # the derivative of those parts, bit operations for one, may not be theirs.
        self.requires_low = False

    def invalidate(self):
        """End it, and let go of what it holds.

        JAX's jaxprs keep the trace that a function with a user's rule was traced in.
        """
        super().invalidate()
        vars(self).clear()

    def owns(self, x: Any) -> bool:
        return type(x) is self.tracer and x._trace is self

    def below(self, x: Any) -> Any:
        """A number that an index has, as the parent has it: it has no derivative."""
        return x

    def made(self, x: Any) -> bool:
        """Whether it is a reference that was made here."""
        return type(x) is Reference and x._trace is self

    def process_primitive(self, primitive: Primitive, operands, params, /):
        found = self.on_references.get(primitive.name)
        if found is not None and found[0](self, operands):
            with set_current_trace(self):
                return found[1](self, operands, **params)
        for x in operands:  # as `owns`, in place: this is the hottest place of all
            if type(x) is self.tracer and x._trace is self:
                break
        else:
            avals = [typeof(x) for x in operands]
            return primitive.bind_with_trace(self.parent, operands, avals, params)
        if primitive is primitives.jit_p and in_place(params):
            outs = run_jaxpr(self, params["jaxpr"], operands)
            for i, x in enumerate(outs):
                if type(x) is not self.tracer and isinstance(x, NUMBERS):
                    # `jit` returns arrays.
                    with set_current_trace(self.parent):
                        outs[i] = jax.numpy.asarray(x)
            return outs
        with set_current_trace(self.parent):
            return self.interpret(primitive, operands, params)

    def process_call(self, primitive, fun, operands, params, /):
        # How JAX 0.10 calls a function in what it has partially evaluated.
        with set_current_trace(self):
            return fun.call_wrapped(*operands)

    def process_custom_jvp_call(
        self, primitive, fun, jvp, operands, /, *, symbolic_zeros
    ):
        params = dict(subfuns=(fun, jvp), symbolic_zeros=symbolic_zeros)
        return self.process_primitive(primitive, operands, params)

    def process_custom_vjp_call(
        self, primitive, fun, fwd, bwd, operands, /, *, out_trees, symbolic_zeros
    ):
        params = dict(
            subfuns=(fun, fwd, bwd), out_trees=out_trees, symbolic_zeros=symbolic_zeros
        )
        return self.process_primitive(primitive, operands, params)

    def process_shard_map(self, primitive, fun, operands, /, **params):
        # This one comes with a function; traced, it has a jaxpr, as `jax.jit` has.
        tree: Any = None  # JAX's, of flat results; `update` puts others into it

        def call(*operands):
            nonlocal tree
            outs = primitive.bind(*operands, subfuns=(fun,), **params)
            tree = outs.update([None] * len(list(outs)))  # which keeps no tracer
            return list(outs)

        with set_current_trace(self.parent):
            jaxpr = jax.make_jaxpr(call)(*map(typeof, operands))
        (eqn,) = open_jaxpr(jaxpr).eqns
        # What the function closes over are operands too.
        env = environment(jaxpr, operands)
        operands = read(env, eqn.invars)
        if not any(map(self.owns, operands)):
            run_equation(self.parent, eqn, env, mesh_here())
            return tree.update(read(env, eqn.outvars))
        with set_current_trace(self.parent):
            return tree.update(self.interpret(primitive, operands, eqn.params))

    def stage_value(self, val):
        # A number becomes an array of the trace below, as `jnp.asarray` promises.
        return val if self.owns(val) else self.parent.stage_value(val)

    def cur_qdd(self, x):
        # What is in a box (`jax.experimental.cur_qdd`): the trace below knows.
        below: Any = self.parent
        return below.cur_qdd(x)

    def interpret(self, primitive: Primitive, operands, params) -> Any:
        raise NotImplementedError


@contextmanager
def running(make_trace, *args) -> Iterator[Any]:
    """Make `make_trace(parent, *args)` the current trace for the block.

    The trace is invalidated at the end: a tracer that escaped the block raises
    `jax.errors.UnexpectedTracerError` when it is used.
    """
    with take_current_trace() as parent:
        trace = make_trace(parent, *args)
        try:
            with set_current_trace(trace):
                yield trace
        finally:
            trace.invalidate()
