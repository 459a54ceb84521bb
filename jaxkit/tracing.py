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
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from contextlib import contextmanager, nullcontext
from contextvars import ContextVar
from functools import cache
from itertools import islice, takewhile
from operator import attrgetter
from types import MappingProxyType
from typing import Any, ClassVar
from weakref import WeakKeyDictionary

import jax
import jax.core
from jax import lax, ref
from jax.custom_derivatives import SymbolicZero
from jax.experimental.xla_metadata import set_xla_metadata
from jax.extend import source_info_util
from jax.extend.core import (
    Literal,
    Primitive,
    primitives,
    set_current_trace,
    take_current_trace,
)
from jax.sharding import AxisType

# Frames of jaxkit are not the user's: "the user's line" is the first one outside.
_HERE = os.path.dirname(__file__) + os.sep
_KIT = _HERE, os.path.dirname(jax.__file__) + os.sep
_INTERNAL = *_KIT, os.path.dirname(os.__file__), "<frozen "
_LESSONS = os.path.join(_HERE, "lessons", "scripts") + os.sep  # a user's, to read
source_info_util.register_exclusion(_HERE)

_config: Any = jax.config


def frames_are_hidden() -> bool:
    """Whether tracebacks are to be without the frames of JAX, and so of jaxkit."""
    return _config.jax_traceback_filtering != "off"


def is_internal(file: str, parts: tuple[str, ...] = _KIT) -> bool:
    """Whether a file is one of jaxkit's, or of JAX's."""
    return file.startswith(parts) and not is_lesson(file)


def is_lesson(file: str) -> bool:
    """Whether it is a lesson's script: the kit's, but its lines are to be read."""
    return file.startswith(_LESSONS)


def x64_is_off() -> bool:
    return not _config.jax_enable_x64


WIDE = {jax.numpy.dtype(x) for x in ("float64", "complex128", "int64", "uint64")}


def wide_enough(avals: Iterable[Any]) -> Any:
    """A context in which there are arrays of 64 bits, if there are among these.

    They may have been made when `jax_enable_x64` was on, and be differentiated when it
    is off.  What belongs to them, a zero, a number in a derivative, must be as wide.
    """
    wide = x64_is_off() and any([aval.dtype in WIDE for aval in avals])
    return jax.enable_x64(True) if wide else nullcontext()


def with_64_bits(function: Callable) -> Callable:
    """`function`, run where there are arrays of 64 bits (see `wide_enough`)."""

    def run(*args):
        with jax.enable_x64(True):
            return function(*args)

    return run


ShapedArray = jax.core.ShapedArray
typeof = jax.typeof

JAX_PRIMITIVES = {x for x in vars(primitives).values() if isinstance(x, Primitive)}


@cache
def belongs_to_jax(thing: Any) -> bool:
    """Whether a primitive is JAX's own: one of JAX's modules holds it by some name."""
    modules = [m for name, m in list(sys.modules.items()) if name.startswith("jax.")]
    return any(x is thing for m in modules for x in list(vars(m).values()))


def is_jaxs(function_or_class: Any) -> bool:
    """Whether it is JAX's own code."""
    return function_or_class.__module__.split(".")[0] == "jax"


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


NUMBERS = int, float, complex  # as a jaxpr's constants may be


class Reference(Tracer):
    """A reference made under a trace: a box with a value, any that may be written."""

    __slots__ = ("value",)

    def __init__(self, trace: Trace, held: Any, kind: Any):
        super().__init__(trace, ref.AbstractRef(held, kind=kind))
        self.value: Any = None

    def _short_repr(self):
        return f"Reference<{self.value}>"


def writes(params: dict[str, Any]) -> bool:
    """Whether code among a primitive's parameters writes to a reference it is given."""
    codes = jax.tree.leaves(
        list(params.values()), is_leaf=lambda x: hasattr(x, "effects")
    )
    effects = [e for x in codes for e in getattr(x, "effects", ())]
    return any(type(e).__name__ in ("WriteEffect", "AccumEffect") for e in effects)


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
            _run_equation(self.parent, eqn, env, mesh_here())
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


