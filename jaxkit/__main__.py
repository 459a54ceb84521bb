"""`python -m jaxkit`: explain a function, read a lesson, check an exercise."""

from __future__ import annotations

import argparse
import os
import sys

from jaxkit.exercises import command as exercise
from jaxkit.explaining import command as explain
from jaxkit.lessons import command as lesson

COMMANDS = {
    "explain": (explain, "a function, node by node"),
    "lesson": (lesson, "list, read and run the lessons"),
    "exercise": (exercise, "list, begin and check the exercises"),
}

# What is wrong with what was given: said in a line, without a traceback.
KNOWN = ValueError, TypeError, NameError, AttributeError, OSError, RuntimeError


def main(argv: list[str] | None = None) -> int:
    """Run a command; returns the exit status, 2 if it can't be carried out."""
    args = parser().parse_args(argv)
    try:
        status = args.run(args)
        sys.stdout.flush()
        return status
    except BrokenPipeError:  # who reads what is printed, as `head` does, has enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except ModuleNotFoundError as error:
        print(f"{error}; pip install 'jaxkit[experiments]' has it", file=sys.stderr)
        return 2
    except KNOWN as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 2


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(
        prog="python -m jaxkit",
        description="A study kit of automatic differentiation for JAX.",
        epilog="Each command has its own --help, with examples.",
    )
    commands = top.add_subparsers(required=True, metavar="COMMAND")
    raw = argparse.RawDescriptionHelpFormatter
    for name, (command, help) in COMMANDS.items():
        command.add_arguments(
            commands.add_parser(
                name, help=help, description=command.DESCRIPTION, formatter_class=raw
            )
        )
    return top


if __name__ == "__main__":
    sys.exit(main())
