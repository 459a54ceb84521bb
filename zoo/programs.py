"""Real programs to differentiate: small cases from science, engineering and learning.

Each is plain `jax.numpy` code as a user writes it, with at most 32 real inputs, so
that even its third derivatives are cheap, and at a point where it is differentiable.
The arguments are float64 that float32 holds exactly; `Program.cast` casts them. No
function names a dtype: constants take that of an input (`like`), so float32 in is
float32 all through, and float64 is its exact reference.
"""

import math
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.scipy import special


@dataclass(frozen=True)
class Program:
    """A function, a point, and what may be asked of it there.

    `scalar` is `f` itself where `f` is scalar, else a sum that sees each output.
    Derivatives of `scalar` are nonzero up to `order` (3 stands for 3 or more).
    `traceable` is False where Python decides on values: neither `jit` nor `vmap`.
    `forward` is False where a `custom_vjp` forbids forward mode (not over reverse).
    `condition` is the factor by which rounding grows: it scales float32's tolerance.
    """

    name: str
    f: Callable[..., Any]
    args: tuple
    scalar: Callable[..., Any]
    order: int = 3
    traceable: bool = True
    forward: bool = True
    condition: float = 1.0

    def cast(self, dtype) -> tuple:
        return jax.tree.map(lambda x: jnp.asarray(x, dtype), self.args)


PROGRAMS: list[Program] = []


def program(inputs, *, vector=False, **flags):
    """Enter the decorated function at the point `inputs(random generator)`."""

    def enter(f):
        # Seeded by name: a new program leaves the others' points as they are.
        args = inputs(np.random.default_rng(zlib.crc32(f.__name__.encode())))
        args = jax.tree.map(_exact, args)
        scalar = summary(f) if vector else f
        PROGRAMS.append(Program(f.__name__, f, args, scalar, **flags))
        return f

    return enter


def summary(f):
    """A scalar that sees each output of `f`, at each its own weight."""

    def scalar(*args):
        leaves = [jnp.ravel(y) for y in jax.tree.leaves(f(*args))]
        y = jnp.concatenate(leaves)
        return jnp.sum(jnp.sin(y) / jnp.arange(1, y.size + 1))

    return scalar


def like(x, values):
    """Constant data in the dtype of `x`, the same numbers in each."""
    return _exact(values).astype(x.dtype)


def _exact(values):
    return np.asarray(values, np.float32).astype(np.float64)


def waves(*shape):
    """Data that look irregular and are the same everywhere."""
    return np.sin(1.7 * np.arange(1, math.prod(shape) + 1) ** 1.3).reshape(shape)


# ------------------------------------------------------------------ neural networks


@program(
    lambda r: (
        [
            {"w": r.normal(size=(3, 4)), "b": r.normal(size=4)},
            {"w": r.normal(size=(4, 2)), "b": r.normal(size=2)},
        ],
    )
)
def mlp_cross_entropy(layers):
    x, labels = like(layers[0]["w"], waves(5, 3)), np.array([0, 1, 1, 0, 1])
    for layer in layers[:-1]:
        x = jnp.tanh(x @ layer["w"] + layer["b"])
    logits = x @ layers[-1]["w"] + layers[-1]["b"]
    log_p = jax.nn.log_softmax(logits)
    return -jnp.mean(jnp.take_along_axis(log_p, labels[:, None], axis=1))


@program(lambda r: (r.normal(1, 1, (2, 4)), r.normal(size=(4, 3))))
def relu_network_one_hot(w1, w2):
    x = like(w1, waves(4, 2))
    logits = jax.nn.relu(x @ w1) @ w2
    targets = jax.nn.one_hot(np.array([2, 0, 1, 1]), 3, dtype=w1.dtype)
    return -jnp.sum(targets * jax.nn.log_softmax(logits, axis=-1))


@program(
    lambda r: (
        r.normal(size=(3, 2)),
        {name: r.normal(size=(2, 2)) for name in ("query", "key", "value")},
        r.uniform(0.5, 1.5, 2),
        r.normal(size=2),
    ),
    vector=True,
    condition=8.0,  # layer norm of two features divides by their difference
)
def attention_block(x, w, scale, shift):
    mean = jnp.mean(x, axis=-1, keepdims=True)
    var = jnp.var(x, axis=-1, keepdims=True)
    h = (x - mean) * lax.rsqrt(var + 1e-2) * scale + shift
    q, k, v = h @ w["query"], h @ w["key"], h @ w["value"]
    scores = jnp.einsum("id,jd->ij", q, k) / math.sqrt(2)
    causal = jnp.tril(jnp.ones((3, 3), bool))
    return x + jax.nn.softmax(jnp.where(causal, scores, -1e9), axis=-1) @ v


