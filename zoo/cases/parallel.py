"""Cases of `jaxkit.rules.parallel`, of `jaxkit.control.shards`, and of placements."""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
from jax import lax
from jax.experimental.layout import Layout, with_layout_constraint
from jax.extend.core import primitives as p
from jax.sharding import AxisType, NamedSharding
from jax.sharding import PartitionSpec as P

from jaxkit.control import shards
from zoo.case import BOTH, DOUBLE, REAL, Case
from zoo.samplers import distinct, sampler, uniform

x3 = sampler(uniform(3))
x8 = sampler(uniform(8))
x84 = sampler(uniform(8, 4))

# Where there are fewer than eight devices, it has one of them: then what talks to
# others can't be run there, by JAX neither.
SHAPE = (4, 2) if jax.device_count() >= 8 else (1, 1)
MESH = jax.make_mesh(
    SHAPE,
    ("i", "j"),
    (AxisType.Auto,) * 2,
    devices=jax.devices()[: SHAPE[0] * SHAPE[1]],
)
EXPLICIT = jax.make_mesh((1,), ("i",), devices=jax.devices()[:1])
ROWS = P("i")


def on_mesh(body, in_specs=ROWS, out_specs=ROWS, **options):
    """The body as a jitted shard_map; whole, an eager one takes seconds to check."""
    options = {"mesh": MESH, "in_specs": in_specs, "out_specs": out_specs, **options}
    return jax.jit(jax.shard_map(body, **options))


unchecked = partial(on_mesh, check_vma=False)

# --- Collectives ----------------------------------------------------------------------

# Bodies of two rows of four on each device along i, and the same along j, that may be
# run with a check of what varies, or without one.
COLLECTIVES = {
    p.psum_p: lambda x: x * lax.psum(x * x, "i"),
    "pmean": lambda x: x * lax.pmean(x * x, ("i",)),
    p.all_gather_p: lambda x: jnp.sum(lax.all_gather(x * x, "i"), 0) * x,
    "tiled all_gather": lambda x: (
        lax.all_gather(x, "i", axis=1, tiled=True)[:, 3:7] * x
    ),
    "reduce_scatter": lambda x: lax.psum_scatter(x[0] * x[0], "i") * x,
    "tiled reduce_scatter": lambda x: (
        lax.psum_scatter(x, "i", scatter_dimension=1, tiled=True) * x
    ),
    p.ppermute_p: lambda x: lax.ppermute(x, "i", [(0, 1), (1, 3), (3, 2)]) * x,
    "tiled all_to_all": lambda x: lax.all_to_all(x, "i", 1, 0, tiled=True) * jnp.sum(x),
    "axis_index": lambda x: x * x * lax.axis_index("i"),
}


def _key(name):
    """The primitive that a collective, or a variant of one, reaches."""
    plain = name.split()[-1] if isinstance(name, str) else name
    return {
        "pmean": p.psum_p, "all_gather": p.all_gather_p, "all_to_all": p.all_to_all_p,
    }.get(plain, plain)  # fmt: skip


def _gathered(operation):
    return lambda x: operation(lax.all_gather(x, "i", to="invarying"), axis=0) * x


KINDS = {
    "psum_invariant": lambda x: lax.psum(x * x, "i"),
    "pvary": lambda x: lax.pcast(lax.psum(x, "i"), "i", to="varying") * x,
    "all_gather_invariant": lambda x: lax.all_gather(x * x, "i", to="invarying")[1],
    "all_gather_reduced": lambda x: (
        lax.pcast(lax.all_gather(x, "i", to="reduced")[1], "i", to="varying") * x
    ),
    "preduced": lambda x: (
        lax.pcast(lax.pcast(lax.psum(x, "i"), "i", to="reduced"), "i", to="varying") * x
    ),
    "vary_unreduced_cast": lambda x: lax.psum(
        lax.pcast(x * x, "i", to="unreduced"), "i"
    ),
    "unreduced_reduce_scatter": lambda x: (
        lax.psum_scatter(lax.pcast(x[0], "i", to="unreduced"), "i") * x
    ),
}
KINDS["reduced_vary_cast"] = KINDS["preduced"]
KINDS["unreduced_psum"] = KINDS["vary_unreduced_cast"]
KINDS["tiled all_gather_invariant"] = lambda x: (
    lax.all_gather(x, "i", axis=1, tiled=True, to="invarying")[0] ** 2
)
_INVARIANT = (
    "psum_invariant", "all_gather_invariant", "vary_unreduced_cast", "unreduced_psum",
)  # fmt: skip


