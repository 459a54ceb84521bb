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
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import Literal

import jaxkit as jk

DOUBLE = ("float64",)
REAL = "float64", "float32"
REAL_AND_LOW = *REAL, "bfloat16"
COMPLEX = "complex128", "complex64"
BOTH = *REAL, *COMPLEX

# Largest error allowed, relative to the largest entry.
TOLERANCE = {
    "float64": 1e-12,
    "complex128": 1e-12,
    "float32": 64 * 2.0**-23,
    "complex64": 64 * 2.0**-23,
    "bfloat16": 8 * 2.0**-7,
}
STEP = 1e-3

# Compiling takes most of the time, and unoptimised code is as good to compare.
FAST = {
    "xla_backend_optimization_level": 0,
    "xla_llvm_disable_expensive_passes": True,
    # With it, LAPACK calls at once are likelier to wait for each other forever, see
    # tests/harnesses.
    "xla_cpu_enable_concurrency_optimized_scheduler": False,
}


@dataclass(frozen=True)
class Case:
    """A function that reaches a primitive, and where and how closely to check it.

    `primitive` is a key of jaxkit's RULES. `function` is plain JAX code on
    arrays. `sampler` maps a NumPy generator to a tuple of arguments, real ones as
    float64, at generic points of the domain; the checker converts them to each of
    `dtypes`, and adds an imaginary part drawn the same way for complex ones. Those
    that vary shapes and parameters alone are in double precision only.
    `orders` is the number of derivatives to compare in float64; bfloat16 takes one, the
    other dtypes take up to two.
    """

    primitive: Any
    name: str
    function: Callable
    sampler: Callable[[np.random.Generator], tuple]
    dtypes: tuple[str, ...] = REAL
    orders: int = 2
    tolerance: float = 1.0  # multiplies that of the dtype
    differences: float | None = 1e-8  # tolerance; None: a quotient has no meaning
    reverse: bool = True  # False: it has no transpose
    needs: str = "jax"  # the path of what a version of JAX may lack
    reference: Callable | None = None  # for JAX, where JAX can't differentiate function
    batches: bool = True  # False: JAX can't run it under vmap
    since: tuple[int, ...] = ()  # the first version of JAX that has the primitive

    @property
    def available(self) -> bool:
        """Whether this JAX has what the case needs."""
        if jax.__version_info__ < self.since:
            return False
        x = jax
        return all(
            (x := getattr(x, name, None)) is not None
            for name in self.needs.split(".")[1:]
        )


# ------------------------------------------------------------------ points, directions


def generator(case: Case) -> np.random.Generator:
    return np.random.default_rng(zlib.crc32(case.name.encode()))


def sample(case: Case, rng, dtype: str) -> tuple:
    """Arguments of the case's function, floats among them converted to `dtype`."""
    args = case.sampler(rng)
    imaginary = case.sampler(rng) if dtype in COMPLEX else args

    def convert(x, y):
        x = np.asarray(x)
        if x.dtype != np.float64:
            return x
        x = x + 1j * np.asarray(y) if dtype in COMPLEX else x
        return x.astype(jnp.dtype(dtype))

    return tuple(map(convert, args, imaginary))


def direction(rng, like) -> np.ndarray:
    x = rng.uniform(-1, 1, like.shape)
    if jnp.issubdtype(like.dtype, jnp.complexfloating):
        x = x + 1j * rng.uniform(-1, 1, like.shape)
    return np.asarray(x).astype(like.dtype)


def moves(x) -> bool:
    return jnp.issubdtype(x.dtype, jnp.inexact)


def flat(function: Callable, args) -> tuple[Callable, list]:
    """`function` from its moving arguments to its moving outputs, and the former."""
    moving = [moves(x) for x in args]

    def f(xs):
        xs = iter(xs)
        full = [next(xs) if m else x for x, m in zip(args, moving, strict=True)]
        outs = [y for y in jax.tree.leaves(function(*full)) if moves(y)]
        assert outs, "the case's function has no output that moves"
        return outs

    return f, [x for x, m in zip(args, moving, strict=True) if m]


# ------------------------------------------------- derivatives, with jaxkit or with JAX

