"""Per-sample norms, Gauss-Newton products and traces, beside the ways around them.

A weight's gradient of one sample is x' g, with x what its layer was given and g the
cotangent there. What is asked about all samples' gradients can often be had from x and
g: their norms (I. Goodfellow, Efficient per-example gradient computations, 2015), and
the mean of their squares. Then they needn't be made, which for n samples are n times
the parameters. A product with the Gauss-Newton matrix J' H J is a pass of the model's
linear program, forward and backward; linearized anew, it is a pass of the model, too.
Hutchinson's estimate of a trace has the variance 2 |H - diag H|^2 / k after k products
with vectors of random signs; Hutch++ leaves of H what is small (R. Meyer and others,
2021).

The network has two tanh layers and one of ten outputs, and their cross-entropy for its
loss; of a sequence the outputs are means over its places. The traces are of Hessians on
256 digits of 8x8 pixels.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import pairwise

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from matplotlib.figure import Figure
from matplotlib.ticker import AutoLocator, ScalarFormatter
from pandas import MultiIndex, Series, concat

import jaxkit as jk
from experiments.bench import style, tidy
from experiments.bench.compare import difference
from experiments.bench.measure import Program, build, run
from experiments.bench.settings import Points, Timed, option
from experiments.bench.tidy import COMPILED, TITLES, Table, unique, where
from experiments.functions import CLASSES, DIGITS, PIXELS

IMAGES, HIDDEN, STEPS, RATE = 256, 8, 300, 0.5
PRODUCTS = 20
TOLERATED = 1e-3  # relative difference of results, in float32
SAMPLES = style.looks({"gradient": "o", "norms": "s", "squares": "^"})
ANEW = style.looks({"anew": "s"})
METHODS = style.looks({"hutchinson": "o", "hutch++": "s"})
WAYS = {"calls": "by calls", "loop": "in a compiled loop"}
KEYS = {"samples": ["places", "width", "batch"], "products": ["way", "width", "batch"]}
REFERENCES = {"linearized": "anew"}  # of JAX's programs, where the name is another


# --- The network ----------------------------------------------------------------------


def network(params, x):
    """The outputs of one sample: a vector, or a sequence of vectors."""
    *hidden, last = params
    for w in hidden:
        x = jnp.tanh(x @ w)
    y = x @ last
    return jnp.mean(y, 0) if y.ndim == 2 else y


def entropy(z, label):
    return -jax.nn.log_softmax(z)[label]


def sample_loss(params, x, label):
    return entropy(network(params, x), label)


def drawn(width: int, batch: int, places: int = 1) -> tuple:
    """Parameters, a batch, and its labels; of one place a sample is a vector."""
    normal = np.random.default_rng(0).normal
    shapes = [(width, width), (width, width), (width, CLASSES)]
    params = [normal(scale=width**-0.5, size=shape) for shape in shapes]
    x = normal(size=(batch, *[places] * (places > 1), width))
    arrays = jax.tree.map(lambda a: jnp.asarray(a, jnp.float32), (params, x))
    return *arrays, jnp.arange(batch) % CLASSES


# --- Measuring ------------------------------------------------------------------------


@dataclass(frozen=True)
class Settings(Timed):
    kinds: list[str] = option([*KEYS, "trace"], help="which kinds of measurement")
    widths: list[int] = option([32, 128, 512], [16, 64], "inputs of a layer")
    batches: list[int] = option([8, 32, 128], [4, 16], "samples in a batch")
    places: list[int] = option([1, 8], [1, 4], "vectors in a sample")
    counts: list[int] = option(
        [6, 12, 24, 48, 96, 192], [6, 24], "products that an estimate takes"
    )
    keys: int = option(100, 10, "how often each estimate is made")


def points(settings: Settings) -> Points:
    """Each network on each batch, of each sequence; each Hessian whose trace is had."""
    sizes = [(w, b) for w in settings.widths for b in settings.batches]
    for kind in settings.kinds:
        for name, places in {
            "samples": [("network", n) for n in settings.places],
            "products": [("network", 1)],
            "trace": [(name, 1) for name in HESSIANS],
        }[kind]:
            for width, batch in [(PIXELS, IMAGES)] if kind == "trace" else sizes:
                point = {"kind": kind, "function": name, "places": places}
                yield point | {"width": width, "batch": batch}


def measure(point: dict, settings: Settings) -> list[dict]:
    """The rows of this kind of measurement, see below."""
    kind, name, places, width, batch = point.values()
    if kind == "trace":
        loss, params = HESSIANS[name]()
        return traces(loss, params, settings)
    programs = per_sample if kind == "samples" else products
    built = programs(*drawn(width, batch, places))
    return compared(built, run(built, settings))


def compared(programs: dict, rows: list[dict]) -> list[dict]:
    """The same rows; `error` is the difference of jaxkit's results to JAX's."""
    ran = {key for key, row in zip(programs, rows, strict=True) if "samples" in row}
    for key, row in zip(programs, rows, strict=True):
        library, what, *way = key
        theirs = ("jax", REFERENCES.get(what, what), *way)
        if library == "jaxkit" and {key, theirs} <= ran:
            row["error"] = difference(programs[key].call(), programs[theirs].call())
    return rows


def per_sample(params, x, labels) -> dict:
    """The gradient of a batch; its samples' norms, and the mean of their squares.

    JAX's are had from all gradients, by `vmap(grad)`.
    """

    def mean(*batch):
        return jnp.mean(jax.vmap(sample_loss, (None, 0, 0))(*batch))

    gradients = jax.vmap(jax.grad(sample_loss), (None, 0, 0))

    def norms(*batch):
        squares = [jnp.sum(g**2, (1, 2)) for g in gradients(*batch)]
        return jnp.sqrt(sum(squares))

    def squares(*batch):
        return [jnp.mean(g**2, 0) for g in gradients(*batch)]

    found = {
        ("jaxkit", "gradient"): jk.grad(mean),
        ("jax", "gradient"): jax.grad(mean),
        ("jaxkit", "norms"): jk.per_sample_norms(sample_loss),
        ("jax", "norms"): norms,
        ("jaxkit", "squares"): jk.fisher_diagonal(sample_loss),
        ("jax", "squares"): squares,
    }
    batch = params, x, labels
    return {key: build(program, batch) for key, program in found.items()}


def products(params, x, labels) -> dict:
    """20 Gauss-Newton products, each with what the one before gave.

    `linearized` is so once, `anew` for each product; by calls of a compiled product, as
    a solver in Python makes them, or in a loop that is compiled.
    """

    def model(params):
        return jax.vmap(network, (None, 0))(params, x)

    def loss(z):
        return jnp.mean(jax.vmap(entropy)(z, labels))

    once = jax.jit(jk.gauss_newton_operator(model, loss))
    found: dict[tuple, tuple[Callable, Callable]] = {}
    found["jaxkit", "linearized"] = once, lambda G, v: G(v)
    for library, ad in {"jaxkit": jk, "jax": jax}.items():
        found[library, "anew"] = (lambda params: params), anew(ad, model, loss)
    looped = {
        (*key, "loop"): build(in_loop(*parts), (params, params))
        for key, parts in found.items()
    }
    return looped | {
        (*key, "calls"): Program(by_calls(*parts, params), {})
        for key, parts in found.items()
    }


def anew(ad, model: Callable, loss: Callable) -> Callable:
    """A function of parameters and v: J' H J v, by derivatives of the two functions."""

    def product(params, v):
        z, dz = ad.jvp(model, (params,), (v,))
        _, ct = ad.jvp(ad.grad(loss), (z,), (dz,))
        return ad.vjp(model, params)[1](ct)[0]

    return product