def bind(primitive: Primitive, operands: Sequence[Any], params) -> Any:
    """Carry a primitive out under the current trace, with params as `interpret` has."""
    avals = [typeof(x) for x in operands]
    if "subfuns" not in params:
        params = primitive.get_bind_params(params)
    with take_current_trace() as trace:
        out = primitive.bind_with_trace(trace, operands, avals, params)
    return list(out) if primitive.multiple_results else out


def run_jaxpr(trace: jax.core.Trace, jaxpr, operands: Sequence[Any]) -> list[Any]:
    """Run a closed jaxpr's equations one by one under `trace`.

    So are those of calls that are nested too deeply, and without recursion.
    """
    env, inside, here = environment(jaxpr, operands), open_jaxpr(jaxpr), mesh_here()
    stack = [(iter(inside.eqns), env, inside, ())]
    while True:
        equations, env, inside, _ = stack[-1]
        for eqn in equations:
            if eqn.primitive is primitives.jit_p and is_deep(eqn.params["jaxpr"]):
                called, values = eqn.params["jaxpr"], read(env, eqn.invars)
                env, inside = environment(called, values), open_jaxpr(called)
                stack.append((iter(inside.eqns), env, inside, eqn.outvars))
                break
            _run_equation(trace, eqn, env, here)
        else:
            outs, (*_, results) = read(env, inside.outvars), stack.pop()
            if not stack:
                return outs
            stack[-1][1].update(zip(results, outs, strict=True))


def run_jaxpr_here(jaxpr, operands: Sequence[Any], inline=False) -> list[Any]:
    """Run a closed jaxpr under the current trace, as if from the lines it was from.

    What its outputs don't need isn't run, unless it does something else, as printing.
    With `inline`, what it calls by `jax.jit` is run equation by equation too.
    """
    env, inside = environment(jaxpr, operands), open_jaxpr(jaxpr)
    equations = needed(inside.eqns, inside.outvars, env.keys(), effects=True)
    run_equations(equations, env, inline)
    return read(env, inside.outvars)


def run_equations(equations, env: dict[Any, Any], inline=False) -> None:
    """Run equations of a jaxpr here: inputs are read in `env`, outputs added to it."""
    here = mesh_here()
    for eqn in equations:
        if inline and eqn.primitive is primitives.jit_p:
            inner = eqn.params["jaxpr"]
            outs = run_jaxpr_here(inner, read(env, eqn.invars), inline)
            env.update(zip(eqn.outvars, outs, strict=True))
            continue
        with source_info_util.user_context(eqn.source_info.traceback):
            with take_current_trace() as trace:
                _run_equation(trace, eqn, env, here)


# What is noted for XLA where equations run now; jaxprs remember it of each of theirs.
NOTHING: Mapping[str, Any] = MappingProxyType({})
noted: ContextVar[Mapping[str, Any]] = ContextVar("noted", default=NOTHING)


@contextmanager
def noting(**notes) -> Iterator[None]:
    """A block whose equations are run, and written down, with these notes."""
    token = noted.set({**noted.get(), **notes})
    try:
        with set_xla_metadata(**notes):
            yield
    finally:
        noted.reset(token)


def run_in_order(equations, env: dict[Any, Any], order: Callable) -> None:
    """As `run_equations`, where what is read of an array comes before what is written.

    What needs nothing that is written runs first.  What is read of an array passes
    `order(read, array)`, if the array is written to later on.
    """
    if not any([eqn.primitive in WRITES for eqn in equations]):
        return run_equations(equations, env)
    written, later = set(), set()
    first, rest = [], []
    for eqn in equations:
        writes, inputs = eqn.primitive in WRITES, variables(eqn.invars)
        if writes:
            written.update(inputs[:1])
        if writes or eqn.effects or not later.isdisjoint(inputs):
            later.update(eqn.outvars)
            rest.append(eqn)
        else:
            first.append(eqn)
    for eqn in first + rest:
        run_equations([eqn], env)
        if eqn.primitive in READS and eqn.invars[0] in written:
            y, x = eqn.outvars[0], eqn.invars[0]
            env[y], env[x] = order(env[y], env[x])


READS = primitives.dynamic_slice_p, primitives.slice_p, primitives.gather_p
WRITES = (
    primitives.dynamic_update_slice_p,
    primitives.scatter_p,
    primitives.scatter_add_p,
)


