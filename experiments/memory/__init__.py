"""Memory and time of reverse mode over the length of a loop, as its states are kept.

Reverse mode goes through a loop backwards, and needs the states in which the loop was.
Kept, they take memory in proportion to the loop's length; computed again, they take
time. Forward mode needs none of them, but gives one directional derivative a pass.

A step is a tanh layer, x -> tanh(x W), unless --function and --inputs give another,
x -> step(x, *params). The derivatives are those of the mean square of the last x, in
the first x and the params.
"""

from collections.abc import Callable
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.ticker import AutoLocator, EngFormatter, LogLocator, ScalarFormatter
from pandas import DataFrame

from experiments.bench import ExperimentError, style, tidy
from experiments.bench.measure import build, run
from experiments.bench.settings import OfFunction, Points, Timed, option
from experiments.bench.tidy import TITLES, Table, where
from experiments.functions import own, short
from experiments.memory.schemes import repeat, schemes

BATCH, WIDTH = 128, 32
STATE = BATCH * WIDTH * 4  # bytes
LENGTHS = [16, 64, 256, 1024, 4096]
START = 64  # steps: what one step needs outweighs the states of a shorter loop
SCHEMES = (
    "forward", "plain", "every other", "square root", "binomial", "unforeseen",
    "budgeted",
)  # fmt: skip
LOOKS = style.looks(dict(zip(SCHEMES, "osD^vXP", strict=True)))


@dataclass(frozen=True)
class Settings(Timed, OfFunction):
    lengths: list[int] = option(LENGTHS, LENGTHS[:3], "how many steps the loop makes")
    budget: int = option(8 * STATE, None, "bytes that budgeted keeps, e.g. 128k")


def points(settings: Settings) -> Points:
    """Each length, if there is such a loop, and room for two of its states."""
    if settings.budget < (two := 2 * bytes_of(loop(settings)[1][0])):
        raise ExperimentError(f"--budget {settings.budget}: two states take {two}")
    name = short(settings.function) if settings.function else "tanh layer"
    yield from ({"step": name, "length": length} for length in settings.lengths)


def measure(point: dict, settings: Settings) -> list[dict]:
    """Build and time, in turns, all schemes in all libraries, and the loop itself.

    Beside a scheme stand theory's numbers of `states` and `steps`.
    """
    (step, args), length = loop(settings), point["length"]
    args = jax.tree.map(jnp.asarray, args)  # on the device, not taken there each time
    found = schemes(step, loss, length, settings.budget // bytes_of(args[0]))
    programs = {
        (name, scheme): build(derivative, args)
        for scheme, how in found.items()
        for name, derivative in how.derivatives.items()
    }
    programs["jax", "f"] = build(repeat(step, length), args)
    rows = run(programs, settings)
    for row in rows:
        if how := found.get(row["program"]):
            row |= {"states": how.states, "steps": how.steps}
    return rows


def loop(settings: Settings) -> tuple[Callable, tuple]:
    """The step, and its arguments: the first state, and the parameters."""
    if not settings.function:
        normal = np.random.default_rng(0).normal
        # An orthogonal matrix: cotangents neither vanish nor grow on the way.
        w = np.linalg.qr(normal(size=(WIDTH, WIDTH)))[0].astype(np.float32)
        x = normal(size=(BATCH, WIDTH)).astype(np.float32)
        return (lambda x, w: jnp.tanh(x @ w)), (x, w)
    step, args = own(settings)
    before, after = (
        jax.tree.map(lambda x: f"{x.dtype}{list(x.shape)}", x)
        for x in (args[0], jax.eval_shape(step, *args))
    )
    floats = all(jnp.issubdtype(x.dtype, jnp.floating) for x in jax.tree.leaves(args))
    if before != after or not floats:
        isnt = f"--function {settings.function} isn't a step x -> step(x, *params)"
        raise ExperimentError(f"{isnt} of floats to floats: {before} to {after}")
    return step, args


def bytes_of(x) -> int:
    """The bytes of a state."""
    return sum(leaf.nbytes for leaf in jax.tree.leaves(x))


def loss(x):
    """The mean square of each leaf, summed up."""
    return sum(jnp.mean(leaf**2) for leaf in jax.tree.leaves(x))


def exponents(table: Table) -> Table:
    """p in temporaries ~ length^p, beside that of the states that are kept."""
    kept = table[table["program"].isin(LOOKS)]
    both = ["states", "temporaries"]
    found = tidy.exponents(kept, ["program"], "length", both, START)
    return found.drop(columns="states ~ length^p, JAX", errors="ignore")


def in_units_of_plain(table: Table) -> Table:
    """With `ratio`, times in pairs with jaxkit's plain of the same length."""
    plain = where(table, library="jaxkit", program="plain").set_index("length")
    unit = table["length"].map(plain["samples"])
    pairs = zip(table["samples"], unit, strict=True)  # nan where there are none
    found = [(x, y) if isinstance(x, list) else (np.nan, y) for x, y in pairs]
    return table.assign(ratio=[np.median(np.divide(x, y)) for x, y in found])


def tables(table: Table) -> style.Tables:
    """At the largest length, and exponents, beside theory; all costs."""
    last = where(in_units_of_plain(table), length=table["length"].max())
    ours = where(last, library="jaxkit").set_index("program").loc[[*LOOKS]]
    shown = DataFrame({"states": ours["states"]})
    shown["evaluated / steps"] = ours["steps"] / ours["length"]
    for name in tidy.libraries(table):
        found = where(last, library=name).set_index("program")
        shown[f"time / plain, {TITLES[name]}"] = found["ratio"]
        shown[f"temporaries, {TITLES[name]}"] = found["temporaries"].astype(float)
    key = ["step", "length", "program"]
    return {
        "at the largest length": shown,
        "exponents of memory over length": exponents(table),
        "all costs": tidy.costs(table, key, ["temporaries"]),
    }


def figures(table: Table) -> style.Figures:
    """Temporaries against length, time against length, and one against the other."""
    table = in_units_of_plain(table)
    last = where(table, length=table["length"].max())
    cells = [
        ("peak temporaries", table, "temporaries"),
        ("run time", table, "ratio"),
        (f"for {last['length'].max()} steps", last, ""),
    ]
    title = f"Derivatives of a loop of steps: {table['step'].iloc[0]}"
    drawing, axes = style.panels(title, [cells], "length", LOOKS, size=(4.6, 3.8))
    _, time, both = axes[0]
    style.lines(both, last, "temporaries", "ratio", LOOKS)
    for ax in (time, both):
        ax.set(yscale="linear", ylim=(0, None), ylabel="run time / jaxkit's plain")
        ax.yaxis.set_major_locator(AutoLocator())
        ax.yaxis.set_major_formatter(ScalarFormatter())
    both.set(xlabel="peak temporaries")
    both.xaxis.set_major_locator(LogLocator())
    both.xaxis.set_major_formatter(EngFormatter("B"))
    style.legend(drawing, LOOKS, tidy.libraries(table))
    yield "exchange", drawing