def in_loop(prepared: Callable, product: Callable) -> Callable:
    """The products in a loop that is compiled."""

    def run(params, v):
        at = prepared(params)
        step = lambda v, _: (unit(product(at, v)), None)  # noqa: E731
        return lax.scan(step, v, None, PRODUCTS)[0]

    return run


def by_calls(prepared: Callable, product: Callable, params) -> Callable:
    """The products by calls, what they have in common prepared once."""
    compiled = jax.jit(lambda at, v: unit(product(at, v)))

    def call():
        at, v = prepared(params), params
        for _ in range(PRODUCTS):
            v = compiled(at, v)
        return jax.block_until_ready(v)

    return call


def unit(v):
    norm = jnp.sqrt(sum(jnp.vdot(x, x) for x in v))
    return [x / norm for x in v]


# --- Traces ---------------------------------------------------------------------------


def digits(hidden: bool = True) -> tuple[Callable, list]:
    """The mean loss on digits, of a network with a layer or without; its parameters."""
    with np.load(DIGITS) as data:
        images = jnp.asarray(data["images"][:IMAGES].reshape(IMAGES, PIXELS) / 16)
        labels = jnp.asarray(data["labels"][:IMAGES])

    def loss(params):
        each = jax.vmap(sample_loss, (None, 0, 0))
        return jnp.mean(each(params, images.astype(jnp.float32), labels))

    normal = np.random.default_rng(0).normal
    ends = [PIXELS, HIDDEN, CLASSES] if hidden else [PIXELS, CLASSES]
    params = [normal(scale=a**-0.5, size=(a, b)) for a, b in pairwise(ends)]
    return loss, [jnp.asarray(w, jnp.float32) for w in params]