def run_again(jaxpr, equations, operands: Sequence[Any]) -> list[Any]:
    """Run some of a closed jaxpr's equations here, as if from the line that runs."""
    env = environment(jaxpr, operands)
    here = mesh_here()
    with take_current_trace() as trace:
        for eqn in equations:
            _run_equation(trace, eqn, env, here)
    return read(env, open_jaxpr(jaxpr).outvars)


def _run_equation(trace, eqn, env, here) -> None:
    ctx = eqn.ctx
    if (mesh := ctx.cur_abstract_mesh) is not here and mesh != here:
        with jax.sharding.use_abstract_mesh(mesh):
            _run_equation(trace, eqn, env, mesh)
        return
    if ctx.xla_metadata and not ctx.xla_metadata.items() <= noted.get().items():
        with noting(**ctx.xla_metadata):
            _run_equation(trace, eqn, env, here)
        return
    inputs = [v.val if type(v) is Literal else env[v] for v in eqn.invars]
    avals = list(map(_aval, eqn.invars))
    if here.manual_axes:
        with set_current_trace(trace):
            inputs, avals = _varying_alike(inputs, avals)
            if eqn.primitive.name == "pvary":
                env[eqn.outvars[0]] = varying_along(inputs[0], set(eqn.params["axes"]))
                return
    params = eqn.primitive.get_bind_params(eqn.params)
    out = eqn.primitive.bind_with_trace(trace, inputs, avals, params)
    if eqn.primitive.multiple_results:
        env.update(zip(eqn.outvars, out, strict=True))
    else:
        env[eqn.outvars[0]] = out


_aval = attrgetter("aval")


def _varying_alike(inputs, avals) -> tuple[list[Any], list[Any]]:
    """Operands of an equation, of which some vary more than when it was written down.

    Where all varied alike they do again.
    """
    before = {aval.manual_axis_type.varying for aval in avals}
    if len(before) > 1 or {varying_axes(x) for x in inputs} <= before:
        return inputs, avals
    axes = frozenset().union(*map(varying_axes, inputs))
    inputs = [varying_along(x, axes) for x in inputs]
    return inputs, list(map(typeof, inputs))


def needed(equations, wanted, have: Set[Any], effects=False) -> list[Any]:
    """The equations that must run to compute `wanted` when the set `have` is known.

    With `effects`, also those that do something else, such as printing.
    """
    missing = {*variables(wanted)} - have
    found = []
    for eqn in reversed(equations):
        if (effects and eqn.effects) or not missing.isdisjoint(eqn.outvars):
            found.append(eqn)
            missing.update(variables(eqn.invars))
            missing -= have
    return found[::-1]


def used(jaxpr) -> set[Any]:
    """The variables of a closed jaxpr that some equation reads, or that it returns."""
    jaxpr = open_jaxpr(jaxpr)
    found = set(variables(jaxpr.outvars))
    for eqn in jaxpr.eqns:
        found.update(variables(eqn.invars))
    return found


def open_jaxpr(jaxpr) -> Any:
    """The variables and equations of a closed jaxpr; from JAX 0.11 it is both."""
    return getattr(jaxpr, "jaxpr", jaxpr)


def environment(jaxpr, operands: Sequence[Any]) -> dict[Any, Any]:
    """The values of a closed jaxpr's variables before its equations are run."""
    consts = getattr(jaxpr, "consts", ())  # an open jaxpr has none
    jaxpr = open_jaxpr(jaxpr)
    env = dict(zip(jaxpr.constvars, consts, strict=True))
    env.update(zip(jaxpr.invars, operands, strict=True))
    return env


def is_literal(atom) -> bool:
    """Whether an operand in a jaxpr is a number, not a variable."""
    return type(atom) is Literal


def variables(atoms: Sequence[Any]) -> list[Any]:
    """Those of a jaxpr's operands that are variables, not numbers."""
    return [v for v in atoms if type(v) is not Literal]


def read(env: dict[Any, Any], atoms: Sequence[Any]) -> list[Any]:
    """The values of operands in a jaxpr: those of variables, and numbers."""
    return [v.val if type(v) is Literal else env[v] for v in atoms]