@program(lambda r: (r.normal(size=(2, 3)), r.normal(size=(3, 3)), r.normal(size=3)))
def recurrent_network(w_in, w, b):
    h = jnp.zeros(3, w.dtype)
    for x in like(w, waves(3, 2)):
        h = jnp.tanh(x @ w_in + h @ w + b)
    return jnp.sum(h**2)


@program(
    lambda r: (0.7 * r.normal(size=(3, 8)), r.normal(size=8)),
    vector=True,
)
def lstm(w, b):
    h = c = jnp.zeros(2, w.dtype)
    for x in like(w, waves(2)):
        i, f, g, o = jnp.split(jnp.append(h, x) @ w + b, 4)
        c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
        h = jax.nn.sigmoid(o) * jnp.tanh(c)
    return h, c


@program(
    lambda r: (r.normal(size=12), r.normal(size=(2, 3)), r.normal(size=(2, 4))),
    vector=True,
    condition=4.0,  # terms of both signs cancel
)
def convolution_max_pool(signal, kernels, readout):
    padded = jnp.pad(signal, 1)
    taps = jnp.stack([padded[k : k + signal.size] for k in range(3)])
    features = jnp.tanh(kernels @ taps).reshape(2, 4, 3).max(axis=-1)
    return jnp.sum(features * readout, axis=1)


@program(lambda r: (r.normal(size=(4, 3)), r.normal(size=(3, 2))))
def embedding_lookup(table, w):
    tokens = np.array([3, 1, 1, 0, 3])
    scores = jnp.tanh(table[tokens] @ w)
    per_token = jnp.zeros((4, 2), w.dtype).at[tokens].add(scores)
    return jnp.sum(per_token**2) + jnp.prod(per_token[1])


@program(lambda r: (r.normal(size=(4, 3)), r.normal(size=(3, 3)), r.normal(size=3)))
def graph_layer(nodes, w, attention):
    source, target = np.array([0, 1, 2, 3, 0, 2]), np.array([1, 2, 3, 0, 2, 0])
    messages = nodes[source] @ w
    gates = jax.nn.sigmoid((nodes[target] * messages) @ attention)
    received = jax.ops.segment_sum(gates[:, None] * messages, target, num_segments=4)
    return jnp.mean(jax.nn.elu(nodes + received) ** 2)


@program(lambda r: (r.normal(size=(3, 4)), r.normal(size=4)))
def smooth_activations(w, v):
    h = like(w, waves(2, 3)) @ w
    h = jax.nn.gelu(h[:, :2]), jax.nn.silu(h[:, 2:3]), jax.nn.softplus(h[:, 3:])
    return jax.nn.logsumexp(jnp.concatenate(h, axis=1) @ v)


@program(
    lambda r: (r.normal(size=(3, 2)), r.normal(size=(2, 3)), r.normal(size=(3,))),
    condition=4.0,  # terms of both signs cancel
)
def neural_ode(w1, w2, y0):
    y = y0
    for _ in range(3):
        y = y + 0.3 * jnp.tanh(y @ w1) @ w2
    return jnp.sum((y - like(y, [0.3, -0.2, 0.1])) ** 2)


@program(lambda r: (r.normal(size=(2, 4)), r.normal(size=4), r.normal(size=(3, 4))))
def coupling_flow(w, b, x):
    kept, moved = x[:, :2], x[:, 2:]
    log_scale, shift = jnp.split(jnp.tanh(kept @ w + b), 2, axis=-1)
    z = jnp.concatenate([kept, moved * jnp.exp(log_scale) + shift], axis=-1)
    log_density = -0.5 * jnp.sum(z**2, axis=-1) - 2 * math.log(2 * math.pi)
    return -jnp.mean(log_density + jnp.sum(log_scale, axis=-1))


@program(lambda r: (r.normal(size=(2, 3)), r.normal(size=3)))
def temporal_difference(w, v):
    states = like(w, waves(5, 2))
    values = jnp.tanh(states @ w) @ v
    targets = like(w, waves(4)) + 0.9 * lax.stop_gradient(values[1:])
    return 0.5 * jnp.mean((values[:-1] - targets) ** 2)


