"""The table of derivative rules, one file for each family of primitives.

A library author adds a rule for a primitive, for both modes at once, by one call:

    jaxkit.rules.elementwise(my_sin_p, lambda y, x: jnp.cos(x))
    jaxkit.rules.linear(my_shift_p, lambda ct, x, *, by: my_shift(ct, -by))

See `jaxkit.rules.verbs` for all the verbs.  `jaxkit.rules[primitive]` is the rule of a
primitive (or of the name of one); printed, it says what was declared, and where.
"""

import sys
from types import ModuleType
from typing import Any

from jaxkit.rules import (  # noqa: F401
    convolution,
    foreign,
    fourier,
    indexing,
    linalg,
    parallel,
    ragged,
    random,
    reducers,
    reductions,
    registered,
    scatter,
    spectral,
    structural,
    windows,
)
from jaxkit.rules import elementwise as _elementwise  # noqa: F401
from jaxkit.rules import spreads as _spreads  # noqa: F401  (of all of the above)
from jaxkit.rules.table import NONE, RULES, Rule
from jaxkit.rules.terms import minus, only, over, times
from jaxkit.rules.verbs import (
    bilinear,
    custom,
    elementwise,
    equivalent,
    general,
    linear,
    refused,
    structured,
    transposable,
    zero,
)

__all__ = [
    "RULES",
    "Rule",
    "bilinear",
    "custom",
    "elementwise",
    "equivalent",
    "general",
    "linear",
    "minus",
    "only",
    "over",
    "refused",
    "structured",
    "times",
    "transposable",
    "zero",
]


class _Rules(ModuleType):
    def __getitem__(self, primitive: Any) -> Rule:
        """The rule of a primitive, or of one of this name; KeyError if it has none."""
        if not isinstance(primitive, str) and not hasattr(primitive, "bind"):
            raise TypeError(
                f"rules are found by primitive (jax.extend.core.primitives.sin_p), or "
                f"by the name of one ('sin'), not by {primitive!r}"
            )
        rule = named(primitive)
        if rule is NONE:
            raise KeyError(
                f"the primitive '{primitive}' has no rule; add one with jaxkit.rules: "
                "elementwise, linear, bilinear, zero, or custom"
            )
        return rule


def named(primitive: Any) -> Rule:
    """The rule of a primitive, or of one of this name; `NONE` if it has none."""
    found = RULES[primitive]
    if found is not NONE or not isinstance(primitive, str):
        return found
    return next((rule for rule in RULES.values() if rule.name == primitive), NONE)


sys.modules[__name__].__class__ = _Rules
