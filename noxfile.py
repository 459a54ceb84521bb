"""What is checked: `nox --list` lists the sessions, `nox -s NAME` runs one.

Each session makes an environment of its own. Words after `--` go to its command, as in
`nox -s tests-3.11 -- tests/test_control.py`.
"""

import nox

# The lines of JAX that are supported, each with a Python that pip finds it for.
LINES = {"3.11": "0.10", "3.12": "0.11", "3.13": "0.12"}
OLDEST, *_, NEWEST = LINES

nox.options.sessions = [
    *("lint", "types", "docs", "site", "lessons", "coverage_page", "tests"),
]
nox.options.default_venv_backend = "venv"


def install(session: nox.Session, extra: str, line: str = LINES[OLDEST]) -> None:
    jax = [f"{name}=={line}.*" for name in ("jax", "jaxlib")]
    session.install("-q", "-e", f".[{extra}]", *jax)


@nox.session(python=list(LINES))
def tests(session: nox.Session) -> None:
    """All tests, on one line of JAX: 3.11 has 0.10, 3.12 has 0.11, 3.13 has 0.12."""
    install(session, "test", LINES[str(session.python)])
    session.run("python", "-m", "pytest", "-q", "-n", "2", *session.posargs)


@nox.session(python=list(LINES))
def long(session: nox.Session) -> None:
    """What takes longer than every run may, before a change of weight is done."""
    install(session, "test", LINES[str(session.python)])
    session.run("python", "-m", "pytest", "-q", "-n", "2", "-m", "long")
    session.run(
        "python", "-m", "tests.generated", *(session.posargs or ["--minutes=60"])
    )
    session.run("python", "-m", "tests.planted")


@nox.session(python=OLDEST)
def lint(session: nox.Session) -> None:
    """Style, and mistakes that one sees."""
    session.install("-q", "ruff")
    session.run("ruff", "check", *session.posargs)
    session.run("ruff", "format", "--check")


@nox.session(python=OLDEST)
def types(session: nox.Session) -> None:
    """Types; with PyTorch and autograd, as the experiments name them."""
    install(session, "dev,peers")
    session.run("pyright", *session.posargs)


@nox.session(python=OLDEST)
def docs(session: nox.Session) -> None:
    """The README, the pages and their code; links between files."""
    install(session, "test")
    pages = "readme", "extending", "guides", "links"
    files = [f"tests/test_{name}.py" for name in pages]
    session.run(
        "python", "-m", "pytest", "-q", *files, "tests/experiments/test_pages.py"
    )


@nox.session(python=OLDEST)
def site(session: nox.Session) -> None:
    """The site, in site/: no warning, no dead link, and its search finds."""
    install(session, "test")
    session.run("python", "-m", "sphinx", "-W", "-c", "docs", ".", "site")
    session.run("python", "-m", "pytest", "-q", "tests/test_site.py")


@nox.session(python=OLDEST)
def lessons(session: nox.Session) -> None:
    """The lessons' pages are what their scripts print; `-- --build` writes them."""
    install(session, "test")
    session.run("python", "-m", "jaxkit", "lesson", *(session.posargs or ["--check"]))


@nox.session(python=OLDEST)
def coverage_page(session: nox.Session) -> None:
    """docs/coverage.md has all primitives of JAX (`python -m tests.coverage`)."""
    install(session, "test")
    session.run("python", "-m", "tests.coverage", *(session.posargs or ["--check"]))


@nox.session(python=NEWEST)
def line_coverage(session: nox.Session) -> None:
    """Which lines of jaxkit/ the tests run: at least 97 of 100 (CONTRIBUTING.md)."""
    install(session, "test", LINES[NEWEST])
    session.install("-q", "pytest-cov")
    session.run(
        *("python", "-m", "pytest", "-q", "-n", "2", "--cov=jaxkit"),
        *("--cov-report=term-missing:skip-covered", "--cov-fail-under=97"),
        *session.posargs,
        env={
            "COVERAGE_CORE": "sysmon"
        },  # Python's own count, which costs next to nothing
    )


@nox.session(python=OLDEST)
def harnesses(session: nox.Session) -> None:
    """JAX's own cases, thousands of them: not in every run, for it takes long."""
    install(session, "test")
    session.run("python", "-m", "tests.harnesses", *session.posargs)
