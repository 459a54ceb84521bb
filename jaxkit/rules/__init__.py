"""The table of derivative rules, one file for each family of primitives.

A library author adds a rule for a primitive, for both modes at once, by one call:

    jaxkit.rules.elementwise(my_sin_p, lambda y, x: jnp.cos(x))
    jaxkit.rules.linear(my_shift_p, lambda ct, x, *, by: my_shift(ct, -by))

See `jaxkit.rules.table` for all the verbs.
"""

from jaxkit.rules import (  # noqa: F401
    convolution,
    foreign,
    fourier,
    indexing,
    linalg,
    parallel,
    ragged,
    random,
    reductions,
    spectral,
    structural,
    windows,
)
from jaxkit.rules import elementwise as _elementwise  # noqa: F401
from jaxkit.rules.table import (
    RULES,
    bilinear,
    custom,
    elementwise,
    general,
    linear,
    refused,
    structured,
    transposable,
    zero,
)
from jaxkit.rules.terms import minus, over, times

__all__ = [
    "RULES",
    "bilinear",
    "custom",
    "elementwise",
    "general",
    "linear",
    "minus",
    "over",
    "refused",
    "structured",
    "times",
    "transposable",
    "zero",
]
