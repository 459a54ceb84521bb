"""docs/coverage.md is up to date, and no primitive lacks both a rule and a reason."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import jax
import pytest
from jax.extend.core import primitives

import jaxkit as jk
from tests.coverage import page
from tests.coverage.reasons import BUILT_IN, REASONS
from tests.rules.test_rules import CASES

ROOT = Path(__file__).parents[1]


def test_page_is_up_to_date():
    # A process of its own: other tests register primitives too.
    command = [sys.executable, "-m", "tests.coverage", "--check"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_primitive_without_rule_and_reason_is_found():
    names = ["sin", "tie", "stage", "new_in_jax"]
    assert page.without_reason(names) == ["new_in_jax"]


def test_a_primitive_with_rule_and_reason_is_found(monkeypatch):
    monkeypatch.setitem(REASONS, "sin", "too hard")
    assert page.with_both() == ["sin"]


@pytest.mark.parametrize(
    ("primitive", "verb", "file"),
    [
        (primitives.sin_p, "elementwise", "jaxkit/rules/elementwise.py"),
        (primitives.floor_p, "zero", "jaxkit/rules/elementwise.py"),
        (primitives.div_p, "elementwise", "jaxkit/rules/elementwise.py"),
        (primitives.device_put_p, "general", "jaxkit/rules/structural.py"),
        (primitives.scatter_p, "general", "jaxkit/rules/scatter.py"),
        ("custom_jvp_call", "general", "jaxkit/control/custom.py"),
        (primitives.rev_p, "linear", "jaxkit/rules/structural.py"),
        (primitives.dot_general_p, "bilinear", "jaxkit/rules/reductions.py"),
        (primitives.sort_p, "custom", "jaxkit/rules/reductions.py"),
        (primitives.jit_p, "structured", "jaxkit/control/jit.py"),
        ("linear_call", "linear", "jaxkit/control/custom.py"),
        ("debug_callback", "zero", "jaxkit/rules/elementwise.py"),
    ],
    ids=str,
)
def test_verb_and_file_of_a_rule(primitive, verb, file):
    row = page.row(primitive, CASES)
    assert (row.verb, row.file) == (verb, file)


def test_every_file_exists():
    keys = {case.primitive for case in CASES} & page.RULES.keys()
    rows = [page.row(key, CASES) for key in keys]
    assert all((ROOT / row.file).exists() for row in rows)


def test_registry_has_jaxs_primitives():
    found = page.registry()
    assert found["sin"] is primitives.sin_p
    assert {"pallas_call", "bcoo_todense", "scan", "custom_jvp_call"} <= found.keys()


def test_what_the_tracer_runs_has_both_modes():
    """As the page says of stage; tests/kinds has a closed_call."""
    assert list(BUILT_IN)[:2] == ["closed_call", "stage"]
    assert jk.jvp(jax.lax.stage, (2.0,), (3.0,))[1] == 3
    assert jk.grad(lambda x: jax.lax.stage(x) * x)(2.0) == 4
