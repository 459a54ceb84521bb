"""The real programs of the zoo, by name."""

from experiments.bench import ExperimentError
from zoo.programs import PROGRAMS, Program


def programs() -> dict[str, Program]:
    """All of them."""
    return {program.name: program for program in PROGRAMS}


def real(names: list[str] | None) -> dict:
    """Those of the given names (all if None) that can be compiled.

    Raises:
        ExperimentError: there is no such program, or it can't be compiled.
    """
    found = {name: p for name, p in programs().items() if p.traceable}
    if unknown := set(names or ()) - found.keys():
        raise ExperimentError(
            f"no program {', '.join(sorted(unknown))}; there are {', '.join(found)}"
        )
    return {name: found[name] for name in names or found}
