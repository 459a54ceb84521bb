"""Numbers out of the table: ratios and their bars, stages; tables and figures."""

from typing import Any

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter
from pandas import DataFrame

from experiments.bench import style, tidy
from experiments.bench.style import BLUE, GREY, INK, ORANGE
from experiments.bench.tidy import (
    COMPILED,
    TITLES,
    Table,
    libraries,
    paired,
    unique,
    where,
)

BARS = {"eager": 0.6, "trace": 0.7, "compiled": 1.05}
FLOPS = 1.01  # the bar of their ratio
# Of each stage the program's way, and the quantity. Lowering grows as tracing does.
STAGES = {
    "trace": ("compiled", "trace_s"), "compile": ("compiled", "compile_s"),
    "run": ("compiled", "time"), "eager run": ("eager", "time"),
}  # fmt: skip
LOOKS = style.looks(dict(zip(TITLES, "oo^DX", strict=False)))
F: style.Looks = {"f": {"color": GREY, "marker": "", "linestyle": "-", "linewidth": 1}}


def ratios(table: Table) -> Table:
    """Of grad in pairs: quartiles of jaxkit / JAX, by way and subject, with bars."""
    found, index = where(table, program="grad"), ["way", "subject"]
    found = found[found["kind"].isin(["pairs", "compiled"])]
    found = found.sort_values("way", key=lambda way: way.map([*BARS].index))
    found = found.reindex(columns=[*{*table, "flops"}])
    ours, theirs = (where(found, library=x).set_index(index)["flops"] for x in COMPILED)
    # 1 where neither has any FLOPs, nan where they aren't counted.
    flops = (ours / theirs).mask((ours == 0) & (theirs == 0), 1.0).rename("flops")
    bars = [BARS[way] for way, _ in ours.index]
    return paired(found, index).join(flops).assign(bar=bars)


def compared(table: Table) -> Table:
    """By way, how many ratios there are, their median and largest; how many kept."""
    rows = {}
    for way, found in ratios(table).groupby("way", sort=False):
        for what, bar in {"middle": BARS[str(way)], "flops": FLOPS}.items():
            if (x := found[what]).notna().any():
                said = {"ratios": len(x), "median / JAX's": x.median()}
                said |= {"largest / JAX's": x.max(), "bar": bar}
                rows[way, what] = said | {"within it": int((x <= bar).sum())}
    return DataFrame(rows).T.infer_objects().rename_axis(["way", "of"])


def deepest(table: Table) -> Table:
    """What was measured of each model at its largest depth."""
    found = where(table, kind="growth")
    return found[found["depth"] == found.groupby("subject")["depth"].transform("max")]


def over_f(table: Table) -> Table:
    """At the largest depth, each stage of each transform in units of that of f."""
    last, parts, index = deepest(table), [], ["subject", "program", "library"]
    last = last[last["program"] != "call"]
    # In jaxkit and in JAX f is the same program, taken once.
    f = where(last, program="f", library="jax").assign(library="jaxkit")
    for stage, (way, quantity) in STAGES.items():
        costs = where(pd.concat([last, f]), way=way).set_index(index)[quantity]
        ratio = (costs / costs.xs("f", level="program")).reorder_levels(index)
        wide = ratio.drop("f", level="program").unstack(sort=False)
        wide = wide.reindex(columns=libraries(last)).dropna(how="all")
        wide = wide.dropna(axis=1, how="all")
        parts.append(wide.rename(columns=TITLES).add_prefix(f"{stage} / f's, "))
    return pd.concat(parts, axis=1)


def tables(table: Table) -> style.Tables:
    """Those of what the table has."""
    found = {}
    if len(pairs := ratios(table)):
        found["grad: jaxkit in units of JAX"] = compared(table)
        found["each of these ratios"] = pairs.rename(columns=lambda x: f"{x} / JAX's")
    if len(last := deepest(table)):
        found["each stage in units of that of f, at the largest depth"] = over_f(table)
        key = ["subject", "program", "way"]
        found["run times at the largest depth"] = tidy.costs(last, key)
    if len(first := where(table, kind="first")):
        first = first.assign(xla=first["compile_s"] / first["first_s"])
        heads = {"first_s": "first time", "time": "then: time", "xla": "XLA's / first"}
        shown = first.set_index(["subject", "program", "library", "way"])[[*heads]]
        found["from a new function to its first result"] = shown.rename(columns=heads)
    return found


def figures(table: Table) -> style.Figures:
    """The figures of what the table has."""
    if len(pairs := ratios(table)):
        yield "ratios", drawn_in_pairs(pairs)
    if len(found := where(table, kind="growth")):
        if found["depth"].max() > 1:
            yield "growth", growth(found)
        yield "transforms", transforms(found)
    if len(found := where(table, kind="first")):
        yield "first", first(found)


