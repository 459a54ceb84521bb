"""The loop, and what is measured at one length of it."""

import resource
from collections.abc import Callable, Iterator

import jax
import jax.numpy as jnp
import numpy as np

import jaxkit
from experiments.bench import ExperimentError, units
from experiments.bench.measure import Program, build, run
from experiments.libraries import libraries
from experiments.memory.schedules import repeat, schemes
from experiments.users import own

BATCH, WIDTH = 128, 32
STATE = BATCH * WIDTH * 4  # bytes


def points(settings: dict) -> Iterator[dict]:
    """Each length.

    Raises:
        ExperimentError: there is no such loop, or no room for two of its states.
    """
    _, (x, *_) = loop(settings)
    size, budget = bytes_of(x), settings["budget"]
    if budget < 2 * size:
        raise ExperimentError(
            f"--budget {units.size(budget)}: two states take {units.size(2 * size)}"
        )
    for length in settings["lengths"]:
        yield {"length": length}


def measure(point: dict, settings: dict) -> dict:
    """Build and time, in turns, all schemes in both libraries, and the loop itself.

    Beside them stand theory's numbers of states and steps, and the bytes of a state.
    """
    (step, args), length = loop(settings), point["length"]
    args = jax.tree.map(jnp.asarray, args)  # on the device, not taken there each time
    size = bytes_of(args[0])
    found = schemes(step, loss, length, settings["budget"] // size)
    programs = {
        f"{name} {scheme}": library.build(how.derivative(library.ad), args)
        for name, library in libraries(peers=False).items()
        for scheme, how in found.items()
    }
    # What time consists of: steps with their pullbacks, and steps evaluated again, in
    # loops of a length that is known beforehand, and of one that isn't.
    programs["jaxkit pull"] = build(pulling(step, length), args)
    programs["jax f"] = build(repeat(step, length), args)
    programs["jax while"] = build(counting(step), (jnp.int32(length), *args))
    return {
        "state": size,
        "states": {scheme: how.states for scheme, how in found.items()},
        "steps": {scheme: how.steps for scheme, how in found.items()},
        "programs": with_system(run(programs, settings), programs),
    }


def loop(settings: dict) -> tuple[Callable, tuple]:
    """The step, and its arguments: the first state, and the parameters.

    Raises:
        ExperimentError: the user's step doesn't map a state of floats to another one.
    """
    if settings["function"] is None:
        normal = np.random.default_rng(0).normal
        # An orthogonal matrix: cotangents neither vanish nor grow on the way.
        w = np.linalg.qr(normal(size=(WIDTH, WIDTH)))[0]
        x = normal(size=(BATCH, WIDTH))
        return tanh_layer, (x.astype(np.float32), w.astype(np.float32))
    step, args = own(settings)
    kinds = [
        jax.tree.map(lambda x: f"{x.dtype}{list(x.shape)}", x)
        for x in (args[0], jax.eval_shape(step, *args))
    ]
    floats = all(jnp.issubdtype(x.dtype, jnp.floating) for x in jax.tree.leaves(args))
    if kinds[0] != kinds[1] or not floats:
        raise ExperimentError(
            f"--function {settings['function']} isn't a step x -> step(x, *params) of "
            f"floats to floats: it maps {kinds[0]} to {kinds[1]}"
        )
    return step, args


def bytes_of(x) -> int:
    """The bytes of a state."""
    return sum(leaf.nbytes for leaf in jax.tree.leaves(x))


def tanh_layer(x, w):
    """x of shape (batch, width), w of shape (width, width)."""
    return jnp.tanh(x @ w)


def loss(x):
    """The mean square of each leaf, summed up."""
    return sum(jnp.mean(leaf**2) for leaf in jax.tree.leaves(x))


def pulling(step: Callable, length: int) -> Callable:
    """All steps and a pullback of each, right after it, so that nothing is kept.

    That is the work of reverse mode on the loop, but not its result.
    """

    def loop(x, *params):
        def both(carry, _):
            x, ct, params_ct = carry
            y, pullback = jaxkit.vjp(step, x, *params)
            ct, *more = pullback(ct)
            return (y, ct, jax.tree.map(jnp.add, params_ct, more)), None

        start = x, *jax.tree.map(jnp.zeros_like, (x, [*params]))
        return jax.lax.scan(both, start, length=length)[0]

    return loop


def counting(step: Callable) -> Callable:
    """The loop with its length as an argument: XLA doesn't know it, as in a stack's."""

    def loop(length, x, *params):
        return jax.lax.fori_loop(0, length, lambda _, x: step(x, *params), x)

    return loop


def with_system(results: dict, programs: dict[str, Program]) -> dict:
    """The results, and what the operating system did in one more call of each program.

    `new` is the memory it handed out, in bytes, and `system_s` the seconds it took.
    """
    for name, result in results.items():
        if "skipped" not in result:
            before = resource.getrusage(resource.RUSAGE_SELF)
            programs[name].call()
            after = resource.getrusage(resource.RUSAGE_SELF)
            pages = after.ru_minflt - before.ru_minflt
            result["new"] = pages * resource.getpagesize()
            result["system_s"] = after.ru_stime - before.ru_stime
    return results