@jax.jit
def _dense(layer, x):
    return jnp.sin(x @ layer[0] + layer[1])


@program(lambda r: (2 * [(r.normal(size=(2, 2)), r.normal(size=2))], r.normal(size=2)))
def jitted_layers(layers, x):
    for layer in layers:
        x = _dense(layer, x)
    return jax.jit(jnp.dot)(x, _dense(layers[0], x))


# ------------------------------------------------------------- statistics, inference


@program(lambda r: (r.normal(size=3), r.normal(size=(3, 2)), r.normal(size=(3, 2))))
def gaussian_mixture(logits, means, log_scales):
    x = like(means, 2 * waves(6, 2))[:, None]
    z = (x - means) * jnp.exp(-log_scales)
    log_normal = -0.5 * z**2 - log_scales - 0.5 * math.log(2 * math.pi)
    log_joint = jax.nn.log_softmax(logits) + jnp.sum(log_normal, axis=-1)
    return -jnp.sum(special.logsumexp(log_joint, axis=-1))


@program(lambda r: (r.normal(size=4), r.normal()))
def logistic_regression(w, b):
    x, y = like(w, waves(8, 4)), np.array([0, 1, 1, 0, 1, 0, 0, 1])
    margins = (2 * y - 1) * (x @ w + b)
    return jnp.mean(jnp.logaddexp(0, -margins)) + 0.05 * jnp.vdot(w, w)


@program(lambda r: (4.5, 0.2, -0.3))
def student_t(freedom, location, log_scale):
    z = (like(location, waves(7)) - location) / jnp.exp(log_scale)
    half = 0.5 * (freedom + 1)
    norm = lax.lgamma(half) - lax.lgamma(0.5 * freedom) - 0.5 * jnp.log(freedom)
    return jnp.sum(norm - log_scale - half * jnp.log1p(z**2 / freedom))


@program(lambda r: (0.4, 1.3))
def von_mises(location, log_concentration):
    k = jnp.exp(log_concentration)
    angles = like(k, 2 * waves(6))
    log_p = k * (jnp.cos(angles - location) - 1) - jnp.log(special.i0e(k))
    return jnp.sum(log_p)


@program(
    lambda r: (r.normal(size=3),),
    condition=4.0,  # the tail of erfc, where 1 / erfc is large
)
def probit_regression(w):
    signs = like(w, [1, -1, 1, 1, -1])
    x = like(w, waves(5, 3))
    return -jnp.sum(jnp.log(0.5 * lax.erfc(-signs * (x @ w) / math.sqrt(2))))


@program(lambda r: (0.3, -0.5))
def quantile_matching(location, log_scale):
    levels = like(location, [0.1, 0.35, 0.6, 0.85])
    levels = levels + 0.05 * jnp.tanh(location)
    quantiles = math.sqrt(2) * lax.erf_inv(2 * levels - 1)
    draws = location + jnp.exp(log_scale) * quantiles
    return jnp.sum((draws - like(location, [-1, 0, 0.5, 2])) ** 2)


@program(lambda r: (np.array([0.7, 1.5, 2.6]),))
def chi_square_power(effects):
    statistics = jnp.cumsum(effects**2)
    return jnp.sum(jnp.log(special.gammaincc(1.5, 0.5 * statistics)))


@program(lambda r: (r.normal(size=3), r.normal(size=3)))
def evidence_lower_bound(mean, log_std):
    noise = like(mean, waves(4, 3))
    z = mean + jnp.exp(log_std) * noise
    log_likelihood = -jnp.sum((like(z, waves(4)) - jnp.sin(z).sum(-1)) ** 2)
    divergence = 0.5 * (mean**2 + jnp.exp(2 * log_std) - 1) - log_std
    return log_likelihood / 4 - jnp.sum(divergence)


@program(lambda r: (r.normal(size=3),))
def cox_partial_likelihood(w):
    died = np.array([1, 0, 1, 1, 0, 1])
    risk = like(w, waves(6, 3)) @ w
    return -jnp.sum(died * (risk - lax.cumlogsumexp(risk, reverse=True)))


