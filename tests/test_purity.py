"""jaxkit stands on its own derivatives: nothing of JAX's is imported or called."""

import ast
from pathlib import Path

import pytest

import jaxkit

FOLDER = Path(jaxkit.__file__).parent
USERS = {"scripts", "tasks", "solutions"}  # what readers write, and compare with JAX's
SOURCES = sorted(
    x for x in FOLDER.rglob("*.py") if USERS.isdisjoint(x.relative_to(FOLDER).parts)
)
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
    assert violations(path.read_text()) == ALLOWED.get(path.parts[-2:], [])


# `explain` shows JAX's gradient beside the kit's; a `linear_call`, transposed, is one
# again; what others registered for primitives of their own is theirs.
BESIDE_JAX = "explaining", "reference.py"
ALLOWED = {
    BESIDE_JAX: ["jax.vjp"],
    ("control", "custom.py"): ["jax.custom_derivatives.linear_call"],
    ("rules", "registered.py"): ["jax.interpreters.ad"],
}


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
        if path.parent.name == "tracing":
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module == "jax.extend.core":
                assert {a.name for a in node.names} <= {"primitives", "Primitive"}, path
            elif isinstance(node, ast.Attribute | ast.Import | ast.ImportFrom):
                assert "jax.core" not in ast.unparse(node), path


LAYERS = [
    ["tracing", "version", "drawing"],
    ["study", "fused", "tangents"],
    ["program"],
    ["rules"],
    ["dual"],
    ["arithmetic", "passes"],
    ["border"],
    ["keeping"],
    ["control"],
    ["maps"],
    ["pullbacks"],
    ["transforms"],
    ["gradients"],
    ["residuals", "exercises", "calls"],
    ["operators"],
    ["sparse"],
    ["jacobians"],
    ["elimination", "curvature"],
    ["explaining"],
    ["lessons"],
    ["__init__"],
    ["__main__"],
]


def test_imports_point_downwards():
    """From part to part of jaxkit/, wherever in a file an import stands."""
    level = {name: i for i, names in enumerate(LAYERS) for name in names}
    for module, imported in IMPORTS.items():
        here = module.split(".")[1] if "." in module else "__init__"
        for there in {name.split(".")[1] for name in imported}:
            if here != there:
                assert level[there] < level[here], f"{module} imports {there}"


def test_modules_do_not_import_in_circles():
    def visit(module, path):
        assert module not in path, " -> ".join([*path, module])
        if module not in done:
            for name in IMPORTS.get(module, ()):
                visit(name, [*path, module])
            done.add(module)

    done = set()
    for module in IMPORTS:
        visit(module, [])


def test_nothing_is_imported_inside_a_function():
    """Such an import is a circle in hiding, or a reader's surprise."""
    for path in SOURCES:
        for function in ast.walk(ast.parse(path.read_text())):
            if isinstance(function, ast.FunctionDef):
                found = [ast.unparse(x) for x in ast.walk(function) if is_import(x)]
                ours = [text for text in found if "jaxkit" in text]
                assert not ours, f"{path}, in {function.name}: {ours}"


def is_import(node) -> bool:
    return isinstance(node, ast.Import | ast.ImportFrom)


def module_of(path: Path) -> str:
    """`jaxkit.rules.table`; of a package `jaxkit.rules`."""
    parts = path.relative_to(ROOT.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports_of(path: Path) -> set[str]:
    """The modules of jaxkit that a file imports, anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            inside = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= (inside & MODULES) or {node.module}
    return found & MODULES - {module_of(path), "jaxkit"}


ROOT = Path(jaxkit.__file__).parent
MODULES = set(map(module_of, SOURCES))
IMPORTS = {module_of(path): imports_of(path) for path in SOURCES}


BESIDE_THE_CORE = {
    "explaining",
    "drawing",
    "study",
    "lessons",
    "exercises",
    "calls",
    "operators",
    "sparse",
    "jacobians",
    "elimination",
    "curvature",
    "__main__",
}


def test_a_reader_of_the_core_holds_few_classes():
    """As docs/design.md says; a new one is to be worth it."""
    classes = [
        node.name
        for module, path in zip(map(module_of, SOURCES), SOURCES, strict=True)
        if not BESIDE_THE_CORE & set(module.split("."))
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ClassDef)
    ]
    assert len(classes) <= 59, classes
    design = (ROOT.parent / "docs" / "design.md").read_text()
    assert f"has {len(classes)} classes" in design