def drawn_in_pairs(pairs: Table) -> Figure:
    """Each paired ratio, with its quartiles, and its bar."""
    order = pairs.index.get_level_values("way").map([*BARS].index)
    pairs = pairs.assign(order=order).sort_values(["order", "middle"])
    drawing, ((ax,),) = style.figure(1, 1, 5 + 0.17 * len(pairs), 3.8)
    drawing.suptitle("grad: jaxkit in units of JAX, in pairs")
    at, bar = np.arange(len(pairs)), {"color": INK, "linestyle": "--"}
    band: dict[str, Any] = {"color": BLUE, "linewidth": 4}
    diamond: dict[str, Any] = {"color": ORANGE, "marker": "D", "ls": "", "ms": 4}
    ax.vlines(at, pairs["low"], pairs["high"], alpha=0.35, **band)
    ax.plot(at, pairs["middle"], color=BLUE, marker="o", ls="")
    ax.plot(at, pairs["flops"], **diamond)
    ax.hlines(pairs["bar"], at - 0.5, at + 0.5, **bar)
    ax.axhline(1, color=GREY, linewidth=1)
    labels = [f"{way} {name}".removeprefix("compiled ") for way, name in pairs.index]
    ax.set_xticks(at, labels, rotation=90, fontsize=8)
    # Quartiles of a busy machine reach far up: they may leave the figure.
    top = max(1.6, 1.1 * pairs["middle"].max())
    ax.set(ylabel="jaxkit / JAX", ylim=(0, top), xlim=(-0.7, len(pairs) - 0.3))
    looks = {"time, with quartiles": band | {"marker": "o"}, "its bar": bar}
    style.legend(drawing, looks | {"FLOPs": diamond})
    return drawing


def growth(table: Table) -> Figure:
    """Stages of grad over the depth, a column for each model; those of f too."""
    grad, f = where(table, program="grad"), where(table, program="f", library="jax")
    models, title = unique(table, "subject"), "Stages of grad as programs get deeper"
    cells = [
        [(model, where(grad, subject=model, way=way), quantity) for model in models]
        for way, quantity in STAGES.values()
    ]
    drawing, axes = style.panels(title, cells, "depth", LOOKS, "library", (3.1, 2.2))
    for row, (stage, (way, quantity)) in zip(axes, STAGES.items(), strict=True):
        row[0].set_ylabel(stage)
        for ax, model in zip(row, models, strict=True):
            style.lines(ax, where(f, subject=model, way=way), "depth", quantity, F)
    looks = {TITLES[k]: style.LIBRARIES[k] | LOOKS[k] for k in libraries(table)}
    style.legend(drawing, looks | {"f itself, JAX": F["f"]})
    return drawing


def transforms(table: Table) -> Figure:
    """Each transform's stages at the largest depth, in units of those of f."""
    found = over_f(table)
    found.columns = found.columns.str.split(" / f's, ", expand=True)
    found = found.stack([0, 1], future_stack=True).rename("units of f").reset_index()
    found = found.rename(columns={"level_2": "in", "level_3": "by"})
    found["of"] = found["subject"].str[:20] + ": " + found["program"]
    looks: Any = {"palette": {TITLES[k]: look["color"] for k, look in LOOKS.items()}}
    looks |= {"height": 2 + 0.3 * found["of"].nunique(), "aspect": 0.9, "s": 60}
    kinds: Any = {"hue": "by", "style": "by", "col": "in"}
    grid = sns.relplot(found, x="units of f", y="of", **kinds, **looks)
    grid.set(xscale="log", ylabel="")
    grid.set_titles("{col_name}, in units of f")
    return grid.figure


def first(table: Table) -> Figure:
    """The time to the first result, by library and way."""
    label = table["subject"].str[:20] + ": " + table["program"]
    drawing, ((ax,),) = style.figure(1, 1, 9, 0.8 + 0.24 * label.nunique())
    drawing.suptitle("From a new function to its first result")
    sns.scatterplot(
        table.assign(label=label), x="first_s", y="label", hue="library", style="way",
        palette={k: look["color"] for k, look in LOOKS.items()}, ax=ax, s=60,
        markers={"compiled": "o", "eager": "X"},
    )  # fmt: skip
    ax.set(xscale="log", xlabel="", ylabel="")
    ax.xaxis.set_major_formatter(EngFormatter("s"))
    sns.move_legend(ax, "center left", bbox_to_anchor=(1, 0.5), title=None)
    return drawing
