"""The runner: `python -m experiments NAME... [options]`."""

import dataclasses
import os
import sys
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any

from filelock import FileLock, Timeout
from typer import Argument, Option

from experiments import command, functions, pages
from experiments.bench import ExperimentError, style, tidy
from experiments.bench.environment import environment, use
from experiments.bench.progress import complete
from experiments.bench.record import Record, plain
from experiments.bench.settings import quickly
from experiments.modules import EXPERIMENTS, find, headline

INTERRUPTED = 130
NAMES = f"all, or some of {', '.join(EXPERIMENTS)}, or a module of your own"
OUT = "where results go, and an interrupted run continues (default: results/...)"


def main(argv: list[str] | None = None) -> int:
    """Run experiments; returns the exit code.

    It is 1 if points failed, results are wrong, or a page states what isn't so any
    more; 2 if a run was refused; 130 if it was interrupted.
    """
    typed, results = sys.argv[1:] if argv is None else argv, []
    again = "the same command" + ", without --fresh," * ("--fresh" in typed)
    try:
        command.app(run, typed, results)(command.spread(typed), "experiments")
    except (ExperimentError, OSError) as error:
        why = "another run is measuring: " * isinstance(error, Timeout)
        print(f"experiments: {why}{error}", file=sys.stderr)
        return 2
    except SystemExit as done:
        if not results:  # it was for help, or typer refused it
            return int(done.code or 0)
    if (failed := results.pop()) is None:
        kept = f"every finished point is kept; {again} goes on from there"
        print(f"\nInterrupted: {kept}.", file=sys.stderr)
        return INTERRUPTED
    if failed:
        print(f"{failed} failed, see above; {again} tries again.", file=sys.stderr)
    return 1 if failed else 0


def run(
    typed: list[str],
    names: Annotated[list[str] | None, Argument(help=NAMES, metavar="NAME")] = None,
    listed: Annotated[bool, Option("--list", help="name the experiments")] = False,
    report: Annotated[bool, Option("--report", help="fill in our pages")] = False,
    quick: Annotated[bool, Option("--quick", help="fewer sizes and samples")] = False,
    device: Annotated[str, Option(help="cpu, gpu (default: what there is)")] = "",
    out: Annotated[Path | None, Option(help=OUT, metavar="DIR")] = None,
    replot: Annotated[bool, Option("--replot", help="only print and draw")] = False,
    fresh: Annotated[bool, Option("--fresh", help="forget results in DIR")] = False,
    **given: Any,
) -> int:
    """Do what was asked for; returns how many points failed and results are wrong."""
    if listed or not (names or report):
        print("\n".join(f"{name:12}{headline(find(name))}" for name in EXPERIMENTS))
        return 0
    if report:
        if names or quick or device or out or replot or fresh:
            raise ExperimentError("--report takes nothing else: it is of all results")
        return pages.fill_all()
    command.refuse_meaningless(replot, fresh, given)
    function = given.get("function")
    modules = command.modules(names or [], bool(function))
    parts = [use(device), "quick" * quick, slug(function or "")]
    out = out or Path("results") / "-".join(filter(None, parts))
    # What is refused is refused before a file is touched.
    plans = {} if replot else {k: planned(m, quick, given) for k, m in modules.items()}
    failed = 0
    for name, module in modules.items():
        path = out / f"{name}.jsonl"
        print(f"\n=== {name}: {headline(module)}")
        if replot:
            record = pages.read(path)
        else:
            settings, points = plans[name]
            own = [functions.loaded(function)] if function else []
            fixed, noted = environment(typed, module.measure, *own)
            header = {"experiment": name, "settings": plain(vars(settings))}
            header |= {"environment": fixed}
            out.mkdir(parents=True, exist_ok=True)
            with FileLock(path.with_suffix(".lock"), blocking=False):
                record = Record.resume(path, header, noted, fresh)
                failed += complete(record, points, module.measure, settings)
        if record.lines:
            failed += show(record, module, out)
        elif not failed:
            raise ExperimentError(f"{path} has no measured points to show")
    print("Report:", pages.write(out / "REPORT.md", out))
    return failed


def planned(module: ModuleType, quick: bool, given: dict[str, Any]) -> tuple:
    """An experiment's settings, with those that were given put in, and its points."""
    settings = quickly(module.Settings) if quick else module.Settings()
    known = {f.name for f in dataclasses.fields(settings)} & given.keys()
    settings = dataclasses.replace(settings, **{name: given[name] for name in known})
    if not (points := plain(list(module.points(settings)))):
        raise ExperimentError("nothing to measure: there are none of these sizes")
    return settings, points


def show(record: Record, module: ModuleType, out: Path) -> int:
    """Print and draw what a record holds; returns how many of its results are wrong."""
    name = record.path.stem
    for title, table in pages.tables(module, record).items():
        tidy.shown(title, table)
    print("Samples and environment:", record.path)
    for path in [*out.glob(f"{name}-*.png"), *out.glob(f"{name}-*.svg")]:
        path.unlink()  # of what the record held before
    for title, figure in module.figures(record.table):
        print("Figure:", style.save(figure, out / f"{name}-{slug(title)}.png"))
    return module.failures(record.table) if hasattr(module, "failures") else 0


def slug(text: str) -> str:
    """A text as part of a file's name."""
    return "".join(c if c.isalnum() or c in "-_" else "-" for c in text)[:60]


if __name__ == "__main__":
    code = main()
    if code == INTERRUPTED:
        # XLA may have been interrupted in the middle of compiling; to take the
        # interpreter down in order then crashes in about half of the cases.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    sys.exit(code)
