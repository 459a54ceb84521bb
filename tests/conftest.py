"""All tests run in double precision, so that derivatives are compared to 1e-10.

The host counts as eight devices, for those of meshes; computations that don't name
another run on the first, as they would on the only one.
"""

import os

flags = os.environ.get("XLA_FLAGS", "")
os.environ["XLA_FLAGS"] = f"{flags} --xla_force_host_platform_device_count=8"

import jax  # noqa: E402  (it reads the flags)
import pytest  # noqa: E402

import jaxkit as jk  # noqa: E402

jax.config.update("jax_enable_x64", True)


# Files of the quick selection, beside one case of each rule (tests/rules).
QUICK = {
    *("test_contracts", "test_linear_maps", "test_masks", "test_program"),
    *("test_purity", "test_table", "test_transforms", "test_types"),
}


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
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
