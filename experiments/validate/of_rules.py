"""Functions of the families of rules, `jaxkit/rules`, but for those of code in code."""

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.scipy import special

from experiments.validate.functions import function


def square(x):
    """A matrix of all the numbers of x, well-conditioned."""
    n = round(len(x) ** 0.5)
    return x.reshape(n, n) + 2 * jnp.eye(n, dtype=x.dtype)


def symmetric(x):
    """A positive definite matrix whose eigenvalues are far from each other."""
    a = square(x)
    return a @ a.T + jnp.diag(jnp.arange(len(a), dtype=x.dtype))


# -------------------------------------------------------------------------- elementwise


@function("elementwise", 7)
def exponentials(x):
    y = jnp.exp(x[0]), jnp.exp2(x[1]), jnp.expm1(x[2]), jnp.log(x[3])
    return *y, jnp.log2(x[4]), jnp.log1p(x[5]), lax.logistic(x[6])


@function("elementwise", 8)
def trigonometric(x):
    y = jnp.sin(x[0]), jnp.cos(x[1]), jnp.tan(x[2]), jnp.arcsin(x[3])
    return *y, jnp.arccos(x[4]), jnp.arctan(x[5]), jnp.arctan2(x[6], x[7])


@function("elementwise", 6)
def hyperbolic(x):
    y = jnp.sinh(x[0]), jnp.cosh(x[1]), jnp.tanh(x[2])
    return *y, jnp.arcsinh(x[3]), jnp.arccosh(1.5 + x[4]), jnp.arctanh(x[5])


@function("elementwise", 9)
def powers(x):
    y = x[0] ** x[1], x[2] ** 3, x[3] ** -2, jnp.sqrt(x[4]), lax.rsqrt(x[5])
    return *y, jnp.cbrt(x[6]), jnp.square(x[7]) / x[8]


@function("elementwise", 4, 1.2, 2.5)
def gamma_functions(x):
    half = 0.5 * jnp.ones_like(x[3])
    y = special.gammaln(x[0]), special.digamma(x[1]), special.gammainc(1.5, x[2])
    return *y, special.betainc(half, 2 * half, x[3] / 3)


@function("elementwise", 5)
def error_functions(x):
    y = special.erf(x[0]), special.erfc(x[1]), special.erfinv(x[2])
    return *y, special.i0e(x[3]), special.i1e(x[4])


@function("elementwise", 8, -0.9, 0.9)
def pieces(x):
    """Of which each is smooth but for kinks and jumps, here elsewhere."""
    y = jnp.abs(x[0]), jnp.maximum(x[1], 2 * x[2]), jnp.minimum(x[3], -2 + x[4])
    return *y, jnp.clip(x[5], -0.95, 0.95), x[6] % 0.35, jnp.sign(x[7]) * x[7] ** 2


@function("elementwise", 6)
def complex_arithmetic(x):
    z, w = lax.complex(x[:3], x[3:]), jnp.exp(1j * x[:3])
    return jnp.abs(z * w), jnp.angle(z / (1 + w)), jnp.real(jnp.conj(z) * w), z.imag


@function("elementwise", 3, holomorphic=True)
def holomorphic_elementary(z):
    return jnp.exp(z) * jnp.sin(z) / (2 + z**2)


@function("elementwise", 3, holomorphic=True)
def holomorphic_roots(z):
    return jnp.sqrt(z) + jnp.tanh(z) * jnp.log(1 + z), z**1.5


# --------------------------------------------------------------------------- reductions


@function("reductions", 6)
def sums_and_products(x):
    y = x.reshape(2, 3)
    return jnp.sum(y, 0), jnp.prod(y, 1), jnp.cumsum(x), jnp.cumprod(y, 1)


@function("reductions", 6)
def extremes(x):
    y = x.reshape(2, 3)
    return jnp.max(y, 0) * jnp.min(y, 1)[0], lax.cummax(x), x[jnp.argmax(x)] ** 2


@function("reductions", 6)
def orders(x):
    values, carried = lax.sort((x, jnp.sin(x) * x[0]), num_keys=1)
    return values[:2] ** 2, carried, lax.top_k(x, 2)[0] * x[:2]


@function("reductions", 12)
def products_of_tensors(x):
    a, b, c = x[:6].reshape(2, 3), x[6:].reshape(3, 2), x[:8].reshape(2, 2, 2)
    return a @ b, jnp.einsum("ijk,kl->ijl", c, a), jnp.einsum("bij,bjk->bik", c, c)


@function("reductions", 6)
def logarithms_of_sums(x):
    return special.logsumexp(x.reshape(2, 3), axis=1), lax.cumlogsumexp(x)


# --------------------------------------------------------------------------- structural


@function("structural", 6)
def shapes(x):
    y = jnp.transpose(x.reshape(2, 1, 3), (2, 1, 0))
    return jnp.squeeze(y, 1) * x[:2], jnp.flip(x) * x, jnp.tile(x[:2], 3) * x[0]


@function("structural", 6)
def cut_and_joined(x):
    a, b = jnp.split(x, 2)
    padded = lax.pad(a * b, x[0], [(1, 2, 1)])
    return padded, jnp.concatenate([b, x[1:5:2] ** 2]), jnp.stack([a, b * a])