def scan_layout(params: dict[str, Any]) -> tuple[Any, int, int, tuple]:
    """What the parameters of the scan primitive say, in all versions of JAX.

    Returns (body, number of constants, number of carried values, options): the body
    maps (consts, carry, xs) to (carry, ys), and the options, pairs of a name and a
    value, tell how to run it: length, reverse, unroll.
    """
    if "ft_in" in params:  # JAX 0.11 on
        consts, carry, _ = map(len, params["ft_in"].unpack())
    else:
        consts, carry = params["num_consts"], params["num_carry"]
    options = tuple((name, params[name]) for name in ("length", "reverse", "unroll"))
    return params["jaxpr"], consts, carry, options


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
    return varying_along(x, aval.manual_axis_type.varying)


def varying_along(x: Any, axes: Set[Any]) -> Any:
    """x as a value that may differ from device to device along these axes, too."""
    if not axes:
        return x
    axes = axes - varying_axes(x)
    return lax.pcast(x, tuple(sorted(axes, key=str)), to="varying") if axes else x


def varying_axes(x: Any) -> Any:
    """The axes of a mesh along which a value may differ from device to device."""
    return typeof(x).manual_axis_type.varying


# Where the axes of a mesh are explicit, how an array is divided is a part of its type.


def sharding_of(aval: Any, axes: Sequence[int | None] | None = None) -> Any:
    """How an array of this type is divided, or None where its type doesn't say.

    Given `axes`, it is of an array that has these axes of that one (None: another one,
    which isn't divided).
    """
    sharding = aval.sharding
    if AxisType.Explicit not in sharding.mesh.axis_types:
        return None
    if axes is None:
        return sharding
    parts = sharding.spec.partitions
    return along(sharding, [None if d is None else parts[d] for d in axes])


def along(sharding: Any, parts: Sequence[Any]) -> Any:
    """The sharding that divides axes along these axes of the mesh (None: not)."""
    return sharding.update(spec=sharding.spec.update(partitions=tuple(parts)))


def with_axes(aval: Any, before: Sequence[int], after: Sequence[int] = ()) -> Any:
    """The type of arrays that have more axes, which aren't divided."""
    own = aval.sharding.spec.partitions
    parts = [*[None] * len(before), *own, *[None] * len(after)]
    shape, sharding = (*before, *aval.shape, *after), along(aval.sharding, parts)
    return aval.update(shape=shape, sharding=sharding)


def is_divided_like(aval: Any, other: Any) -> bool:
    """Whether an array of this type is divided as one of another type has to be."""
    own = aval.sharding
    if own is other.sharding or sharding_of(other) is None:  # nearly always
        return True
    return own == other.sharding


def divided_like(x: Any, aval: Any) -> Any:
    """x, divided as an array of this type is."""
    if is_divided_like(aval_of(x), aval):
        return x
    return jax.sharding.reshard(x, sharding_of(aval))


def undivided(x: Any) -> Any:
    """x, with all of it on each device where its type says how it is divided."""
    aval = aval_of(x)
    sharding = sharding_of(aval, [None] * aval.ndim)
    return x if sharding is None else divided_like(x, aval.update(sharding=sharding))


def tangent_of(aval: Any) -> Any:
    """The type of the tangents of values of this type."""
    return aval.to_tangent_aval()


def cotangent_of(aval: Any) -> Any:
    """The type of the cotangents of values of this type.

    It is the same, but that partial sums and copies ("unreduced", "reduced") change
    places.
    """
    return aval.to_ct_aval()


mesh_here = jax.sharding.get_abstract_mesh  # the one that operations are on, or none
STAY = nullcontext()


def on_mesh_of(operands: Sequence[Any]) -> Any:
    """A context in which operations are on the mesh that these are on (by `.aval`).

    A part of a program may see the axes of its mesh as another kind, and what it
    computed is differentiated as it was computed.
    """
    here = mesh_here()
    if here.axis_names:
        for aval in [x.aval for x in operands if hasattr(x, "aval")]:
            mesh = aval.sharding.mesh
            if mesh is not here and mesh.shape_tuple == here.shape_tuple:
                return jax.sharding.use_abstract_mesh(mesh)
    return STAY


def is_traced(x: Any) -> bool:
    """Whether x is a tracer, of whatever transform; other values are concrete."""
    return isinstance(x, jax.core.Tracer)


def is_inlined(inline: Any) -> bool:
    """Whether a jit is a mere bundle of operations, as most `jax.numpy` functions are.

    JAX 0.10 has a truth value here, later versions an enumeration.
    """
    return inline is True or getattr(inline, "name", "").startswith("JAX_")


