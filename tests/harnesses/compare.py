"""One case: jaxkit's derivatives beside JAX's, or beside difference quotients.

How close is close. Both compute in the case's dtypes, and the largest error allowed is
`tolerance` of the coarsest of them, relative to the array's largest entry; NaN and
infinities must be in the same places. Some cases are ill-conditioned (the triangular
solves with random matrices, for one): rounding alone is then larger than that. So
where the two differ by more, both are compared with JAX's derivative in double
precision at the same point, and jaxkit's error may be `SLACK` times JAX's.

A few of JAX's rules are wrong (the sign of complex numbers, before JAX 0.12). There
the difference quotient in double precision decides: if it is equal to jaxkit's
derivative and not to JAX's, the case counts as agreeing, with a note.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass

import jax
import jax.numpy as jnp
import numpy as np

import jaxkit as jk
from tests.harnesses.cases import FIRST, SECOND, HarnessCase, derivative, modes_of_jax
from tests.rules.checker import STEP, largest, products, wide
from zoo.nestings import bent, compiled, derive

SLACK = 4.0
DIFFERENCES = 1e-7  # allowed between a derivative and a quotient, in double precision

AGREE, DISAGREE, UNSUPPORTED = "agree", "disagree", "unsupported"
# What such a scatter returns isn't defined.
BROKEN_PROMISE = "out_of_bounds", "PROMISE_IN_BOUNDS"
# These give the reason as message.
REFUSALS = "NotImplementedError", "ValueError", "TypeError: reverse mode"
NO_CASE = "no case"  # for this command: not differentiable, or not refused


@dataclass(frozen=True)
class Outcome:
    """What came of a case: the modes it was run in, and what was wrong, if anything."""

    outcome: str
    modes: tuple[str, ...] = ()
    reason: str = ""

    asdict = asdict


def check(case: HarnessCase, kind: str) -> Outcome:
    """A case's first derivatives, its "second" ones, or those that JAX "refused"."""
    with jax.enable_x64(False):
        if kind == "refused":
            return check_refused(case)
        return check_beside_jax(case, SECOND if kind == "second" else FIRST)


def check_beside_jax(case: HarnessCase, modes: tuple[str, ...]) -> Outcome:
    modes = modes_of_jax(case, modes) or ()
    if not modes:
        return Outcome(NO_CASE)
    point = case.xs, case.vs, case.us
    problems: dict[str, str] = {}
    notes: list[str] = []

    def both(*point):
        reference = {mode: derivative(jax, mode, case)(*point) for mode in modes}
        return reference, attempt(case, modes, point, problems)

    try:
        reference, ours = compiled(both, *point)
    except Exception as error:
        try:
            compiled(lambda *point: derivative(jax, modes[-1], case)(*point), *point)
        except Exception:  # JAX traces its derivative, but can't run it
            return Outcome(NO_CASE)
        return Outcome(DISAGREE, modes, f"raised {headline(error)}")
    for mode, result in ours.items():
        problem = difference(result, reference[mode], tolerance(case))
        if not problem or as_accurate(case, mode, result, reference[mode]):
            continue
        if jax_is_wrong(case, mode):
            notes.append(f"{mode}: JAX's is wrong, by the difference quotient")
        else:
            problems[mode] = problem
    return outcome(modes, problems, notes)


def attempt(case, modes: Iterable[str], point, problems: dict[str, str]) -> dict:
    """jaxkit's derivatives; what is raised instead goes to `problems`."""
    results = {}
    for mode in modes:
        try:
            results[mode] = derivative(jk, mode, case)(*point)
        except Exception as error:  # whatever it was, it is reported
            problems[mode] = headline(error)
    return results


def headline(error: Exception) -> str:
    """An exception's type and the first line of its message."""
    return f"{type(error).__name__}: {str(error).partition(chr(10))[0]}"


def outcome(modes, problems: dict[str, str], notes: Iterable[str] = ()) -> Outcome:
    if not problems:
        return Outcome(AGREE, modes, "; ".join(notes))
    # A mode that is wrong weighs more than one that is missing.
    missing = {m for m, x in problems.items() if x.startswith(REFUSALS)}
    worst = {m: x for m, x in problems.items() if m not in missing} or problems
    modes_of: dict[str, list[str]] = {}
    for mode, problem in worst.items():
        modes_of.setdefault(problem, []).append(mode)
    reason = "; ".join(f"{', '.join(who)}: {what}" for what, who in modes_of.items())
    return Outcome(DISAGREE if worst.keys() - missing else UNSUPPORTED, modes, reason)


# ------------------------------------------------------------------------- comparisons


def tolerance(case: HarnessCase) -> float:
    """The largest error allowed, by the coarsest dtype in the case.

    64 units in the last place for single precision and double, 8 for the short ones.
    """
    eps = max(float(jnp.finfo(x.dtype).eps) for x in [*case.xs, *case.outputs])
    return (64 if eps < 1e-6 else 8) * eps


