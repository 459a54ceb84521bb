"""Many programs: counts, and of each kind of difference one program, made small.

Hypothesis stops at a failure, so a hunt is many short runs of it. A difference is known
if it is one of the same words; of values, if a smaller program that has it uses no
other operations and transforms.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from hypothesis import HealthCheck, Phase, given, seed, settings

from tests.generated.drawing import programs
from tests.generated.program import Program
from tests.generated.properties import check
from tests.generated.uniform import BACKEND

QUIET = {
    "backend": BACKEND,
    "database": None,
    "deadline": None,
    "suppress_health_check": list(HealthCheck),
}
SHRINKING = 60.0  # seconds at most, for one difference
RUN = 250  # programs in one run of Hypothesis


class Difference(AssertionError):
    """jaxkit and JAX differ on a program, or jaxkit and itself."""


class Enough(BaseException):
    """No more shrinking; no exception that Hypothesis would catch."""


@dataclass(frozen=True)
class Found:
    """A difference, and the smallest program that shows it."""

    problem: str
    program: Program

    def explains(self, problem: str, program: Program) -> bool:
        """Types and exceptions say where they come from; values by what was used."""
        if problem != self.problem:
            return False
        return "values" not in problem or used(self.program) <= used(program)

    def __str__(self) -> str:
        return f"# {self.problem}\n{self.program}\n"


def used(program: Program) -> set[str]:
    """Operations and transforms. Those that make operands fit don't count."""
    texts = {eqn.operation.text for eqn in program.walk()}
    plain = {x for x in texts if not x.startswith("fit(")}
    return plain | {level.name for level in program.stack}


@dataclass
class Hunt:
    """What has been seen so far."""

    programs: int = 0
    known: list[Found] = field(default_factory=list)
    repeated: Counter = field(default_factory=Counter)
    families: Counter = field(default_factory=Counter)
    primitives: Counter = field(default_factory=Counter)
    transforms: Counter = field(default_factory=Counter)
    sizes: Counter = field(default_factory=Counter)

    def count(self, program: Program) -> None:
        self.programs += 1
        equations = list(program.walk())
        self.families.update({eqn.operation.family for eqn in equations})
        self.primitives.update(program.primitives)
        self.transforms.update(map(str, program.stack))
        self.sizes[len(program.stack)] += 1

    def run(self, seed_: int, tick: Callable[[], None], most: int = RUN) -> None:
        """Until something new is found, and is small, or `most` programs have been."""
        best: list[Found] = []
        start = [0.0]

        @seed(seed_)
        @settings(max_examples=most, phases=[Phase.generate, Phase.shrink], **QUIET)
        @given(programs())
        def one(program):
            if best and time.monotonic() > start[0] + SHRINKING:
                raise Enough
            problem = check(program)
            if not best:
                self.count(program)
                tick()
                if any(x.explains(problem, program) for x in self.known):
                    self.repeated[problem] += 1
                    return
                start[0] = time.monotonic()
            if problem and (not best or problem == best[-1].problem):
                found = Found(problem, program)
                if not best or len(str(found)) < len(str(best[-1])):
                    best.append(found)
                raise Difference(problem)

        try:
            one()
        except (Exception, Enough):
            if not best:
                raise
            self.known.append(best[-1])
