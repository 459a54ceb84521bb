"""Whose tests are run, and of which version."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

VERSION = "0.10.2"  # of JAX
FILES = """
    api batching custom_api custom_linear_solve custom_root fft generated_fun jet
    lax_autodiff lax_control_flow lax_scipy linalg nn ode
""".split()
# Their versions, and the files in which tests reach a transform: a form, and names.
PACKAGES = {
    "equinox": ("0.13.8", "tests", ""),
    "lineax": ("0.1.1", "tests", ""),
    "optimistix": ("0.1.0", "tests", ""),
    "diffrax": ("0.7.2", "test/test_{}.py", "adaptive_stepsize_controller adjoint"),
    "optax": (
        "0.2.8",
        "optax/{}_test.py",
        """
        _src/alias _src/factorized _src/linear_algebra _src/linesearch _src/numerics
        _src/transform _src/utils contrib/_complex_valued contrib/_muon
        contrib/_schedule_free experimental/_aggregating losses/_classification
        losses/_fenchel_young losses/_ranking losses/_segmentation
        perturbations/_make_pert projections/_projections schedules/_schedule
        transforms/_accumulation transforms/_conditionality transforms/_monitoring
    """,
    ),
    "flax": (
        "0.12.8",
        "tests/{}_test.py",
        """
        core/core_lift core/design/core_custom_vjp linen/linen linen/linen_attention
        linen/linen_module linen/linen_transforms nnx/bridge/module nnx/ema
        nnx/graph_utils nnx/integration nnx/module nnx/mutable_array nnx/nn/linear
        nnx/optimizer nnx/partitioning nnx/spmd nnx/transforms
    """,
    ),
    "numpyro": (
        "0.22.0",
        "test/test_{}.py",
        "distributions_util flows nn optimizers",
    ),
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
        Suite(
            *(name, name, version, path / name),
            tests=tuple(form.format(x) for x in names.split() or [""]),
        )
        for name, (version, form, names) in PACKAGES.items()
    ]
