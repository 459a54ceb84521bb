"""The command: `python -m tests.harnesses [options]`, from the repository's root."""

import argparse
import os
import sys
from pathlib import Path


def main(argv: list[str] | None = None) -> int:
    """Run the cases and print what came of them.

    Returns 0 if all agree, 1 if not, 130 if the run was interrupted.
    """
    args = parser().parse_args(argv)
    # One thread of XLA's in each process: with two, several LAPACK calls in one program
    # may wait for each other forever (four batched QR decompositions do, JAX 0.10.2).
    os.environ.setdefault("NPROC", "1")
    from tests.harnesses import cases, run  # slow to import: JAX

    names = chosen(cases, args)
    record = run.record_of(args.kind, args.out, args.fresh)
    try:
        run.complete(record, names, args.workers)
    except KeyboardInterrupt:
        print(f"\nInterrupted; the same command goes on. Record: {record.path}")
        return 130
    return 0 if run.report(record, names) else 1


def chosen(cases, args) -> list[str]:
    """The names of the cases that were asked for."""
    every = cases.candidates().values()
    groups = args.group.split(",") if args.group else sorted({x.group for x in every})
    unknown = set(groups) - {x.group for x in every}
    if unknown:
        sys.exit(f"no such group: {', '.join(sorted(unknown))}")
    if args.sample:
        refused = args.kind == "refused"
        belongs = cases.refused if refused else cases.differentiable
        return cases.sample(args.sample, belongs, groups)
    return [x.name for x in every if x.group in groups]


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(
        prog="python -m tests.harnesses",
        description="jaxkit's derivatives beside JAX's on the harnesses in its wheel.",
    )
    kinds = top.add_mutually_exclusive_group()
    add = kinds.add_argument
    common = {"dest": "kind", "action": "store_const", "default": "first"}
    add("--second", **common, const="second", help="second derivatives: over reverse")
    add(
        "--refused",
        **common,
        const="refused",
        help="what JAX refuses to differentiate, judged by difference quotients",
    )
    add = top.add_argument
    add("--group", metavar="NAME,...", help="only these groups")
    add("--sample", type=int, metavar="N", help="about N cases, some of each group")
    add("--workers", type=int, default=2, metavar="N", help="processes (default: 2)")
    add("--fresh", action="store_true", help="forget what was run before")
    add(
        "--out",
        type=Path,
        default=Path("results/harnesses"),
        metavar="DIR",
        help="where the record goes; an interrupted run goes on (default: %(default)s)",
    )
    return top


if __name__ == "__main__":
    sys.exit(main())