@program(
    lambda r: (r.normal(size=(2, 2)), r.normal(size=(2, 3)), r.normal(size=2)),
    condition=16.0,  # counts less expected counts: small differences
)
def hidden_markov_forward(transition, emission, start):
    move, show = jax.nn.softmax(transition, axis=1), jax.nn.softmax(emission, axis=1)
    belief = jax.nn.softmax(start)
    for symbol in (0, 2, 1):
        belief = (belief @ move) * show[:, symbol]
    return jnp.log(jnp.sum(belief))


@program(lambda r: (0.9, -1.0, -0.5))
def kalman_filter(decay, log_process, log_noise):
    q, noise = jnp.exp(log_process), jnp.exp(log_noise)
    mean, var, log_p = 0.0, 1.0, 0.0
    for y in like(decay, waves(2)):
        mean, var = decay * mean, decay**2 * var + q
        gain = var / (var + noise)
        log_p -= 0.5 * (jnp.log(var + noise) + (y - mean) ** 2 / (var + noise))
        mean, var = mean + gain * (y - mean), (1 - gain) * var
    return log_p


@program(lambda r: (r.normal(size=5), np.array([0.2, -0.3, 0.1])))
def gaussian_process_form(weights, log_scales):
    x = like(weights, waves(5, 2))
    amplitude, lengths = jnp.exp(log_scales[0]), jnp.exp(log_scales[1:])

    def kernel(a, b):
        return amplitude * jnp.exp(-0.5 * jnp.sum(((a - b) / lengths) ** 2))

    gram = jax.vmap(lambda a: jax.vmap(lambda b: kernel(a, b))(x))(x)
    return weights @ gram @ weights + 0.1 * jnp.trace(gram)


@program(lambda r: (r.normal(size=3),), order=2)
def huber_regression(w):
    residuals = like(w, waves(8, 3)) @ w - like(w, 2 * waves(8))
    size = jnp.abs(residuals)
    return jnp.sum(jnp.where(size < 0.8, 0.5 * size**2, 0.8 * (size - 0.4)))


@program(lambda r: (r.normal(size=(3, 3)),), order=1)
def multiclass_hinge(w):
    x, labels = like(w, waves(6, 3)), np.array([0, 2, 1, 1, 0, 2])
    scores = x @ w
    correct = jnp.take_along_axis(scores, labels[:, None], axis=1)
    wrong = jnp.where(labels[:, None] == np.arange(3), -jnp.inf, scores - correct + 1)
    return jnp.sum(jnp.maximum(jnp.max(wrong, axis=1), 0))


@program(lambda r: (r.normal(size=4),))
def conditional_value_at_risk(logits):
    losses = like(logits, waves(9, 4)) @ jax.nn.softmax(logits)
    return jnp.mean(jnp.sort(losses)[-3:])


@program(lambda r: (r.normal(size=5), r.normal(size=5)))
def wasserstein_distance(x, y):
    gaps = jnp.sort(jnp.sinh(x)) - jnp.sort(y)
    return jnp.mean(jnp.sqrt(gaps**2 + 0.1))


@program(lambda r: (r.normal(size=7),), vector=True)
def robust_standardise(x):
    low, mid, high = (jnp.quantile(x, q) for q in (0.21, 0.5, 0.83))
    return (x - mid) / (high - low)


@program(lambda r: (r.uniform(size=5), r.normal(size=5)))
def area_under_unsorted_points(x, y):
    order = jnp.argsort(x)
    return jnp.trapezoid(jnp.exp(y)[order], x[order])


# ------------------------------------------------- optimisation, finance, linear maps


@program(lambda r: (r.normal(size=4),))
def rosenbrock(x):
    return jnp.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)


@program(lambda r: (105.0, 100.0, 0.8, 0.25, 0.03))
def black_scholes_call(spot, strike, time, volatility, rate):
    def normal_cdf(z):
        return 0.5 * (1 + lax.erf(z / math.sqrt(2)))

    spread = volatility * jnp.sqrt(time)
    d = (jnp.log(spot / strike) + rate * time) / spread + 0.5 * spread
    discounted = strike * jnp.exp(-rate * time)
    return spot * normal_cdf(d) - discounted * normal_cdf(d - spread)


@program(lambda r: (0.2 * r.normal(size=6),), vector=True)
def drawdown(log_returns):
    wealth = jnp.cumprod(jnp.exp(log_returns))
    return 1 - wealth / (1.1 * lax.cummax(wealth))


@program(lambda r: (r.uniform(0.5, 2, 3), r.uniform(0.3, 1, 3), 0.6))
def ces_production(inputs, shares, exponent):
    return jnp.sum(shares * jnp.power(inputs, exponent)) ** (1 / exponent)


