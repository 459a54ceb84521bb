"""The coverage page, from JAX's registry, the rule table and the rules' cases."""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import jax
from jax._src.interpreters import ad

import jaxkit as jk
from jaxkit.control.structure import Operator
from jaxkit.rules import RULES
from jaxkit.rules.kinds import Still
from tests.coverage.reasons import BUILT_IN, NOTES, REASONS
from zoo.case import direction, flat, generator, sample
from zoo.nestings import pull, push

# Their primitives are known to JAX only when they are imported.
EXTENSIONS = "jax.experimental.pallas", "jax.experimental.sparse"

PAGE = """\
# Coverage

Written by `python -m tests.coverage` with JAX {version}; a test checks it.
The list is JAX's own registry: each primitive with a JVP rule, a linearization or a
transpose. Which modes a primitive has here is tried out on its cases in `zoo/cases`.

{counts}

## With a rule

{covered}

{notes}

## Without a rule, and why

{reasons}

## Rules for what JAX doesn't differentiate

{beyond}

## Operators of linear programs that run code

The tangents of what runs code, and their transposes. How often
a while loop runs is known only when it has run; it leaves that among the residuals.

{operators}
"""


@dataclass(frozen=True)
class Row:
    """What the table says of a primitive with a rule."""

    name: str
    verb: str
    file: str
    modes: tuple[str, ...]
    cases: int

    def __str__(self) -> str:
        modes = ["yes" if mode in self.modes else "no" for mode in MODES]
        cells = f"`{self.name}`", self.verb, f"`{self.file}`", *modes, self.cases
        return "| " + " | ".join(map(str, cells)) + " |"


MODES = {"jvp": push, "vjp": pull}
HEAD = (
    "| primitive | rule | file | forward | reverse | cases |\n|---|---|---|---|---|---|"
)


def registry() -> dict[str, Any]:
    """JAX's differentiable primitives by name."""
    for name in EXTENSIONS:
        importlib.import_module(name)
    tables = (
        ad.primitive_jvps,
        ad.primitive_transposes,
        ad.fancy_transposes,
        ad.primitive_linearizations,
    )
    return {p.name.removesuffix("_p"): p for table in tables for p in table}


def without_reason(names: Iterable[str]) -> list[str]:
    """Those that have neither a rule nor a reason."""
    known = {key_name(key) for key in RULES} | REASONS.keys() | BUILT_IN.keys()
    return sorted(set(names) - known)


def with_both() -> list[str]:
    """Those that have a rule, and still a reason for having none."""
    return sorted({key_name(key) for key in RULES} & REASONS.keys())


def key_name(key: Any) -> str:
    return key if isinstance(key, str) else key.name


def row(key: Any, cases: list) -> Row:
    rule, mine = RULES[key], [case for case in cases if case.primitive == key]
    return Row(key_name(key), rule.verb, rule.file, modes(mine), len(mine))


def modes(cases: list) -> tuple[str, ...]:
    """The modes that work in at least one of the cases, tried abstractly."""
    return tuple(mode for mode in MODES if any(works(mode, x) for x in cases))


def works(mode: str, case) -> bool:
    if not case.available:
        return False
    rng = generator(case)
    f, xs = flat(case.function, sample(case, rng, case.dtypes[0]))
    along = xs if mode == "jvp" else jax.eval_shape(f, xs)
    directions = [direction(rng, x) for x in along]
    try:
        jax.eval_shape(lambda xs: MODES[mode](jk, f, xs, directions), xs)
    except (NotImplementedError, TypeError, ValueError):
        return False
    return True


def page(cases: list) -> str:
    """The page for this version of JAX."""
    differentiable = registry()
    refusals = {
        key_name(key): f"Refused by a clear error: {rule.why}. {rule.instead}"
        for key, rule in RULES.items()
        if isinstance(rule, Still) and rule.verb == "refused"
    }
    rows = [
        row(key, cases)
        for key in RULES
        if key_name(key) not in refusals | BUILT_IN and not isinstance(key, Operator)
    ]
    rows.sort(key=lambda row: row.name)
    ours = [row(key, cases) for key in RULES if isinstance(key, Operator)]
    covered = [row for row in rows if row.name in differentiable]
    # Without those that this JAX hasn't got: no mode works.
    beyond = [row for row in rows if row.name not in differentiable and row.modes]
    without = REASONS | refusals
    still = [row for row in covered if not row.modes]
    counts = {
        "with a rule": len(covered),
        "run by the tracer": len(BUILT_IN.keys() & differentiable.keys()),
        "without, for a reason": len(without.keys() & differentiable.keys()),
    }
    parts = ", ".join(f"{n} {what}" for what, n in counts.items() if n)
    return PAGE.format(
        version=jax.__version__,
        counts=f"{len(differentiable)} primitives: {parts}.",
        covered="\n".join([HEAD, *map(str, covered), *built_in(differentiable)]),
        notes="\n".join(f"- `{row.name}`: {NOTES[row.name]}" for row in still),
        reasons=reasons(without, differentiable),
        beyond="\n".join([HEAD, *map(str, beyond)]),
        operators="\n".join([HEAD, *sorted(map(str, ours))]),
    )


def built_in(differentiable: Iterable[str]) -> list[str]:
    return [
        f"| `{name}` | {how} | `{file}` | yes | yes | |"
        for name, (file, how) in BUILT_IN.items()
        if name in differentiable
    ]


def reasons(without: dict[str, str], differentiable: Iterable[str]) -> str:
    names: dict[str, list[str]] = {}
    for name in sorted(without.keys() & set(differentiable)):
        names.setdefault(without[name], []).append(name)
    lines = [f"| {listed(who)} | {why} |" for why, who in names.items()]
    return "\n".join(["| primitives | reason |", "|---|---|", *lines])


def listed(names: list[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)
