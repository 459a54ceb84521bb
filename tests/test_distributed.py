"""Training on many devices: gradients, and what devices tell each other for them.

On a mesh of eight devices of one host the gradients of a loss are those of one device,
and the compiled program has the collectives of JAX's gradient, in the same order: with
the axes of the mesh explicit, automatic and manual.  So it is in two processes that
`jax.distributed` joins, which run the page `docs/distributed.md`.
"""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax
from jax.sharding import AxisType
from jax.sharding import PartitionSpec as P

import jaxkit as jk

COLLECTIVE = re.compile(
    r" (all-reduce|all-gather|reduce-scatter|all-to-all|collective-permute)"
    r"(?:-start)?\("
)


def collectives(run, *args) -> list[str]:
    """The kinds of the collectives in the program that XLA makes, in its order."""
    return COLLECTIVE.findall(run.lower(*args).compile().as_text())


# --- Losses ---------------------------------------------------------------------------

# Of parameters, and of data of which each device has some rows.


def perceptron(params, x, y):
    for w, b in params[:-1]:
        x = jnp.tanh(x @ w + b)
    w, b = params[-1]
    return jnp.mean((x @ w + b - y) ** 2)


def perceptron_at(rng):
    shapes = [((6, 8), 8), ((8, 4), 4)]
    params = [(rng.normal(size=w), rng.normal(size=b)) for w, b in shapes]
    return params, rng.normal(size=(16, 6)), rng.normal(size=(16, 4))


def softmax_in_checkpoints(params, x, y):
    """Layers under `scan` and `checkpoint`, and a normalization of each row."""

    @jax.checkpoint
    def layer(x, w):
        x = x - jnp.mean(x, 1, keepdims=True)
        return x + jax.nn.gelu(x @ w) / jnp.sqrt(jnp.sum(x * x, 1, keepdims=True)), None

    x, _ = lax.scan(layer, x, params)
    return -jnp.mean(jnp.sum(jax.nn.log_softmax(x) * y, 1))


def softmax_at(rng):
    y = rng.uniform(size=(16, 6))
    return rng.normal(size=(3, 6, 6)), rng.normal(size=(16, 6)), y / y.sum(1)[:, None]


