"""Cases of `jaxkit.rules.ragged`."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from zoo.case import DOUBLE, Case
from zoo.samplers import constant, sampler, uniform

SIZES = {"": [2, 3], ", fewer rows": [1, 2], ", an empty group": [0, 5]}


def _rows_of_groups(x, y, sizes):
    """Row by row, which JAX differentiates."""
    group = jnp.searchsorted(jnp.cumsum(sizes), jnp.arange(len(x)), side="right")
    return jnp.einsum("mk,mkn->mn", x, y.at[group].get(mode="fill", fill_value=0))


def _belongs(sizes, n):
    """[g, i]: whether i is in group g."""
    ends = jnp.cumsum(sizes)
    i = jnp.arange(n)
    return ((ends - sizes)[:, None] <= i) & (i < ends[:, None])


def _general(contract, batch, ragged, group):
    numbers = lax.RaggedDotDimensionNumbers((contract, batch), ragged, group)
    return lambda x, y, sizes: lax.ragged_dot_general(x, y, sizes, numbers)


CASES = [
    *(
        Case(
            "ragged_dot_general",
            f"ragged_dot{name}",
            lambda x, y, sizes: lax.ragged_dot(x, y, sizes),
            sampler(uniform(5, 3), uniform(2, 3, 4), constant(np.array(sizes))),
            tolerance=4,
            batches=False,
        )
        for name, sizes in SIZES.items()
    ),
    *(
        Case(
            "ragged_dot_general",
            f"ragged_dot{name}, contracted",
            _general(((1,), (0,)), ((), ()), [1], []),
            sampler(uniform(4, 5), uniform(5, 3), constant(np.array(sizes))),
            DOUBLE,
            tolerance=4,
            batches=False,
            reference=lambda x, y, sizes: jnp.einsum(
                "mk,gk,kn->gmn", x, _belongs(sizes, 5).astype(x.dtype), y
            ),
        )
        for name, sizes in SIZES.items()
    ),
    *(
        Case(
            "ragged_dot_general",
            f"ragged_dot{name}, batched",
            _general(((2,), (1,)), ((0,), (0,)), [0], []),
            sampler(uniform(5, 2, 3), uniform(5, 3, 4), constant(np.array(sizes))),
            DOUBLE,
            tolerance=4,
            batches=False,
            reference=lambda x, y, sizes: jnp.einsum("bmk,bkn->bmn", x, y),
        )
        for name, sizes in SIZES.items()
        if sum(sizes) == 5
    ),
    Case(
        "ragged_dot_general",
        "ragged_dot, axes crossed",
        _general(((0,), (2,)), ((), ()), [1], [1]),
        sampler(uniform(3, 5), uniform(4, 2, 3), constant(np.array([2, 3]))),
        DOUBLE,
        tolerance=4,
        batches=False,
        reference=lambda x, y, sizes: _rows_of_groups(
            x.T, jnp.transpose(y, (1, 2, 0)), sizes
        ),
    ),
    Case(
        "ragged_dot_general",
        "ragged_dot, two free axes",
        _general(((2,), (1,)), ((), ()), [1], [0]),
        sampler(
            uniform(2, 5, 3), uniform(2, 3, 4), constant(np.array([[2, 3], [4, 1]]))
        ),
        DOUBLE,
        tolerance=4,
        batches=False,
        reference=lambda x, y, sizes: jnp.stack(
            [_rows_of_groups(x[i], y, sizes[i]) for i in range(2)]
        ),
    ),
    Case(
        "ragged_dot_general",
        "ragged_dot, batch dimensions",
        jax.vmap(lambda x, y, sizes: lax.ragged_dot(x, y, sizes)),
        sampler(
            uniform(2, 5, 3), uniform(2, 2, 3, 4), constant(np.array([[2, 3], [4, 1]]))
        ),
        DOUBLE,
        tolerance=4,
        batches=False,
    ),
    Case(
        "ragged_dot_general",
        "ragged_dot, wider result",
        lambda x, y, sizes: lax.ragged_dot(
            x, y, sizes, preferred_element_type=np.float64
        ),
        sampler(uniform(5, 3), uniform(2, 3, 4), constant(np.array([2, 3]))),
        ("float32",),
    ),
]
