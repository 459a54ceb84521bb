"""What each stage of differentiation costs: tracing, compiling, first call and run.

f itself, grad, jvp and hessian, with jaxkit, JAX and their peers, compiled and eager,
as f gets deeper. And jaxkit's grad in pairs with JAX's, each ratio beside its bar.

Kinds of measurement are pairs, grad(f)(x) without jit (bar: 0.6 of JAX's time) and
make_jaxpr(grad(f))(x) (0.7); compiled, jit(grad(f))(x) on real programs (time 1.05,
FLOPs 1.01); growth, times of all stages as depth grows; and first, from a new function
to its first result: eagerly, by jit, by torch.compile (not with --quick).
"""

from dataclasses import dataclass

from experiments.bench import units
from experiments.bench.settings import OfFunction, Points, Timed, option
from experiments.functions import short
from experiments.overhead.models import MODELS, PAIRED, find, real
from experiments.overhead.show import compared, figures, over_f, tables
from experiments.overhead.stages import compiled, first, growth, pairs

__all__ = ["compared", "figures", "over_f", "tables"]

KINDS = {"pairs": pairs, "growth": growth, "first": first}
FIRST = 2  # the depth of first calls: it takes all operations that any depth takes
REAL = ["attention_block", "camera_reprojection", "gaussian_mixture", "rosenbrock"]


@dataclass(frozen=True)
class Settings(Timed, OfFunction):
    kinds: list[str] = option([*KINDS, "compiled"], help="which kinds of measurement")
    programs: list[str] = option([], REAL, "which real programs (all)", units.words)
    models: list[str] = option([*MODELS], help="which to deepen")
    depths: list[int] = option([1, 2, 4, 8, 16], [1, 4], "operations, layers, steps")
    first: list[str] = option([*MODELS], ["mlp"], "of which to take first results")
    torch_compile: bool = option(True, False, "first results by torch.compile too")
    samples: int = option(31, 15, "timed samples of each program")


def points(settings: Settings) -> Points:
    """Each kind of measurement on each of its programs, at each of its depths."""
    own = [short(settings.function)] if settings.function else []
    for name in own:
        find(name, 1, settings)  # refuses what can't be differentiated
    subjects = {"pairs": own or [*PAIRED], "first": own or settings.first}
    subjects["growth"] = own or settings.models
    subjects["compiled"] = [] if own else [*real(settings.programs)]
    depths = {"growth": [1] if own else settings.depths, "first": [1 if own else FIRST]}
    for kind in settings.kinds:
        for name in subjects[kind]:
            for depth in depths.get(kind, [PAIRED.get(name, 1)]):
                yield {"kind": kind, "subject": name, "depth": depth}


def measure(point: dict, settings: Settings) -> list[dict]:
    """The programs of one point, with their times and samples."""
    kind, name, depth = point.values()
    if kind == "compiled":
        return compiled(real([name])[name], settings)
    return KINDS[kind](find(name, depth, settings), settings)
