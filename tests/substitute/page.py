"""The page: how many of JAX's tests pass, and why the others don't."""

from __future__ import annotations

from tests.substitute.reasons import REASONS, reason
from tests.substitute.run import CASES, VERSION

Found = dict[str, dict[str, dict]]  # by file and name, as `run.results` returns them

THEIRS = "They fail with JAX's own transforms too, as they are run here."
PAGE = """\
# JAX's own tests

Written by `python -m tests.substitute PATH`, where PATH is a checkout of JAX {version}.

These are JAX's tests that call `jvp`, `vjp`, `grad`, `value_and_grad`, `jacfwd`,
`jacrev`, `jacobian`, `hessian`, `linearize` or `linear_transpose`, in the {files} files
that do so most, with jaxkit's functions in their place: in the tests, and in JAX's own
`check_grads`, which compares with difference quotients. Of tests that JAX draws from a
larger number, {cases} are run.

{total} tests, of which {passed} pass.

| file | tests | pass | don't |
|---|---|---|---|
{table}

## Why the others don't

Each was run with JAX's own transforms too, and passes there, unless it says otherwise.
None of them shows a wrong value, or refuses what one would differentiate.

{reasons}
"""


def page(found: Found) -> str:
    """The page for these results."""
    results = together(found)
    return PAGE.format(
        version=VERSION,
        cases=CASES,
        files=len(found),
        total=len(results),
        passed=sum(result["passed"] for result in results.values()),
        table="\n".join(row(file, results) for file, results in found.items()),
        reasons="\n\n".join(sections(results)),
    )


def together(found: Found) -> dict[str, dict]:
    return {name: x for results in found.values() for name, x in results.items()}


def row(file: str, results: dict[str, dict]) -> str:
    passed = sum(result["passed"] for result in results.values())
    return f"| {file} | {len(results)} | {passed} | {len(results) - passed} |"


def why(name: str, result: dict) -> str | None:
    """Why a test fails, or None if that isn't known."""
    return reason(name, result["failure"]) if result["jax"] else THEIRS


def failed(results: dict[str, dict]) -> dict[str, dict]:
    return {name: x for name, x in results.items() if not x["passed"]}


def sections(results: dict[str, dict]) -> list[str]:
    """For each reason a paragraph, and the names of the tests."""
    names: dict[str | None, list[str]] = {}
    for name, result in failed(results).items():
        names.setdefault(why(name, result), []).append(f"- `{short(name)}`")
    order = [x for x in (*REASONS, THEIRS) if x in names]
    return [f"{x}\n\n" + "\n".join(names[x]) for x in order]


def short(name: str) -> str:
    """As `api: APITest.test_grad`, from pytest's name."""
    file, *rest = name.removeprefix("tests/").split("::")
    return f"{file.removesuffix('_test.py')}: {'.'.join(rest)}"


def problems(found: Found, everything: bool = True) -> list[str]:
    """Failures without a reason, and reasons (of `everything`) without a failure."""
    failures = failed(together(found))
    known = {name: why(name, result) for name, result in failures.items()}
    unexplained = [
        f"{name}\n{failures[name]['failure']}" for name, x in known.items() if x is None
    ]
    unused = REASONS.keys() - known.values() if everything else ()
    return [*unexplained, *(f"a reason for nothing: {x}" for x in unused)]