COLLECTIVE_CASES = [
    *(
        Case(_key(name), f"{name}, unchecked", unchecked(body), x84, DOUBLE)
        for name, body in COLLECTIVES.items()
    ),
    *(
        Case(_key(name), f"{name}, checked", on_mesh(body), x84, DOUBLE)
        for name, body in COLLECTIVES.items()
        if name not in (p.psum_p, "pmean")
    ),
    *(
        Case(
            _key(name),
            name,
            on_mesh(body, out_specs=P() if _key(name) in _INVARIANT else ROWS),
            x84,
            # JAX doesn't `vmap` casts to and from partial sums, as doubles are.
            ("complex128",) if "reduced" in name else DOUBLE,
            differences=None if "reduced" in name else 1e-8,
        )
        for name, body in KINDS.items()
    ),
    *(
        Case(
            primitive,
            f"{primitive}",
            on_mesh(lambda x, extremum=extremum: extremum(x, "i") * x),
            sampler(distinct(8, 4)),
            DOUBLE,
            reference=on_mesh(_gathered(operation)),  # JAX has no derivative of it
        )
        for primitive, extremum, operation in [
            (p.pmax_p, lax.pmax, jnp.max),
            (p.pmin_p, lax.pmin, jnp.min),
        ]
    ),
    Case(
        p.all_to_all_p,
        "all_to_all",
        on_mesh(lambda x: lax.all_to_all(x * x, "i", 1, 0)),
        x84,
        DOUBLE,
        reference=on_mesh(  # JAX transposes it between equal axes only
            lambda x: lax.all_to_all(x * x, "i", 1, 0, tiled=True).reshape(4, 2)
        ),
    ),
    Case(
        p.psum_p,
        "psum of groups",
        unchecked(
            lambda x: x * lax.psum(x * x, "i", axis_index_groups=[[0, 2], [1, 3]])
        ),
        x84,
        DOUBLE,
    ),
    Case(
        p.psum_p,
        "psum over an axis of an inner vmap",
        jax.vmap(lambda x: x * lax.psum(x * x, "k"), axis_name="k"),
        x84,
        BOTH,
    ),
    Case(
        p.pmax_p,
        "pmax over an axis of an inner vmap",
        jax.vmap(lambda x: x * lax.pmax(x, "k"), axis_name="k"),
        sampler(distinct(4, 2)),
        reference=lambda x: x * jnp.max(x, 0),
    ),
]

# --- Shards ---------------------------------------------------------------------------


def _layers(x, w, n):
    """Calls, a loop and collectives, operands that are copied, scalars as residuals."""
    h = jax.jit(lambda x: jnp.tanh(x @ w))(x)
    size = jnp.sqrt(lax.psum(jnp.sum(h * h), "i"))

    def step(c, r):
        return c * jnp.sin(r) + lax.axis_index("i"), c * size

    c, rows = lax.scan(step, w[0] * lax.pcast(1.0, "i", to="varying"), h)
    return h / size, lax.pmean(jnp.sum(rows) + c[0] ** 2, "i"), n + 1


def _layered(x, w):
    return on_mesh(_layers, (P("i"), P(), P()), (P("i"), P(), P()))(x, w, 3)


def _layered_unchecked(x, w):
    specs = (P(("j", "i")), P(None, "j"), P()), (P(("j", "i")), P("j"), P())
    body = lambda x, w, n: _split_layers(x, w)  # noqa: E731
    return unchecked(body, *specs)(x, w, 3)


def _split_layers(x, w):
    h = jnp.tanh(x @ lax.all_gather(w, "j", axis=1, tiled=True))
    total = lax.psum(jnp.sum(h * h, 0), "i")
    return h / jnp.sqrt(total), total, lax.axis_size("i")


def _partly_manual(x, w):
    """The mesh's other axis is left to the compiler."""
    body = lambda x, w: x * lax.psum(jnp.sin(x) @ w, "i")  # noqa: E731
    return on_mesh(body, (P("i"), P()), P("i"), axis_names={"i"})(x, w)


