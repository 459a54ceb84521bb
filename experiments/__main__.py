"""The runner: `python -m experiments NAME... [options]`."""

import argparse
import os
import sys
from pathlib import Path
from types import ModuleType

from experiments.bench import ExperimentError, units
from experiments.bench.record import Record, locked, plain
from experiments.modules import EXPERIMENTS, find, headline

INTERRUPTED = 130
OWN = "own"  # the name of the function that the user gives


def main(argv: list[str] | None = None) -> int:
    """Run experiments; returns the exit code.

    It is 1 if points failed or results are wrong, 2 if a run was refused, and 130 if
    it was interrupted.
    """
    argv = sys.argv[1:] if argv is None else argv
    but = ", without --fresh," if "--fresh" in argv else ""
    try:
        args, modules = read(argv)
        refuse_what_means_nothing(args, modules)
        if args.report:
            from experiments import report

            print("Written:", report.committed())
            return 0
        if args.list or not modules:
            for name in EXPERIMENTS:
                print(f"{name:12}{headline(find(name))}")
            return 0
        failed = run(args, modules)
    except (ExperimentError, OSError) as error:
        print(f"experiments: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(
            "\nInterrupted. Every finished point is kept; "
            f"the same command{but} goes on from there.",
            file=sys.stderr,
        )
        return INTERRUPTED
    if failed:
        print(
            f"{failed} failed, see above; the same command{but} tries them again.",
            file=sys.stderr,
        )
    return 1 if failed else 0


def run(args: argparse.Namespace, modules: dict[str, ModuleType]) -> int:
    """Complete each experiment's file, and print and draw what it holds.

    Returns how many points failed and results are wrong, in all.
    """
    # Here, so that the list and the help of an experiment don't wait for them.
    from experiments import report
    from experiments.bench import environment
    from experiments.bench.progress import complete

    device = environment.use(args.device)
    folder = f"{device}-quick" if args.quick else device
    if args.function:
        folder += "-" + "".join(c if c.isalnum() else "-" for c in args.function)[:60]
    out = args.out or Path("results") / folder
    # What is refused is refused before a file is touched.
    plans = {} if args.replot else planned(modules, args)
    if plans:
        environment.busy()
    failed = 0
    for name, module in modules.items():
        path = out / f"{name}.jsonl"
        print(f"\n=== {name}: {headline(module)}")
        if args.replot:
            record = report.read(path)
        else:
            settings, points = plans[name]
            where = environment.environment(args.command, module.measure)
            with locked(path):
                record = Record.resume(path, name, settings, where, args.fresh)
                failed += complete(record, points, module.measure)
        if record.points:
            failed += show(record, module, out)
        elif not failed:
            raise ExperimentError(f"{path} has no measured points to show")
    print("Report:", report.write(out / "REPORT.md", [out]))
    return failed


def show(record: Record, module: ModuleType, out: Path) -> int:
    """Print and draw what a record holds; returns how many of its results are wrong."""
    from experiments.bench import style

    if given := record.settings.get("function"):
        print(f"{OWN}: {given}, at {' '.join(record.settings['inputs'])}")
    for text in module.tables(record):
        print(text)
    print("\nSamples and environment:", record.path)
    for title, figure in module.draw(record):
        for drawn in style.save(figure, out, title):
            print("Figure:", drawn)
    return module.failures(record) if hasattr(module, "failures") else 0


def planned(modules: dict[str, ModuleType], args: argparse.Namespace) -> dict:
    """By name, each experiment's settings and its points.

    Raises:
        ExperimentError: one of them can't be done.
    """
    plans = {}
    for name, module in modules.items():
        settings = plain(settings_of(module, name, args))
        points = plain(list(module.points(settings)))
        if not points:
            raise ExperimentError(
                f"{name} has nothing to measure: the function takes none of the sizes"
            )
        plans[name] = settings, points
    return plans


def refuse_what_means_nothing(args: argparse.Namespace, modules: dict) -> None:
    """Raises ExperimentError if options are given that would be without effect."""
    if args.report and args.command != ["--report"]:
        raise ExperimentError("--report takes nothing else: all results are reported")
    if args.inputs and not args.function:
        raise ExperimentError("--inputs are those of a --function: name one")
    if args.function and getattr(args, "functions", None):
        raise ExperimentError("--functions are ours, --function is yours: give one")
    known = {option for module in modules.values() for option in module.FULL}
    for option in ("samples", "min_time", "memory_limit"):
        if modules and getattr(args, option) is not None and option not in known:
            raise ExperimentError(without(", ".join(modules), option))
    given = sorted(k for k in known - {"function", "inputs"} if getattr(args, k, None))
    if args.replot and (given or args.fresh):
        raise ExperimentError(
            "--replot draws what was measured: leave out "
            + ", ".join(map(dashed, given or ["fresh"]))
        )


