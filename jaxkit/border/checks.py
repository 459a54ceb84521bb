"""What may be differentiated: checks of dtypes and shapes, with exact messages."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax.tree_util import tree_structure

from jaxkit.border.messages import leaf_name, short
from jaxkit.tangents import moves
from jaxkit.tracing import concrete, typeof

ALLOW_INT = " With allow_int=True its gradient is a float0 zero."


def check_reverse_input(transform, x, named, i, holomorphic, allow_int) -> None:
    dtype = x.dtype
    if holomorphic:
        if not jnp.issubdtype(dtype, jnp.complexfloating):
            raise TypeError(
                f"{transform}: with holomorphic=True arguments must be complex, but "
                f"{leaf_name(named, i)} is {short(typeof(x))}; pass it as complex."
            )
    elif not moves(dtype) and not allow_int:
        # allow_int is None of a transform that hasn't got it.
        hint = "" if allow_int is None else ALLOW_INT
        raise TypeError(
            f"{transform}: {leaf_name(named, i)} is {short(typeof(x))}, and "
            f"derivatives are with respect to real or complex numbers; "
            f"{_instead(x)}.{hint}"
        )


# What to do with a complex-differentiable function; None: there is no such option.
HOLOMORPHIC = {
    False: "pass holomorphic=True",
    None: "use jaxkit.jacobian with holomorphic=True",
}


def check_forward_input(transform, x, named, i, holomorphic) -> None:
    is_complex = jnp.issubdtype(x.dtype, jnp.complexfloating)
    if holomorphic and not is_complex:
        raise TypeError(
            f"{transform}: with holomorphic=True arguments must be complex, but "
            f"{leaf_name(named, i)} is {short(typeof(x))}; pass it as complex."
        )
    if not moves(x.dtype):
        raise TypeError(
            f"{transform}: {leaf_name(named, i)} is {short(typeof(x))}, and "
            f"derivatives are with respect to real numbers; {_instead(x)}."
        )
    if is_complex and not holomorphic:
        raise TypeError(
            f"{transform}: {leaf_name(named, i)} is {short(typeof(x))}, and "
            f"derivatives are with respect to real numbers; {HOLOMORPHIC[holomorphic]} "
            "if the function is complex-differentiable, else use jvp."
        )


def _instead(x) -> str:
    """What to pass instead of an integer, boolean or key."""
    if jnp.issubdtype(x.dtype, jax.dtypes.extended):
        return "select other arguments by argnums, or close over it"
    value = concrete(x)
    if value is None or jnp.ndim(x) > 0 or not jnp.issubdtype(x.dtype, jnp.number):
        return "pass an array of floats, such as x.astype(float)"
    return f"pass {float(value)}"


def check_output(transform, y, name, holomorphic) -> None:
    kind = getattr(typeof(y).dtype, "kind", "")  # keys have none
    if holomorphic and kind != "c":
        raise TypeError(
            f"{transform}: with holomorphic=True outputs must be complex, but {name} "
            f"is {short(typeof(y))}; return a complex number, or leave holomorphic "
            "out."
        )
    if not holomorphic and not jnp.issubdtype(typeof(y).dtype, jnp.floating):
        hint = (
            f"{HOLOMORPHIC[holomorphic]} if the function is complex-differentiable, "
            "else use vjp"
            if kind == "c"
            else "return a float, or use vjp"
        )
        raise TypeError(
            f"{transform}: {name} is {short(typeof(y))}, but must be real; {hint}."
        )


PAIR = " (or has_aux=True, for a pair of a scalar and other data)"


def check_scalar(transform, flat, outs, holomorphic) -> None:
    if flat.out_tree != tree_structure(0):
        hint = (
            "return one of its leaves, or use vjp or jacrev"
            + (PAIR if transform in ("grad", "value_and_grad") else "")
            if outs
            else "return a number (is there a return in it?)"
        )
        raise TypeError(
            f"{transform}: the function must return one scalar, but it returned "
            f"{flat.out_space(outs)}; {hint}."
        )
    aval = typeof(outs[0])
    if aval.shape != ():
        raise TypeError(
            f"{transform}: the function must return a scalar, but the output is "
            f"{short(aval)}; reduce it to a scalar, or use vjp (one product with a "
            "cotangent) or jacrev (the whole Jacobian)."
        )
    check_output(transform, outs[0], "the output", holomorphic)
