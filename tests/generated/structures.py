"""Equations with programs inside: each draws its operands, its bodies, and is added."""

from __future__ import annotations

from dataclasses import replace

from tests.generated.inference import IllTyped
from tests.generated.operations import Operation
from tests.generated.program import Number, Type


def add(d, text: str, operands, bodies) -> None:
    d.add(Operation("structures", text, ()), operands, bodies)


def several(d, least: int = 1) -> list:
    return [d.operand("a") for _ in range(d.among([1, 2, 3]) - 1 + least)]


def places(operands, start: int = 0) -> str:
    return "".join(f"{{{n + start}}}, " for n in range(len(operands))).rstrip(", ")


def types(operands) -> list[Type]:
    return [x.type for x in operands]


def strong(t: Type) -> Type:
    return replace(t, weak=False)


def carried(d, most: int = 2) -> list:
    """Values of strong types, for what a loop carries."""
    xs = [d.operand("n") for _ in range(d.among(range(1, most + 1)))]
    return [d.cast(x, strong(x.type)) if x.type.weak else x for x in xs]


def jit(d):
    xs = several(d)
    wrap = d.among(["jax.jit({f[0]})", "jax.jit({f[0]}, inline=True)"])
    add(d, f"{wrap}({places(xs)})", xs, [d.body(types(xs))])


def checkpoint(d):
    xs = several(d)
    policy = d.among(
        [
            "",
            ", policy=jax.checkpoint_policies.everything_saveable",
            ", policy=jax.checkpoint_policies.dots_saveable",
            ", policy=jax.checkpoint_policies.save_only_these_names('kept')",
            ", prevent_cse=False",
        ]
    )
    body = d.body(types(xs))
    add(d, f"jax.checkpoint({{f[0]}}{policy})({places(xs)})", xs, [body])


def all_one_way(d):
    """In JAX, devices that go different ways wait for each other forever."""
    if d.mesh:
        raise IllTyped("devices may go different ways")


def cond(d):
    all_one_way(d)
    which = d.operand("b0")
    xs = several(d)
    first = d.body(types(xs))
    like = [x.type if not isinstance(x, Number) else None for x in first.outputs]
    if None in like:
        raise IllTyped("branches return values")
    second = d.body(types(xs), like=like)
    add(d, f"lax.cond({{0}}, {{f[0]}}, {{f[1]}}, {places(xs, 1)})",
        [which, *xs], [first, second])  # fmt: skip


def switch(d):
    all_one_way(d)
    which = d.operand("i0")
    xs = several(d)
    like = [strong(t) for t in types(xs)]
    ways = [d.body(types(xs), like=like) for _ in range(3)]
    add(d, f"lax.switch({{0}}, [{{f[0]}}, {{f[1]}}, {{f[2]}}], {places(xs, 1)})",
        [which, *xs], ways)  # fmt: skip


def scan(d):
    carry = carried(d)
    over = d.operand("a+")
    inner = [*types(carry), Type(over.type.dtype, over.type.shape[1:])]
    n = len(carry)
    like = types(carry)
    body = closed_loop(d, inner, like)
    options = d.among(["", ", reverse=True", ", unroll=2"])
    add(
        d,
        f"lax.scan(lambda c, x: split({{f[0]}}(*c, x), {n}), ({places(carry)},), "
        f"{{{n}}}{options})",
        [*carry, over],
        [body],
    )


def closed_loop(d, params, like):
    """A body whose first results are like what is carried, and may return more."""
    extra = [Type("f64", ())] if d.chance(2) else []
    return d.body(params, like=[*like, *extra])


def scan_of_length(d):
    carry = carried(d)
    n = len(carry)
    body = closed_loop(d, types(carry), types(carry))
    length = d.among([2, 1, 0])
    add(d, f"lax.scan(lambda c, _: split({{f[0]}}(*c), {n}), ({places(carry)},), None, "
        f"{length})", carry, [body])  # fmt: skip


def fori(d):
    carry = carried(d)
    body = d.body([Type("i64", (), True), *types(carry)], like=types(carry))
    add(d, f"lax.fori_loop(0, 2, lambda i, c: {{f[0]}}(i, *c), ({places(carry)},))",
        carry, [body])  # fmt: skip


