"""Tracing: a Python function, run on tracers, becomes a stream of primitives.

Every JAX operation ends in `primitive.bind(*operands, **params)`, and `bind` hands
the primitive to the *current trace*.  A transform is therefore a `Trace`: it becomes
the current trace while the user's function runs, sees each primitive that meets one
of its own tracers, and passes all others to the trace below (its *parent*).  The
parent may be plain evaluation, a `jax.jit` in the making, a `jax.vmap`, or another
transform; a trace neither knows nor asks, and that is why transforms nest.

A value belongs to the trace that made its tracer.  What a trace computes, it computes
under its parent, so an inner derivative never mistakes an outer tangent for its own
(no perturbation confusion; Siskind & Pearlmutter 2005).

This module knows nothing of derivatives.  It is the only one that touches `jax.core`
and `jax.extend.core`, and differences between JAX versions live here.
"""

from __future__ import annotations

import os
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, NamedTuple

import jax
import jax.core
from jax import lax
from jax.custom_derivatives import SymbolicZero
from jax.extend import source_info_util
from jax.extend.core import (
    Literal,
    Primitive,
    primitives,
    set_current_trace,
    take_current_trace,
)

# Frames of jaxkit are not the user's: "the user's line" is the first one outside.
_HERE = os.path.dirname(__file__) + os.sep
_INTERNAL = (
    _HERE,
    os.path.dirname(jax.__file__) + os.sep,
    os.path.dirname(os.__file__),
)
source_info_util.register_exclusion(_HERE)

ShapedArray = jax.core.ShapedArray
typeof = jax.typeof

_JAX_PRIMITIVES = {x for x in vars(primitives).values() if isinstance(x, Primitive)}


class Tracer(jax.core.Tracer):
    """A value that a `Trace` follows; it stands wherever a `jax.Array` may stand."""

    __slots__ = ()


class Trace(jax.core.Trace):
    """Base of the transforms: unwraps nothing, and passes down what isn't its own.

    A subclass names the class of its tracers and defines `interpret`, called with the
    parent as current trace for each primitive that has one of this trace's tracers
    among its operands, and `custom_jvp` and `custom_vjp` for functions with a user's
    own rule.
    """

    tracer: type[Tracer]

    def __init__(self, parent: jax.core.Trace):
        super().__init__()
        self.parent = parent
        # Composite ("high") primitives come as they are, not as what they consist of:
        # the derivative of those parts, bit operations for one, may not be theirs.
        self.requires_low = False

    def owns(self, x: Any) -> bool:
        return type(x) is self.tracer and x._trace is self

    def owns_any(self, operands: Sequence[Any]) -> bool:
        for x in operands:  # a plain loop: this is the hottest place of all
            if type(x) is self.tracer and x._trace is self:
                return True
        return False

    def process_primitive(self, primitive: Primitive, operands, params, /):
        if not self.owns_any(operands):
            avals = [typeof(x) for x in operands]
            return primitive.bind_with_trace(self.parent, operands, avals, params)
        if primitive is primitives.jit_p and is_inlined(params["inline"]):
            return run_jaxpr(self, params["jaxpr"], operands)
        with set_current_trace(self.parent):
            return self.interpret(primitive, operands, params)

    def process_custom_jvp_call(
        self, primitive, fun, jvp, operands, /, *, symbolic_zeros
    ):
        if not self.owns_any(operands):
            params = dict(subfuns=(fun, jvp), symbolic_zeros=symbolic_zeros)
            avals = [typeof(x) for x in operands]
            return primitive.bind_with_trace(self.parent, operands, avals, params)
        with set_current_trace(self.parent):
            return self.custom_jvp(fun, jvp, operands, symbolic_zeros)

    def process_custom_vjp_call(
        self, primitive, fun, fwd, bwd, operands, /, *, out_trees, symbolic_zeros
    ):
        if not self.owns_any(operands):
            params = dict(
                subfuns=(fun, fwd, bwd),
                out_trees=out_trees,
                symbolic_zeros=symbolic_zeros,
            )
            avals = [typeof(x) for x in operands]
            return primitive.bind_with_trace(self.parent, operands, avals, params)
        rule = CustomVJP(fun, fwd, bwd, out_trees, symbolic_zeros)
        with set_current_trace(self.parent):
            return self.custom_vjp(rule, operands)

    def process_shard_map(self, primitive, fun, operands, /, **params):
        # This one comes with a function; traced, it has a jaxpr, as `jax.jit` has.
        outs: Any = None  # JAX's tree of flat results; `update` puts others into it

        def call(*operands):
            nonlocal outs
            outs = primitive.bind(*operands, subfuns=(fun,), **params)
            return list(outs)

        with set_current_trace(self.parent):
            jaxpr = jax.make_jaxpr(call)(*map(typeof, operands))
        (eqn,) = open_jaxpr(jaxpr).eqns
        # What the function closes over are operands too.
        env = environment(jaxpr, operands)
        operands = [read(env, v) for v in eqn.invars]
        if not self.owns_any(operands):
            _run_equation(self.parent, eqn, env)
            return outs.update([read(env, v) for v in eqn.outvars])
        with set_current_trace(self.parent):
            return outs.update(self.interpret(primitive, operands, eqn.params))

    def stage_value(self, val):
        # A number becomes an array of the trace below, as `jnp.asarray` promises.
        return val if self.owns(val) else self.parent.stage_value(val)

    def interpret(self, primitive: Primitive, operands, params) -> Any:
        raise NotImplementedError

    def custom_jvp(self, fun, jvp, operands, symbolic_zeros: bool) -> list[Any]:
        raise NotImplementedError

    def custom_vjp(self, rule: CustomVJP, operands) -> list[Any]:
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


