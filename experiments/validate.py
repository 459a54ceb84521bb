"""Derivatives side by side with JAX's: function by transform by dtype, pass or fail.

Each function is differentiated by each transform with jaxkit and with JAX, in single
and in double precision at the same point; JAX's result in double precision is taken for
the truth. A combination passes if shapes and dtypes are JAX's, and if the results
differ from JAX's in the same dtype and from the truth by no more than a tolerance. That
is 1e-10 in double precision and 128 eps (1.5e-5) in single, times the condition of the
function where that is known, or 4 times JAX's own difference to the truth where that is
more: rounding grows with the condition, for both alike.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import seaborn as sns
from matplotlib.colors import LinearSegmentedColormap
from pandas import DataFrame

import jaxkit as jk
from experiments.bench import ExperimentError, style
from experiments.bench.compare import difference
from experiments.bench.settings import OfFunction, Points, option
from experiments.bench.tidy import Table, unique, where
from experiments.functions import own, short
from zoo.case import REAL, Case, direction, flat, generator, moves, sample
from zoo.cases import NAMES, families
from zoo.nestings import bent, compiled, derive, nestings
from zoo.programs import PROGRAMS

OWN = "own"
DOUBLE = {"float32": "float64", "complex64": "complex128"}
DTYPES = [*DOUBLE.values(), *DOUBLE]
SINGLE = 128 * float(np.finfo(np.float32).eps)  # tolerance
TIMES_JAXS_OWN = 4
ANOTHER = 0.1  # so far from the truth, JAX's is of another function: of other draws


@dataclass(frozen=True)
class Settings(OfFunction):
    families: list[str] = option([*NAMES, "programs"], help="which cases of zoo/")
    dtypes: list[str] = option(DTYPES, help="which dtypes")
    every: int = option(1, 25, help="the first of each family, and each N-th after")


def points(settings: Settings) -> Points:
    """Each case that this version of JAX has."""
    if settings.function:
        yield {"family": OWN, "case": users(settings).name}
        return
    for family in settings.families:
        names = [name for name, case in cases(family).items() if case.available]
        yield from ({"family": family, "case": x} for x in names[:: settings.every])


def cases(family: str) -> dict[str, Case]:
    """The cases of a family of rules, or the real programs, by name."""
    if family != "programs":
        return {case.name: case for case in families()[family]}
    return {p.name: as_case(p.name, p.f, p.args, p.condition) for p in PROGRAMS}


def as_case(name: str, f: Callable, args: tuple, tolerance: float = 1) -> Case:
    """A function of pytrees as one of their arrays, at this point."""
    leaves, treedef = jax.tree.flatten(jax.tree.map(np.asarray, args))
    point = tuple(x.astype(np.float64) if moves(x) else x for x in leaves)
    of_arrays = lambda *x: f(*treedef.unflatten(x))  # noqa: E731
    sampler = lambda rng: point  # noqa: E731
    return Case(None, name, of_arrays, sampler, REAL, tolerance=tolerance)


def users(settings: Settings) -> Case:
    """The user's function, over those of its arguments that are floats."""
    with jax.enable_x64(False):  # where there are 64 bits, 32 bits are there as well
        f, args = own(settings)
        outputs = jax.eval_shape(f, *args)
        if not all(any(map(moves, jax.tree.leaves(x))) for x in (args, outputs)):
            raise ExperimentError("--function needs arguments and results of floats")
        return as_case(short(settings.function), f, args)