@function("structural", 6)
def selected(x):
    y = jnp.tril(jnp.outer(x[:3], x[3:]))
    return jnp.where(x > 0.5, x**2, jnp.exp(x)), lax.select_n(x > 0.6, x, -(x**3)), y


@function("structural", 4)
def associative_products(x):
    return lax.associative_scan(lambda a, b: a * b + a, x)


# ----------------------------------------------------------------------------- indexing


@function("indexing", 6)
def gathered(x):
    places = np.array([[0, 3], [5, 3]])
    return x[places] ** 2, x[:4:2] * x[1:3], jnp.take(x, np.array([4, 4])) * x[0]


@function("indexing", 6)
def scattered(x):
    at = x[:4].at[np.array([2, 0])]
    y = at.set(x[4:] ** 2), at.add(jnp.sin(x[4:])), at.mul(x[4:], unique_indices=True)
    return (
        *y,
        at.max(x[4:] ** 2),
        at.min(x[4:] * x[0]),
        x.at[np.array([1, 1])].add(x[0]),
    )


@function("indexing", 6)
def windows_that_move(x):
    start = jnp.argmin(x) % 3
    window = lax.dynamic_slice(x, (start,), (3,))
    return window**2, lax.dynamic_update_slice(x, jnp.sin(window) * x[0], (3 - start,))


# ------------------------------------------------------------------------------- linalg


@function("linalg", 9)
def linear_system(x):
    return jnp.linalg.solve(square(x), x[:3]), jnp.linalg.slogdet(square(x))[1]


@function("linalg", 9)
def cholesky_factors(x):
    factor = jnp.linalg.cholesky(symmetric(x))
    return jnp.tril(factor), lax.linalg.triangular_solve(
        factor, x[None, :3], lower=True
    )


@function("linalg", 12)
def least_squares(x):
    q, r = jnp.linalg.qr(x.reshape(4, 3) + 2 * jnp.eye(4, 3, dtype=x.dtype))
    return q**2, r, lax.linalg.triangular_solve(r, (x[:4] @ q)[None], transpose_a=True)


@function("linalg", 12)
def tridiagonal_system(x):
    lower, middle, upper, b = x.reshape(4, 3)
    lower, upper = lower.at[0].set(0), upper.at[-1].set(0)
    return lax.linalg.tridiagonal_solve(lower, 2 + middle, upper, b[:, None])


# ----------------------------------------------------------------------------- spectral


@function("spectral", 9)
def eigenvalues(x):
    return jnp.linalg.eigvalsh(symmetric(x))


@function("spectral", 9)
def eigenvectors(x):
    """Squares and products, which know no sign."""
    values, v = jnp.linalg.eigh(symmetric(x))
    return v**2, v[0] * v[1] * values


@function("spectral", 8)
def singular_values(x):
    u, s, vh = jnp.linalg.svd(square(x[:4]), full_matrices=False)
    return s, u**2, vh * u.T * x[4:].reshape(2, 2)


# ------------------------------------------------ convolution, windows, fourier, ragged


@function("convolution", 12, -0.9, 0.9)
def convolution_in_line(x):
    image, kernel = x[:8].reshape(1, 1, 8), x[8:].reshape(1, 1, 4)
    return lax.conv_general_dilated(image, kernel, (2,), [(1, 2)])


@function("convolution", 12, -0.9, 0.9)
def convolution_of_groups(x):
    image, kernel = x[:8].reshape(1, 2, 2, 2), x[8:].reshape(2, 1, 2, 1)
    return lax.conv_general_dilated(
        image, kernel, (1, 1), "SAME", rhs_dilation=(2, 1), feature_group_count=2
    )


@function("windows", 9, -0.9, 0.9)
def pooled_means(x):
    y = jnp.sin(x).reshape(3, 3)
    return lax.reduce_window(y, 0.0, lax.add, (2, 2), (1, 1), "SAME") / 4


@function("windows", 9, -0.9, 0.9)
def pooled_extremes(x):
    largest = lax.reduce_window(x**2, -jnp.inf, lax.max, (3,), (2,), "VALID")
    return largest, lax.reduce_window(jnp.exp(x), jnp.inf, lax.min, (3,), (3,), "VALID")


@function("fourier", 6, -0.9, 0.9)
def power_spectrum(x):
    return jnp.log(1 + jnp.abs(jnp.fft.rfft(x)) ** 2)


@function("fourier", 8, -0.9, 0.9)
def circular_convolution(x):
    a, b = jnp.fft.rfft(x[:4]), jnp.fft.rfft(x[4:])
    return jnp.fft.irfft(a * b, 4)


@function("fourier", 4, holomorphic=True)
def holomorphic_spectrum(z):
    return jnp.fft.fft(z**2) * z, jnp.fft.ifft(jnp.exp(z))


@function("ragged", 12, -0.9, 0.9)
def product_of_groups(x):
    rows, matrices = x[:8].reshape(4, 2), x[4:].reshape(2, 2, 2)
    return lax.ragged_dot(rows, matrices, jnp.array([1, 3], np.int32))


# ------------------------------------------------------------------ random


@function("random", 6)
def noisy_means(x):
    # In float32 always: in another dtype these would be other draws.
    noise = jax.random.normal(jax.random.key(0), (4, 3), np.float32).astype(x.dtype)
    return jnp.mean(jnp.exp(x[:3] + x[3:] * noise), axis=0)
