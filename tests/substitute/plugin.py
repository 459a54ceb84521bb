"""A pytest plugin that puts jaxkit's transforms in the place of JAX's.

SUBSTITUTE is the package whose transforms run, jaxkit, or jax to leave everything as it
is, and SUBSTITUTE_RECORD the JSON file to write: for each test whether it reached a
transform, whether it passed, and else the failure. SUBSTITUTE_CASES says how many cases
of a test are run, and SUBSTITUTE_SECONDS of the processor's time each may take.

JAX's tests name a transform in three ways: `jax.grad`; a name that the module imported;
and `api.grad`, where `api` is the module in which JAX defines its transforms, and calls
them itself. So the first two are replaced, and tests and JAX's `check_grads` get an
`api` of their own.
"""

from __future__ import annotations

import functools
import importlib
import json
import os
import signal
import sys
import types
from pathlib import Path

import jax
import pytest
from jax._src import api
from jax.interpreters import ad

PACKAGE = importlib.import_module(os.environ["SUBSTITUTE"])
CASES = int(os.environ["SUBSTITUTE_CASES"])
SECONDS = int(os.environ["SUBSTITUTE_SECONDS"])
RECORD = Path(os.environ["SUBSTITUTE_RECORD"])
NAMES = (
    *("jvp", "vjp", "grad", "value_and_grad", "jacfwd", "jacrev", "jacobian"),
    *("hessian", "linearize", "linear_transpose"),
)
HELPERS = "jax._src.public_test_util", "jax._src.test_util"

running = ""  # the test's name
found: dict[str, dict] = {}


def counted(name: str):
    """The package's transform, which notes that the running test reached it."""
    ours = getattr(PACKAGE, name)

    @functools.wraps(getattr(jax, name))
    def transform(*args, **kwargs):
        if running:
            found[running]["reached"] = True
        return ours(*args, **kwargs)

    return transform


theirs = {getattr(jax, name): name for name in NAMES}
substitutes = {name: counted(name) for name in NAMES}


class Api(types.ModuleType):
    """JAX's module `api` with other transforms."""

    def __getattr__(self, name):
        return substitutes.get(name) or getattr(api, name)


def rebind(module: types.ModuleType) -> None:
    """Let what the module imported be the substitutes."""
    for name, value in list(vars(module).items()):
        if value is api:
            setattr(module, name, Api(api.__name__))
        elif isinstance(value, types.FunctionType) and value in theirs:
            setattr(module, name, substitutes[theirs[value]])


for name, transform in substitutes.items():
    setattr(jax, name, transform)  # now, before a package takes it from there
if PACKAGE.__name__ == "jaxkit":
    # Equinox's `filter_jvp` tells by the tracer's class what `jvp` moves.
    ad.JVPTracer = importlib.import_module("jaxkit.dual").Dual


def pytest_collection_modifyitems(items):
    modules = {item.module for item in items if hasattr(item, "module")}
    for module in modules | {sys.modules[x] for x in HELPERS if x in sys.modules}:
        rebind(module)
    items[:] = few(items)


def few(items: list) -> list:
    """Of the cases of each test `CASES` at most, evenly chosen."""
    cases: dict[str, list] = {}
    for item in items:
        cases.setdefault(item.nodeid.split("[")[0], []).append(item)
    kept = {x for group in cases.values() for x in group[:: -(-len(group) // CASES)]}
    return [item for item in items if item in kept]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item):
    """A test that takes more of the processor's time than `SECONDS` fails."""
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    try:
        return (yield)
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


def late(*_):
    raise TimeoutError(f"the test takes longer than {SECONDS} seconds")


signal.signal(signal.SIGPROF, late)


def pytest_runtest_logstart(nodeid):
    global running
    running = nodeid
    found[nodeid] = {"reached": False, "passed": True, "failure": ""}


def pytest_runtest_logreport(report):
    if report.failed:
        found[report.nodeid].update(passed=False, failure=report.longreprtext)


def pytest_sessionfinish():
    RECORD.write_text(json.dumps(found, indent=1))
