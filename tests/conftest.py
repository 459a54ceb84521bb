"""All tests run in double precision, so that derivatives are compared to 1e-10.

The host counts as eight devices, for those of meshes; computations that don't name
another run on the first, as they would on the only one. XLA compiles with as little
optimisation as it can, which takes half of the suite's time away, JAX lowers all
programs in one MLIR context, which takes a tenth, and garbage is looked for less often,
which takes a twentieth. What was compiled is kept in `.pytest_cache`, for the other
process and the next run (`--cache-clear` throws it away).
"""

import gc
import os
import shutil

import jax
import pytest

import jaxkit as jk
from tests.sharing import share_contexts, share_programs
from zoo.nestings import FAST, xla_flags

# Read when XLA is first used.
os.environ["XLA_FLAGS"] = xla_flags({"xla_force_host_platform_device_count": 8} | FAST)

jax.config.update("jax_enable_x64", True)

share_contexts()
gc.set_threshold(50_000, 20, 50)  # what JAX keeps is walked through less often

# Files of the quick selection, beside one case of each rule (tests/rules).
QUICK = {
    *("test_contracts", "test_linear_maps", "test_masks", "test_program"),
    *("test_purity", "test_table", "test_transforms", "test_types"),
}


# Tests of minutes, which begin first, lest one process be left with them at the end.
FIRST = {"test_site", "test_wheel", "test_lessons", "test_accuracy_page"}


def pytest_configure(config):
    if config.pluginmanager.hasplugin("cacheprovider"):
        share_programs(config.cache.mkdir("jax"))


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: item.path.stem not in FIRST)
    for item in items:
        if item.path.stem in QUICK and "long" not in item.keywords:
            item.add_marker(pytest.mark.quick)


@pytest.fixture(autouse=True)
def table_of_rules():
    """What a test declares is gone after it, so that no other test meets it."""
    before = dict(jk.rules.RULES)
    yield
    jk.rules.RULES.clear()
    jk.rules.RULES.update(before)


@pytest.fixture(scope="module")
def browser():
    """A Chromium; where there is none, tests in it are skipped."""
    sync_api = pytest.importorskip("playwright.sync_api")
    found = map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))
    path = next(filter(None, found), None)
    if path is None:
        pytest.skip("there is no Chromium")
    with sync_api.sync_playwright() as playwright:
        running = playwright.chromium.launch(
            executable_path=path, args=["--no-sandbox"]
        )
        yield running
        running.close()
