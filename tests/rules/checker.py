"""The checker of derivative rules: one `Case`, all that must hold of its derivatives.

For a function that reaches a primitive, at generic points and in random directions,

    jaxkit equals JAX      jvp and vjp, in all operands and in each alone (so that the
                           others' tangents are zero), and their nestings up to `orders`
    differences            J v equals a central difference quotient
    adjoint                <u, J v> = <J' u, v>
    linear program         what `linearize` recorded, its recorded transpose and its
                           matrix (of small ones) equal jvp and vjp

All of it is one compiled function of a point; for float64 of two points at once, under
`vmap`, and there jvp and vjp also run eagerly.
`check` returns what was off, as lines of text, so that the checker can be tested.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable
from functools import cache, partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import jaxkit as jk
from zoo.case import Case, direction, flat, generator, sample
from zoo.nestings import NESTINGS, bent, compiled, derive, nestings, pull, push

# Largest error allowed, relative to the largest entry.
TOLERANCE = {
    "float64": 1e-12,
    "complex128": 1e-12,
    "float32": 64 * 2.0**-23,
    "complex64": 64 * 2.0**-23,
    "bfloat16": 8 * 2.0**-7,
}
STEP = 1e-3


def derivatives(lib, names, f, xs, vs, us) -> dict[str, Callable]:
    return {
        how: partial(derive(lib, how, bent(f) if "of" in how else f, vs, us), xs)
        for how in names
    }


def operands_alone(lib, case, f, xs, vs, us) -> dict[str, Callable]:
    """The derivatives in one operand, while the others are held fixed."""
    todo = {}
    for i in range(len(xs) if len(xs) > 1 else 0):

        def in_one(x, i=i):
            return f([*xs[:i], x[0], *xs[i + 1 :]])

        todo[f"jvp of operand {i}"] = partial(push, lib, in_one, [xs[i]], [vs[i]])
        if case.reverse and lib is jk:  # JAX's is an entry of its vjp in all
            todo[f"vjp of operand {i}"] = partial(pull, lib, in_one, [xs[i]], us)
    return todo


def linear_program(case, f, xs, vs, us) -> dict[str, Callable]:
    """The same derivatives from what `linearize` returns."""
    linearized = cache(lambda: jk.linearize(f, xs)[1])
    matrix = cache(lambda: linearized().matrix())
    todo = {
        "linearize": lambda: linearized()(vs),
        "pruned program": lambda: linearized().program.apply(vs),
    }
    if not case.reverse:
        return todo
    todo["recorded transpose"] = lambda: linearized().T.program.apply(us)
    small = sum(x.size for x in [*vs, *us]) <= 16
    if small and all(x.dtype == "float64" for x in [*vs, *us]):
        todo["matrix"] = lambda: like(us, matrix() @ ravel(vs))
        todo["matrix, transposed"] = lambda: like(vs, ravel(us) @ matrix())
    return todo


def ravel(xs):
    return jnp.concatenate([jnp.ravel(x) for x in xs])


def like(xs, vector):
    """A vector cut into arrays of the shapes of xs."""
    ends = np.cumsum([x.size for x in xs])
    parts = jnp.split(vector, ends[:-1])
    return [part.reshape(x.shape) for x, part in zip(xs, parts, strict=True)]


def over(case, f):
    """f over a leading axis: under vmap, or one by one where JAX can't."""
    if case.batches:
        return jax.vmap(f)

    def each(xs):
        leaves, tree = jax.tree.flatten(xs)
        outs = [f(jax.tree.unflatten(tree, xs)) for xs in zip(*leaves, strict=True)]
        return jax.tree.map(lambda *ys: jnp.stack(ys), *outs)

    return each


def quotient(case, f, xs, vs):
    """The central difference quotient of fourth order in direction vs."""
    steps = STEP * jnp.array([1, -1, 2, -2])
    at = over(case, lambda h: f([x + h * v for x, v in zip(xs, vs, strict=True)]))
    return [(8 * (y[0] - y[1]) - (y[2] - y[3])) / (12 * STEP) for y in at(steps)]


# ------------------------------------------------------------------------- comparisons


class Report:
    """What was off, so that one failure doesn't hide the others."""

    def __init__(self, case: Case, dtype: str):
        self.case, self.tolerance = case, TOLERANCE[dtype]
        self.lines: list[str] = []

    def attempt(self, todo: dict[str, Callable]) -> dict[str, Any]:
        """The results of what didn't raise."""
        results = {}
        for name, compute in todo.items():
            try:
                results[name] = compute()
            except Exception:  # whatever it was, it is reported
                # As text: the traceback itself would keep tracers alive.
                self.lines.append(f"{name} raised: {traceback.format_exc(-3)}")
        return results

    def compare(self, name: str, result, reference) -> None:
        """Equal to the tolerance, relative to the leaf's largest entry."""
        if len(result) != len(reference):
            self.lines.append(f"{name}: {len(result)} arrays, not {len(reference)}")
            return
        overall = max(largest(r) for r in reference)
        for i, (y, r) in enumerate(zip(result, reference, strict=True)):
            if y.shape != r.shape or y.dtype != r.dtype:
                problem = f"{y.dtype}{y.shape}, not {r.dtype}{r.shape}"
            else:
                tolerance = max(self.tolerance, TOLERANCE[y.dtype.name])
                size = max(largest(r), 1e-2 * overall)
                allowed = tolerance * self.case.tolerance * size
                error = np.max(np.abs(wide(y) - wide(r)), initial=0)
                if error <= allowed:
                    continue
                problem = f"error {error:.1e}, allowed {allowed:.1e}: {y} is not {r}"
            self.lines.append(f"{name} [{i}]: {problem}")

    def weakness(self, name: str, result, whose) -> None:
        """Weakly typed where that is whose derivative it is."""
        for i, (y, x) in enumerate(zip(result, whose, strict=True)):
            weak, right = (jax.typeof(z).weak_type for z in (y, x))
            if weak != right:
                self.lines.append(f"{name} [{i}]: weakly typed is {weak}, not {right}")


