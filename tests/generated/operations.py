"""The equations without programs inside, by the families of `jaxkit.rules`.

An operation is the text of an expression, and what its operands must be. The kinds of
operands: a letter for the dtype, and a mark for the shape.

    f float     n float or complex     c complex     i integer     b boolean     a any
    d float, z float or complex, of a precision that LAPACK has
    (no mark) any     0 scalar     + an axis, and entries     2 a matrix (3, 3)
    .  like the first operand     ~  a scalar, a number, or like the first operand

`positive`, `inside` and their like (`prelude.py`) bring operands to where a function is
smooth and not steep, so that double precision can judge what is drawn.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Operation:
    """An expression with places {0}, {1}, ... for operands of these kinds.

    family: of `jaxkit.rules`, or "structures"
    place: "eager" where Python branches on a value, "axis" where there is an axis "i",
        "rare" where JAX has no derivative
    """

    family: str
    text: str
    kinds: tuple[str, ...]
    place: str = ""

    @property
    def name(self) -> str:
        return self.text


def many(template: str, names: str, *kinds: str) -> dict[str, tuple[str, ...]]:
    """The same template for several functions."""
    return {template.replace("@", name): kinds for name in names.split()}


ELEMENTWISE = {
    **many("lax.@({0})", "sin cos neg tanh logistic atan asinh square", "f"),
    **many("lax.@({0})", "erf erfc bessel_i0e bessel_i1e tan sinh cosh", "f"),
    **many("lax.@(inside({0}))", "exp exp2 expm1 asin acos atanh erf_inv", "f"),
    **many("lax.@(inside({0}))", "exp sin cos tanh square neg log1p sinh", "n"),
    **many("lax.@(positive({0}))", "log log1p sqrt rsqrt cbrt lgamma digamma", "f"),
    **many("lax.@(positive({0}))", "log sqrt rsqrt", "n"),
    "lax.acosh(1 + positive({0}))": ("f",),
    **many("lax.@({0}, {1})", "add sub mul", "n", "."),
    **many("{0} @ {1}", "+ - *", "n", "~"),
    **many("{1} @ {0}", "- *", "n", "~"),
    "{0} / positive({1})": ("n", "."),
    "{0} / 4 + {1} / 8": ("n", "~"),
    "lax.rem({0}, positive({1}))": ("f", "."),
    "lax.pow(positive({0}), inside({1}))": ("n", "."),
    "lax.pow(positive({0}), {1})": ("f", "i0"),
    "inside({0}) ** 2": ("n",),
    **many("{0} ** @", "0 1 2 3", "n"),
    **many("positive({0}) ** @", "-1 -2 2.5", "f"),
    "lax.atan2({0}, positive({1}))": ("f", "."),
    **many("lax.@({0}, {1})", "max min nextafter", "f", "."),
    **many("jnp.@({0}, {1})", "maximum minimum", "f", "~"),
    "lax.clamp(-positive({1}), {0}, positive({2}))": ("f", ".", "."),
    "jnp.clip({0}, -0.5, 0.5)": ("f",),
    **many("lax.@({0})", "abs sign", "f"),
    "lax.abs(1j + {0})": ("c",),
    **many("lax.@({0})", "real imag conj", "c"),
    "lax.complex({0}, {1})": ("f", "."),
    **many("lax.@({0})", "floor ceil round", "f"),
    **many("lax.@({0})", "stop_gradient is_finite", "f"),
    **many("lax.@({0}, {1})", "eq ne lt le gt ge", "f", "."),
    **many("p.@_p.bind({0}, {1})", "eq_to lt_to le_to", "f", "."),
    **many("lax.@({0})", "bitwise_not population_count clz", "i"),
    **many("lax.@({0}, {1})", "bitwise_and bitwise_or bitwise_xor", "i", "."),
    **many("{0} @ {1}", "+ - *", "i", "~"),
    **many(
        "lax.@({0}, {1} & 3)",
        "shift_left shift_right_logical shift_right_arithmetic",
        "i",
        ".",
    ),
    "lax.bitcast_convert_type(lax.convert_element_type({0}, i32), u8)": ("i0",),
    **many("jnp.logical_@({0}, {1})", "and or xor", "b", "."),
    "~{0}": ("b",),
    "lax.igamma(positive({0}), positive({1}))": ("f", "."),
    "lax.igammac(positive({0}), positive({1}))": ("f", "."),
    "lax.betainc(positive({0}), positive({1}), 0.5 + inside({2}) / 4)": ("f", ".", "."),
    "lax.polygamma(lax.full_like({0}, 2.0), 1 + positive({0}))": ("f",),
    "p.add_jaxvals_p.bind({0}, {1})": ("n", "."),
    "jnp.polyval(jnp.array([0.5, -0.25, 1.0], {0}.dtype), {0})": ("f+",),
    **many("jax.nn.@({0})", "relu softplus gelu silu elu", "f"),
    "jnp.ldexp({0}, 2)": ("f",),
    "jnp.frexp(positive({0}))[0]": ("f",),
    "jnp.searchsorted(jnp.array([-0.5, 0.5]), lax.convert_element_type({0}, f64))": (
        "f",
    ),
    "jnp.logaddexp({0}, {1})": ("f", "."),
    "jnp.sinc(positive({0}))": ("f",),
    "jnp.hypot({0}, positive({1}))": ("f", "."),
    "lax.mulhi({0}, {1})": ("i", "."),
}

STRUCTURAL = {
    **many("lax.convert_element_type({0}, @)", "f64 f32 f16 bf16 i32 b1", "f"),
    **many("lax.convert_element_type({0}, @)", "c128 c64", "n"),
    **many("lax.convert_element_type({0}, @)", "f64 f32", "i"),
    **many("lax.convert_element_type({0}, @)", "f64 f16 i32", "b"),
    "lax.reduce_precision({0}, 11, 52)": ("f",),
    "jnp.ravel({0})": ("a",),
    "jnp.reshape({0}, (-1, 1))": ("a",),
    "jnp.expand_dims({0}, 0)": ("a",),
    "jnp.squeeze(jnp.atleast_2d({0})[:1], 0)": ("a+",),
    "jnp.swapaxes(jnp.atleast_2d({0}), 0, 1)": ("a",),
    "lax.rev({0}, (0,))": ("a+",),
    "lax.broadcast({0}, (2,))": ("a0",),
    "jnp.broadcast_to({0}, (2, 3))": ("a0",),
    **many("{0}[@]", "0 -1 :1 ::2 1: ..., None,", "a+"),
    "lax.slice_in_dim({0}, 0, 1)": ("a+",),
    "lax.pad({0}, jnp.array(0.5, {0}.dtype), [(1, -1, 0)] * {0}.ndim)": ("f+",),
    "lax.pad({0}, lax.convert_element_type({1}, {0}.dtype), [(0, 1, 1)] * {0}.ndim)": (
        "f+",
        "f0",
    ),
    "jnp.concatenate([{0}, {1}])[1:]": ("a+", "."),
    "jnp.stack([{0}, {1}])": ("a", "."),
    "jnp.stack([{0}, {1}], -1)": ("a0", "."),
    "lax.split(jnp.concatenate([{0}, {1}]), ({0}.shape[0],) * 2)": ("n+", "."),
    "jnp.unstack({0})[0]": ("a+",),
    "jnp.tile({0}, 2)": ("a0",),
    "lax.select({2}, {0}, {1})": ("a", ".", "b0"),
    "jnp.where({2}, {0}, {1})": ("n", "~", "b0"),
    "jnp.where({0} > 0, {0}, {1})": ("f", "~"),
    "lax.select_n({1} & 1, {0}, -{0}, 2 * {0})[:1]": ("f+", "i0"),
    "lax.select_n(lax.clamp(0, {1}, 2), {0}, -{0}, 2 * {0})": ("n", "i0"),
    "lax.select(True, {0}, {1})": ("n0", "."),
    "lax.optimization_barrier(({0}, {1}))": ("a", "a"),
    "jax.ad_checkpoint.checkpoint_name({0}, 'kept')": ("f",),
    "jnp.copy({0})": ("a",),
    "jnp.zeros_like({0})": ("a",),
    "jnp.ones_like({0})": ("a",),
    "jnp.full((3,), {0})": ("a0",),
    "jnp.arange({0}.size)": ("a",),
    "jnp.tril({0})": ("n2",),
    "jnp.diag({0})": ("n2",),
    "jnp.roll({0}, 1)": ("a+",),
    "jax.device_put({0})": ("a",),
    "lax.expand_dims({0}, ({0}.ndim,))": ("a",),
    "lax.full_like({0}, 2)": ("n",),
}

REDUCTIONS = {
    **many("jnp.@({0})", "sum mean", "n"),
    **many("jnp.@({0}, 0)", "sum mean", "n+"),
    "jnp.prod({0})": ("n",),
    **many("jnp.@({0}, -1)", "max min prod", "f+"),
    **many("jnp.@({0}, 0, keepdims=True)", "max sum", "f+"),
    **many("jnp.@({0})", "argmax argmin", "f+"),
    **many("jnp.@({0})", "any all", "b"),
    "lax.reduce_xor({0}, (0,))": ("i+",),
    **many("lax.@({0})", "cumsum", "n+"),
    **many("lax.@({0})", "cummax cummin cumlogsumexp cumprod", "f+"),
    "lax.cumsum({0}, reverse=True)": ("n+",),
    "lax.cumprod({0})": ("n+",),
    "lax.sort({0}, dimension=0)": ("f+",),
    "jnp.sort({0}, descending=True)": ("f+",),
    "lax.sort([{0}, {1}], dimension=0, num_keys=1)": ("f+", "."),
    "jnp.argsort({0})": ("f+",),
    "jnp.median({0})": ("f+",),
    "lax.top_k({0}, 1)": ("f+",),
    "lax.approx_max_k({0}, 1)": ("f+",),
    "{0} @ {1}": ("n2", "."),
    "jnp.matmul({0}, {1}[0])": ("n2", "."),
    "jnp.vdot({0}, {1})": ("n+", "."),
    "jnp.outer({0}, {1})[:3, :3]": ("n+", "."),
    "jnp.einsum('ij,kj->ik', {0}, {1})": ("n2", "."),
    "lax.dot({0}, {1}, preferred_element_type=f64)": ("f2", "."),
    "jnp.linalg.norm(2 + inside({0}))": ("f+",),
    "jax.nn.softmax({0})": ("f+",),
    "jax.nn.logsumexp({0})": ("f+",),
    "jnp.var({0})": ("f+",),
    "jnp.trace({0})": ("n2",),
}

REDUCERS = {
    "lax.reduce({0}, jnp.array(0, {0}.dtype), lambda x, y: x + y + x * y, (0,))":
    ("f+",),
    "lax.reduce_window({0}, np.array(1, {0}.dtype), lambda x, y: x * y, (2,) + (1,) *"
    " ({0}.ndim - 1), (1,) * {0}.ndim, 'VALID')": ("f+",),
    **many("lax.associative_scan(@, {0})", "jnp.add jnp.multiply jnp.maximum", "f+"),
    "lax.associative_scan(lambda x, y: (x[0] * y[0], x[1] * y[0] + y[1]), ({0}, {1}))":
    ("f+", "."),
    "lax.associative_scan(lambda x, y: x @ y, jnp.stack([{0}, inside({0})]))": ("f2",),
    "{0}.at[0].apply(lax.sin)": ("f+",),
}  # fmt: skip

WINDOWS = {
    "lax.reduce_window({0}, 0.0, lax.add, (2,) * {0}.ndim, (1,) * {0}.ndim, 'SAME')": (
        "f+",
    ),
    "lax.reduce_window({0}, -np.inf, lax.max, (2,) * {0}.ndim, (1,) * {0}.ndim,"
    " 'SAME')": ("f+",),
    "lax.reduce_window({0}, np.inf, lax.min, (2,) * {0}.ndim, (1,) * {0}.ndim,"
    " 'VALID')": ("f+",),
}

INDEXING = {
    "lax.dynamic_slice_in_dim({0}, {1}, 1)": ("a+", "i0"),
    "lax.dynamic_index_in_dim({0}, {1}, 0, False)": ("a+", "i0"),
    "lax.dynamic_update_slice({0}, {1}[:1], (0,) * {0}.ndim)": ("n+", "."),
    "lax.dynamic_update_index_in_dim({0}, {1}[0], {2}, 0)": ("n+", ".", "i0"),
    "{0}[{1}]": ("a+", "i0"),
    "{0}[jnp.array([0, 0, -1])]": ("a+",),
    "jnp.take({0}, {1} & 1)": ("n+", "i"),
    "jnp.take({0}, jnp.array([0, 9]), mode='fill', fill_value=0)": ("n+",),
    "jnp.take_along_axis({0}, jnp.argsort({0}, 0), 0)": ("f+",),
}

SCATTER = {
    **many("{0}.at[0].@({1}[0])", "set add subtract multiply min max", "f+", "."),
    **many("{0}.at[jnp.array([0, 0])].@({1}[0])", "add multiply max", "f+", "."),
    "{0}.at[{1} & 1].add(1)": ("n+", "i0"),
    "{0}.at[:1].set({1})": ("n+", "n0"),
    "{0}.at[7].add(2.0, mode='drop')": ("f+",),
    "{0}.at[jnp.array([0, 0])].set({1}[0])": ("n+", "."),
}

LINALG = {
    "jnp.linalg.inv(regular({0}))": ("z2",),
    "jnp.linalg.det(regular({0}))": ("z2",),
    "jnp.linalg.slogdet(regular({0}))[1]": ("d2",),
    "jnp.linalg.solve(regular({0}), {1})": ("z2", "."),
    "jnp.linalg.cholesky(spread_out({0}) + 4 * jnp.eye(3, dtype={0}.dtype))": ("d2",),
    "jsp.linalg.solve_triangular(regular({0}), {1}, lower=True)": ("z2", "."),
    "lax.linalg.lu(regular({0}))[0]": ("z2",),
    "lax.linalg.qr(regular({0}))[1]": ("d2",),
    "lax.linalg.householder_product({0}, {1}[0])": ("d2", "."),
    "lax.linalg.tridiagonal_solve({0}[0] / 8, 3 + inside({0}[1]), {0}[2] / 8, {1})": (
        "d2",
        ".",
    ),
    "jsp.linalg.expm(inside({0}))": ("d2",),
    "lax.custom_linear_solve(lambda y: positive({0}) * y, {1}, lambda _, y: y / "
    "positive({0}), symmetric=True)": ("f", "."),
}

SPECTRAL = {
    "jnp.linalg.eigvalsh(spread_out({0}))": ("z2",),
    "jnp.linalg.eigh(spread_out({0}))[1] ** 2": ("d2",),
    "jnp.linalg.svd(spread_out({0}) + jnp.eye(3).astype({0}.dtype), compute_uv=False)":
    ("d2",),
    "jnp.abs(jnp.linalg.eigvals(spread_out({0})))": ("d2",),
}  # fmt: skip

FOURIER = {
    "jnp.fft.fft({0})": ("n+",),
    "jnp.fft.ifft({0})": ("c+",),
    "jnp.fft.rfft({0})": ("f+",),
    "jnp.fft.irfft({0}, 4)": ("c+",),
}

CONVOLUTION = {
    "lax.conv({0}[None, None], {1}[None, None, :2, :2], (1, 1), 'SAME')[0, 0]": (
        "n2",
        ".",
    ),
    "jnp.convolve(jnp.ravel({0}), jnp.ravel({1})[:2], 'same')": ("n+", "."),
    "lax.conv_general_dilated({0}[None], {1}[:, :, None], (1,), [(1, 0)], (2,))[0]": (
        "f2",
        ".",
    ),
}

RAGGED = {
    "lax.ragged_dot({0}, jnp.stack([{1}, {0}]), jnp.array([1, 2], i32))": ("f2", "."),
}

RANDOM = {
    "{0} * jax.random.uniform(jax.random.key(3), {0}.shape, {0}.dtype)": ("f",),
    "{0} + jax.random.normal(jax.random.split(jax.random.key({1} & 7))[0], {0}.shape,"
    " {0}.dtype)": ("f", "i0"),
    "lax.convert_element_type(jax.random.key_data(jax.random.key({0})), i32)": ("i0",),
    "jax.random.fold_in(jax.random.key(1), {0}) == jax.random.key(2)": ("i0",),
    "{0} * jax.random.randint(jax.random.wrap_key_data(jnp.zeros(2, jnp.uint32)),"
    " {0}.shape, 0, 4)": ("f",),
    "jax.random.gamma(jax.random.key(1), positive({0}))": ("f",),
}

CALLS = {
    "jax.nn.relu(linear_call(lambda r, x: r * x, lambda r, ct: r * ct, {0}, {1}))": (
        "f",
        ".",
    ),
    "by_vmap({0})": ("f",),
    "lax.custom_root(lambda y: y**3 + y - {0}, {0}, lambda f, y: lax.fori_loop(0, 30,"
    " lambda _, y: y - f(y) / (3 * y * y + 1), y), lambda g, y: y / g(1.0))": ("f0",),
    "lax.platform_dependent({0}, cpu=lambda x: 2 * x, default=lax.sin)": ("f",),
    "jax.named_call(lambda x: x * lax.cos(x), name='named')({0})": ("n",),
    "jax.named_scope('scope')(lambda x: x * x)({0})": ("f",),
    "jax.debug.callback(lambda x: None, {0}) or {0}": ("f",),
}

PARALLEL = {
    **many("lax.@({0}, 'i')", "psum pmean", "n"),
    **many("lax.@({0}, 'i')", "pmax pmin", "f"),
    "lax.all_gather({0}, 'i')": ("n",),
    "lax.all_gather({0}, 'i', tiled=True)": ("n+",),
    "lax.ppermute({0}, 'i', [(0, 1), (1, 0)])": ("n",),
    "lax.all_to_all(jnp.stack([{0}, {0} * 2]), 'i', 0, 0)": ("n",),
    "lax.psum_scatter(jnp.stack([{0}, {0} * 2]), 'i')": ("n",),
    "{0} * lax.axis_index('i')": ("f",),
    "lax.pcast(lax.psum({0}, 'i'), 'i', to='varying')": ("f",),
    "lax.all_gather({0}, 'i', to='invarying')": ("f",),
    "lax.pcast(lax.pcast(lax.psum({0}, 'i'), 'i', to='reduced'), 'i', to='varying')": (
        "f",
    ),
    "lax.psum(lax.pcast({0}, 'i', to='unreduced'), 'i')": ("f",),
}

EAGER = {
    "{0} if jnp.sum({1}) > 0 else -{0}": ("n", "f"),
    "{0} * float(abs(jnp.sum(lax.stop_gradient({1}))) < 2)": ("f", "f"),
    "{0} * (2 if {1} else 3)": ("n", "b0"),
    "{0} + range(4)[{1} & 3]": ("n", "i0"),
}

OTHER = {"fail({0})": ("a",)}

# JAX has no derivative of these, or can't put them under `vmap`, so that it says little
# of programs that have them. (That it has none is what it may raise; see `judge`.)
RARE = (
    "householder_product random.gamma nextafter eigvals( .apply( ragged_dot "
    "linear_call by_vmap lax.reduce({0} custom_root fail("
).split()


def place(family: str, text: str) -> str:
    if any(x in text for x in RARE):
        return "rare"
    return {"parallel": "axis", "eager": "eager"}.get(family, "")


FAMILIES = {
    name: [
        Operation(name, text, kinds, place(name, text)) for text, kinds in table.items()
    ]
    for name, table in {
        "elementwise": ELEMENTWISE,
        "structural": STRUCTURAL,
        "reductions": REDUCTIONS,
        "indexing": INDEXING,
        "scatter": SCATTER,
        "windows": WINDOWS,
        "reducers": REDUCERS,
        "linalg": LINALG,
        "spectral": SPECTRAL,
        "fourier": FOURIER,
        "convolution": CONVOLUTION,
        "ragged": RAGGED,
        "random": RANDOM,
        "calls": CALLS,
        "parallel": PARALLEL,
        "eager": EAGER,
        "other": OTHER,
    }.items()
}
