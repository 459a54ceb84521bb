"""The user's function and its arguments: what `--function` and `--inputs` say."""

import re
from collections.abc import Callable
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from experiments.bench import ExperimentError
from experiments.bench.environment import digest_of
from jaxkit.__main__ import load


def short(text: str) -> str:
    """A function's name without its file's folder; an expression as it is."""
    where, colon, name = text.rpartition(":")
    return f"{Path(where).name}:{name}" if colon and name.isidentifier() else text


def own(settings: dict) -> tuple[Callable, tuple]:
    """The function that `--function` names, and the arguments that `--inputs` describe.

    Raises:
        ExperimentError: there is none, or no such arguments, or it can't take them.
    """
    text, inputs = settings["function"], settings["inputs"]
    if not inputs:
        raise ExperimentError("--function: say with --inputs where, e.g. 'f32[100]'")
    f = loaded(text)
    args = tuple(example(input, seed) for seed, input in enumerate(inputs))
    try:
        jax.eval_shape(f, *args)
    except jax.errors.ConcretizationTypeError as error:
        raise ExperimentError(
            f"--function {text}: what Python code does in it depends on values, so it "
            "can't be compiled; use jax.lax.cond or while_loop, or jax.numpy.where"
        ) from error
    except Exception as error:
        raise ExperimentError(f"--function {text}: {error}") from error
    return f, args


def loaded(text: str) -> Callable:
    """The function that `--function` names.

    Raises:
        ExperimentError: there is none.
    """
    try:
        return load(text)
    except Exception as error:
        raise ExperimentError(f"--function {text}: {error}") from error


def of_floats(name: str, f: Callable, args: tuple) -> list:
    """The shapes and dtypes of a function's outputs.

    Raises:
        ExperimentError: there are none, or not all are of floats.
    """
    outputs = jax.tree.leaves(jax.eval_shape(f, *args))
    kinds = {str(y.dtype) for y in outputs}
    some = sum(y.size for y in outputs)
    if not some or not all(jnp.issubdtype(kind, jnp.floating) for kind in kinds):
        raise ExperimentError(
            f"--function {name} gives {', '.join(sorted(kinds)) if some else 'nothing'}"
            ": only functions that give real floats are differentiated"
        )
    return outputs


def fingerprint(text: str) -> str | None:
    """A digest of the file that a function stands in; None of an expression.

    A run of a function that was edited since is another run.
    """
    return digest_of(loaded(text))


def example(text: str, seed: int):
    """An argument: `f32[10,3]`, normal draws of that shape, or an expression.

    In the expression the names of jax.numpy are known: `3.0`, `ones(5)`, `[1, 2]`.
    """
    match = re.fullmatch(r"f32\[([\d, ]*)\]", text)
    if not match and re.match(r"[a-z]+\d+\[", text):
        raise ExperimentError(
            f"--inputs {text!r} is not a shape such as 'f32[10,3]' (only f32 is drawn) "
            "nor an expression such as 'arange(3)'"
        )
    if match:
        shape = [int(size) for size in match[1].split(",") if size.strip()]
        draws = np.random.default_rng(seed).normal(size=shape)
        return jnp.asarray(draws, jnp.float32)
    try:
        value = eval(text, vars(jnp) | {"jnp": jnp, "jax": jax})
        value = jnp.asarray(value) if isinstance(value, list) else value
        return jax.tree.map(jnp.asarray, value)
    except Exception as error:
        raise ExperimentError(
            f"--inputs {text!r}: {error}; pass a shape, such as 'f32[10,3]', "
            "or an expression, such as 'ones(5)'"
        ) from error
