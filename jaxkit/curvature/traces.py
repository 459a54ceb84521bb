"""The diagonal and the trace of a Hessian, from products with vectors alone.

The linear program of the gradient is the Hessian; it is recorded once, and run on
vectors v.  The sum of v_i (H v)_i is an entry of the diagonal, if v is a unit vector;
its mean is the trace, if v has entries of random sign.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxkit.border.tracebacks import entry
from jaxkit.calls import Arguments
from jaxkit.maps import LinearMap
from jaxkit.operators import hessian_of, on_vector
from jaxkit.passes import arrays_of, check_chunk_size, passes

METHODS = "exact", "hutchinson", "hutch++"


def hessian_diagonal(
    fun: Callable,
    argnums: Arguments = ...,
    *,
    argnames: str | Sequence[str] | None = None,
    chunk_size: int | None = None,
) -> Callable:
    """The diagonal of the Hessian of a scalar function, exactly.

    It takes a pass of the gradient's linear program for each number that is selected.

    Args:
        fun: a scalar function of pytrees of real arrays.
        argnums, argnames: by which arguments, as in `grad`.
        chunk_size: how many passes are made at a time: memory grows with it.  By
            default all at once.

    Returns:
        a function of the same arguments that returns a pytree like what is selected.

    Raises (when called):
        TypeError: an argument selected, or the output, isn't real; the output is no
            scalar.

    Example:

        >>> hessian_diagonal(lambda x: jnp.prod(x**2))(jnp.array([1.0, 2.0]))
        Array([8., 2.], dtype=float32)
    """
    check_chunk_size("hessian_diagonal", chunk_size)
    operator_at = hessian_of("hessian_diagonal", fun, argnums, argnames)

    @partial(entry, like=fun)
    def diagonal(*args, **kwargs):
        H = operator_at(*args, **kwargs)
        space = H.codomain
        numbers = passes(partial(form, H), space.avals, chunk_size=chunk_size)
        return space.unflatten(arrays_of(numbers, space.avals))

    return diagonal


def form(H: LinearMap, vector: Sequence[Any]) -> jax.Array:
    """v' H v."""
    products = [
        jnp.sum(v * y)
        for v, y in zip(vector, H.run(vector), strict=True)
        if y is not None
    ]
    return jnp.asarray(sum(products), _dtype(H))


def _dtype(H: LinearMap) -> Any:
    return jnp.result_type(*[x.dtype for x in H.codomain.avals] or [float])


class Estimate(NamedTuple):
    """A number and the variance of its error, 0 if it is exact."""

    value: jax.Array
    variance: jax.Array


def hessian_trace(
    fun: Callable,
    argnums: Arguments = ...,
    *,
    argnames: str | Sequence[str] | None = None,
    method: str = "exact",
    key: Any = None,
    samples: int = 32,
    chunk_size: int | None = None,
) -> Callable:
    """The trace of the Hessian of a scalar function, exactly or estimated.

    Args:
        fun, argnums, argnames, chunk_size: as in `hessian_diagonal`.
        method: "exact", a pass for each number that is selected; "hutchinson", the mean
            over random vectors; "hutch++", which takes the trace exactly on a space
            that a third of the vectors find, and is closer where few eigenvalues are
            large.
        key: the random key of an estimate (`jax.random.key`).
        samples: how many passes an estimate takes, from 2, of "hutch++" from 6.

    Returns:
        a function of the same arguments that returns an `Estimate`: the trace, and the
        variance of its error, which of an estimate is estimated from the same vectors.

    Raises:
        ValueError: `method` isn't one of these, there are too few samples, an estimate
            has no key, or `chunk_size` isn't positive.
        TypeError: when called, as `hessian_diagonal`.

    Example:

        >>> hessian_trace(lambda x: jnp.sum(x**3))(jnp.array([1.0, 2.0]))
        Estimate(value=Array(18., dtype=float32), variance=Array(0., dtype=float32))

    Source: M. F. Hutchinson, A stochastic estimator of the trace (1989); R. A. Meyer,
    C. Musco, C. Musco, D. P. Woodruff, Hutch++: Optimal stochastic trace estimation
    (2021).
    """
    check_chunk_size("hessian_trace", chunk_size)
    if method not in METHODS:
        names = ", ".join(map(repr, METHODS))
        raise ValueError(f"hessian_trace: method is {method!r}; pass one of {names}")
    least = {"exact": 0, "hutchinson": 2, "hutch++": 6}[method]
    if not isinstance(samples, int | np.integer) or samples < least:
        raise ValueError(
            f"hessian_trace: samples is {samples!r}; {method!r} takes a number from "
            f"{least}"
        )
    if method != "exact" and key is None:
        raise ValueError(
            f"hessian_trace: method={method!r} draws vectors; pass "
            "key=jax.random.key(seed)"
        )
    operator_at = hessian_of("hessian_trace", fun, argnums, argnames)

    @partial(entry, like=fun)
    def trace(*args, **kwargs):
        H = operator_at(*args, **kwargs)
        if method == "exact" or not sum(H.codomain.sizes):
            parts = passes(partial(form, H), H.codomain.avals, chunk_size=chunk_size)
            return Estimate(jnp.sum(parts), jnp.zeros((), _dtype(H)))
        estimate = hutchinson if method == "hutchinson" else hutch_plus_plus
        size, dtype = sum(H.codomain.sizes), jnp.promote_types(_dtype(H), jnp.float32)
        one = partial(on_vector, H.run, H.codomain.avals, H.codomain.avals, dtype)

        def products(vectors):
            return lax.map(one, vectors, batch_size=chunk_size or len(vectors))

        return estimate(products, size, dtype, key, samples)

    return trace


# --- Estimates: `products(vectors)` are H v, of each row v ----------------------------


def hutchinson(products: Callable, size: int, dtype, key, samples: int) -> Estimate:
    return _mean_form(products, jax.random.rademacher(key, (samples, size), dtype))


def hutch_plus_plus(
    products: Callable, size: int, dtype, key, samples: int
) -> Estimate:
    """The trace on the space that H makes of a third of the vectors, and by the others
    what is left of it at right angles to that."""
    third = min(samples // 3, size)
    signs = jax.random.rademacher(key, (samples - third, size), dtype)
    basis = jnp.linalg.qr(products(signs[:third]).T)[0].T
    there = jnp.sum(basis * products(basis))
    rest = signs[third:]
    left = _mean_form(products, rest - rest @ basis.T @ basis)
    return Estimate(there + left.value, left.variance)


def _mean_form(products: Callable, vectors: jax.Array) -> Estimate:
    forms = jnp.sum(vectors * products(vectors), 1)
    return Estimate(jnp.mean(forms), jnp.var(forms, ddof=1) / len(forms))
