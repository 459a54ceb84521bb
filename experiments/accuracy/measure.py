"""Errors of derivatives at one point, relative to the exact one."""

from collections.abc import Iterator

import jax
import jax.numpy as jnp
import mpmath
import numpy as np

import jaxkit as jk
from jaxkit.study import finite

# Written once for NumPy, jax.numpy and mpmath, which name their functions alike.
FUNCTIONS = {
    "smooth": (lambda m, x: m.exp(m.sin(x)), 0.7),
    "rational": (lambda m, x: 1 / (1 + x * x), 1.3),
    "oscillating": (lambda m, x: x * m.sin(50 * x), 0.7),
    "steep": (lambda m, x: m.tanh(20 * x), 0.05),
}


def points(settings: dict) -> Iterator[dict]:
    """Each function in each dtype."""
    for function in settings["functions"]:
        for dtype in settings["dtypes"]:
            yield {"function": function, "dtype": dtype}


def measure(point: dict, settings: dict) -> dict:
    """Relative errors: of each difference at each step, and of each mode."""
    f, at = FUNCTIONS[point["function"]]
    dtype = np.dtype(point["dtype"])
    x = dtype.type(at)
    true = exact(f, x)
    with jax.enable_x64(dtype == np.float64):
        modes = {
            "forward": jk.jvp(
                lambda x: f(jnp, x), (jnp.asarray(x),), (jnp.ones_like(x),)
            )[1],
            "reverse": jk.grad(lambda x: f(jnp, x))(jnp.asarray(x)),
        }
    with np.errstate(all="ignore"):  # a step that vanishes beside x divides 0 by it
        errors = {
            method: [
                error(difference(f, x, dtype.type(10.0**-k), method), true)
                for k in settings["exponents"]
            ]
            for method in finite.METHODS
        }
    found = {name: error(value, true) for name, value in modes.items()}
    return {"programs": {}, "differences": errors, "modes": found}


def difference(f, x, step, method: str):
    """The difference quotient, in the dtype of x."""
    imaginary = np.result_type(x, np.complex64).type(1j)
    if method == "complex":
        return np.imag(f(np, x + imaginary * step)) / step
    return finite.directional(lambda x: f(np, x), [x], [x.dtype.type(1)], step, method)


def exact(f, x) -> mpmath.mpf:
    """The derivative at exactly this number, in 50 digits."""
    with mpmath.workdps(50):
        return mpmath.diff(lambda x: f(mpmath, x), mpmath.mpf(float(x)))


def error(value, true) -> float:
    """|value - true| / |true|, in high precision."""
    with mpmath.workdps(50):
        return float(abs(mpmath.mpf(float(value)) - true) / abs(true))
