"""The command: `python -m tests.substitute PATH`, from the repository's root."""

import argparse
import sys
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path


def main(argv: list[str] | None = None) -> int:
    """Run the tests; returns 0 if each that fails has its reason."""
    from tests.substitute import page, run

    args = parser().parse_args(argv)
    about = page.PACKAGES if args.packages else page.JAX
    chosen = [x for x in about.suites(args.path) if args.only in (None, x.name)]
    if missing := next(filter(None, map(lacking, chosen)), ""):
        print(missing)
        return 2
    found: page.Found = {}
    for suite in chosen:
        for file, results in run.results(suite).items():
            found[file] = results
            print(page.row(file, results), flush=True)
    problems = about.problems(found, everything=not args.only)
    if not args.only:
        about.document.write_text(about.text(found))
    print(*problems or ["nothing amiss"], sep="\n")
    return 1 if problems else 0


def lacking(suite) -> str:
    """What there must be first, in words; an empty string if nothing lacks."""
    if find_spec("absl") is None:
        return "JAX's tests need absl-py: pip install -e '.[test]'"
    wanted = f"{suite.package} {suite.version}"
    if find_spec(suite.package) is None:
        return f"this runs with {wanted}, which isn't installed"
    if (here := metadata.version(suite.package)) != suite.version:
        return f"this runs with {wanted}; here is {here}"
    for test in suite.tests:
        if not (suite.root / test).exists():
            return f"{suite.root / test} isn't there: the sources of {wanted}"
    return ""


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(
        prog="python -m tests.substitute",
        description="Others' tests with jaxkit's transforms; writes a page of docs/.",
    )
    top.add_argument(
        "path",
        type=Path,
        help="a checkout of JAX, or with --packages a folder of packages' sources",
    )
    top.add_argument(
        "--packages", action="store_true", help="run packages' tests and not JAX's"
    )
    top.add_argument(
        "--only",
        metavar="NAME",
        help="this file of JAX's (as api), or this package, and write no page",
    )
    return top


if __name__ == "__main__":
    sys.exit(main())
