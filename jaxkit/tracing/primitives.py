"""JAX's primitives: which they are, what their parameters say, what they return."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import jax
from jax.extend.core import Primitive, primitives, take_current_trace

from jaxkit.tracing.jaxprs import is_deep, open_jaxpr
from jaxkit.tracing.types import typeof

_config: Any = jax.config

JAX_PRIMITIVES = {x for x in vars(primitives).values() if isinstance(x, Primitive)}


@cache
def belongs_to_jax(thing: Any) -> bool:
    """Whether a primitive is JAX's own: one of JAX's modules holds it by some name."""
    modules = [m for name, m in list(sys.modules.items()) if name.startswith("jax.")]
    return any(x is thing for m in modules for x in list(vars(m).values()))


def is_jaxs(function_or_class: Any) -> bool:
    """Whether it is JAX's own code."""
    return function_or_class.__module__.split(".")[0] == "jax"


def bind(primitive: Primitive, operands: Sequence[Any], params) -> Any:
    """Carry a primitive out under the current trace, with params as `interpret` has."""
    avals = [typeof(x) for x in operands]
    if "subfuns" not in params:
        params = primitive.get_bind_params(params)
    with take_current_trace() as trace:
        out = primitive.bind_with_trace(trace, operands, avals, params)
    return list(out) if primitive.multiple_results else out


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


def writes(params: dict[str, Any]) -> bool:
    """Whether code among a primitive's parameters writes to a reference it is given."""
    codes = jax.tree.leaves(
        list(params.values()), is_leaf=lambda x: hasattr(x, "effects")
    )
    effects = [e for x in codes for e in getattr(x, "effects", ())]
    return any(type(e).__name__ in ("WriteEffect", "AccumEffect") for e in effects)


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
