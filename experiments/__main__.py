"""The runner: `python -m experiments NAME [options]`."""

import argparse
import importlib
import os
import sys
from pathlib import Path

from experiments.bench import ExperimentError, units
from experiments.bench.record import Record

INTERRUPTED = 130
EXPERIMENTS = ["scaling", "overhead", "accuracy", "swell"]


def main(argv: list[str] | None = None) -> int:
    """Run one experiment; returns the exit code.

    It is 1 if points failed, 2 if the run was refused, 130 if it was interrupted.
    """
    args = parser().parse_args(argv)
    if args.list or args.experiment is None:
        for name in EXPERIMENTS:
            print(f"{name:12}{headline(experiment(name))}")
        return 0
    folder = f"{args.experiment}-quick" if args.quick else args.experiment
    out = args.out or Path("results") / folder
    try:
        failed = run(args, out)
    except ExperimentError as error:
        print(f"experiments: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(
            f"\nInterrupted. Every finished point is kept in {out}; "
            "the same command goes on from there.",
            file=sys.stderr,
        )
        return INTERRUPTED
    if failed:
        print(
            f"{failed} points failed, see above; the same command tries them again.",
            file=sys.stderr,
        )
    return 1 if failed else 0


def run(args: argparse.Namespace, out: Path) -> int:
    """Measure what the file in `out` lacks, then print and draw what it holds.

    Returns how many points failed.
    """
    name = args.experiment
    path = out / f"{name}.jsonl"
    if args.replot:
        record, failed = Record.read(path), 0
    else:
        record, failed = measured(args, path)
    if not record.points:
        raise ExperimentError(f"{path} has no measured points to show")
    # After measuring: drawing needs no JAX, and measuring no matplotlib.
    report = importlib.import_module(f"experiments.{name}.report")
    drawn = report.report(record, out)
    print("\nSamples and environment:", path)
    for figure in drawn:
        print("Figure:", figure)
    return failed


def measured(args: argparse.Namespace, path: Path) -> tuple[Record, int]:
    """The record in `path`, with what it lacked measured; and how much failed."""
    from experiments.bench.environment import environment
    from experiments.bench.progress import complete

    module = importlib.import_module(f"experiments.{args.experiment}.measure")
    settings = settings_of(args)
    if args.fresh:
        path.unlink(missing_ok=True)
    record = Record.resume(path, args.experiment, settings, environment())
    failed = complete(record, module.points(settings), module.measure)
    return record, failed


def settings_of(args: argparse.Namespace) -> dict:
    """The experiment's settings, with those given on the command line put in."""
    module = experiment(args.experiment)
    settings = dict(module.QUICK if args.quick else module.FULL)
    given = {k: v for k, v in vars(args).items() if k in settings and v is not None}
    return settings | given


def parser() -> argparse.ArgumentParser:
    """The command line: options that all experiments share, and each one's own."""
    plain = argparse.RawDescriptionHelpFormatter
    top = argparse.ArgumentParser(
        prog="python -m experiments",
        description="What differentiation costs, jaxkit and JAX side by side.",
        epilog="Try first:  python -m experiments scaling --quick",
    )
    top.add_argument("--list", action="store_true", help="name the experiments")
    names = top.add_subparsers(dest="experiment", metavar="NAME")
    for name in EXPERIMENTS:
        module = experiment(name)
        sub = names.add_parser(
            name,
            help=headline(module),
            description=module.__doc__,
            formatter_class=plain,
        )
        add_shared_options(sub)
        module.add_options(sub)
    return top


def add_shared_options(parser: argparse.ArgumentParser) -> None:
    """The options that every experiment has."""
    add = parser.add_argument
    add("--quick", action="store_true", help="fewer sizes and samples: about a minute")
    add(
        "--out",
        type=Path,
        metavar="DIR",
        help="where results go (default: results/NAME, or results/NAME-quick); "
        "a run that was interrupted continues there",
    )
    add("--replot", action="store_true", help="print and draw again, measure nothing")
    add("--fresh", action="store_true", help="forget the results in DIR, start anew")
    add("--samples", type=units.count, metavar="N", help="timed samples per program")
    add(
        "--min-time",
        type=units.positive,
        metavar="SECONDS",
        help="least time in one sample; short programs are called many times",
    )


def experiment(name: str):
    """The experiment's package (settings and options only: nothing slow)."""
    return importlib.import_module(f"experiments.{name}")


def headline(module) -> str:
    """The first line of the experiment's docstring."""
    return module.__doc__.splitlines()[0]


if __name__ == "__main__":
    code = main()
    if code == INTERRUPTED:
        # XLA may have been interrupted in the middle of compiling; to take the
        # interpreter down in order then crashes in about half of the cases.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    sys.exit(code)