def settings_of(module: ModuleType, name: str, args: argparse.Namespace) -> dict:
    """The experiment's settings, with those given on the command line put in.

    Raises:
        ExperimentError: it has no place for `--function`.
    """
    from experiments.users import fingerprint

    settings = dict(module.QUICK if args.quick else module.FULL)
    if args.function and "function" not in settings:
        raise ExperimentError(without(name, "function"))
    given = {k: v for k, v in vars(args).items() if k in settings and v is not None}
    if args.function:
        given["source"] = fingerprint(args.function)
        if "functions" in settings:
            given["functions"] = [OWN]
    return settings | given


def without(name: str, option: str) -> str:
    """That an experiment has no such option, and which have."""
    able = [n for n in EXPERIMENTS if option in find(n).FULL]
    return f"{name} takes no {dashed(option)}; these do: {', '.join(able)}"


def dashed(option: str) -> str:
    """An option as it is typed."""
    return "--" + option.replace("_", "-")


def read(argv: list[str]) -> tuple[argparse.Namespace, dict[str, ModuleType]]:
    """The options, and by name the experiments to run.

    An experiment has its own options where it is the only one: first its name is read.
    """
    names = shared(add_help=False).parse_known_intermixed_args(argv)[0].experiments
    if "all" in names:
        names = EXPERIMENTS
    modules = {name: find(name) for name in names}
    parser = shared(
        description="What differentiation costs: jaxkit beside JAX and its peers.",
        epilog="Try first:  python -m experiments scaling --quick",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    if len(modules) == 1:
        (name, module), *_ = modules.items()
        parser.prog, parser.description = f"{parser.prog} {name}", module.__doc__
        group = parser.add_argument_group(f"options of {name}")
        getattr(module, "add_options", lambda group: add_lists(group, module))(group)
    args = parser.parse_intermixed_args(argv)
    if args.function and "all" in args.experiments:
        modules = {k: m for k, m in modules.items() if "function" in m.FULL}
        print(f"--function: of all, {', '.join(modules)} take one")
    args.command = argv
    return args, modules


def add_lists(parser, module: ModuleType) -> None:
    """An option for each of the experiment's settings that is a list."""
    for name, values in module.FULL.items():
        kinds = {type(x) for x in values} if isinstance(values, list) else set()
        listed = ", ".join(map(str, values)) if kinds else ""
        if kinds == {str}:
            read, text = units.names(values), f"which of {listed} (default: all)"
        elif kinds and kinds <= {int, float}:
            kind = float if float in kinds else int
            read, text = units.list_of(kind), f"numbers (default: {listed})"
        else:
            continue
        try:
            parser.add_argument(dashed(name), type=read, metavar="X,...", help=text)
        except argparse.ArgumentError as error:
            raise ExperimentError(f"the setting {name}: {error}") from None


def shared(**options) -> argparse.ArgumentParser:
    """The command line with the options that all experiments have."""
    parser = argparse.ArgumentParser(prog="python -m experiments", **options)
    add = parser.add_argument
    add(
        "experiments",
        nargs="*",
        metavar="NAME",
        help=f"all, or some of {', '.join(EXPERIMENTS)}, or a module of your own",
    )
    add("--list", action="store_true", help="name the experiments")
    add("--quick", action="store_true", help="fewer sizes and samples")
    add(
        "--device",
        choices=["cpu", "gpu"],
        help="where to compute (default: on a GPU if there is one)",
    )
    add(
        "--out",
        type=Path,
        metavar="DIR",
        help="where results go (default: results/DEVICE, results/DEVICE-quick, or "
        "results/DEVICE-FUNCTION); "
        "a run that was interrupted continues there",
    )
    add("--replot", action="store_true", help="print and draw again, measure nothing")
    add("--fresh", action="store_true", help="forget the results in DIR, start anew")
    add(
        "--report",
        action="store_true",
        help="write experiments/REPORT.md from the results that are committed",
    )
    add(
        "--function",
        metavar="WHICH",
        help="your own function: file.py:name, package.module:name, or an expression",
    )
    add(
        "--inputs",
        nargs="+",
        metavar="X",
        help="its arguments: shapes such as 'f32[100]', or expressions: 3.0 'ones(5)'",
    )
    add("--samples", type=units.count, metavar="N", help="timed samples per program")
    add(
        "--min-time",
        type=units.positive,
        metavar="SECONDS",
        help="least time in one sample; short programs are called many times",
    )
    add(
        "--memory-limit",
        type=units.memory,
        metavar="BYTES",
        help="skip programs that need more, such as 200M or 4G "
        "(default: the memory that is free)",
    )
    return parser


if __name__ == "__main__":
    code = main()
    if code == INTERRUPTED:
        # XLA may have been interrupted in the middle of compiling; to take the
        # interpreter down in order then crashes in about half of the cases.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    sys.exit(code)