@program(lambda r: (r.uniform(0.2, 0.8, (2, 3)),))
def system_reliability(p):
    return 1 - jnp.prod(1 - jnp.prod(p, axis=1))


@program(lambda r: (r.normal(size=(4, 4)),), vector=True)
def pagerank(logits):
    links = jax.nn.softmax(logits, axis=1)
    rank = jnp.full(4, 0.25, logits.dtype)
    for _ in range(3):
        rank = 0.15 / 4 + 0.85 * rank @ links
    return rank


@program(lambda r: (r.normal(size=5),))
def polynomial_fit(coefficients):
    x = like(coefficients, np.linspace(-1, 1, 7))
    y = jnp.zeros_like(x)
    for c in coefficients:
        y = y * x + c
    return jnp.sum(jnp.log(jnp.cosh(y - like(x, waves(7)))))


@program(lambda r: (r.uniform(0.5, 1.5, (3, 3)), r.normal(size=3)), vector=True)
def triangular_solve_by_loop(matrix, b):
    x = jnp.zeros_like(b)
    for i in range(b.size):
        x = x.at[i].set((b[i] - matrix[i, :i] @ x[:i]) / matrix[i, i])
    return x


@program(lambda r: [r.normal(size=(n, 2)) for n in (3, 2, 4)])
def tensor_factorisation(a, b, c):
    model = jnp.einsum("ir,jr,kr->ijk", a, b, c)
    return jnp.sum((model - like(a, waves(3, 2, 4))) ** 2)


# ------------------------------------------------------------------- physics, biology


@program(lambda r: (r.normal(size=5), 8.0), vector=True)
def lorenz96(x, forcing):
    def rate(x):
        ahead, behind = jnp.roll(x, -1), jnp.roll(x, 1)
        return (ahead - jnp.roll(x, 2)) * behind - x + forcing

    return x + 0.1 * rate(x + 0.05 * rate(x))


@program(lambda r: (np.array([0.8, -0.4]), np.array([0.3, 1.1]), 1.2), vector=True)
def double_pendulum(angles, speeds, ratio):
    (a, b), (u, v), g = angles, speeds, 9.8
    sin, cos = jnp.sin(a - b), jnp.cos(a - b)
    inertia = ratio + sin**2
    du = -sin * (v**2 + u**2 * cos) - g * (ratio * jnp.sin(a) + sin * jnp.cos(b))
    dv = (ratio + 1) * sin * (u**2 + g * jnp.cos(a)) + v**2 * sin * cos
    speeds = speeds + 0.1 * jnp.stack([du, dv]) / inertia
    return angles + 0.1 * speeds, speeds


@program(lambda r: (np.array([0.6, 0.2, 1.4]),), vector=True, traceable=False)
def adaptive_ode(y):
    """Predator and prey by Heun's method; the step follows the error estimate."""

    def rate(y):
        prey, hunters, growth = y
        return jnp.stack([prey * (growth - hunters), hunters * (prey - 1), 0 * growth])

    time, step = 0.0, 0.5
    while time < 1:
        k1 = rate(y)
        k2 = rate(y + step * k1)
        if jnp.max(jnp.abs(k2 - k1)) * step > 0.15:
            step = step / 2
        else:
            y, time = y + step * (k1 + k2) / 2, time + step
    return y[:2]


@program(lambda r: (2.0, 1.0, 0.8), traceable=False)
def bouncing_ball(height, speed, elasticity):
    left = 3.0
    while True:
        impact = (speed + jnp.sqrt(speed**2 + 19.6 * height)) / 9.8
        if impact > left:
            return height + speed * left - 4.9 * left**2
        left = left - impact
        height, speed = 0 * height, elasticity * (9.8 * impact - speed)


@program(lambda r: (1.1, 0.4), traceable=False)
def kepler_to_convergence(mean_anomaly, eccentricity):
    anomaly, last = mean_anomaly, mean_anomaly + 1
    while abs(anomaly - last) > 1e-5:
        last = anomaly
        gap = anomaly - eccentricity * jnp.sin(anomaly) - mean_anomaly
        anomaly = anomaly - gap / (1 - eccentricity * jnp.cos(anomaly))
    return anomaly


