"""jaxkit stands on its own derivatives: nothing of JAX's is imported or called."""

import ast
from pathlib import Path

import pytest

import jaxkit

SOURCES = sorted(Path(jaxkit.__file__).parent.rglob("*.py"))
DERIVATIVES = {
    "jvp", "vjp", "grad", "value_and_grad", "linearize", "linear_transpose", "jacfwd",
    "jacrev", "jacobian", "hessian", "linear_call", "closure_convert",
    "custom_gradient",
}  # fmt: skip


def violations(source: str) -> list[str]:
    """What a module takes from JAX that it must not take."""
    found = []
    for node in ast.walk(ast.parse(source)):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Attribute):
            names = [ast.unparse(node)]
        for name in names:
            parts = name.split(".")
            if parts[0] not in ("jax", "jaxlib"):
                continue
            if "_src" in parts or "interpreters" in parts or "jaxlib" in parts:
                found.append(name)
            if len(parts) > 1 and DERIVATIVES & set(parts[1:]):
                found.append(name)
    return found


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: p.name)
def test_uses_nothing_of_jaxs_differentiation(path):
    allowed = ["jax.vjp"] if path.parts[-2:] == BESIDE_JAX else []
    assert violations(path.read_text()) == allowed


# `explain` shows JAX's gradient beside the kit's.
BESIDE_JAX = "explaining", "reference.py"


@pytest.mark.parametrize("source", [
    "import jax._src.core", "from jax._src import core", "from jax import grad",
    "import jax\njax.grad(f)", "from jax.interpreters import ad",
    "import jax\njax.custom_derivatives.linear_call",
])  # fmt: skip
def test_the_check_finds_violations(source):
    assert violations(source)


def test_only_tracing_touches_jax_core():
    """Elsewhere the list of primitives is all that's taken from it."""
    for path in SOURCES:
        if path.name == "tracing.py":
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module == "jax.extend.core":
                assert {a.name for a in node.names} <= {"primitives", "Primitive"}, path
            elif isinstance(node, ast.Attribute | ast.Import | ast.ImportFrom):
                assert "jax.core" not in ast.unparse(node), path


def test_imports_point_downwards():
    layers = [
        ["tracing", "version", "drawing"],
        ["study"],
        ["tangents", "equations"],
        ["linear", "spaces"],
        ["recording", "maps", "printing"],
        ["rules"],
        ["dual"],
        ["control", "arguments", "checks"],
        ["transforms"],
        ["gradients", "explaining", "lessons"],
        ["__init__"],
        ["__main__"],
    ]
    level = {name: i for i, names in enumerate(layers) for name in names}
    root = Path(jaxkit.__file__).parent
    for path in SOURCES:
        here = path.relative_to(root).with_suffix("").parts[0]
        for node in ast.parse(path.read_text()).body:  # at the top of the module
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(
                "jaxkit."
            ):
                there = node.module.split(".")[1]
                if here != there:
                    assert level[there] < level[here], f"{path} imports {there}"