def measure(point: dict, settings: Settings) -> list[dict]:
    """The verdict on each transform of one case, in each dtype."""
    family, rows, results = point["family"], [], {}
    case = users(settings) if family == OWN else cases(family)[point["case"]]
    # To compile those of programs takes as long as all else: once is enough.
    whole = dict.fromkeys(DTYPES, WHOLE) if family == OWN else {"float64": WHOLE}
    whole = {} if family not in (OWN, "programs") else whole
    names = {x: [*nestings(case, x), *whole.get(x, ())] for x in DTYPES}
    for dtype in [x for x in DTYPES if x in case.dtypes and x in settings.dtypes]:
        exact = DOUBLE.get(dtype, dtype)
        for needed in {exact, dtype} - results.keys():
            todo = [(lib, name) for name in names[needed] for lib in (jk, jax)]
            # The zoo is for 64 bits; the user's code may not expect them in 32.
            with jax.enable_x64(family != OWN or needed not in DOUBLE):
                results[needed] = derivatives(case, todo, needed)
        allowed = (SINGLE if dtype in DOUBLE else 1e-10) * case.tolerance
        for name in names[dtype]:
            ours, theirs = (results[dtype][x, name] for x in ("jaxkit", "jax"))
            found = verdict(ours, theirs, results[exact]["jax", name], allowed)
            rows.append({"dtype": dtype, "transform": name} | found)
    return rows


def scalar(f: Callable, xs) -> Any:
    """A sum that sees each output, with its weight; of one, that itself."""
    y = jnp.concatenate([jnp.ravel(y) for y in f(xs)])
    return y[0] if y.size == 1 else jnp.sum(jnp.sin(y) / jnp.arange(1, y.size + 1))


# What is computed of programs and of the user's function, beside nestings, and of what.
WHOLE = {"grad": scalar, "jacfwd": None, "jacrev": None, "hessian": scalar}


def derivatives(case: Case, todo: list[tuple[Any, str]], dtype: str) -> dict:
    """By library and transform, what it computes; or as text why it doesn't."""
    args = tuple(exactly(x, x.dtype) for x in sample(case, generator(case), dtype))
    reasons = {}

    def everything(args):
        draw, found = np.random.default_rng(0), {}
        f, xs = flat(case.function, args)
        g, _ = flat(case.reference or case.function, args)
        vs = [exactly(direction(draw, x), x.dtype) for x in xs]
        us = [exactly(direction(draw, y), y.dtype) for y in f(xs)]
        for lib, name in todo:
            h = f if lib is jk else g
            try:
                if name in WHOLE:
                    d = getattr(lib, name)(partial(scalar, h) if WHOLE[name] else h)
                else:
                    d = derive(lib, name, bent(h) if "of" in name else h, vs, us)
                found[lib.__name__, name] = d(xs)
            except Exception as error:
                reasons[lib.__name__, name] = said(error)
        return found

    try:
        with jax.default_matmul_precision("highest"):
            try:
                return compiled(everything, args) | reasons
            except jax.errors.ConcretizationTypeError:  # Python decides on values
                return everything(args) | reasons
    except Exception as error:
        if len(todo) == 1:
            return {(todo[0][0].__name__, todo[0][1]): said(error)}
    each = (derivatives(case, [one], dtype) for one in todo)  # one of them spoils all
    return {key: result for found in each for key, result in found.items()}


def exactly(x, dtype) -> np.ndarray:
    """Numbers that single precision holds: the same in each dtype."""
    x = np.asarray(x)
    single = {"f": np.float32, "c": np.complex64}.get(x.dtype.kind)
    return x.astype(single).astype(dtype) if single else x


def said(error: Exception) -> str:
    """An error's type and the first line of its message."""
    return f"{type(error).__name__}: {error}".partition("\n")[0]


def verdict(ours, theirs, truth, tolerance: float) -> dict:
    """The differences, and whether they are within the tolerance."""
    if why := next((x for x in (theirs, truth) if isinstance(x, str)), None):
        return {"left_out": why}
    if isinstance(ours, str):
        return {"passed": 0, "problem": ours}
    both = jax.tree.map(lambda x: f"{x.dtype}{[*x.shape]}", (ours, theirs))
    if both[0] != both[1]:
        return {"passed": 0, "problem": f"{both[0]}, JAX's {both[1]}"}
    if not np.isfinite(own := difference(theirs, truth)):
        return {"left_out": "JAX's result isn't finite"}
    truth, own = (theirs, 0.0) if own > ANOTHER else (truth, own)
    found = {"to_jax": difference(ours, theirs), "to_truth": difference(ours, truth)}
    if not np.isfinite(sum(found.values())):
        return {"passed": 0, "problem": "a result isn't finite, and JAX's is"}
    allowed = max(tolerance, TIMES_JAXS_OWN * own)
    passed = int(max(found.values()) <= allowed)
    found |= {"jaxs_own": own, "allowed": allowed}
    return {"passed": passed} | {k: float(f"{x:.1e}") for k, x in found.items()}