@program(lambda r: (0.4, 30.0, 2000.0), vector=True, traceable=False)
def drag_regimes(slow, medium, fast):
    def coefficient(reynolds):
        if reynolds < 1:
            return 24 / reynolds
        if reynolds < 1000:
            return 24 / reynolds * (1 + 0.15 * reynolds**0.687)
        return 0.44 + 10 / reynolds

    return coefficient(slow), coefficient(medium), coefficient(fast)


@program(lambda r: (np.array([0.5, 1.3, 2.9]), 0.3), vector=True)
def kepler_newton(mean_anomaly, eccentricity):
    anomaly = mean_anomaly
    for _ in range(2):
        gap = anomaly - eccentricity * jnp.sin(anomaly) - mean_anomaly
        anomaly = anomaly - gap / (1 - eccentricity * jnp.cos(anomaly))
    squeeze = jnp.sqrt(1 - eccentricity**2)
    return jnp.cos(anomaly) - eccentricity, squeeze * jnp.sin(anomaly)


@program(lambda r: (np.array([[0, 0, 0], [1.2, 0.1, 0], [0.5, 1.1, 0.3]]), 0.9))
def lennard_jones(positions, sigma):
    i, j = np.triu_indices(3, 1)
    squared = jnp.sum((positions[i] - positions[j]) ** 2, axis=1)
    attraction = (sigma**2 / squared) ** 3
    return 4 * jnp.sum(attraction**2 - attraction)


@program(lambda r: (r.normal(size=(4, 2)), r.uniform(0.5, 2, 5)))
def truss_energy(joints, stiffness):
    a, b = np.array([0, 1, 2, 3, 0]), np.array([1, 2, 3, 0, 2])
    lengths = jnp.linalg.norm(joints[a] - joints[b], axis=1)
    return 0.5 * jnp.sum(stiffness * (lengths - 1) ** 2) - 0.3 * jnp.sum(joints[:, 1])


@program(lambda r: (np.array([0.9, 1.3]), np.array([1.4, 2.2]), 0.9))
def thin_film_reflectance(thickness, index, wavenumber):
    """Normal incidence from air on glass: characteristic matrix of each layer."""
    phase = wavenumber * index * thickness
    cos, sin = jnp.cos(phase), 1j * jnp.sin(phase)
    field = like(phase, [1, 1.5])
    for c, s, n in zip(cos, sin, index, strict=True):
        field = jnp.array([[c, s / n], [s * n, c]]) @ field
    amplitude = (field[0] - field[1]) / (field[0] + field[1])
    return jnp.abs(amplitude) ** 2


@program(lambda r: (2.0, 0.5, 0.3), vector=True)
def resonant_circuit(resistance, inductance, capacitance):
    omega = like(resistance, [0.5, 1.0, 4.0])
    impedance = resistance + 1j * omega * inductance + 1 / (1j * omega * capacitance)
    return jnp.abs(impedance), jnp.angle(impedance)


@program(lambda r: (r.normal(size=6),))
def spectral_flatness(x):
    angles = 2 * math.pi * np.outer(np.arange(4), np.arange(6)) / 6
    spectrum = jnp.exp(-1j * like(x, angles)) @ x
    power = spectrum.real**2 + spectrum.imag**2
    return jnp.exp(jnp.mean(jnp.log(power))) / jnp.mean(power)


@program(lambda r: (r.normal(size=4), r.normal(size=4), r.normal(size=3)))
def energy_expectation(real, imag, field):
    psi = lax.complex(real, imag)
    x = np.array([[0, 1], [1, 0]])
    y = np.array([[0, -1j], [1j, 0]])
    z, one = np.array([[1, 0], [0, -1]]), np.eye(2, dtype=int)
    terms = [np.kron(x, one), np.kron(y, z), np.kron(z, x)]
    hamiltonian = sum(
        c * t.astype(psi.dtype) for c, t in zip(field, terms, strict=True)
    )
    return jnp.vdot(psi, hamiltonian @ psi).real / jnp.vdot(psi, psi).real


@program(
    lambda r: (r.normal(size=8), 0.2),
    vector=True,
    condition=4.0,  # differences of neighbours
)
def heat_equation(u, diffusivity):
    for _ in range(2):
        flow = jnp.roll(u, 1) - 2 * u + jnp.roll(u, -1)
        u = u + diffusivity * jnp.exp(0.1 * u) * flow
        u = lax.dynamic_update_slice(u, u[1:2], (0,))
        u = lax.dynamic_update_slice(u, u[-2:-1], (u.size - 1,))
    return u


