"""Every transform on every real program equals JAX's: alone, in jit, in vmap, mixed.

One test per program, since compiling is what costs here: the reference, all of JAX's
float64 derivatives, is one compiled function, and serves each use of jaxkit's. A
failure lists each transform that is off and by how much, or what it raised.

Errors are relative to the largest entry of the leaf, or to a hundredth of that of
the whole result where a leaf is smaller. float64 must agree to 1e-10; float32, held
against float64 at the same point, to 128 eps times the condition the program states.
"""

import traceback
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxkit as jk
from tests.selections import long_but
from zoo.nestings import compiled
from zoo.programs import PROGRAMS, Program


def direction(tree):
    """Vectors in the shape of `tree`, with no two entries alike."""
    leaves, treedef = jax.tree.flatten(tree)
    start = 0
    for i, leaf in enumerate(leaves):
        entries = np.cos(1.3 * np.arange(start, start + leaf.size))
        start += leaf.size
        leaves[i] = entries.reshape(leaf.shape).astype("f4").astype(leaf.dtype)
    return treedef.unflatten(leaves)


def dot(x, y):
    products = jax.tree.map(lambda a, b: jnp.sum(a * b), x, y)
    return sum(jax.tree.leaves(products))


# ---------------------------------------------------- what is computed with a library


def _linearize(lib, f, x, v):
    y, pushforward = lib.linearize(f, x)
    return y, pushforward(v)


def _vjp(lib, f, x, v):
    y, pullback = lib.vjp(f, x)
    return y, pullback(direction(y))


def _hvp(lib, s, x, v):
    if lib is jk:
        return jk.hvp(s, (x,), (v,))
    return jax.jvp(jax.grad(s), (x,), (v,))[1]


# name: (order of derivative, of f or its scalar version, how)
TRANSFORMS = {
    "value": (0, "f", lambda lib, f, x, v: f(x)),
    "jvp": (1, "f", lambda lib, f, x, v: lib.jvp(f, (x,), (v,))),
    "linearize": (1, "f", _linearize),
    "vjp": (1, "f", _vjp),
    "jacfwd": (1, "f", lambda lib, f, x, v: lib.jacfwd(f)(x)),
    "jacrev": (1, "f", lambda lib, f, x, v: lib.jacrev(f)(x)),
    "grad": (1, "scalar", lambda lib, s, x, v: lib.grad(s)(x)),
    "value_and_grad": (1, "scalar", lambda lib, s, x, v: lib.value_and_grad(s)(x)),
    "hessian": (2, "scalar", lambda lib, s, x, v: lib.hessian(s)(x)),
    "hvp": (2, "scalar", _hvp),
    "third": (
        3,
        "scalar",
        lambda lib, s, x, v: lib.jvp(lambda x: _hvp(lib, s, x, v), (x,), (v,))[1],
    ),
}
FORWARD = ("jvp", "linearize", "jacfwd")
EAGER = ("value", "jvp", "linearize", "vjp", "grad", "value_and_grad")


def _grad_of_grad(outer, inner, s, x, v):
    return outer.grad(lambda x: dot(inner.grad(s)(x), v))(x)


def _jvp_of_vjp(outer, inner, s, x, v):
    def gradient(x):
        y, pullback = inner.vjp(s, x)
        return pullback(jnp.ones_like(y))[0]

    return outer.jvp(gradient, (x,), (v,))[1]


def _jacfwd_of_jacrev(outer, inner, s, x, v):
    return outer.jacfwd(inner.jacrev(s))(x)


# name: (what of JAX's it equals, how)
MIXED = {
    "jk.grad of jax.grad": ("hvp", partial(_grad_of_grad, jk, jax)),
    "jax.grad of jk.grad": ("hvp", partial(_grad_of_grad, jax, jk)),
    "jk.jvp of jax.vjp": ("hvp", partial(_jvp_of_vjp, jk, jax)),
    "jk.jacfwd of jax.jacrev": ("hessian", partial(_jacfwd_of_jacrev, jk, jax)),
    "jax.jacfwd of jk.jacrev": ("hessian", partial(_jacfwd_of_jacrev, jax, jk)),
}


def jobs(program: Program, lib, names=tuple(TRANSFORMS)):
    """{name: how(x)} for those transforms that have a meaning for `program`."""

    def job(which, how):
        f = getattr(program, which)
        return lambda x: how(lib, lambda args: f(*args), x, direction(x))

    return {
        name: job(which, how)
        for name, (order, which, how) in TRANSFORMS.items()
        if order <= program.order
        and (program.forward or name not in FORWARD)
        and name in names
    }


def mixed_jobs(program: Program):
    def job(how):
        return lambda x: how(lambda args: program.scalar(*args), x, direction(x))

    return {
        name: job(how)
        for name, (same, how) in MIXED.items()
        if TRANSFORMS[same][0] <= program.order
        # A custom_vjp may give a Hessian that isn't symmetric: it equals no hvp then.
        and (program.forward or "grad of" not in name)
    }


# --------------------------------------------------------------- how it is compared