def checked(table: Table) -> Table:
    """What wasn't left out, with all columns that there can be."""
    columns = "passed", "problem", "to_jax", "to_truth", "jaxs_own", "allowed"
    table = table.reindex(columns=[*dict.fromkeys((*table, *columns))])
    return table[table["passed"].notna()]


def failures(table: Table) -> int:
    """How many combinations fail."""
    return int((checked(table)["passed"] == 0).sum())


def counts(found: Table) -> dict:
    """How many there are, how many pass, and how large differences are."""
    to_jax, to_truth, own = found[["to_jax", "to_truth", "jaxs_own"]].max()
    exact, passed = int((found["to_jax"] == 0).sum()), int(found["passed"].sum())
    return {
        "cases": found["case"].nunique(), "pass": f"{passed} of {len(found)}",
        "JAX's to the last bit": exact, "largest error, to JAX": to_jax,
        "error, to double precision": to_truth, "JAX's own error": own,
    }  # fmt: skip


def tables(table: Table) -> style.Tables:
    """Counts by dtype and by family; what failed; what was left out and why."""
    ok, found = checked(table), {}
    for by in ("dtype", "family"):
        columns = {key: counts(group) for key, group in ok.groupby(by, sort=False)}
        found[f"by {by}"] = DataFrame(columns).T.infer_objects().rename_axis(by)
    failed = ok[ok["passed"] == 0].set_index(["family", "case", "dtype", "transform"])
    if len(failed):
        shown = failed[["problem", "to_jax", "to_truth", "allowed"]]
        found["failed"] = shown.rename(columns=lambda x: f"error, {x}")
    if "left_out" in table and len(out := table[table["left_out"].notna()]):
        groups = out.groupby(["family", "case", "left_out"], sort=False)["transform"]
        reasons = groups.unique().map(", ".join).to_frame("transforms")
        found["left out, since JAX has none"] = reasons.reset_index("left_out")
    return found


def figures(table: Table) -> style.Figures:
    """Heatmaps: in a cell, how many cases pass, and of how many if not of all."""
    table = checked(table)
    with np.errstate(divide="ignore"):
        power = np.log10(table["to_jax"] / table["allowed"]).clip(lower=-9)
    table = table.assign(power=power.where(table["passed"] == 1, 1))
    dtypes, rows = unique(table, "dtype"), unique(table, "family")
    drawn = {d: unique(where(table, dtype=d), "transform") for d in dtypes}
    widths, height = [len(x) for x in drawn.values()], max(0.3 * len(rows), 1.5) + 1.2
    size, shared = (0.5 * np.mean(widths) + 1, height), {"width_ratios": widths}
    drawing, (axes,) = style.figure(1, len(dtypes), *size, sharey=True, **shared)
    drawing.suptitle("How many pass; colour: the largest difference to JAX / tolerance")
    pale = "#eaf2f8"
    colours = LinearSegmentedColormap.from_list("passing", [pale, style.BLUE])
    colours = colours.with_extremes(under=pale, over=style.VERMILION, bad="white")
    for ax, (dtype, columns) in zip(axes, drawn.items(), strict=True):
        groups = where(table, dtype=dtype).groupby(["family", "transform"])
        found = (groups["power"].max(), groups["passed"].sum(), groups.size())
        worst, passed, of = (x.unstack().reindex(rows)[columns] for x in found)
        text = passed.map("{:.0f}".format) + of.where(of > passed).map("/{:.0f}".format)
        sns.heatmap(
            worst, annot=text.replace("nan|/nan", "", regex=True), fmt="", ax=ax,
            cmap=colours, vmin=-8, vmax=0, cbar=ax is axes[-1], linewidths=0.5,
            annot_kws={"size": 7}, cbar_kws={"extend": "both", "label": "power of ten"},
        )  # fmt: skip
        ax.set(title=dtype, xlabel="", ylabel="")
        ax.tick_params(axis="x", rotation=90)
    yield "differences", drawing