def _nested(x):
    inner = jax.shard_map(
        lambda x: x * lax.psum(jnp.sin(x), "j"),
        in_specs=P(None, "j"),
        out_specs=P(None, "j"),
        axis_names={"j"},
    )
    body = lambda x: inner(x) * lax.psum(jnp.cos(x), "i")  # noqa: E731
    return on_mesh(body, P("i"), P("i"), axis_names={"i"})(x)


def _nested_reference(x):
    """JAX can't compile the derivative of the other."""
    body = lambda x: x * lax.psum(jnp.sin(x), "j") * lax.psum(jnp.cos(x), "i")  # noqa: E731
    return on_mesh(body, P("i", "j"), P("i", "j"))(x)


def _closed_over(x, y):
    return jax.shard_map(lambda x: x * y, mesh=MESH, in_specs=P("i"), out_specs=P("i"))(
        x
    )


SHARDS = [
    *(
        Case(key, f"{kind}shard_map, {name}", function, draw, DOUBLE)
        for key, kind in [("shard_map", ""), (shards.operator, "linear ")]
        for name, function, draw in [
            ("layers", _layered, sampler(uniform(8, 3), uniform(3, 3))),
            ("unchecked", _layered_unchecked, sampler(uniform(8, 3), uniform(3, 4))),
        ]
    ),
    Case(
        "shard_map",
        "shard_map over one axis of two",
        _partly_manual,
        sampler(uniform(8, 3), uniform(3, 3)),
        DOUBLE,
    ),
    Case(
        "shard_map",
        "shard_map in shard_map",
        _nested,
        x84,
        DOUBLE,
        reference=_nested_reference,
        differences=None,  # in one program with the others, XLA 0.10 aborts
    ),
    Case(
        "shard_map",
        "shard_map that closes over an operand, not jitted",
        _closed_over,
        sampler(uniform(8), uniform()),
        DOUBLE,
        orders=1,
    ),
]

# --- Placements -----------------------------------------------------------------------

_SHARDING = NamedSharding(MESH, P("i"))


def _resharded(x):
    x = jax.sharding.reshard(x, NamedSharding(EXPLICIT, P("i")))
    return jax.sharding.reshard(x * x, NamedSharding(EXPLICIT, P())) * 2


def _inspected(x):
    jax.debug.inspect_array_sharding(x, callback=lambda sharding: None)
    return x * x


PLACEMENTS = [
    Case("inspect_sharding", "inspect_sharding", jax.jit(_inspected), x8, DOUBLE),
    Case(
        p.sharding_constraint_p,
        "with_sharding_constraint",
        lambda x: lax.with_sharding_constraint(x * x, _SHARDING),
        x8,
        BOTH,
    ),
    Case(
        "layout_constraint",
        "with_layout_constraint",
        jax.jit(lambda x: with_layout_constraint(x * x, Layout((1, 0)))),
        x84,
        DOUBLE,
    ),
    Case("reshard", "reshard", jax.jit(_resharded), x8, DOUBLE),
    Case(
        p.device_put_p,
        "device_put",
        lambda x: jax.device_put((x * x, 3, x), (_SHARDING, None, None)),
        x8,
        REAL,
    ),
    Case(
        p.device_put_p,
        "device_put in another memory",
        jax.jit(
            lambda x: jax.device_put(
                jax.device_put(x * x, jax.memory.Space.Host), jax.memory.Space.Device
            )
        ),
        x8,
        DOUBLE,
        reference=lambda x: x * x,  # JAX leaves the cotangent in the other one
    ),
]

# JAX runs the first two on GPUs only; tests/test_mesh.py checks their transpose.  The
# others need JAX's own transforms or switches, and are in tests/kinds.
ELSEWHERE = {
    *("pbroadcast", "pbroadcast_dynamic", "custom_lin", "RematTraced"),
    *("swap", "addupdate"),  # of references: tests/test_references.py
    *("to_edtype", "from_edtype"),  # of extended dtypes: tests/test_registered.py
}

CASES = [*COLLECTIVE_CASES, *SHARDS, *PLACEMENTS]