# Each derivative, and the one of JAX's that it equals (a Hessian is symmetric).
NESTINGS = {
    "jvp": "jvp",
    "vjp": "vjp",
    "jvp of jvp": "jvp of jvp",
    "jvp of vjp": "jvp of vjp",
    "vjp of jvp": "jvp of vjp",
    "vjp of vjp": "jvp of vjp",
    "jvp of jvp of vjp": "jvp of jvp of vjp",
    "vjp of vjp of vjp": "jvp of jvp of vjp",
    "vjp of jvp of jvp": "jvp of jvp of vjp",
}


def push(lib, f, xs, vs):
    return lib.jvp(f, (xs,), (vs,))[1]


def pull(lib, f, xs, us):
    return lib.vjp(f, xs)[1](us)[0]


def derive(lib, how, f, vs, us):
    """The derivative `how` of f, say "jvp of vjp", as a function of the point."""
    for mode in reversed(how.split(" of ")):
        if mode == "jvp":
            f = partial(push, lib, f, vs=vs)
        else:
            f, us = partial(pull, lib, f, us=us), vs
    return f


def bent(f):
    """y + y^2 of each output, so that a linear f has higher derivatives too."""
    return lambda xs: [y + y * y for y in f(xs)]


def nestings(case: Case, dtype: str) -> list[str]:
    most = {"float64": 3, "bfloat16": 1}.get(dtype, 2)
    return [
        how
        for how in NESTINGS
        if how.count("of") < min(case.orders, most)
        and (case.reverse or "vjp" not in how)
    ]


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


def check(case: Case, dtype: str) -> list[str]:
    """All that is off with the derivatives of a case in a dtype; empty if none is."""
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
        reference |= operands_alone(jax, case, g, xs, vs, us)
        ours = derivatives(jk, names, f, xs, vs, us)
        ours |= operands_alone(jk, case, f, xs, vs, us)
        ours |= linear_program(case, f, xs, vs, us)
        results = {
            "reference": {name: compute() for name, compute in reference.items()},
            "ours": report.attempt(ours),
        }
        if double and case.differences is not None:
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
    if dtype == "float64":
        eager = derivatives(jk, [x for x in names if "of" not in x], f, xs, vs, us)
        for name, result in report.attempt(eager).items():
            report.compare(f"{name} (eager)", result, points[0]["reference"][name])
    return report.lines


def compiled(f, *args):
    """f(*args) in `jit`, where each operation on the same operands is done once.

    What is compared has most of its operations in common, and to compile them, the
    special functions above all, is what takes time.
    """
    jaxpr, shapes = jax.make_jaxpr(f, return_shape=True)(*args)
    run = jax.jit(partial(_evaluate, jaxpr), compiler_options=FAST)
    outs = run(*jax.tree.leaves(args))
    return jax.device_get(jax.tree.unflatten(jax.tree.structure(shapes), outs))


def _evaluate(closed, *args):
    jaxpr, done = closed.jaxpr, {}
    env = dict(zip(jaxpr.constvars, closed.consts, strict=True))
    env |= zip(jaxpr.invars, args, strict=True)

    def read(atom):
        return atom.val if isinstance(atom, Literal) else env[atom]

    def name(atom):
        if isinstance(atom, Literal):
            return repr(atom.val), atom.aval
        return id(env[atom])

    for eqn in jaxpr.eqns:
        key = eqn.primitive, str(eqn.params), tuple(map(name, eqn.invars))
        key += tuple(map(id, constants(eqn.params)))  # of which the text has none
        if key not in done:
            params = eqn.primitive.get_bind_params(eqn.params)
            out = eqn.primitive.bind(*map(read, eqn.invars), **params)
            done[key] = out if eqn.primitive.multiple_results else [out]
        env |= zip(eqn.outvars, done[key], strict=True)
    return [read(v) for v in jaxpr.outvars]


def constants(params) -> list:
    """What the jaxprs among an equation's parameters close over."""
    found = []
    for x in jax.tree.leaves(params, is_leaf=lambda x: hasattr(x, "eqns")):
        found += getattr(x, "consts", ())
        for eqn in getattr(x, "eqns", ()):
            found += constants(eqn.params)
    return found


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
