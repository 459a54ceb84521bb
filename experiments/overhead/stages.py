"""All transforms of one model: how long each stage takes, in each library."""

import sys
import time
import warnings
from collections.abc import Callable
from functools import cache

import jax

from experiments.bench.costs import COMPILED
from experiments.bench.measure import Program, interleaved, nothing, run, timed
from experiments.bench.table import median
from experiments.libraries import Library, libraries, uncompiled
from experiments.overhead.models import Model, chain
from experiments.overhead.ratios import TRANSFORMS

SHARE = 4  # these are many programs: each gets a fourth of the samples
ENOUGH = 2.0  # seconds of building, after which nothing is built once more
LARGEST = 1000  # inputs of a Hessian


def growth(model: Model, settings: dict) -> dict:
    """Times of each stage of compiled programs; and of runs, of eager ones too."""
    # A call of a compiled program takes its time, too.
    programs = {"jax call": nothing()}
    for what in transforms(model):
        found = available(model, what)
        for name, program in compiled(found, model, what, settings["repeats"]).items():
            programs[f"{name} {what}"] = program
        for name, library in found.items():
            eager = uncompiled(library.ready)(*transformed(library, model, what))
            programs[f"{name} eager {what}"] = eager
    return run(programs, fewer(settings))


def compiled(found: dict[str, Library], model: Model, what: str, repeats: int) -> dict:
    """Programs of jaxkit and JAX, built in turns; their times are medians."""
    built: dict[str, list[Program]] = {name: [] for name in COMPILED if name in found}
    start = time.perf_counter()
    while repeats and time.perf_counter() < start + ENOUGH:
        repeats -= 1
        # Whoever is first does without what the other left in caches.
        for name, programs in reversed(built.items()) if repeats % 2 else built.items():
            program = found[name].build(*transformed(found[name], model, what))
            first_s, _ = timed(program.call)
            programs.append(Program(program.call, program.cost | {"first_s": first_s}))
    return {name: middle(programs) for name, programs in built.items()}


def middle(programs: list[Program]) -> Program:
    """The last of some equal programs, with their median cost."""
    last = programs[-1]
    return Program(
        last.call, {k: median([p.cost[k] for p in programs]) for k in last.cost}
    )


def first(model: Model, settings: dict) -> dict:
    """From a new function to its first result, with nothing remembered; and then runs.

    Those are sampled at once, for what JAX remembers is cleared before the next.
    """
    results = {}
    for what in transforms(model):
        for name, library in available(model, what).items():
            recipe = (library, model, what, settings)
            if name == "torch":
                load(settings["torch_compile"])
            results[f"{name} eager {what}"] = begun(*recipe)
            if name in COMPILED:
                results[f"{name} {what}"] = begun(*recipe, library.compile)
            elif library.compile and settings["torch_compile"]:
                results[f"{name} {what}"] = attempted(*recipe, library.compile)
    return results


def attempted(*recipe) -> dict:
    """The first call, or why there is none: torch.compile needs a C++ compiler."""
    try:
        with warnings.catch_warnings(action="ignore"):  # PyTorch's, of its own parts
            return begun(*recipe)
    except Exception as error:
        return {"skipped": f"{type(error).__name__}: {error}".partition("\n")[0]}


def begun(library: Library, model: Model, what: str, settings, compile=None) -> dict:
    """Seconds of a first call, and of XLA's compiling in it; and samples of others."""
    g, args = transformed(library, model, what)
    program = uncompiled(library.ready)(compile(g) if compile else g, args)
    forget()
    compiling().clear()
    first_s, _ = timed(program.call)
    found = {"first_s": first_s}
    if compiling():
        found |= {"compile_s": sum(compiling()), "compiled": len(compiling())}
    return found | {
        "samples_s": interleaved({what: program.call}, fewer(settings))[what]
    }


def forget() -> None:
    """Let JAX and torch.compile forget all that they have traced and compiled."""
    jax.clear_caches()
    if torch := sys.modules.get("torch"):
        torch.compiler.reset()
        torch.compiler.config.force_disable_caches = True  # those on disk


@cache
def compiling() -> list[float]:
    """A list that gets the seconds of all that XLA compiles from now on."""
    heard: list[float] = []

    def hear(event: str, duration_secs: float, **_) -> None:
        if event.endswith("/backend_compile_duration"):
            heard.append(duration_secs)

    jax.monitoring.register_event_duration_secs_listener(hear)
    return heard


@cache
def load(compile: bool) -> None:
    """Let PyTorch load what its transforms, and its compiler, load when first used."""
    torch = libraries()["torch"]
    with warnings.catch_warnings(action="ignore"):
        for what in TRANSFORMS:
            g, args = transformed(torch, chain(1), what)
            g(*args)
        if compile:
            attempted(
                torch, chain(1), "f", {"samples": 1, "min_time": 0}, torch.compile
            )


# ----------------------------------------------------------------------- what is called


def transformed(library: Library, model: Model, what: str) -> tuple[Callable, tuple]:
    """A new function, f itself or a derivative of it, and what it is called with."""
    f, args = library.bind(model.f, model.args)
    if what == "jvp":
        return pushforward(library, f), (args[0], *args)
    if what == "hessian":
        return library.ad.hessian(f, model.by), args
    return library.ad.grad(f) if what == "grad" else f, args


def pushforward(library: Library, f: Callable) -> Callable:
    """f(p, *data) and its derivative along dp, as a function of dp, p and the data."""

    def jvp(dp, p, *data):
        return library.ad.jvp(lambda p: f(p, *data), (p,), (dp,))

    return jvp


def transforms(model: Model) -> list[str]:
    """Those that are taken of a model: not the Hessian of many inputs."""
    inputs = sum(x.size for x in jax.tree.leaves(model.args[model.by]))
    return [what for what in TRANSFORMS if what != "hessian" or inputs <= LARGEST]


def available(model: Model, what: str) -> dict[str, Library]:
    """The libraries that take a model; f itself is the same in jaxkit and in JAX."""
    found = libraries(peers=model.by > 0)
    return {k: found[k] for k in found if (k, what) != ("jaxkit", "f")}


def fewer(settings: dict) -> dict:
    """The settings, with a fourth of the samples."""
    return settings | {"samples": -(-settings["samples"] // SHARE)}
