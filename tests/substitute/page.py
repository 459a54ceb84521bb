"""The pages: how many of others' tests pass, and why the others don't."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.substitute import reasons, suites
from tests.substitute.run import CASES, SECONDS

Found = dict[str, dict[str, dict]]  # by file and name, as `run.results` returns them

THEIRS = "They fail with JAX's own transforms too, as they are run here."
TEXT = """\
# {title}

{about}

{total} tests, of which {passed} pass.

| file | tests | pass | don't |
|---|---|---|---|
{table}

## Why the others don't

Each was run with JAX's own transforms too, and passes there, unless it says otherwise.
None of them shows a wrong value, or refuses what one would differentiate.

{reasons}
"""


@dataclass(frozen=True)
class Page:
    """A page, by its name in docs/, and whose tests it is about."""

    name: str
    title: str
    about: str  # has a place for the number of files
    suites: Callable[[Path], list[suites.Suite]]
    reasons: reasons.Reasons

    @property
    def document(self) -> Path:
        return Path(__file__).parents[2] / "docs" / f"{self.name}.md"

    def text(self, found: Found) -> str:
        """The page for these results."""
        results = [result for _, _, result in each(found)]
        return TEXT.format(
            title=self.title,
            about=self.about.format(files=len(found)),
            total=len(results),
            passed=sum(result["passed"] for result in results),
            table="\n".join(row(file, found[file]) for file in found),
            reasons="\n\n".join(self.sections(found)),
        )

    def why(self, name: str, result: dict) -> str | None:
        """Why a test fails, or None if that isn't known."""
        if not result["jax"]:
            return THEIRS
        return reasons.reason(self.reasons, name, result["failure"])

    def failed(self, found: Found) -> list[tuple[str, dict, str | None]]:
        """The tests that fail: name, result, and why."""
        names = [
            (f"{file}: {name}", x) for file, name, x in each(found) if not x["passed"]
        ]
        return [(name, x, self.why(name, x)) for name, x in names]

    def sections(self, found: Found) -> list[str]:
        """For each reason a paragraph, and the names of the tests."""
        failed = self.failed(found)
        lists = {
            x: [f"- `{name}`" for name, _, why in failed if why == x]
            for x in (*self.reasons, THEIRS)
        }
        return [f"{x}\n\n" + "\n".join(names) for x, names in lists.items() if names]

    def problems(self, found: Found, everything: bool = True) -> list[str]:
        """Failures without a reason; of `everything`, reasons without a failure too."""
        failed = self.failed(found)
        unexplained = [
            f"{name}\n{x['failure']}" for name, x, why in failed if why is None
        ]
        known = {why for _, _, why in failed}
        unused = [x for x in self.reasons if x not in known] if everything else []
        return [*unexplained, *(f"a reason for nothing: {x}" for x in unused)]


def each(found: Found) -> list[tuple[str, str, dict]]:
    """All tests: file, name, and result."""
    return [(file, *x) for file, results in found.items() for x in results.items()]


def row(file: str, results: dict[str, dict]) -> str:
    passed = sum(result["passed"] for result in results.values())
    return f"| {file} | {len(results)} | {passed} | {len(results) - passed} |"


JAX = Page(
    "jax_tests",
    "JAX's own tests",
    f"""\
Written by `python -m tests.substitute PATH`, where PATH is a checkout of JAX \
{suites.VERSION}.

These are JAX's tests that call `jvp`, `vjp`, `grad`, `value_and_grad`, `jacfwd`,
`jacrev`, `jacobian`, `hessian`, `linearize` or `linear_transpose`, in the \
{{files}} files
that do so most, with jaxkit's functions in their place: in the tests, and in JAX's own
`check_grads`, which compares with difference quotients. Of tests that JAX draws from a
larger number, {CASES} are run.""",
    suites.of_jax,
    reasons.JAX,
)
VERSIONS = ", ".join(f"{x} {version}" for x, (version, *_) in suites.PACKAGES.items())
PACKAGES = Page(
    "packages_tests",
    "Other packages' tests",
    f"""\
Written by `python -m tests.substitute --packages PATH`, where PATH has the sources of
packages in folders of their names: {VERSIONS}; \
JAX is {suites.VERSION}.

These are the packages' own tests that reach a transform, `jax.grad` or another of those
in [JAX's tests](jax_tests.md), in the tests or in the packages' code, where jaxkit's
functions are in the place of JAX's. They are in {{files}} files. Of a test's cases
{CASES} are run, evenly chosen, and none may take longer than {SECONDS} seconds (of the
processor's time).""",
    suites.of_packages,
    reasons.PACKAGES,
)
