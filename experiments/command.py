"""The command line: the runner's options, and those of the experiments' settings."""

import dataclasses
import inspect
import itertools
from collections.abc import Callable
from types import ModuleType
from typing import Annotated, Any

import typer

from experiments.bench import ExperimentError
from experiments.modules import EXPERIMENTS, find


def app(run: Callable, typed: list[str], results: list) -> Callable:
    """A command of typer's that calls `run` with what was `typed`, and with options.

    Its `**given` are settings, of the experiments that are named first. What it returns
    goes into `results`; None, if it was interrupted.
    """
    names = [*itertools.takewhile(lambda word: not word.startswith("-"), typed)]
    settings, about = {}, "What differentiation costs: jaxkit beside JAX and its peers."
    for module in modules(names, "--function" in typed).values():
        settings |= {f.name: f for f in dataclasses.fields(module.Settings)}
        about = (module.__doc__ or "") if len(names) == 1 else about
    own = [*inspect.signature(run).parameters.values()][1:-1]
    own += [parameter(f, f"Settings of {', '.join(names)}") for f in settings.values()]

    def called(**given) -> None:
        try:
            given = {k: v for k, v in given.items() if v is not None}
            results.append(run(typed, **given))
        except KeyboardInterrupt:  # typer would keep it to itself
            results.append(None)

    called.__doc__ = about
    called.__signature__ = inspect.Signature(own)  # type: ignore
    options: dict[str, Any] = {"rich_markup_mode": "markdown"}
    options |= dict.fromkeys(("add_completion", "pretty_exceptions_enable"), False)
    command = typer.Typer(**options)
    command.command(epilog="Try first:  python -m experiments scaling --quick")(called)
    return command


def modules(names: list[str], with_function: bool) -> dict[str, ModuleType]:
    """The experiments of these names; of all, those that can take a function."""
    found = {name: find(name) for name in (EXPERIMENTS if "all" in names else names)}
    able = {k: m for k, m in found.items() if hasattr(m.Settings(), "function")}
    return able if with_function and "all" in names else found


def spread(typed: list[str]) -> list[str]:
    """The same with --inputs before each of its words: `--inputs 3.0 'ones(5)'`."""
    found, option = [], ""
    for word in typed:
        if word.startswith("--"):
            option = word
        elif option == "--inputs" and found[-1] != option:
            found.append(option)
        found.append(word)
    return found


def parameter(setting: dataclasses.Field, panel: str) -> inspect.Parameter:
    """A setting as a parameter of typer's; None where it isn't given."""
    about, full = setting.metadata, setting.default_factory()  # type: ignore
    many = ",".join(map(str, full)) if isinstance(full, list) else full
    help = about["help"] + (f" (default: {many})" if many else "")
    words: dict[str, Any] = {"help": help, "rich_help_panel": panel}
    kind: Any = {"inputs": list[str]}.get(setting.name, str)
    if setting.type is bool:
        kind = bool
    elif kind is str:
        words |= {"parser": about["read"], "metavar": "X,..." if many != full else "X"}
    option = typer.Option("--" + setting.name.replace("_", "-"), **words)
    return inspect.Parameter(
        setting.name, inspect.Parameter.KEYWORD_ONLY, default=None,
        annotation=Annotated[kind | None, option],
    )  # fmt: skip


def refuse_meaningless(replot: bool, fresh: bool, given: dict[str, Any]) -> None:
    """Raises ExperimentError if options are given that would be without effect."""
    if given.get("inputs") and not given.get("function"):
        raise ExperimentError("--inputs are those of a --function: name one")
    if given.get("function") and given.get("functions"):
        raise ExperimentError("--functions are ours, --function is yours: give one")
    useless = given.keys() - {"function", "inputs"} | ({"fresh"} if fresh else set())
    if replot and useless:
        said = ", ".join(f"--{name}".replace("_", "-") for name in sorted(useless))
        raise ExperimentError(f"--replot draws what was measured: leave out {said}")
