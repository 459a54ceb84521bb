"""What is differentiated: a scalar chain, a deep perceptron, the tests' programs."""

import importlib.util
import sys
from pathlib import Path

import jax.numpy as jnp
import numpy as np

from experiments.bench import ExperimentError

LAYERS, WIDTH, BATCH = 24, 32, 16
TESTS = Path(__file__).parents[2] / "tests" / "programs.py"


def chain():
    """30 operations on a scalar: f and its argument, a float32 near 0.7."""

    def f(x):
        for _ in range(5):
            x = jnp.exp(jnp.square(jnp.sin(x)))
            x = jnp.tanh(x) * x + 0.5
        return x

    return f, (jnp.float32(0.7),)


def mlp():
    """Mean square of a perceptron of 24 tanh layers: f, and its parameters."""
    draw = np.random.default_rng(0).normal
    inputs = jnp.asarray(draw(size=(BATCH, WIDTH)), jnp.float32)
    weights = draw(size=(LAYERS, WIDTH, WIDTH)) / np.sqrt(WIDTH)
    layers = [(jnp.asarray(w, jnp.float32), jnp.zeros(WIDTH)) for w in weights]

    def f(layers):
        x = inputs
        for w, b in layers:
            x = jnp.tanh(jnp.dot(x, w) + b)
        return jnp.mean(jnp.square(x))

    return f, (layers,)


SMALL = {"chain": chain, "mlp": mlp}


def real(names: list[str] | None) -> dict:
    """The tests' programs of the given names (all if None) that can be compiled.

    Read from the file: the tests aren't a package, and needn't be on the path.
    """
    spec = importlib.util.spec_from_file_location("experiments_programs", TESTS)
    assert spec and spec.loader
    if spec.name not in sys.modules:
        module = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = module
        spec.loader.exec_module(module)
    found = {p.name: p for p in sys.modules[spec.name].PROGRAMS if p.traceable}
    if unknown := set(names or ()) - found.keys():
        raise ExperimentError(
            f"no program {', '.join(sorted(unknown))}; there are {', '.join(found)}"
        )
    return {name: found[name] for name in names or found}