@contextmanager
def current() -> Iterator[Any]:
    """The current trace, for a block that runs under its parent, as its rules do."""
    with take_current_trace() as trace, set_current_trace(trace.parent):
        yield trace


def run_jaxpr(trace: jax.core.Trace, jaxpr, operands: Sequence[Any]) -> list[Any]:
    """Run a closed jaxpr's equations one by one under `trace`."""
    env = environment(jaxpr, operands)
    for eqn in open_jaxpr(jaxpr).eqns:
        _run_equation(trace, eqn, env)
    return [read(env, v) for v in open_jaxpr(jaxpr).outvars]


def run_jaxpr_here(jaxpr, operands: Sequence[Any], inline=False) -> list[Any]:
    """Run a closed jaxpr under the current trace, as if from the lines it was from.

    With `inline`, what it calls by `jax.jit` is run equation by equation too.
    """
    env = environment(jaxpr, operands)
    run_equations(open_jaxpr(jaxpr).eqns, env, inline)
    return [read(env, v) for v in open_jaxpr(jaxpr).outvars]


def run_equations(equations, env: dict[Any, Any], inline=False) -> None:
    """Run equations of a jaxpr here: inputs are read in `env`, outputs added to it."""
    for eqn in equations:
        if inline and eqn.primitive is primitives.jit_p:
            inputs = [read(env, v) for v in eqn.invars]
            outs = run_jaxpr_here(eqn.params["jaxpr"], inputs, inline)
            env.update(zip(eqn.outvars, outs, strict=True))
            continue
        with source_info_util.user_context(eqn.source_info.traceback):
            with take_current_trace() as trace:
                _run_equation(trace, eqn, env)


def _run_equation(trace, eqn, env) -> None:
    inputs = [read(env, v) for v in eqn.invars]
    avals = [v.aval for v in eqn.invars]
    params = eqn.primitive.get_bind_params(eqn.params)
    out = eqn.primitive.bind_with_trace(trace, inputs, avals, params)
    outs = out if eqn.primitive.multiple_results else [out]
    env.update(zip(eqn.outvars, outs, strict=True))


def open_jaxpr(jaxpr) -> Any:
    """The variables and equations of a closed jaxpr; from JAX 0.11 it is both."""
    return getattr(jaxpr, "jaxpr", jaxpr)


def environment(jaxpr, operands: Sequence[Any]) -> dict[Any, Any]:
    """The values of a closed jaxpr's variables before its equations are run."""
    consts = getattr(jaxpr, "consts", ())  # an open jaxpr has none
    env = dict(zip(open_jaxpr(jaxpr).constvars, consts, strict=True))
    env.update(zip(open_jaxpr(jaxpr).invars, operands, strict=True))
    return env


def is_literal(atom) -> bool:
    """Whether an operand in a jaxpr is a number, not a variable."""
    return type(atom) is Literal


def variables(atoms: Sequence[Any]) -> list[Any]:
    """Those of a jaxpr's operands that are variables, not numbers."""
    return [v for v in atoms if not is_literal(v)]


def read(env: dict[Any, Any], atom) -> Any:
    """The value of an operand in a jaxpr: a variable's, or a number."""
    return atom.val if is_literal(atom) else env[atom]


class Scan(NamedTuple):
    """The parameters of a scan; `body` maps (consts, carry, xs) to (carry, ys)."""

    body: Any
    n_consts: int
    n_carry: int
    options: tuple[tuple[str, Any], ...]  # how to run it: length, reverse, unroll


def scan_layout(params: dict[str, Any]) -> Scan:
    """What the parameters of the scan primitive say, in all versions of JAX."""
    if "ft_in" in params:  # JAX 0.11 on
        consts, carry, _ = map(len, params["ft_in"].unpack())
    else:
        consts, carry = params["num_consts"], params["num_carry"]
    options = tuple((name, params[name]) for name in ("length", "reverse", "unroll"))
    return Scan(params["jaxpr"], consts, carry, options)


