"""The coverage page, from JAX's registry, the rule table and the rules' cases."""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
from jax._src.interpreters import ad
from jax.extend.core import primitives

import jaxkit as jk
from jaxkit.rules.table import RULES
from tests.coverage.reasons import BUILT_IN, NOTES, REASONS
from zoo.case import direction, flat, generator, sample
from zoo.cases import families
from zoo.nestings import pull, push

# Their primitives are known to JAX only when they are imported.
EXTENSIONS = "jax.experimental.pallas", "jax.experimental.sparse"
VERBS = "jaxkit.rules.table"
SOURCE = Path(jk.__file__).parent

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
    where = file(key, rule, mine)
    return Row(key_name(key), verb(rule), where, modes(mine), len(mine))


def file(key: Any, rule: Callable, mine: list) -> str:
    """Where the rule is declared; files of cases mirror those of rules."""
    if rule.__module__ != VERBS:
        return rule.__module__.removeprefix("jaxkit.").replace(".", "/") + ".py"
    family = {case.name: name for name, cases in families().items() for case in cases}
    likely = SOURCE / "rules" / f"{family[mine[0].name] if mine else ''}.py"
    files = [likely, *SOURCE.glob("rules/*.py"), *SOURCE.glob("control/*.py")]
    names = [rf"\b{x}\b" for x, value in vars(primitives).items() if value is key]
    named = re.compile("|".join([*names, f'"{key_name(key)}(_p)?"']))
    found = next(x for x in files if x.exists() and named.search(x.read_text()))
    return str(found.relative_to(SOURCE))


def refusal(key: Any) -> str | None:
    """Why the primitive is refused, if it is."""
    rule = RULES[key]
    if verb(rule) != "refused":
        return None
    return f"Refused by a clear error: {inspect.getclosurevars(rule).nonlocals['why']}."


def verb(rule: Callable) -> str:
    """The verb that made a rule: it is an inner function of that verb."""
    return rule.__qualname__.split(".")[0] if rule.__module__ == VERBS else "structured"


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
    refusals = {key_name(key): why for key in RULES if (why := refusal(key))}
    rows = [row(key, cases) for key in RULES if key_name(key) not in refusals]
    rows.sort(key=lambda row: row.name)
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
