"""The command: `python -m tests.substitute PATH`, from the repository's root."""

import argparse
import sys
from importlib.util import find_spec
from pathlib import Path

DOCUMENT = Path(__file__).parents[2] / "docs" / "jax_tests.md"


def main(argv: list[str] | None = None) -> int:
    """Run the tests; returns 0 if each that fails has its reason."""
    from tests.substitute import page, run

    args = parser(run).parse_args(argv)
    if missing := lacking(args.path, run):
        print(missing)
        return 2
    files = args.file or run.FILES
    found = {}
    for file in files:
        found[file] = run.results(args.path, file)
        print(page.row(file, found[file]), flush=True)
    problems = page.problems(found, everything=not args.file)
    if not args.file:
        DOCUMENT.write_text(page.page(found))
    print(page.row("all", page.together(found)))
    print(*problems or ["nothing amiss"], sep="\n")
    return 1 if problems else 0


def lacking(path: Path, run) -> str:
    """What there must be first, in words; an empty string if nothing lacks."""
    import jax

    if find_spec("absl") is None:
        return "JAX's tests need absl-py: pip install -e '.[test]'"
    if jax.__version__ != run.VERSION:
        return f"this runs with JAX {run.VERSION}; here is {jax.__version__}"
    if not (path / "tests" / "api_test.py").exists():
        return f"{path} isn't a checkout of JAX (git clone -b jax-v{run.VERSION})"
    return ""


def parser(run) -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(
        prog="python -m tests.substitute",
        description="JAX's tests with jaxkit's transforms; writes docs/jax_tests.md.",
    )
    top.add_argument(
        "path", type=Path, help=f"a checkout of JAX at the tag jax-v{run.VERSION}"
    )
    top.add_argument(
        "--file",
        action="append",
        choices=run.FILES,
        help="only this file of tests, and write no page; may be given again",
    )
    return top


if __name__ == "__main__":
    sys.exit(main())