def wide(x) -> np.ndarray:
    """In double precision, so that comparing doesn't round."""
    x = np.asarray(x)
    return x.astype(np.complex128 if x.dtype.kind == "c" else np.float64)


def largest(x) -> float:
    return np.max(np.abs(wide(x)), initial=0)


def products(xs, ys):
    """The terms of <x, y>, not conjugated; real and complex share the real part."""
    pairs = zip(xs, ys, strict=True)
    return np.concatenate([np.real(wide(x) * wide(y)).ravel() for x, y in pairs])


# --------------------------------------------------------------------------- the check


def check(case: Case, dtype: str, brief: bool = False) -> list[str]:
    """All that is off with the derivatives of a case in a dtype; empty if none is.

    With `brief` nothing is asked of the linear program, of operands alone, of quotients
    and of what isn't compiled.
    """
    rng, report = generator(case), Report(case, dtype)
    point = sample(case, rng, dtype)
    f, xs = flat(case.function, point)
    vs = [direction(rng, x) for x in xs]
    us = [direction(rng, y) for y in jax.eval_shape(f, xs)]
    names = nestings(case, dtype)
    double = dtype in ("float64", "complex128")

    def everything(args):
        f, xs = flat(case.function, args)
        g, _ = flat(case.reference or case.function, args)
        distinct = sorted({NESTINGS[name] for name in names})
        reference = derivatives(jax, distinct, g, xs, vs, us)
        ours = derivatives(jk, names, f, xs, vs, us)
        if not brief:
            reference |= operands_alone(jax, case, g, xs, vs, us)
            ours |= operands_alone(jk, case, f, xs, vs, us)
            ours |= linear_program(case, f, xs, vs, us)
        results = {
            "reference": {name: compute() for name, compute in reference.items()},
            "ours": report.attempt(ours),
        }
        if double and case.differences is not None and not brief:
            results["differences"] = quotient(case, f, xs, vs), f(xs)
        return results

    if dtype == "float64":
        batch = [np.stack(x) for x in zip(point, sample(case, rng, dtype), strict=True)]
        both = compiled(over(case, everything), batch)
        points = [jax.tree.map(lambda y, i=i: y[i], both) for i in (0, 1)]
        where = "jit, vmap" if case.batches else "jit"
    else:
        points, where = [compiled(everything, point)], "jit"
    for results in points:
        if not all(
            map(np.isfinite, map(largest, jax.tree.leaves(results["reference"])))
        ):
            return ["the reference is not finite; take generic points"]
        _compare_all(report, where, results, vs, us)
    if dtype == "float64" and not brief:
        eager = derivatives(jk, [x for x in names if "of" not in x], f, xs, vs, us)
        for name, result in report.attempt(eager).items():
            report.compare(f"{name} (eager)", result, points[0]["reference"][name])
            whose = xs if name == "vjp" else f([*map(jnp.asarray, xs)])
            report.weakness(name, result, whose)
    return report.lines


def _compare_all(report, where, results, vs, us):
    case, ours, reference = report.case, results["ours"], results["reference"]
    same = NESTINGS | {
        "linearize": "jvp",
        "pruned program": "jvp",
        "matrix": "jvp",
        "recorded transpose": "vjp",
        "matrix, transposed": "vjp",
    }
    for name, result in ours.items():
        if name.startswith("vjp of operand"):
            expected = [reference["vjp"][int(name.split()[-1])]]
        else:
            expected = reference[same.get(name, name)]
        report.compare(f"{name} ({where})", result, expected)

    if "jvp" in ours and "vjp" in ours:  # <u, J v> = <J' u, v>
        left, right = products(us, ours["jvp"]), products(ours["vjp"], vs)
        scale = max(np.sum(np.abs(left)), np.sum(np.abs(right)))
        tolerance = max(TOLERANCE[x.dtype.name] for x in [*us, *vs]) * case.tolerance
        if not abs(np.sum(left) - np.sum(right)) <= tolerance * scale:
            report.lines.append(
                f"adjoint ({where}): {np.sum(left)} is not {np.sum(right)}"
            )

    if "differences" in results:
        quotients, values = results["differences"]
        if "jvp" in ours:
            pairs = list(zip(ours["jvp"], quotients, strict=True))
        elif "vjp" in ours:
            sides = products(ours["vjp"], vs), products(us, quotients)
            pairs = [tuple(np.sum(side) for side in sides)]
        else:
            return
        scale = max(map(largest, [*quotients, *values]))
        for derivative, difference in pairs:
            error = largest(wide(derivative) - wide(difference))
            if not error <= case.differences * scale:
                report.lines.append(
                    f"differences ({where}): {derivative} is not {difference}"
                )