def trained() -> tuple[Callable, list]:
    """The same after 300 steps of gradient descent."""
    loss, params = digits()

    def step(params, _):
        slopes = jax.grad(loss)(params)
        return [w - RATE * slope for w, slope in zip(params, slopes, strict=True)], None

    return loss, jax.jit(lambda params: lax.scan(step, params, None, STEPS)[0])(params)


HESSIANS = {"linear": partial(digits, False), "network": digits, "trained": trained}


def traces(loss: Callable, params: list, settings: Settings) -> list[dict]:
    """How far estimates of the Hessian's trace are off, in units of the trace.

    Both are roots of mean squares over many keys: `off`, what they are off by, and
    `stated`, the standard deviations that they state.
    """
    exact = jax.jit(jk.hessian_trace(loss))(params).value
    keys = jax.random.split(jax.random.key(0), settings.keys)
    rows = []
    for method in METHODS:
        for count in settings.counts:

            def estimated(key, method=method, count=count):
                of = jk.hessian_trace(loss, method=method, key=key, samples=count)
                return of(params)

            found = jax.jit(partial(lax.map, estimated))(keys)
            squares = (found.value - exact) ** 2, found.variance
            off, stated = (float(jnp.sqrt(jnp.mean(x)) / exact) for x in squares)
            row = {"library": "jaxkit", "program": method, "products": count}
            inputs = sum(w.size for w in params)
            rows.append(row | {"off": off, "stated": stated, "inputs": inputs})
    return rows


# --- Tables and figures ---------------------------------------------------------------


def beside(table: Table, program: str, others: list[tuple[str, str]]) -> Table:
    """jaxkit's times of a program; the others' times in units of it, in pairs."""
    kind = "products" if program == "linearized" else "samples"
    found, key = where(table, kind=kind), KEYS[kind]
    ours = where(found, library="jaxkit", program=program).set_index(key)
    shown = ours[["time"]]
    for library, name in others:
        other = where(found, library=library, program=name).set_index(key)
        samples = other["samples"].dropna()
        index = ours["samples"].dropna().index.intersection(samples.index, sort=False)
        pairs = zip(samples.loc[index], ours["samples"].loc[index], strict=True)
        ratios = [float(np.median(np.divide(a, b))) for a, b in pairs]
        title = f"{TITLES[library]}'s {name} / it"
        shown[title] = Series(ratios, index, dtype=float)
    return shown


def per_sample_costs(table: Table, program: str) -> Table:
    """The same of what is asked of all samples; and the memory on the way."""
    shown = beside(table, program, [("jax", program), ("jax", "gradient")])
    for library in COMPILED:
        found = where(table, kind="samples", library=library, program=program)
        title = f"{TITLES[library]}'s temporaries"
        shown[title] = found.set_index(KEYS["samples"])["temporaries"]
    return shown


def newton_products(table: Table) -> Table:
    return beside(table, "linearized", [(x, "anew") for x in COMPILED])