def image_classifier(params, x, y, pool=lax.add, start=0.0):
    kernel, w = params
    x = lax.conv_general_dilated(
        x, kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
    )
    x = lax.reduce_window(x, start, pool, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")
    x = jnp.mean(jax.nn.relu(x), (1, 2)) @ w
    return jnp.mean((x - y) ** 2)


def image_classifier_at(rng):
    params = rng.normal(size=(3, 3, 2, 4)), rng.normal(size=(4, 3))
    return params, rng.normal(size=(16, 4, 4, 2)), rng.normal(size=(16, 3))


LOSSES = {
    "perceptron": (perceptron, perceptron_at),
    "softmax": (softmax_in_checkpoints, softmax_at),
    "images": (image_classifier, image_classifier_at),
}


def mesh_of(kind, shape=(8,)):
    return jax.make_mesh(shape, ("data", "model")[: len(shape)], (kind,) * len(shape))


def automatic(lib, loss):
    return mesh_of(AxisType.Auto), jax.jit(lib.value_and_grad(loss))


def explicit(lib, loss):
    return mesh_of(AxisType.Explicit), jax.jit(lib.value_and_grad(loss))


def manual(lib, loss, check_vma=True):
    mesh = mesh_of(AxisType.Auto)

    def mapped(params, x, y):
        body = lambda *args: lax.pmean(loss(*args), "data")  # noqa: E731
        specs = P(), P("data"), P("data")
        return jax.shard_map(
            body, mesh=mesh, in_specs=specs, out_specs=P(), check_vma=check_vma
        )(params, x, y)

    return mesh, jax.jit(lib.value_and_grad(mapped))


def manual_inside(lib, loss):
    """The derivative is taken on each device, and then its mean."""
    mesh = mesh_of(AxisType.Auto)

    def body(params, x, y):
        own = jax.tree.map(lambda p: lax.pcast(p, "data", to="varying"), params)
        found = lib.value_and_grad(loss)(own, x, y)
        return jax.tree.map(lambda g: lax.pmean(g, "data"), found)

    specs = P(), P("data"), P("data")
    return mesh, jax.jit(jax.shard_map(body, mesh=mesh, in_specs=specs, out_specs=P()))


WAYS = {
    "automatic": automatic,
    "explicit": explicit,
    "manual": manual,
    "manual, unchecked": partial(manual, check_vma=False),
    "manual, gradient inside": manual_inside,
}


def same(ours, theirs):
    for y, r in zip(*map(jax.tree.leaves, (ours, theirs)), strict=True):
        np.testing.assert_allclose(y, r, rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", LOSSES)
def test_data_parallel(name, way):
    loss, at = LOSSES[name]
    params, *data = at(np.random.default_rng(0))
    alone = jax.jit(jk.value_and_grad(loss))(params, *data)
    found = []
    for lib in (jk, jax):
        mesh, step = WAYS[way](lib, loss)
        with jax.set_mesh(mesh):
            args = jax.device_put((params, *data), (P(), P("data"), P("data")))
            found.append((step(*args), collectives(step, *args)))
    (ours, told), (theirs, told_by_jax) = found
    same(ours, alone)
    same(theirs, alone)
    for y, r in zip(*map(jax.tree.leaves, (ours, theirs)), strict=True):
        assert y.sharding.is_equivalent_to(r.sharding, r.ndim)
    assert told == told_by_jax
    assert told


@pytest.mark.parametrize("way", ["automatic", "explicit"])
def test_maxima_of_windows_stay_where_they_are(way):
    """Devices tell each other the gradient alone; with JAX's rule, images too."""
    loss = partial(image_classifier, pool=lax.max, start=-jnp.inf)
    params, *data = image_classifier_at(np.random.default_rng(0))
    mesh, step = WAYS[way](jk, loss)
    with jax.set_mesh(mesh):
        args = jax.device_put((params, *data), (P(), P("data"), P("data")))
        assert collectives(step, *args) == ["all-reduce"]
        found = step(*args)
    same(found, jax.value_and_grad(loss)(params, *data))


# --- Parameters that are divided too --------------------------------------------------


def wide(params, x, y, out):
    """A hidden layer: devices have columns, then rows, and share the sum."""
    u, v = params
    return jnp.mean((out(jnp.tanh(x @ u), v) - y) ** 2)


def wide_at(rng):
    params = rng.normal(size=(6, 8)), rng.normal(size=(8, 4))
    return params, rng.normal(size=(16, 6)), rng.normal(size=(16, 4))


def looked_up(params, words, y, out):
    """Rows of a table, which is divided along its columns."""
    table, v = params
    return jnp.mean((out(jnp.tanh(_rows(table, words)), v) - y) ** 2)


def _rows(table, words):
    if AxisType.Explicit in jax.sharding.get_abstract_mesh().axis_types:
        return table.at[words].get(out_sharding=P("data", "model"))
    return table[words]


def looked_up_at(rng):
    params = rng.normal(size=(6, 8)), rng.normal(size=(8, 4))
    return params, rng.integers(0, 6, 16), rng.normal(size=(16, 4))


def _explicit_product(x, v):
    return jnp.dot(x, v, out_sharding=P("data"))


def _automatic_product(x, v):
    return lax.with_sharding_constraint(x @ v, P("data"))


@pytest.mark.parametrize("kind", [AxisType.Explicit, AxisType.Auto], ids=str)
@pytest.mark.parametrize("loss, at", [(wide, wide_at), (looked_up, looked_up_at)])
def test_tensor_parallel(loss, at, kind):
    params, *data = at(np.random.default_rng(1))
    explicit = kind is AxisType.Explicit
    product = _explicit_product if explicit else _automatic_product
    alone = jax.jit(jk.value_and_grad(partial(loss, out=jnp.matmul)))(params, *data)
    specs = (P(None, "model"), P("model")), P("data"), P("data")
    found = []
    with jax.set_mesh(mesh_of(kind, (4, 2))):
        args = jax.device_put((params, *data), specs)
        for lib in (jk, jax):
            step = jax.jit(lib.value_and_grad(partial(loss, out=product)))
            found.append((step(*args), collectives(step, *args)))
    (ours, told), (theirs, told_by_jax) = found
    same(ours, alone)
    for y, r in zip(*map(jax.tree.leaves, (ours, theirs)), strict=True):
        assert y.sharding.is_equivalent_to(r.sharding, r.ndim)
    assert told == told_by_jax
    assert told


# --- Two processes --------------------------------------------------------------------

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "distributed.md").read_text()
SCRIPT, MAPPED = re.findall(r"```python\n(.*?)```", PAGE, re.S)

# What the processes do after the page's code: the gradients of each library, at the
# page's first parameters and data, with axes of each kind, and the collectives.
CHECK = """
import json, re

def found(lib, loss, kind):
    global mesh
    mesh = jax.make_mesh((jax.device_count(),), ("data",), (kind,))
    with jax.set_mesh(mesh):
        run, args = jax.jit(lib.value_and_grad(loss)), (start(), *batch(0))
        text = run.lower(*args).compile().as_text()
        leaves = map(np.asarray, jax.tree.leaves(run(*args)))
    return [x.tolist() for x in leaves], re.findall(PATTERN, text)

jax.set_mesh(jax.make_mesh((1,), ("x",), devices=jax.local_devices()[:1]))
report = {
    name: [found(lib, f, kind) for lib in (jk, jax)]
    for name, f, kind in [
        ("explicit", loss, AxisType.Explicit),
        ("automatic", loss, AxisType.Auto),
        ("manual", mapped, AxisType.Explicit),
    ]
}
report["devices"] = jax.device_count(), len(jax.local_devices())
print("REPORT", json.dumps(report))
"""


def free_port() -> int:
    try:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            return free.getsockname()[1]
    except OSError as error:
        pytest.skip(f"no port can be opened on loopback: {error}")


def run_on_hosts(source: str, hosts: int) -> list[str]:
    """What each of several processes, of four devices each, prints."""
    devices = "--xla_force_host_platform_device_count=4"
    settings = {"XLA_FLAGS": devices, "JAX_ENABLE_X64": "1", "JAX_PLATFORMS": "cpu"}
    env = os.environ | settings | {"PYTHONPATH": str(ROOT)}
    address = f"127.0.0.1:{free_port()}"
    running = [
        subprocess.Popen(
            [sys.executable, "-c", source, address, str(hosts), str(host)],
            env=env,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        for host in range(hosts)
    ]
    try:
        outs = [process.communicate(timeout=300) for process in running]
    finally:
        for process in running:
            process.kill()
    for process, (_, errors) in zip(running, outs, strict=True):
        assert process.returncode == 0, errors[-3000:]
    return [out for out, _ in outs]


def test_two_processes():
    pattern = f"PATTERN = {COLLECTIVE.pattern!r}\n"
    outs = run_on_hosts(SCRIPT + MAPPED + pattern + CHECK, 2)
    reports = [json.loads(out.split("REPORT")[1]) for out in outs]
    assert [report.pop("devices") for report in reports] == [[8, 4]] * 2
    assert re.search(r"loss 0\.\d+", outs[0])
    value, slope = _alone()
    for report in reports:
        for (ours, told), (theirs, told_by_jax) in report.values():
            for leaves in ours, theirs:
                same(list(map(np.array, leaves)), jax.tree.leaves((value, slope)))
            assert told == told_by_jax
            assert told


def _alone():
    """The value and the gradient that the page's loss has on one device."""
    without_hosts = re.sub(
        r"coordinator.*?jax.set_mesh\(mesh\)\n", "", SCRIPT, flags=re.S
    )
    names: dict = {}
    mesh = jax.make_mesh((1,), ("data",), (AxisType.Auto,), devices=jax.devices()[:1])
    names["mesh"] = mesh
    with jax.set_mesh(mesh):
        exec(without_hosts, names)
        args = names["start"](), *names["batch"](0)
        return jax.value_and_grad(names["loss"])(*args)
