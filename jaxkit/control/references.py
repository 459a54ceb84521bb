"""References (`jax.new_ref`): arrays that change, made in a function that moves.

To the trace a reference is a box (`tracing.Reference`), with a value that it replaces
by another where something is written: an array like all others, with a tangent or not.
So reading and writing are indexing, and the linear program knows of no references.

Code that a structure runs gets the values, makes references of them inside, and returns
the values that these have at last: then nothing in it comes from outside.  A reference
from outside of what is differentiated is read before, and written behind, for code that
is run again (a checkpoint, the steps of a loop) must find what it held then.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import cache, cached_property, reduce
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax, ref

from jaxkit import tracing
from jaxkit.rules.verbs import general
from jaxkit.tracing import Reference, Trace

UNMOVED = {"no_grad_no_remat"}  # kinds of references that have no tangent by intent


@cache
def _primitives() -> dict[str, Any]:
    """Those that read and write; no public module of JAX's has them."""

    def uses(x):
        r = jax.new_ref(x)
        r[...] = x
        ref.addupdate(r, ..., x)
        return r[...]

    jaxpr = tracing.open_jaxpr(jax.make_jaxpr(uses)(0.0))
    return {eqn.primitive.name: eqn.primitive for eqn in jaxpr.eqns}


def _numbers(shape: tuple[int, ...]) -> Any:
    """0, 1, ...; computed, since JAX doesn't read a constant by a traced index."""
    return lax.reshape(lax.iota(np.int32, math.prod(shape)), shape)


class Places:
    """The entries of an array that an index of a reference names.

    Which they are is asked of a reference that holds numbers, so that an index means
    what it means to JAX, also where it is out of bounds: what is read there are the
    numbers of entries, and what is written, who wrote.
    """

    def __init__(self, reference: Reference, index: Sequence[Any], tree: Any):
        trace = reference._trace
        self.tree, self.index = tree, list(map(trace.below, index))
        self.shape, self.parent = tracing.typeof(reference).shape, trace.parent
        self.are_all = not jax.tree.unflatten(tree, index)  # r[...]
        self.is_one_block = all(jnp.ndim(i) == 0 for i in index)  # of single indices

    def _bind(self, name: str, reference: Any, *written: Any) -> Any:
        return _primitives()[name].bind(
            reference, *written, *self.index, tree=self.tree
        )

    @cached_property
    def numbers(self) -> Any:
        """Of each entry that is read its number."""
        with tracing.set_current_trace(self.parent):
            return self._bind("get", jax.new_ref(_numbers(self.shape)))

    def read(self, array: Any) -> Any:
        return array if self.are_all else jnp.reshape(array, -1)[self.numbers]

    def write(self, array: Any, x: Any) -> Any:
        """`array`, with x in these places; of those named twice one x stays."""
        if self.are_all:
            return x
        if self.is_one_block:  # which is written in place
            flat = jnp.reshape(array, -1)
            after = flat.at[self.numbers].set(x, unique_indices=True)
            return after.reshape(self.shape)
        with tracing.set_current_trace(self.parent):
            reference = jax.new_ref(lax.full(self.shape, -1, np.int32))
            self._bind("swap", reference, _numbers(x.shape))
            writer = jax.freeze(reference)
        return jnp.where(writer < 0, array, jnp.reshape(x, -1)[writer])

    def add(self, array: Any, x: Any) -> Any:
        if self.are_all:
            return lax.add(array, x)
        flat = jnp.reshape(array, -1)
        if not self.is_one_block:
            x = jnp.where(self.in_bounds(x.ndim), x, 0)
        return flat.at[self.numbers].add(x).reshape(self.shape)

    def in_bounds(self, ndim: int) -> Any:
        """Of each entry that arrays name whether it is there: what isn't is read from
        the edge, but not written."""
        (indexer,) = jax.tree.unflatten(self.tree, self.index)
        pairs = zip(indexer.indices, self.shape, strict=True)
        found = [(i >= -n) & (i < n) for i, n in pairs if not hasattr(i, "stride")]
        there = reduce(jnp.logical_and, found)
        return jnp.reshape(there, there.shape + (1,) * (ndim - there.ndim))


# --- The primitives, of a reference that was made here --------------------------------


def _always(trace, operands) -> bool:
    return True


def _ours(trace, operands) -> bool:
    return any(map(trace.made, operands))


def _new(trace, operands, *, kind, **params):
    reference = Reference(trace, tracing.typeof(operands[0]), kind)
    return _put(reference, *operands)


def _empty(trace, operands, *, ty, **params):
    return _put(Reference(trace, ty, None), jnp.zeros(ty.shape, ty.dtype))


def _put(reference: Reference, value: Any) -> Reference:
    aval: Any = reference.aval
    reference.value = (
        lax.stop_gradient(value) if aval.kind in UNMOVED else jnp.asarray(value)
    )
    return reference


def _read(trace, operands, *, tree):
    reference, *index = operands
    return Places(reference, index, tree).read(reference.value)


def _check(name: str, operands: Sequence[Any], tree: Any) -> None:
    """Raise as JAX does if what is written isn't of the reference's type."""
    _primitives()[name].abstract_eval(*map(tracing.typeof, operands), tree=tree)


def _swap(trace, operands, *, tree):
    _check("swap", operands, tree)
    reference, x, *index = operands
    places = Places(reference, index, tree)
    before = places.read(reference.value)
    _put(reference, places.write(reference.value, x))
    return before


def _add(trace, operands, *, tree):
    _check("addupdate", operands, tree)
    reference, x, *index = operands
    places = Places(reference, index, tree)
    _put(reference, places.add(reference.value, x))
    return []