def while_(d):
    all_one_way(d)
    carry = carried(d)
    body = d.body(types(carry), like=types(carry))
    add(
        d,
        "lax.while_loop(lambda c: (c[0] < 3) & (jnp.sum(abs(c[1])) < 9), lambda c: "
        f"(c[0] + 1, *{{f[0]}}(*c[1:])), (0, {places(carry)}))",
        carry,
        [body],
    )


def map_(d):
    over = d.operand("a+")
    body = d.body([Type(over.type.dtype, over.type.shape[1:])])
    options = d.among(["", ", batch_size=2"])
    add(d, f"lax.map({{f[0]}}, {{0}}{options})", [over], [body])


def vmap(d):
    over = d.operand("a+")
    other = d.operand("a")
    inner = [Type(over.type.dtype, over.type.shape[1:], over.type.weak), other.type]
    named = d.chance(2) and over.type.shape[0] == 2 and not d.axis
    body = d.body(inner, axis=named)
    axes = "in_axes=(0, None)" + (", axis_name='i'" if named else "")
    if d.chance(3):
        axes += ", out_axes=-1"
    add(d, f"jax.vmap({{f[0]}}, {axes})({{0}}, {{1}})", [over, other], [body])


def axis(d):
    """Two by a named axis: collectives by `vmap`."""
    if d.axis:
        raise IllTyped("one axis at a time")
    x = d.operand("n")
    body = d.body([x.type], axis=True)
    add(d, "jax.vmap({f[0]}, axis_name='i')(jnp.stack([{0}, {0} / 2]))", [x], [body])


def shards(d):
    """Collectives on a mesh of two devices."""
    if d.axis:
        raise IllTyped("one axis at a time")
    x = d.operand("n+")
    body = d.body([x.type], closed=d.chance(2), axis=True, mesh=True)
    run = d.among(["", "jax.jit"])
    check = d.among(["", ", check_vma=False"])
    add(
        d,
        f"{run}(jax.shard_map(lambda x: [jnp.asarray(y)[None] for y in {{f[0]}}(x)], "
        f"mesh=mesh(), in_specs=P('i'), out_specs=P('i'){check}))"
        "(jnp.concatenate([{0}, {0} / 2]))",
        [x],
        [body],
    )


def custom_jvp(d):
    with_rule(d, "ruled_jvp")


def custom_vjp(d):
    with_rule(d, "ruled_vjp")


def with_rule(d, how: str):
    xs = [d.operand("n")]
    t = strong(xs[0].type)
    xs = [d.cast(xs[0], t) if xs[0].type.weak else xs[0]]
    if d.chance(2):
        xs.append(d.cast(d.operand("a"), t))
    bodies = [d.body([t] * len(xs), closed=True, like=[t]) for _ in range(1 + len(xs))]
    functions = "".join(f"{{f[{n}]}}, " for n in range(len(bodies))).rstrip(", ")
    add(d, f"{how}({functions})({places(xs)})", xs, bodies)


def derivative(d):
    """A derivative within, by the library at hand or by JAX."""
    lib = d.among(["lib", "jax"])
    how = d.among(["push", "pull", "linear", "gradient", "hvp"])
    x = d.operand("f")
    add(d, f"{how}({lib}, {{f[0]}}, {{0}})", [x], [d.body([x.type])])


def linear_solve(d):
    """By a matrix that a closure brings."""
    a = d.operand("d2")
    b = d.like(a.type)
    body = d.body([strong(a.type)], like=[strong(a.type)])
    add(
        d,
        "lax.custom_linear_solve(lambda y: regular({f[0]}({0})[0]) @ y, {1}, "
        "lambda _, y: jnp.linalg.solve(regular({f[0]}({0})[0]), y), "
        "lambda _, y: jnp.linalg.solve(regular({f[0]}({0})[0]).T, y))",
        [a, b],
        [body],
    )


ALL = [
    jit,
    cond,
    scan,
    checkpoint,
    switch,
    scan_of_length,
    fori,
    while_,
    map_,
    vmap,
    axis,
    shards,
    custom_jvp,
    custom_vjp,
    derivative,
    linear_solve,
]
