"""Arguments: types, forms and numbers of what a program is called with."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from tests.generated.program import Type, Var

DTYPES = ["f64"] * 4 + ["f32", "f32", "f16", "bf16", "c128", "c64", "i32", "i64", "b1"]
SHAPES = [(3,), (), (2, 3), (3, 3), (1,), (2, 1), (0,), (2, 0)]
FORMS = ["jnp", "jnp", "jnp", "np", "number"]


def numbers(t: Type, seed: int) -> np.ndarray:
    """Some that all float dtypes hold without rounding; the first are no round ones."""
    rng = np.random.default_rng(seed)
    if t.dtype == "b1":
        return rng.integers(0, 2, t.shape).astype(bool)
    if t.dtype[0] in "iu":
        return rng.integers(0, 4, t.shape)
    x = rng.integers(-95, 96, t.shape) / 64
    return x + 1j * rng.integers(-95, 96, t.shape) / 64 if t.dtype[0] == "c" else x


def text(t: Type, seed: int, form: str) -> str:
    x = numbers(t, seed)
    if t.weak:
        return repr(x.item())
    shape = f".reshape({t.shape})" if 0 in t.shape else ""
    return f"{form}.array({x.tolist()}, {t.dtype}){shape}"


@st.composite
def leaf(draw, names, dtypes) -> tuple[Var, str]:
    dtype, shape = draw(st.sampled_from(dtypes)), draw(st.sampled_from(SHAPES))
    form, seed = draw(st.sampled_from(FORMS)), draw(st.integers(0, 5))
    weak = form == "number" and shape == () and dtype in ("f64", "c128", "i64")
    t = Type(dtype, shape, weak)
    return Var(f"v{next(names)}", t), text(t, seed, "np" if form == "np" else "jnp")


@st.composite
def arguments(draw, names):
    """(parameters, texts of the arguments, lines that unpack them, values)."""
    dtypes = draw(st.sampled_from([["f64"], ["f64", "f32"], DTYPES, DTYPES]))
    kinds = draw(
        st.lists(st.sampled_from(["leaf", "leaf", "dict", "pair"]), max_size=2)
    )
    first, value = draw(leaf(names, ["f64", *dtypes]))
    params, args, unpack, values = [first.name], [value], [], [first]
    for n, kind in enumerate(kinds):
        if kind == "leaf":
            var, value = draw(leaf(names, dtypes))
            params, args = [*params, var.name], [*args, value]
            values.append(var)
            continue
        (a, x), (b, y) = draw(leaf(names, dtypes)), draw(leaf(names, dtypes))
        place = f"tree{n}"
        params.append(place)
        values += [a, b]
        if kind == "dict":
            args.append(f"{{'w': {x}, 'b': {y}}}")
            unpack.append(f"{a}, {b} = {place}['w'], {place}['b']")
        else:
            args.append(f"({x}, [{y}])")
            unpack.append(f"{a}, ({b},) = {place}")
    return tuple(params), tuple(args), tuple(unpack), tuple(values)