def errors(table: Table) -> Table:
    """What estimates of traces are off by, and what they state."""
    found = where(table, kind="trace").rename(columns={"program": "method"})
    found = found.astype({"products": int})
    key, both = ["function", "products"], ["off", "stated"]
    wide = found.pivot(index=key, columns="method", values=both)
    wide = wide[[(x, method) for method in METHODS for x in both]]
    wide.columns = [f"{method}: {x}" for x, method in wide.columns]
    rows = MultiIndex.from_frame(found[key].drop_duplicates())
    return wide.loc[rows]


def failures(table: Table) -> int:
    """How many of jaxkit's results aren't JAX's."""
    return int((table.get("error", Series(dtype=float)) > TOLERATED).sum())


def tables(table: Table) -> style.Tables:
    """What is asked of samples, products and traces, each beside other ways."""
    shown, kinds = {}, unique(table, "kind")
    if "samples" in kinds:
        shown["norms of samples' gradients"] = per_sample_costs(table, "norms")
        shown["means of their squares"] = per_sample_costs(table, "squares")
    if "products" in kinds:
        shown["20 Gauss-Newton products"] = newton_products(table)
    if "trace" in kinds:
        shown["errors of traces, in units of the trace"] = errors(table)
    for kind in [x for x in KEYS if x in kinds]:
        key = [*KEYS[kind], "program"]
        costs = tidy.costs(where(table, kind=kind), key, ["flops", "temporaries"])
        shown[f"all costs, {kind}"] = costs
    return shown


def figures(table: Table) -> style.Figures:
    """Costs over width, of the largest batch; how far off traces are."""
    kinds = unique(table, "kind")
    large = table[table["batch"] == table.groupby("kind")["batch"].transform("max")]
    if "samples" in kinds:
        yield "samples", of_samples(where(large, kind="samples"))
    if "products" in kinds:
        yield "products", of_products(large)
    if "trace" in kinds:
        yield "trace", of_traces(where(table, kind="trace"))


def of_samples(table: Table) -> Figure:
    parts = [(f"places in a sample: {n}", n) for n in unique(table, "places")]
    cells = [
        [(name, where(table, places=n), y) for name, n in parts]
        for y in ("time", "temporaries")
    ]
    title = f"What is asked of {table['batch'].max()} samples' gradients"
    drawing, _ = style.panels(title, cells, "width", SAMPLES, sharey="row")
    style.legend(drawing, SAMPLES, tidy.libraries(table))
    return drawing


def of_products(table: Table) -> Figure:
    """Times of products that are linearized anew, in units of those that aren't."""
    found = newton_products(table).reset_index()
    parts = [
        found.rename(columns={f"{TITLES[x]}'s anew / it": "ratio"}).assign(library=x)
        for x in COMPILED
    ]
    both = concat(parts).assign(program="anew")
    cells = [[(name, where(both, way=way), "ratio") for way, name in WAYS.items()]]
    title = f"{PRODUCTS} Gauss-Newton products, linearized anew / once"
    drawing, axes = style.panels(title, cells, "width", ANEW, sharey="row")
    for ax in axes.flat:
        ax.set(yscale="linear", ylim=(0, 1.1 * both["ratio"].max()))
        ax.yaxis.set_major_locator(AutoLocator())
        ax.yaxis.set_major_formatter(ScalarFormatter())
        ax.axhline(1, color=style.GREY, linewidth=1)
    style.legend(drawing, ANEW, COMPILED)
    return drawing


def of_traces(table: Table) -> Figure:
    names = unique(table, "function")
    cells = [[(name, where(table, function=name), "off") for name in names]]
    title = "Errors of a Hessian's trace over products"
    drawing, axes = style.panels(title, cells, "products", METHODS, sharey="row")
    dashed = {"linestyle": "--", "marker": "", "linewidth": 1}
    stated = {f"{name}, as stated": look | dashed for name, look in METHODS.items()}
    for ax, (_, found, _) in zip(axes.flat, cells[0], strict=True):
        said = found.assign(program=found["program"] + ", as stated")
        style.lines(ax, said, "products", "stated", stated)
    axes[0][0].set_ylabel("error / trace")
    axes[0][0].yaxis.set_major_formatter(lambda y, _: f"{y:g}")
    style.legend(drawing, METHODS | stated)
    return drawing
