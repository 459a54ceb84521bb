"""How far two results are apart."""

import jax
import numpy as np


def difference(ours, theirs) -> float:
    """The largest relative difference; nan where a number isn't finite."""
    pairs = list(zip(jax.tree.leaves(ours), jax.tree.leaves(theirs), strict=True))
    sizes = [float(np.max(np.abs(r), initial=0)) for _, r in pairs]
    with np.errstate(invalid="ignore"):
        errors = [
            np.max(np.abs(y - r), initial=0) / (max(size, max(sizes) / 100) or 1)
            for (y, r), size in zip(pairs, sizes, strict=True)
        ]
    return float(np.max(errors))
