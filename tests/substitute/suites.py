"""Whose tests are run, and of which version."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

VERSION = "0.10.2"  # of JAX
FILES = """
    api batching custom_api custom_linear_solve custom_root fft generated_fun jet
    lax_autodiff lax_control_flow lax_scipy linalg nn ode
""".split()
PACKAGES = {
    "equinox": ("0.13.8", "tests"),
    "lineax": ("0.1.1", "tests"),
    "optimistix": ("0.1.0", "tests"),
    "diffrax": ("0.7.2", "test"),
    "optax": ("0.2.8", "optax"),
    "flax": ("0.12.8", "tests/core", "tests/linen", "tests/nnx"),
    "numpyro": ("0.22.0", "test"),
}


@dataclass(frozen=True)
class Suite:
    """Files of tests, or folders of them, in the folder `root`.

    That is where pytest's settings are too, if the package has some.
    """

    name: str
    package: str
    version: str
    root: Path
    tests: tuple[str, ...]


def of_jax(path: Path) -> list[Suite]:
    """The files of tests in a checkout of JAX."""
    root = path / "tests"  # not the checkout, whose jax would be imported
    return [Suite(x, "jax", VERSION, root, (f"{x}_test.py",)) for x in FILES]


def of_packages(path: Path) -> list[Suite]:
    """The packages of which the sources are in folders of `path`."""
    return [
        Suite(name, name, version, path / name, tuple(tests))
        for name, (version, *tests) in PACKAGES.items()
    ]