def in_place(params: dict[str, Any]) -> bool:
    """Whether a jit is run equation by equation: one to be inlined, or too deep.

    Where JAX looks for infinities, or NaNs, it is to look at results alone.
    """
    if is_inlined(params["inline"]):
        return not (_config.jax_debug_infs or _config.jax_debug_nans)
    return is_deep(params["jaxpr"])


DEEPEST = 20  # each level of calls takes some of Python's stack
_depths: WeakKeyDictionary = WeakKeyDictionary()


def is_deep(jaxpr) -> bool:
    """Whether calls of `jax.jit` are nested more than `DEEPEST` times in a jaxpr."""
    stack = [] if jaxpr in _depths else [jaxpr]
    while stack:
        inner = [
            eqn.params["jaxpr"]
            for eqn in open_jaxpr(stack[-1]).eqns
            if eqn.primitive is primitives.jit_p
        ]
        unknown = [x for x in inner if x not in _depths]
        if not unknown:
            x = stack.pop()
            _depths[x] = 1 + max([_depths[y] for y in inner], default=0)
        stack += unknown
    return _depths[jaxpr] > DEEPEST


def concrete(x: Any) -> Any:
    """The concrete value behind `x`, or None where a trace has none."""
    return x.to_concrete_value() if isinstance(x, jax.core.Tracer) else x


def output_aval(primitive: Primitive, avals: Sequence[Any], params) -> Any:
    """The abstract type (a list for several) of what a simple primitive returns."""
    aval = primitive.abstract_eval(*avals, **params)[0]
    return list(aval) if primitive.multiple_results else aval


def output_avals(primitive: Primitive, avals: Sequence[Any], params) -> list[Any]:
    """The abstract types of what a primitive that runs code returns."""
    jaxpr = jax.make_jaxpr(lambda *xs: bind(primitive, xs, params))(*avals)
    return [v.aval for v in open_jaxpr(jaxpr).outvars]


def default_params(fun: Callable, *avals: Any) -> dict[str, Any]:
    """The parameters that this version of JAX gives the primitive behind `fun`."""
    return jax.make_jaxpr(fun)(*avals).eqns[0].params


here = source_info_util.current  # where the running operation was called, see below


NO_LINE = "an unknown line"


def line_of(source: Any) -> str:
    """`file:line:column (function)` of the user's, given what `here()` returned.

    Empty where all of it was JAX's code.
    """
    for code, last in _frames(source):
        if not is_internal(code.co_filename, _INTERNAL):
            line, _, column, _ = next(islice(code.co_positions(), last // 2, None))
            place = f"{line}:{column}" if column else str(line)
            return f"{code.co_filename}:{place} ({code.co_qualname})"
    return ""


# A context in which operations are as if from where `here()` returned this: with
# `as_if_at(source.traceback)`.
as_if_at = source_info_util.user_context


def _frames(source: Any) -> Iterable[tuple[Any, int]]:
    """(code, the number of its last instruction) of what `here()` returned."""
    return zip(*source.traceback.raw_frames(), strict=True) if source.traceback else ()


def user_frames(outermost: Any = None) -> Iterator[tuple[Any, int]]:
    """(code, the number of its last instruction) of the user's that runs, inner first.

    `code.co_positions()` says where in a file that instruction comes from.  With
    `outermost`, a code object, of what that runs alone; there may be none.
    """
    frames = takewhile(lambda x: x[0] is not outermost, _frames(here()))
    found = [x for x in frames if not is_internal(x[0].co_filename, _INTERNAL)]
    if outermost:
        yield from found
        return
    stack = ((frame.f_code, frame.f_lasti) for frame, _ in traceback.walk_stack(None))
    yield from found or (
        x for x in stack if not is_internal(x[0].co_filename, _INTERNAL)
    )


def user_line() -> str:
    """`file:line (function)` of the user's code that is running now."""
    line = line_of(here())
    if line:
        return line
    # An operation of one of JAX's own functions: the line that called it.
    for frame, number in traceback.walk_stack(None):
        code = frame.f_code
        if not is_internal(code.co_filename, _INTERNAL):
            return f"{code.co_filename}:{number} ({code.co_qualname})"
    return NO_LINE