class Report:
    """What was off, so that one failure doesn't hide the others."""

    def __init__(self, condition):
        self.tolerance = {"f8": 1e-10, "f4": 128 * np.finfo("f4").eps * condition}
        self.lines = []
        self.first_traceback = ""

    def attempt(self, where, todo, x):
        """The results of what didn't raise."""
        results = {}
        for name, how in todo.items():
            try:
                results[name] = how(x)
            except Exception as error:
                # As text: the traceback itself would keep tracers alive.
                self.first_traceback = self.first_traceback or traceback.format_exc()
                self.lines.append(f"{name} {where}: {type(error).__name__}: {error}")
        return results

    def compare(self, where, dtype, results, references):
        for name, result in results.items():
            reference = references[MIXED.get(name, (name,))[0]]
            problem = self._problem(np.dtype(dtype), result, reference)
            if problem:
                self.lines.append(f"{name} {where}, {dtype}: {problem}")

    def _problem(self, dtype, result, reference):
        if jax.tree.structure(result) != jax.tree.structure(reference):
            return f"structure is {jax.tree.structure(result)}"
        leaves, references = jax.tree.leaves(result), jax.tree.leaves(reference)
        largest = max(np.max(np.abs(r)) for r in references)
        if not 0 < largest < np.inf:
            return f"largest entry of the reference is {largest}"
        worst = 0.0
        for y, r in zip(leaves, references, strict=True):
            if y.shape != r.shape or y.dtype != dtype:
                return f"{y.dtype}{y.shape}, where the reference has {r.shape}"
            scale = np.maximum(np.max(np.abs(r)), 1e-2 * largest)
            worst = np.maximum(worst, np.max(np.abs(y - r)) / scale)  # keeps a NaN
        allowed = self.tolerance[dtype.str[1:]]
        if not worst <= allowed:
            return f"relative error is {worst:.1e}, allowed {allowed:.1e}"
        return None


def check_traceable(program, report, mixed_too):
    """In `vmap` (with a perturbed point) in `jit`, and eager; or mixed, and in f4."""
    x, low = program.cast("f8"), program.cast("f4")
    batch = jax.tree.map(lambda a: jnp.stack([a, a * (1 + 0.004 * np.sin(a))]), x)
    ours, theirs, mixed = jobs(program, jk), jobs(program, jax), mixed_jobs(program)

    def references(x):
        return {name: how(x) for name, how in theirs.items()}

    if not mixed_too:
        attempts = partial(report.attempt, "in vmap", ours)
        both = jax.vmap(lambda x: (references(x), attempts(x)))
        expected, results = compiled(both, batch)
        report.compare("in vmap", "f8", results, expected)
        results = report.attempt("eager", jobs(program, jk, EAGER), x)
        report.compare("eager", "f8", results, jax.tree.map(lambda y: y[0], expected))
        return
    reference = compiled(references, x)
    results = compiled(partial(report.attempt, "in jit", ours), low)
    report.compare("in jit", "f4", results, reference)
    results = compiled(partial(report.attempt, "in jit", mixed), x)
    report.compare("in jit", "f8", results, reference)


def check_untraceable(program, report, mixed_too):
    reference = {
        name: how(program.cast("f8")) for name, how in jobs(program, jax).items()
    }
    ours, mixed = jobs(program, jk), mixed_jobs(program)
    all_of = [("f8", mixed), ("f4", ours)] if mixed_too else [("f8", ours)]
    for dtype, todo in all_of:
        results = report.attempt("eager", todo, program.cast(dtype))
        report.compare("eager", dtype, results, reference)


@pytest.mark.parametrize(
    "program", long_but(PROGRAMS[::3], PROGRAMS), ids=lambda p: p.name
)
def test_equals_jax(program, mixed_too=False):
    report = Report(program.condition)
    check = check_traceable if program.traceable else check_untraceable
    check(program, report, mixed_too)
    lines = [program.name, *report.lines, report.first_traceback]
    assert not report.lines, "\n".join(lines)


@pytest.mark.long
@pytest.mark.parametrize("program", PROGRAMS, ids=lambda p: p.name)
def test_equals_jax_mixed_and_in_single_precision(program):
    test_equals_jax(program, mixed_too=True)


def test_enough_real_programs():
    assert len(PROGRAMS) >= 30
    assert len({program.name for program in PROGRAMS}) == len(PROGRAMS)
    for program in PROGRAMS:
        inputs = sum(x.size for x in jax.tree.leaves(program.args))
        assert inputs <= 32, program.name


TRACEABLE = [p for p in PROGRAMS if p.traceable]
NO_OVERFLOW = {
    "haversine_distance": 1.18,
    "resonant_circuit": 1.36,
    "thin_film_reflectance": 1.07,
}


@pytest.mark.parametrize(
    "program", long_but(TRACEABLE[1::2], TRACEABLE), ids=lambda p: p.name
)
def test_the_gradient_takes_no_more_operations_than_jaxs(program):
    """As XLA counts those of the compiled program, within 1%.

    With JAX 0.11 it is 4.5% more of robot_arm, and from then on 1.4% of
    multiclass_hinge: a dozen operations that XLA fuses otherwise.  Those of atan2 and
    of the size of a complex number are more, so that they don't overflow.
    """
    allowed = 1.01 if jax.__version_info__ < (0, 11) else 1.05
    allowed = max(allowed, NO_OVERFLOW.get(program.name, 1))
    args = program.cast(np.float32)
    where = tuple(range(len(args)))
    ours, theirs = (
        jax.jit(lib.grad(program.scalar, where)).lower(*args).compile().cost_analysis()
        for lib in (jk, jax)
    )
    assert ours["flops"] <= allowed * theirs["flops"]