def difference(result, reference, allowed: float) -> str:
    """How the arrays differ by more than allowed, in words; empty if they don't."""
    if len(result) != len(reference):
        return f"{len(result)} arrays, not {len(reference)}"
    for y, r in zip(result, reference, strict=True):
        if y.shape != r.shape or y.dtype != r.dtype:
            return f"{y.dtype}{list(y.shape)}, not {r.dtype}{list(r.shape)}"
        y, r = wide(y), wide(r)
        finite = np.isfinite(r) & np.isfinite(y)
        if not np.array_equal(y[~finite], r[~finite], equal_nan=True):
            where = tuple(int(i[0]) for i in np.nonzero(~finite))
            return f"at {where} {y[where]}, not {r[where]}"
        error = relative_error(y, r)
        if not error <= allowed:
            return f"relative error {error:.1e}, allowed {allowed:.1e}"
    return ""


def relative_error(y: np.ndarray, r: np.ndarray) -> float:
    """The largest error in the entries that are finite in r, over the largest entry."""
    finite = np.isfinite(r)
    error, size = largest(y[finite] - r[finite]), largest(r[finite])
    return float(error / size) if size else float(np.inf if error else 0)


def as_accurate(case: HarnessCase, mode: str, ours, jaxs) -> bool:
    """Whether jaxkit's derivative is about as close to the exact one as JAX's is."""
    with jax.enable_x64(True):
        try:
            point = double([case.xs, case.vs, case.us])
            exact = compiled(derivative(jax, mode, case), *point)
        except Exception:  # the harness itself is in single precision
            return False
    if any(x.dtype.itemsize < 8 * (1 + np.iscomplexobj(x)) for x in exact):
        return False
    for y, r, x in zip(ours, jaxs, exact, strict=True):
        most = float(jnp.finfo(y.dtype).max)
        beyond = np.abs(x) > most  # what overflows isn't judged
        x = np.where(beyond, np.inf, wide(x))
        allowed = SLACK * relative_error(wide(r), x) + tolerance(case)
        if y.shape != x.shape or not relative_error(wide(y), x) <= allowed:
            return False
    return True


def double(xs):
    return jax.tree.map(wide, xs)


# ---------------------------------------------------------------- difference quotients


def check_refused(case: HarnessCase) -> Outcome:
    """jaxkit's derivatives in the modes that JAX refuses, beside difference quotients.

    In double precision, where a quotient has about ten digits.
    """
    of_jax = modes_of_jax(case, FIRST)
    if of_jax in (None, FIRST) or all(x in case.name for x in BROKEN_PROMISE):
        return Outcome(NO_CASE)
    modes = FIRST[len(of_jax) :]
    problems: dict[str, str] = {}
    for mode in modes:
        try:
            problem = off_quotient(jk, mode, case)
        except Exception as error:
            problem = headline(error)
        if problem:
            problems[mode] = problem
    return outcome(modes, problems)


def jax_is_wrong(case: HarnessCase, mode: str) -> bool:
    """Whether jaxkit's derivative equals the difference quotient, and JAX's doesn't."""
    try:
        return not off_quotient(jk, mode, case) and bool(off_quotient(jax, mode, case))
    except Exception:  # the harness itself is in single precision
        return False


def off_quotient(lib, mode: str, case: HarnessCase) -> str:
    """How far a derivative is from a difference quotient; empty if it is close.

    J v is a quotient itself, and the pullback is judged by <J' u, v> = <u, J v>. Second
    derivatives are judged as those of jaxkit's first ones. Raises what `lib` raises.
    """
    outer, _, inner = mode.partition(" of ")

    def both(xs, vs, us):
        f = derive(jk, inner, bent(case.f), vs, us) if inner else case.f
        return derivative(lib, mode, case)(xs, vs, us), quotient(f, xs, vs)

    with jax.enable_x64(True):
        xs, vs, us = double([case.xs, case.vs, case.us])
        result, slope = compiled(both, xs, vs, us)
    if outer == "jvp":
        return difference(result, slope, DIFFERENCES)
    terms, expected = products(result, vs), products(vs if inner else us, slope)
    error = abs(np.sum(terms) - np.sum(expected))
    close = error <= DIFFERENCES * np.sum(np.abs(expected))
    return "" if close else f"<J' u, v> is off by {error:.1e}"


def quotient(f: Callable, xs, vs):
    """The central difference quotient of fourth order; without `vmap`, which not all
    primitives have.

    The step is one of a length, however many entries there are: close eigenvalues of
    large matrices meet soon.
    """
    step = STEP / np.sqrt(max(1, sum(v.size for v in vs)))
    steps = [step * h for h in (1, -1, 2, -2)]
    y = [f([x + h * v for x, v in zip(xs, vs, strict=True)]) for h in steps]
    return [
        (8 * (a - b) - (c - d)) / (12 * step) for a, b, c, d in zip(*y, strict=True)
    ]