@program(lambda r: (r.normal(size=6), r.normal(size=3)))
def autoregression(series, weights):
    total = 0.0
    for t in range(series.size - 3):
        window = lax.dynamic_slice(series, (t,), (3,))
        total += jnp.log1p((series[t + 3] - window @ weights) ** 2)
    return total


# ------------------------------------------------------------- geometry, measurement


def _rotate(axis_angle, points):
    """Rodrigues: turn the rows of `points` about `axis_angle` by its length."""
    angle = jnp.linalg.norm(axis_angle)
    axis = axis_angle / angle
    along = points @ axis
    across = jnp.cross(axis, points)
    turned = jnp.cos(angle) * points + jnp.sin(angle) * across
    return turned + (1 - jnp.cos(angle)) * along[:, None] * axis


@program(
    lambda r: (
        {
            "rotation": np.array([0.3, -0.2, 0.4]),
            "translation": np.array([0.1, 0.2, 5.0]),
            "focal": 1.3,
            "distortion": np.array([-0.1, 0.05]),
        },
        r.normal(size=(3, 3)),
    ),
    vector=True,
)
def camera_reprojection(camera, points):
    seen = _rotate(camera["rotation"], points) + camera["translation"]
    image = seen[:, :2] / seen[:, 2:]
    squared = jnp.sum(image**2, axis=1, keepdims=True)
    k1, k2 = camera["distortion"]
    return camera["focal"] * (1 + squared * (k1 + k2 * squared)) * image


@program(lambda r: (r.normal(size=4), r.normal(size=(2, 3))), vector=True)
def quaternion_rotation(q, points):
    w, v = q[0], q[1:]
    across = jnp.cross(v, points) + w * points
    return points + 2 * jnp.cross(v, across) / jnp.sum(q**2) - 2 * w * points


@program(lambda r: (np.array([0.85, 0.04]), np.array([0.7, -1.29])))
def haversine_distance(here, there):
    half = 0.5 * (there - here)
    a = jnp.sin(half[0]) ** 2
    a += jnp.cos(here[0]) * jnp.cos(there[0]) * jnp.sin(half[1]) ** 2
    return 2 * jnp.arctan2(jnp.sqrt(a), jnp.sqrt(1 - a))


@program(lambda r: (r.normal(size=3), np.array([1.0, 0.8, 0.5])), vector=True)
def robot_arm(angles, lengths):
    heading = jnp.cumsum(angles)
    tip = jnp.sum(lengths * jnp.cos(heading)), jnp.sum(lengths * jnp.sin(heading))
    return {"tip": tip, "reach": jnp.hypot(*tip), "turn": jnp.arcsin(jnp.sin(heading))}


@program(lambda r: (r.normal(size=(4, 4)), np.array([0.37, 0.81])), vector=True)
def image_warp(image, shift):
    rows, columns = np.mgrid[0:3, 0:3]
    y, x = like(image, rows) + shift[0], like(image, columns) + shift[1]
    i, j = jnp.floor(y).astype(int), jnp.floor(x).astype(int)
    dy, dx = y - i, x - j
    top = (1 - dx) * image[i, j] + dx * image[i, j + 1]
    bottom = (1 - dx) * image[i + 1, j] + dx * image[i + 1, j + 1]
    return jnp.sum((1 - dy) * top + dy * bottom, axis=1)


# ----------------------------------------------------------------- user-written rules


@jax.custom_jvp
def _log1p_exp(x):
    return jnp.log1p(jnp.exp(x))


@_log1p_exp.defjvp
def _log1p_exp_jvp(primals, tangents):
    (x,), (dx,) = primals, tangents
    return _log1p_exp(x), (1 - 1 / (1 + jnp.exp(x))) * dx


@program(lambda r: (r.normal(size=4),))
def safe_softplus(w):
    return jnp.sum(_log1p_exp(like(w, 20 * waves(3, 4)) @ w))


@jax.custom_vjp
def _clip_gradient(x, bound):
    return x * 1


def _clip_gradient_bwd(bound, ct):
    return jnp.clip(ct, -bound, bound), None


_clip_gradient.defvjp(lambda x, bound: (x * 1, bound), _clip_gradient_bwd)


@program(lambda r: (r.normal(size=5),), vector=True, forward=False)
def clipped_gradient(x):
    h = _clip_gradient(jnp.sin(2 * x), 0.3)
    return jnp.exp(h) * x[::-1]
