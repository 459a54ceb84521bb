"""The sweep: which points, and what is measured at one of them."""

from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import mpmath
import numpy as np

import jaxkit as jk
from experiments.bench import ExperimentError
from jaxkit.study import finite

LARGEST = 37  # of the exponents of steps 10^-k

# Written once for NumPy, jax.numpy and mpmath, which name their functions alike.
FUNCTIONS = {
    "smooth": ("exp(sin x) at 0.7", lambda xp, x: xp.exp(xp.sin(x)), 0.7),
    "rational": ("1 / (1 + x^2) at 1.3", lambda xp, x: 1 / (1 + x * x), 1.3),
    "oscillating": ("x sin 50x at 0.7", lambda xp, x: x * xp.sin(50 * x), 0.7),
    "steep": ("tanh 20x at 0.05", lambda xp, x: xp.tanh(20 * x), 0.05),
}


def points(settings: dict) -> Iterator[dict]:
    """Each function in each dtype.

    Raises:
        ExperimentError: a step would be no number of a dtype.
    """
    if (largest := max(settings["exponents"])) > LARGEST:
        raise ExperimentError(
            f"--exponents {largest:g}: 10^-{largest:g} is no normal float32; take "
            f"{LARGEST} at most"
        )
    for function in settings["functions"]:
        for dtype in settings["dtypes"]:
            yield {"function": function, "dtype": dtype}


def measure(point: dict, settings: dict) -> dict:
    """Relative errors: of each difference at each step, and of each mode."""
    _, f, at = FUNCTIONS[point["function"]]
    dtype = np.dtype(point["dtype"])
    x = dtype.type(at)
    true = exact(f, x)
    with jax.enable_x64(dtype == np.float64):
        g, y = (lambda x: f(jnp, x)), jnp.asarray(x)
        modes = {
            "forward": jk.jvp(g, (y,), (jnp.ones_like(y),))[1],
            "reverse": jk.grad(g)(y),
        }
    with np.errstate(all="ignore"):  # a step that vanishes beside x divides 0 by it
        errors = {
            method: [
                error(difference(f, x, dtype.type(10.0**-k), method), true)
                for k in settings["exponents"]
            ]
            for method in ("newton", "central", "complex")
        }
    return {
        "differences": errors,
        "modes": {name: error(value, true) for name, value in modes.items()},
    }


def difference(f, x, step, method: str):
    """The difference quotient, in the dtype of x."""
    imaginary = np.result_type(x, np.complex64).type(1j)
    if method == "complex":
        return np.imag(f(np, x + imaginary * step)) / step
    return finite.directional(lambda x: f(np, x), [x], [x.dtype.type(1)], step, method)


def exact(f, x) -> Any:
    """The derivative at exactly this number, in 50 digits."""
    with mpmath.workdps(50):
        return mpmath.diff(lambda x: f(mpmath, x), mpmath.mpf(float(x)))


def error(value, true) -> float:
    """|value - true| / |true|, in high precision."""
    with mpmath.workdps(50):
        return float(abs(mpmath.mpf(float(value)) - true) / abs(true))
