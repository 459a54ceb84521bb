"""Whether two results agree, and how far they are apart."""

import jax
import numpy as np

from experiments.bench.difference import difference

TOLERANCE = {"float32": 128 * float(np.finfo(np.float32).eps), "float64": 1e-10}
TIMES_JAXS_OWN = 4


def verdict(ours, theirs, truth, tolerance: float) -> dict:
    """The differences, and whether they are within the tolerance."""
    for reference in (theirs, truth):
        if isinstance(reference, str):
            return {"left_out": reference}
    if isinstance(ours, str):
        return {"passed": False, "problem": ours}
    if kind(ours) != kind(theirs):
        return {"passed": False, "problem": f"{kind(ours)}, JAX's {kind(theirs)}"}
    own = difference(theirs, truth)
    if not np.isfinite(own):
        return {"left_out": "JAX's result isn't finite"}
    found = {
        "to_jax": difference(ours, theirs),
        "to_float64": difference(ours, truth),
        "jax_to_float64": own,
        "tolerance": max(tolerance, TIMES_JAXS_OWN * own),
    }
    worst = max(found["to_jax"], found["to_float64"])
    if not np.isfinite(worst):
        return {"passed": False, "problem": "a result isn't finite, and JAX's is"}
    return found | {"passed": worst <= found["tolerance"]}


def kind(tree) -> str:
    """Structure, dtypes and shapes."""
    return str(jax.tree.map(lambda x: f"{x.dtype}{list(x.shape)}", tree))
