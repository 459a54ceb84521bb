"""The figures: ratios against bars, growth with depth, transforms, first results."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import EngFormatter, LogLocator, NullFormatter

from experiments.bench import style
from experiments.bench.costs import cost
from experiments.bench.record import Record
from experiments.bench.style import (
    BLUE,
    GREEN,
    GREY,
    INK,
    LIBRARIES,
    ORANGE,
    VERMILION,
    present,
)
from experiments.overhead.ratios import (
    BARS,
    STAGES,
    TRANSFORMS,
    WAYS,
    deepest,
    flops,
    of_grad,
    over_f,
    place,
)

LOOKS: dict[str, dict[str, Any]] = {
    "jaxkit": {"color": BLUE, "marker": "o"},
    "jax": {"color": VERMILION, "marker": "o"},
    "torch": {"color": GREEN, "marker": "^", "markersize": 5},
    "autograd": {"color": ORANGE, "marker": "D", "markersize": 4},
}
LOOKS = {name: LIBRARIES[name] | look for name, look in LOOKS.items()}
F: dict[str, Any] = {"color": GREY, "marker": "", "linestyle": "-", "linewidth": 1}
DRAWN = ("trace_s", "compile_s", "time", "eager")  # lowering grows as tracing does


def draw(record: Record) -> Iterator[tuple[str, Figure]]:
    """The figures of what the record has."""
    if any(record.results(kind=kind) for kind in ("eager", "trace", "compiled")):
        yield "overhead-ratios", pairs(record)
    if found := deepest(record):
        if max(depth for _, depth in found) > 1:
            yield "overhead-growth", growth(record, [model for model, _ in found])
        yield "overhead-transforms", transforms(record)
    if record.results(kind="first"):
        yield "overhead-first", first(record)


def pairs(record: Record) -> Figure:
    """Each paired ratio, with its quartiles, and its bar."""
    points = [*record.results(kind="eager"), *record.results(kind="trace")]
    found = record.results(kind="compiled")
    points += sorted(found, key=lambda point: of_grad(point[1]["programs"])[1])
    drawing, ((ax,),) = style.figure(1, 1, 5 + 0.17 * len(points), 3.8)
    drawing.suptitle("grad: jaxkit in units of JAX, in pairs")
    for at, (key, result) in enumerate(points):
        programs, is_compiled = result["programs"], key["kind"] == "compiled"
        low, middle, high = of_grad(programs)
        ax.vlines(at, low, high, color=BLUE, linewidth=4, alpha=0.35)
        ax.plot(at, middle, color=BLUE, marker="o")
        bar = BARS["time" if is_compiled else key["kind"]]
        ax.hlines(bar, at - 0.5, at + 0.5, color=INK, linestyle="--")
        if is_compiled:
            ax.plot(at, flops(programs), color=ORANGE, marker="D", markersize=4)
    labels = [f"{key['kind']} {key['program']}" for key, _ in points]
    labels = [label.removeprefix("compiled ") for label in labels]
    ax.set_xticks(range(len(points)), labels, rotation=90, fontsize=8)
    ax.axhline(1, color=GREY, linewidth=1)
    ax.grid(visible=False, axis="x")
    # Quartiles of a busy machine reach far up: they may leave the figure.
    top = max(1.6, *(1.1 * of_grad(result["programs"])[1] for _, result in points))
    ax.set(ylabel="jaxkit / JAX", ylim=(0, top), xlim=(-0.7, len(points) - 0.3))
    band: dict[str, Any] = {"color": BLUE, "marker": "o", "linewidth": 4}
    handles = [
        Line2D([], [], label="time, with quartiles", **band),
        Line2D([], [], label="its bar", color=INK, linestyle="--"),
        Line2D([], [], label="FLOPs", color=ORANGE, marker="D", linestyle=""),
    ]
    drawing.legend(handles=handles, loc="outside lower center", ncols=3)
    return drawing


def growth(record: Record, models: list[str]) -> Figure:
    """Stages of grad over the depth, a column for each model; run times of f too."""
    drawing, axes = style.figure(len(DRAWN), len(models), 3.1, 2.2, sharex=True)
    drawing.suptitle("Stages of grad as the program gets deeper")
    depths = record.settings["depths"]
    for row, stage in zip(axes, DRAWN, strict=True):
        row[0].set_ylabel(STAGES[stage])
        for ax, model in zip(row, models, strict=True):
            style.log_axes(ax, depths, "s")
            key = {"kind": "growth", "model": model}
            style.plot(ax, record, "depth", *place("jax", "f", stage), F, **key)
            for library, look in LOOKS.items():
                name, quantity = place(library, "grad", stage)
                style.plot(ax, record, "depth", name, quantity, look, **key)
            style.widen(ax)
    for top, bottom, model in zip(axes[0], axes[-1], models, strict=True):
        top.set_title(model)
        bottom.set_xlabel("depth")
    style.legend(drawing, looks(record) | {"f itself, JAX": F}, {})
    return drawing


def transforms(record: Record) -> Figure:
    """Each transform's stages at the largest depth, in units of those of f."""
    found = deepest(record)
    rows = [(*key, what) for key in found for what in TRANSFORMS[1:]]
    drawing, (axes,) = style.figure(
        1, len(DRAWN), 3.1, 0.6 + 0.3 * len(rows), sharey=True
    )
    drawing.suptitle("Stages of each transform, in units of the same stage of f")
    for ax, stage in zip(axes, DRAWN, strict=True):
        dots(ax, [f"{model} {depth}: {what}" for model, depth, what in rows])
        for library, look in LOOKS.items():
            ratio = [over_f(found[row[:2]], library, row[2], stage) for row in rows]
            ax.plot(ratio, range(len(rows)), **look | {"linestyle": ""})
        ax.axvline(1, color=GREY, linewidth=1)
        low, high = ax.get_xlim()
        ax.set_xlim(min(low, 0.5), max(high, 10))
        ax.set_title(f"{STAGES[stage]}, in units of f")
    style.legend(drawing, looks(record), {})
    return drawing