def _freeze(trace, operands):
    return operands[0].value


def _free(trace, operands):
    return []


# --- Structures: how they run on values -----------------------------------------------


def opened(jaxpr: Any, places: Sequence[tuple[int, Any] | None]) -> Callable:
    """Code that gets references, as code on what they hold.

    `places` says of each of its operands which reference it is, by number, and the kind
    of that; or None.  The code takes what the references hold, and the other operands,
    and returns the outputs, and what the references hold at last.
    """
    kinds = dict(filter(None, places))

    def code(held, values):
        rest = iter(values)
        references = [jax.new_ref(x, kind=kinds.get(i)) for i, x in enumerate(held)]
        operands = [next(rest) if x is None else references[x[0]] for x in places]
        outs = tracing.run_jaxpr_here(jaxpr, operands)
        return outs, list(map(jax.freeze, references))

    return code


def _jit(trace, operands, *, jaxpr, **params):
    return tracing.run_jaxpr_here(jaxpr, operands)


def _any_with_what_moves(trace, operands) -> bool:
    if any(map(is_reference, operands)):
        return any(trace.owns(x) or trace.made(x) for x in operands)
    return False


def is_reference(x: Any) -> bool:
    """Whether it is one, made here or outside; asked of the operands of every call."""
    return isinstance(getattr(x, "aval", None), ref.AbstractRef)


def on_values(run: Callable) -> Callable:
    """Of a structure that gets references: its outputs.

    `run(params, places, held, rest)` returns them, and what the references hold at
    last, given what they hold, and the other operands.
    """

    def structure(trace, operands, **params):
        references = {id(x): x for x in operands if is_reference(x)}
        numbers = {key: i for i, key in enumerate(references)}
        places = [
            (numbers[id(x)], tracing.typeof(x).kind) if id(x) in numbers else None
            for x in operands
        ]
        rest = [x for x in operands if id(x) not in numbers]
        held = [r.value if trace.made(r) else r[...] for r in references.values()]
        outs, values = run(params, places, held, rest)
        for reference, value in zip(references.values(), values, strict=True):
            if trace.made(reference):
                _put(reference, value)
            elif tracing.writes(params):
                reference[...] = value
        return outs

    return structure


@on_values
def _checkpoint(params, places, held, values):
    code = opened(params["jaxpr"], places)
    kept = {name: params[name] for name in ("prevent_cse", "policy")}
    return jax.checkpoint(code, **kept)(held, values)


@on_values
def _cond(params, places, held, values):
    index, *values = values
    codes = [opened(branch, places[1:]) for branch in params["branches"]]
    return lax.switch(index, codes, held, values)


@on_values
def _scan(params, places, held, values):
    body, n_consts, n, options = tracing.scan_layout(params)
    code, n_consts = opened(body, places), places[:n_consts].count(None)
    consts, rest = values[:n_consts], values[n_consts:]

    def step(carried, slices):
        held, carry = carried
        outs, held = code(held, [*consts, *carry, *slices])
        return (held, outs[:n]), outs[n:]

    (held, carry), ys = lax.scan(step, (held, rest[:n]), rest[n:], **dict(options))
    return [*carry, *ys], held


@on_values
def _while(params, places, held, values):
    n = params["cond_nconsts"]
    m = n + params["body_nconsts"]
    of_cond, of_body, carried = places[:n], places[n:m], [None] * len(places[m:])
    test = opened(params["cond_jaxpr"], [*of_cond, *carried])
    body = opened(params["body_jaxpr"], [*of_body, *carried])
    n, m = of_cond.count(None), of_body.count(None)  # of what isn't a reference
    test_values, body_values, carry = values[:n], values[n : n + m], values[n + m :]

    def goes_on(state):
        held, carry = state
        return test(held, [*test_values, *carry])[0][0]

    def step(state):
        held, carry = state
        outs, held = body(held, [*body_values, *carry])
        return held, outs

    held, outs = lax.while_loop(goes_on, step, (held, carry))
    return outs, held


def _refuse(primitive: str) -> Callable:
    def refuse(trace, operands, **params):
        raise NotImplementedError(
            f"'{primitive}' at {tracing.user_line()} gets a reference (jax.new_ref); "
            "give it what the reference holds, r[...], and write what it returns."
        )

    return refuse


RUN = {  # by when it is run so
    _always: {"new_ref": _new, "empty_ref": _empty},
    _ours: {
        **{"get": _read, "swap": _swap, "addupdate": _add},
        **{"freeze": _freeze, "free_ref": _free},
        **{
            name: _refuse(name)
            for name in ("custom_jvp_call", "custom_vjp_call", "shard_map")
        },
    },
    _any_with_what_moves: {
        **{"jit": _jit, "cond": _cond, "scan": _scan, "while": _while},
        **{"remat2": _checkpoint, "checkpoint": _checkpoint},
    },
}
Trace.on_references = {
    name: (when, run) for when, found in RUN.items() for name, run in found.items()
}


# --- The primitives, of a reference from outside --------------------------------------


@general("swap")
@general("addupdate")
def _(primitive, arithmetic, primals, tangents, params):
    """What moves may be written where nobody differentiates (a log, a statistic)."""
    if tracing.typeof(primals[0]).kind not in UNMOVED:
        raise NotImplementedError(
            f"'{primitive}' at {tracing.user_line()} puts what moves into a reference "
            "from outside of the function that is differentiated, where it has no "
            "tangent. Make the reference inside, by jax.new_ref, or put "
            "jax.lax.stop_gradient(x) into it."
        )
    out = tracing.bind(primitive, primals, params)
    return out, [] if primitive.multiple_results else None
