"""What is measured: gradients in pairs; all transforms of one model, stage by stage."""

import dataclasses
import sys
import warnings
from collections.abc import Callable
from functools import cache
from typing import Any

import jax
import jax.numpy as jnp

from experiments.bench.measure import Program, build, interleaved, nothing, run, timed
from experiments.bench.settings import Timed
from experiments.bench.tidy import COMPILED
from experiments.libraries import Library, libraries, uncompiled
from experiments.overhead.models import Model, chain
from zoo.programs import Program as Real

TRANSFORMS = ("f", "grad", "jvp", "hessian")
RUNS = 256  # of a compiled real program in one call
SHARE = 4  # these are many programs: each gets a fourth of the samples
LARGEST = 1000  # inputs of a Hessian


def pairs(model: Model, settings: Timed) -> list[dict]:
    """Calls of grad without jit, and tracing it to a jaxpr; and both of f itself.

    What is traced is a new function each time: JAX remembers those it has seen.
    """
    programs = {}
    for name, library in libraries(peers=False).items():
        f, args = library.bind(model.f, model.args)
        for what, d in {"grad": library.ad.grad, "f": lambda f: f}.items():

            def trace(d=d, f=f, args=args):
                return jax.make_jaxpr(d(lambda *args: f(*args)))(*args)

            programs[name, what, "eager"] = uncompiled(library.ready)(d(f), args)
            programs[name, what, "trace"] = Program(trace, {})
    return run(programs, settings)


def compiled(program: Real, settings: Timed) -> list[dict]:
    """Compiled gradients of one real program: the cost of one run, and times of many.

    To call a compiled program takes longer than many of these run, so that a sample
    is of RUNS runs in one call, one after the other, and a time the mean of those.
    """
    args = program.cast(jnp.float32)
    points = jax.tree.map(lambda x: jnp.broadcast_to(x, (RUNS, *x.shape)), args)
    grads = {k: v.ad.grad(program.scalar) for k, v in libraries(peers=False).items()}

    def loop(grad):
        return lambda *points: jax.lax.map(lambda args: grad(*args), points)

    loops = {k: build(loop(grad), points) for k, grad in grads.items()}
    rows = run({(k, "grad", "compiled"): x for k, x in loops.items()}, settings)
    for row in rows:
        row |= build(grads[row["library"]], args).cost
        if "samples" in row:
            row["samples"] = [t / RUNS for t in row["samples"]]
    return rows


def growth(model: Model, settings: Any) -> list[dict]:
    """Times of each stage of compiled programs; and of runs, of eager ones too."""
    # A call of a compiled program takes its time, too.
    programs: dict = {("jax", "call", "compiled"): nothing()}
    for what in transforms(model):
        for name, library in available(model, what).items():
            if name in COMPILED:
                program = library.build(*transformed(library, model, what))
                program.cost["first_s"] = timed(program.call)[0]
                programs[name, what, "compiled"] = program
            eager = uncompiled(library.ready)(*transformed(library, model, what))
            programs[name, what, "eager"] = eager
    return run(programs, fewer(settings))


def first(model: Model, settings: Any) -> list[dict]:
    """From a new function to its first result, with nothing remembered; then runs."""
    rows = []
    for what in transforms(model):
        for name, library in available(model, what).items():
            if name == "torch":
                load(settings.torch_compile)
            ways: dict[str, Any] = {"eager": None, "compiled": library.compile}
            if not library.compile or (name == "torch" and not settings.torch_compile):
                del ways["compiled"]
            for way, compile in ways.items():
                row = {"library": name, "program": what, "way": way}
                rows.append(row | begun(library, model, what, settings, compile))
    return rows


def begun(library: Library, model: Model, what: str, settings, compile) -> dict:
    """Seconds of a first call, and of XLA's compiling in it; and samples of others."""
    g, args = transformed(library, model, what)
    program = uncompiled(library.ready)(compile(g) if compile else g, args)
    # Let JAX and torch.compile forget all that they have traced and compiled.
    jax.clear_caches()
    if torch := sys.modules.get("torch"):
        torch.compiler.reset()
        torch.compiler.config.force_disable_caches = True  # those on disk
    compiling().clear()
    try:
        with warnings.catch_warnings(action="ignore"):  # PyTorch's, of its own parts
            found: dict[str, Any] = {"first_s": timed(program.call)[0]}
    except Exception as error:  # torch.compile needs a C++ compiler
        return {"skipped": f"{type(error).__name__}: {error}".partition("\n")[0]}
    if compiling():
        found |= {"compile_s": sum(compiling()), "compiled": len(compiling())}
    return found | {"samples": interleaved({0: program.call}, fewer(settings))[0]}


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
    torch, settings = libraries()["torch"], Timed(1, 1e-9)
    for what in TRANSFORMS:
        begun(torch, chain(1), what, settings, None)
    if compile:
        begun(torch, chain(1), "f", settings, torch.compile)


def transformed(library: Library, model: Model, what: str) -> tuple[Callable, tuple]:
    """A new function, f itself or a derivative of it, and what it is called with."""
    f, args = library.bind(model.f, model.args)

    def jvp(dp, p, *data):
        return library.ad.jvp(lambda p: f(p, *data), (p,), (dp,))

    found = {"f": lambda: f, "grad": lambda: library.ad.grad(f), "jvp": lambda: jvp}
    found["hessian"] = lambda: library.ad.hessian(f, model.by)
    return found[what](), (args[0], *args) if what == "jvp" else args


def transforms(model: Model) -> list[str]:
    """Those that are taken of a model: not the Hessian of many inputs."""
    inputs = sum(x.size for x in jax.tree.leaves(model.args[model.by]))
    return [what for what in TRANSFORMS if what != "hessian" or inputs <= LARGEST]


def available(model: Model, what: str) -> dict[str, Library]:
    """The libraries that take a model; f itself is the same in jaxkit and in JAX."""
    found = libraries(peers=model.by > 0)
    return {k: found[k] for k in found if (k, what) != ("jaxkit", "f")}


def fewer(settings: Timed) -> Timed:
    """The settings, with a fourth of the samples."""
    return dataclasses.replace(settings, samples=-(-settings.samples // SHARE))