def first(record: Record) -> Figure:
    """The time to the first result: filled where compiled, hollow where eager."""
    points = record.results(kind="first")
    rows = [
        (f"{key['model']} {key['depth']}: {what}", what, result["programs"])
        for key, result in points
        for what in TRANSFORMS
    ]
    drawing, ((ax,),) = style.figure(1, 1, 9, 0.8 + 0.24 * len(rows))
    drawing.suptitle("From a new function to its first result")
    dots(ax, [label for label, _, _ in rows])
    ax.xaxis.set_major_formatter(EngFormatter("s"))
    handles = []
    for way, title in WAYS.items():
        look = LOOKS[way.partition(" ")[0]] | {"linestyle": "", "markersize": 6}
        look["markerfacecolor"] = "none" if "eager" in way else look["color"]
        times = [
            cost(programs.get(f"{way} {what}"), "first_s") for _, what, programs in rows
        ]
        if np.isfinite(times).any():
            ax.plot(times, range(len(rows)), **look)
            handles.append(Line2D([], [], label=title, **look))
    drawing.legend(handles=handles, loc="outside lower center", ncols=4)
    return drawing


def dots(ax, labels: list[str]) -> None:
    """Axes with a row for each label, the first on top, and a logarithmic scale."""
    ax.set(xscale="log", ylim=(len(labels) - 0.5, -0.5))
    ax.set_yticks(range(len(labels)), labels)
    ax.xaxis.set_major_locator(LogLocator(subs=(1, 3)))
    ax.xaxis.set_major_formatter(lambda x, _: f"{x:g}")
    ax.xaxis.set_minor_formatter(NullFormatter())


def looks(record: Record) -> dict[str, dict]:
    """By title, the looks of the libraries of a record."""
    return {title: LOOKS[name] for name, title in present(record).items()}