class CustomVJP:
    """A `jax.custom_vjp` function at one call: its rule, over flat operands."""

    def __init__(self, fun, fwd, bwd, out_trees, symbolic_zeros: bool):
        self.fun, self.fwd, self.bwd = fun, fwd, bwd
        self.out_trees, self.symbolic_zeros = out_trees, symbolic_zeros

    @property
    def name(self) -> str:
        return getattr(getattr(self.fun, "debug_info", None), "func_name", "?")

    def forward(self, primals, differentiated: Sequence[bool]):
        """Run the user's `fwd`; returns (outputs, residuals)."""
        flat = [x for pair in zip(primals, differentiated, strict=True) for x in pair]
        outs = self.fwd.call_wrapped(*flat)
        _, res_tree, forwarded = self.out_trees()
        # A residual that is an operand of the function isn't returned a second time.
        n_new = res_tree.num_leaves - sum(i is not None for i in forwarded)
        new, outs = iter(outs[:n_new]), outs[n_new:]
        return outs, [next(new) if i is None else primals[i] for i in forwarded]

    def backward(self, residuals, cotangents) -> list[Any]:
        """Run the user's `bwd`; None stands for a zero cotangent, in and out."""
        out = self.bwd.call_wrapped(*residuals, *cotangents)
        # JAX 0.10 returns the cotangents, later versions a pair with a log.
        if isinstance(out, tuple) and len(out) == 2 and isinstance(out[0], list):
            out = out[0]
        return [none_if_zero(ct) for ct in out]


def none_if_zero(x: Any) -> Any:
    """JAX's symbolic zeros, and float0 arrays, become None."""
    if isinstance(x, SymbolicZero) or type(x).__name__ == "Zero":
        return None
    return None if getattr(x, "dtype", None) == jax.dtypes.float0 else x


def aval_of(x: Any) -> Any:
    """The abstract type of a value: `typeof`, but quick for arrays and tracers."""
    return x.aval if hasattr(x, "aval") else typeof(x)


def varying_like(x: Any, aval: Any) -> Any:
    """x as a value that may differ from device to device where an `aval` may.

    Of values inside `jax.shard_map` it is known over which axes of the mesh they vary,
    and JAX's primitives want operands that vary over the same.
    """
    axes = aval.manual_axis_type.varying
    if not axes:
        return x
    axes -= typeof(x).manual_axis_type.varying
    return lax.pcast(x, tuple(sorted(axes, key=str)), to="varying") if axes else x


def is_traced(x: Any) -> bool:
    """Whether x is a tracer, of whatever transform; other values are concrete."""
    return isinstance(x, jax.core.Tracer)


def compilable(primitive: Any, operands: Sequence[Any]) -> bool:
    """Whether an operation can be run as compiled code: all values are concrete.

    A user's own primitive may have no compiled form, so only JAX's are trusted.
    """
    if _apart.get() or primitive not in _JAX_PRIMITIVES:
        return False
    return not any(map(is_traced, operands))


_apart = ContextVar("apart", default=False)


@contextmanager
def operations_apart() -> Iterator[None]:
    """A block in which nothing is `compilable`: values keep their identity."""
    token = _apart.set(True)
    try:
        yield
    finally:
        _apart.reset(token)


def is_inlined(inline: Any) -> bool:
    """Whether a jit is a mere bundle of operations, as most `jax.numpy` functions are.

    JAX 0.10 has a truth value here, later versions an enumeration.
    """
    return inline is True or getattr(inline, "name", "").startswith("JAX_")


def concrete(x: Any) -> Any:
    """The concrete value behind `x`, or None where a trace has none."""
    return x.to_concrete_value() if isinstance(x, jax.core.Tracer) else x


def output_aval(primitive: Primitive, operands, params) -> Any:
    """The abstract output (a list for several) of a primitive, without running it."""
    avals = [typeof(x) for x in operands]
    return primitive.abstract_eval(*avals, **params)[0]


def default_params(fun: Callable, *avals: Any) -> dict[str, Any]:
    """The parameters that this version of JAX gives the primitive behind `fun`."""
    return jax.make_jaxpr(fun)(*avals).eqns[0].params


def user_line() -> str:
    """`file:line (function)` of the user's code that is running now."""
    line = source_info_util.summarize(source_info_util.current())
    if line:
        return line
    # An operation of one of JAX's own functions: the line that called it.
    for frame, number in traceback.walk_stack(None):
        code = frame.f_code
        if not code.co_filename.startswith(_INTERNAL):
            return f"{code.co_filename}:{number} ({code.co_name})"
    return "an unknown line"
