"""`residuals`: what it says is kept is what is kept."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

import jaxkit as jk

RNG = np.random.default_rng(0)


def of(*shape):
    return jnp.asarray(RNG.normal(size=shape) / 8, jnp.float32)


def mlp(layers, x):
    for w, b in layers:
        x = jnp.tanh(x @ w + b)
    return jnp.sum(x**2)


def rnn(w, u, xs):
    def step(h, x):
        return jnp.tanh(w @ h + u @ x), h

    return jnp.sum(lax.scan(step, jnp.zeros(64), xs)[1] ** 2)


def normed(x):
    x = x - x.mean(-1, keepdims=True)
    return x / jnp.sqrt(jnp.mean(x**2, -1, keepdims=True) + 1e-5)


def transformer(q, k, v, o, x):
    h = normed(x)
    x = x + jax.nn.softmax((h @ q) @ (h @ k).T) @ (h @ v)
    return jnp.sum((x + jax.nn.gelu(normed(x) @ o)) ** 2)


def scanned(w, y):
    def step(y, _):
        return y + 0.01 * jnp.tanh(w @ y), None

    return jnp.sum(lax.scan(step, y, None, 1000)[0] ** 2)


def looped(w, y):
    def step(c):
        return c[0] + 1, c[1] + 0.01 * jnp.tanh(w @ c[1])

    return jnp.sum(lax.while_loop(lambda c: c[0] < 500, step, (0, y))[1] ** 2)


PROGRAMS = {
    mlp: ([(of(64, 64), of(64)) for _ in range(3)], of(128, 64)),
    rnn: (of(64, 64), of(64, 64), of(100, 64)),
    transformer: (*[of(64, 64) for _ in range(4)], of(128, 64)),
    scanned: (of(64, 64), of(64)),
    looped: (of(64, 64), of(64)),
}


@pytest.mark.parametrize("f", PROGRAMS, ids=lambda f: f.__name__)
def test_the_total_is_what_a_compiled_forward_pass_returns(f):
    args = PROGRAMS[f]
    for g in f, jax.jit(f):
        found = jk.residuals(g)(*args)
        run = jax.jit(lambda *args, g=g: jk.vjp(g, *args)).lower(*args).compile()
        returned = run.memory_analysis().output_size_in_bytes
        assert found.total == pytest.approx(returned, rel=0.1)
        assert found.total == sum(x.bytes for x in found)
        assert found.made == sum(x.bytes for x in found if not x.argument)
        sizes = [x.bytes for x in found]
        assert sizes == sorted(sizes, reverse=True)


def test_what_is_said_of_each():
    def f(w, x):
        h = jnp.tanh(w @ x)  # LINE
        return jnp.sum(lax.scan(lambda c, y: (jnp.sin(c * y), None), 1.0, h)[0])

    line = f.__code__.co_firstlineno + 1
    for g in f, jax.jit(f):
        found = jk.residuals(g)(of(9, 9), of(9))
        matrix, *rest = found
        assert matrix.argument == "argument[0]" and matrix.bytes == 324
        assert (matrix.shape, matrix.dtype) == ((9, 9), "float32")
        assert matrix.primitive == "dot_general"
        assert f"test_residuals.py:{line}" in matrix.line
        steps = [x for x in rest if x.steps]
        assert {x.steps for x in steps} == {9}
        assert {x.primitive for x in steps} == {"sin", "mul"}
        assert all(f"test_residuals.py:{line + 1}" in x.line for x in steps)
        here = [x.primitive for x in rest if f":{line}:" in x.line]
        assert here == ["dot_general", "tanh"]


def test_structures():
    """In branches, checkpoints, loops in loops, and under rules of a user's."""

    @jax.custom_vjp
    def ruled(x):
        return jnp.sin(x)

    ruled.defvjp(lambda x: (jnp.sin(x), x), lambda x, ct: (jnp.cos(x) * ct,))

    def f(x):
        x = lax.cond(x[0] > 0, lambda x: x * jnp.sin(x), jnp.cos, x)
        x = jax.checkpoint(lambda x: jnp.exp(jnp.sin(x)))(ruled(x))
        return lax.while_loop(
            lambda x: x[0] < 99,
            lambda x: lax.fori_loop(0, 3, lambda _, x: x * x, x) + 2,
            x,
        )

    text = str(jk.residuals(f)(of(3)))
    for name in "custom_vjp", "remat", "while", "cond", "mul":
        assert name in text
    assert "in all" in text


def test_types_are_enough():
    args = PROGRAMS[mlp]
    like = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype), args)
    assert str(jk.residuals(mlp)(*like)) == str(jk.residuals(mlp)(*args))


def test_formats(tmp_path):
    found = jk.residuals(looped)(*PROGRAMS[looped])
    for name in "r.svg", "r.json", "r.txt":
        found.save(tmp_path / name)
    assert json.loads((tmp_path / "r.json").read_text())["total"] == found.total
    root = ET.parse(tmp_path / "r.svg").getroot()
    assert "dot_general" in "".join(root.itertext())
    assert (tmp_path / "r.txt").read_text() == str(found)
    with pytest.raises(ValueError, match=r"\.svg, \.json, \.txt"):
        found.save(tmp_path / "r.png")


def test_python_may_ask_for_values():
    def f(x):
        while x < 9:
            x = x * x
        return x

    assert [x.primitive for x in jk.residuals(f)(2.0)] == ["mul", "mul"]


def test_checks():
    with pytest.raises(TypeError, match="residuals"):
        jk.residuals(3)
    assert len(jk.residuals(lambda x: -x)(1.0)) == 0


def test_lines_of_functions_that_are_not_the_users():
    """There the line is that of the call: JAX's function was passed itself."""
    for function in jax.checkpoint(lambda x: jnp.sin(x) * x), jnp.tanh:
        (kept,) = jk.residuals(function)(jnp.ones(3))
        assert kept.line.startswith(__file__) and "_are_not_the_users)" in kept.line
