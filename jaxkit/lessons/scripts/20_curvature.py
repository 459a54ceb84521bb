# %% [markdown]
# # 20. Curvature
#
# **What can be known of second derivatives, and of each sample's gradient, if the
# matrices and the gradients are too large to be written down?**
#
# Lesson 10 had the product of a Hessian with a vector: the derivative of the gradient
# along it. The gradient is a program like any other, so its derivative is a linear
# program (lesson 8), and that is the Hessian. `jk.hessian_operator` records it, once;
# a product runs it, and f isn't run again.

# %%
import itertools

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.sparse.linalg import cg

import jaxkit as jk
from jaxkit.lessons import picture

A = jnp.array([[1.0, 2.0, 0.0], [0.0, 1.0, -1.0], [2.0, 0.0, 1.0], [1.0, 1.0, 1.0]])


def f(x):
    return jnp.sum(jnp.exp(A @ x))


H = jk.hessian_operator(f)(jnp.zeros(3))
print(H)
print("H times (1, 0, 0):", H(jnp.array([1.0, 0.0, 0.0])))

# %% [markdown]
# Four lines, and one can read the matrix off them: A, then a product with exp(A x), and
# then A transposed.
#
# ## The diagonal and the trace
#
# The *curvature* along a direction v is v'Hv: how fast the slope grows on the way. Along
# the first unit vector it is the first entry of the diagonal. So n products give all of
# the diagonal, and its sum, the *trace*, without keeping n² numbers. But a network has
# millions of parameters, and that many products are too many. Take a vector v of random
# signs instead:
#
#     v'Hv = sum of H[i, i] v[i]²  +  sum of H[i, j] v[i] v[j], over all i and j that differ
#
# Every v[i]² is one, so the first sum is the trace, always. The product v[i] v[j] is as
# often 1 as -1, so the second sum is zero in the mean. Here are all eight vectors of
# three signs (Hutchinson, 1989):

# %%
print("diagonal:", jk.hessian_diagonal(f)(jnp.zeros(3)))
print("trace:   ", jk.hessian_trace(f)(jnp.zeros(3)).value)
forms = []
for signs in itertools.product([1.0, -1.0], repeat=3):
    v = jnp.array(signs)
    forms.append(float(v @ H(v)))
print("v'Hv:", forms)
print("their mean:", np.mean(forms), " their variance:", np.var(forms))
rest = H.matrix() - jnp.diag(jnp.diag(H.matrix()))
print("twice the squares beside the diagonal:", 2 * float(jnp.sum(rest**2)))

# %% [markdown]
# That is the variance: what is beside the diagonal is the error, and a Hessian that has
# nothing there is known after one product. The mean of k vectors has a k-th of the
# variance, so four times as many products halve the error. `jk.hessian_trace` returns
# the mean, and beside it the variance that it has, estimated from the same numbers.
#
# If few eigenvalues are large, there is a better way. A third of the products find the
# directions in which H is large; on these the trace is computed exactly, by another
# third; the last third is for what is left. This is *Hutch++* (Meyer, Musco, Musco and
# Woodruff, 2021). Below are two Hessians of 60 inputs. In one all directions are alike,
# in the other they fade away. Each estimate is made 100 times, with new vectors.

# %%
alike = jax.random.normal(jax.random.key(0), (120, 60)) / 10
fading = alike / (1 + jnp.arange(60.0))
keys = jax.random.split(jax.random.key(1), 100)
counts = [6, 12, 24, 48]


def estimates(method, samples):
    """A function of rows: how far estimates are off, and how far they say."""

    def estimate(rows, key):
        trace = jk.hessian_trace(
            lambda x: jnp.sum(jnp.exp(rows @ x)),
            method=method,
            key=key,
            samples=samples,
        )
        return trace(jnp.zeros(60))

    def errors(rows):
        found = jax.vmap(estimate, (None, 0))(rows, keys)
        trace = jnp.sum(rows**2)
        off = jnp.sqrt(jnp.mean((found.value - trace) ** 2))
        return off / trace, jnp.sqrt(jnp.mean(found.variance)) / trace

    return jax.jit(errors)


measured = {}
print("                            ", *(f"{count:6}" for count in counts), " products")
for method in "hutchinson", "hutch++":
    programs = [estimates(method, count) for count in counts]
    for name, rows in ("alike", alike), ("fading", fading):
        pairs = [[round(float(x), 4) for x in errors(rows)] for errors in programs]
        measured[f"{method}, {name}"] = pairs
        for i, what in enumerate(("off by", "stated")):
            each = (f"{pair[i]:6.1%}" for pair in pairs)
            print(f"{method:10} {name:6} {what:10}", *each)


def curves(axes):
    colours = "#d55e00", "#e69f00", "#0072b2", "#56b4e9"
    for (name, pairs), colour in zip(measured.items(), colours, strict=True):
        off, stated = zip(*pairs, strict=True)
        axes.loglog(counts, off, "o", color=colour, label=name, markersize=4)
        axes.loglog(counts, stated, "-", color=colour, linewidth=1)
    axes.set_xticks(counts, map(str, counts))
    axes.minorticks_off()
    axes.set(xlabel="products (line: as stated)", ylabel="error / trace")
    axes.legend(fontsize="small")


picture("20-estimates", curves)

# %% [markdown]
# ## The Gauss-Newton matrix
#
# Most Hessians that one meets are of loss(model(p)). By the chain rule, twice:
#
#     Hessian = J' H J  +  sum of (slope of the loss by output k) (Hessian of output k)
#
# J is the Jacobian of the model, H the Hessian of the loss at what the model returns.
# The first part is the *Gauss-Newton matrix*. It needs first derivatives of the model
# only. And if the loss is convex, as squares and cross-entropies are, it has no negative
# eigenvalue, which can't be said of the Hessian. It is the Hessian where the second part
# is zero: if the model is linear in p, or if the loss is flat at its outputs, as for a
# fit that meets all points. Here is a model that isn't linear, p[0] exp(-p[1] t).

# %%
t = jnp.linspace(0.0, 4.0, 9)
exact = 2 * jnp.exp(-0.7 * t)
noisy = exact + 0.05 * jnp.array([1.0, -1, 1, 1, -1, -1, 1, -1, 1])


def curve(p):
    return p[0] * jnp.exp(-p[1] * t)


def line(p):
    return p[0] - p[1] * t


def squares(points):
    return lambda z: jnp.mean((z - points) ** 2)


def operators(model, loss, p):
    hessian = jk.hessian_operator(lambda p: loss(model(p)))(p)
    return hessian, jk.gauss_newton_operator(model, loss)(p)


true, far = jnp.array([2.0, 0.7]), jnp.array([4.0, 3.0])
print("                          differ by   least eigenvalue: Hessian  Gauss-Newton")
for name, model, points, p in (
    ("line", line, noisy, far),
    ("curve, all points met", curve, exact, true),
    ("curve, points near", curve, noisy, true),
    ("curve, far away", curve, noisy, far),
):
    H, G = (operator.matrix() for operator in operators(model, squares(points), p))
    least = [float(jnp.linalg.eigvalsh(x)[0]) for x in (H, G)]
    print(
        f"{name:24} {jnp.max(jnp.abs(H - G)):10.4f} {least[0]:27.3f} {least[1]:13.3f}"
    )

# %% [markdown]
# The diagonal of J' H J is cheaper than a Hessian's. Where the loss is a mean over
# samples, it is the mean of theirs, and of one sample J has a row for each output of the
# model: here one, whatever number of parameters there is.


# %%
def height(p, t):
    return p[0] * jnp.exp(-p[1] * t)


def square(z, point):
    return (z - point) ** 2


by_rows = jk.gauss_newton_diagonal(height, square)(far, t, noisy)
print("by rows:", by_rows.round(4), "  of G:", jnp.diag(G).round(4))

# %% [markdown]
# ## One step
#
# Newton's step goes to where the slope would be zero if f were a parabola with this
# Hessian: it solves H d = -gradient. `cg`, the method of *conjugate gradients*, solves by
# products alone, so an operator is all it needs. Far from the fit the Hessian has a
# negative eigenvalue, and the parabola has no bottom: Newton's steps go wherever its slope
# is zero, and from the second on that is uphill. With the Gauss-Newton matrix in place of
# the Hessian a step always begins downhill.

# %%
loss = squares(noisy)


def descent(p):
    return -0.5 * jk.grad(lambda p: loss(curve(p)))(p)


def solved(which):
    def step(p):
        slope = jk.grad(lambda p: loss(curve(p)))(p)
        return cg(operators(curve, loss, p)[which], -slope)[0]

    return step


steps, paths = {"gradient": descent, "Newton": solved(0), "Gauss-Newton": solved(1)}, {}
for name, step in steps.items():
    path = [far]
    for _ in range(6):
        path.append(path[-1] + step(path[-1]))
    paths[name] = np.array(path)
    print(f"{name:13}", *(f"{float(loss(curve(p))):8.5f}" for p in path))


def landscape(axes):
    a, b = np.meshgrid(np.linspace(0, 5, 61), np.linspace(0, 5, 61))
    found = jax.vmap(lambda p: loss(curve(p)))(jnp.stack([a.ravel(), b.ravel()], 1))
    levels = [0.01, 0.03, 0.1, 0.2, 0.3, 0.4, 0.5, 0.7, 1, 2]
    axes.contour(
        a, b, np.reshape(found, a.shape), levels, colors="#bbbbbb", linewidths=1
    )
    colours = "#009e73", "#d55e00", "#0072b2"
    for (name, path), colour in zip(paths.items(), colours, strict=True):
        axes.plot(*path.T, "o-", color=colour, label=name, markersize=4)
    axes.set(xlim=(0, 5), ylim=(0, 5), xlabel="p[0]", ylabel="p[1]")
    axes.legend(fontsize="small", loc="lower right")


picture("20-steps", landscape)

# %% [markdown]
# Downhill isn't all: a step may be too long. From (1, 2) the first one leaps far away.
# *Damping* helps: solve (G + 0.1 I) d = -gradient, a shorter step that is turned towards
# the gradient (Levenberg, 1944; Marquardt, 1963).

# %%
p = jnp.array([1.0, 2.0])
slope, G = jk.grad(lambda p: loss(curve(p)))(p), operators(curve, loss, p)[1]
for name, operator in ("G", G), ("G + 0.1 I", lambda v: G(v) + 0.1 * v):
    there = p + cg(operator, -slope)[0]
    print(f"{name:10} from {loss(curve(p)):.3f} to {loss(curve(there)):.3g}")

# %% [markdown]
# ## A gradient that isn't multiplied
#
# One sample passes a layer: x goes in, y = x W comes out, and backwards the cotangent g
# arrives at y. Then the gradient by W is x'g, a column times a row: of a (128, 64) weight
# 8192 numbers, made of 192. For a batch one product of matrices sums them over the
# samples, and none of them is ever made. But who wants to know them one by one, the
# *per-sample gradients*, to clip each or to see which sample is odd, makes them all. It
# is enough to have x and g. Below, a zero is added to what each layer returns: the
# gradient by that zero is g.

# %%
W, V, xs = (
    jax.random.normal(jax.random.key(i), shape) / 8
    for i, shape in enumerate([(128, 64), (64, 10), (50, 128)])
)
params, labels = (W, V), jnp.arange(50) % 10


def network(params, x):
    return jnp.tanh(x @ params[0]) @ params[1]


def entropy(z, label):
    return -jax.nn.log_softmax(z)[label]


def sample_loss(params, x, label):
    return entropy(network(params, x), label)


def with_zeros(zeros, x, label):
    a = jnp.tanh(x @ W + zeros[0])
    return entropy(a @ V + zeros[1], label), (x, a)


gradient = jk.grad(with_zeros, has_aux=True)
at = jax.vmap(gradient, (None, 0, 0))
gs, ins = at((jnp.zeros(64), jnp.zeros(10)), xs, labels)
each = jk.per_sample_grad(sample_loss)(params, xs, labels)
print("of sample 7, by W:", each[0][7].shape, "from", ins[0][7].shape, gs[0][7].shape)
print("the same:", bool(jnp.allclose(each[0][7], jnp.outer(ins[0][7], gs[0][7]))))

# %% [markdown]
# The norm of a column times a row is the product of their norms. So the norms of all the
# samples' gradients cost next to nothing (Goodfellow, 2015). If a sample uses the weight
# at several places, as a sequence does, its gradient is a sum over the places, X'G. Then
# the square of the norm is the sum of all entries of XX' times GG', entry by entry; where
# the places' products nearly cancel, half of the digits are lost that way, and so the kit
# makes the sum. It walks the linear program backward, and leaves the cotangent of a
# weight as this pair.

# %%
ours = jk.per_sample_norms(sample_loss)


def by_hand(xs, gs):
    return sum(jnp.sum(x**2, 1) * jnp.sum(g**2, 1) for x, g in zip(xs, gs, strict=True))


def by_gradients(params, xs, labels):
    found = jax.vmap(jk.grad(sample_loss), (None, 0, 0))(params, xs, labels)
    return jnp.sqrt(sum(jnp.sum(g**2, (1, 2)) for g in found))


print("of samples 0 to 2:", ours(params, xs, labels)[:3].round(4))
print("by hand:          ", jnp.sqrt(by_hand(ins, gs))[:3].round(4))
for name, norms in ("jk.per_sample_norms", ours), ("gradients", by_gradients):
    program = jax.jit(norms).lower(params, xs, labels).compile()
    size = program.memory_analysis().temp_size_in_bytes
    print(f"{name:19} take {size / 1e3:7.1f} kB on the way")

# %% [markdown]
# The squares of the entries of x'g are those of x times those of g, so that their mean
# over the samples is one product of matrices again: `jk.fisher_diagonal` and
# `jk.gradient_moments` take it. How much time that saves is measured in
# `experiments/pages/curvature.md`.
#
# ## Two small matrices for a large one
#
# A weight of 128 by 64 has a Gauss-Newton block of 8192 by 8192 numbers. Of one sample a
# row of J is x'g once more, with another g for each output of the model, and the same x.
# So the block is the *Kronecker product* of two small matrices: each entry of xx' times
# all of a (64, 64) matrix, G'HG, where the rows of G are the g. This is exact. For several
# samples one takes the mean of each factor, and the product of means isn't the mean of
# products: it only stands for the block (Martens and Grosse, 2015). But its inverse is
# cheap, the product of the two inverses.

# %%
factors = jk.kronecker_factors(network, entropy)(params, xs, labels)
for weight, pair in zip(params, factors, strict=True):
    small = pair.left.size + pair.right.size
    print(f"{weight.shape}: {small:6} numbers for {weight.size**2:9}")


def last(V, x):
    return network((W, V), x)


@jax.jit
def blocks(some, those):
    """The block of V, of these samples, and what its factors make of it."""
    J = jk.gauss_newton_operator(
        lambda V: jax.vmap(last, (None, 0))(V, some),
        lambda z: jnp.mean(jax.vmap(entropy)(z, those)),
    )
    pair = jk.kronecker_factors(last, entropy)(V, some, those)
    return J(V).matrix(), pair.matrix()


for count in (1, 2, 50):
    whole, product = blocks(xs[:count], labels[:count])
    apart = jnp.linalg.norm(product - whole) / jnp.linalg.norm(whole)
    print(f"{count:3} samples: differ by {apart:.4f} of the block")

# %% [markdown]
# ## Exercises
#
# 1. Write the norms of a layer's per-sample gradients, for vectors and for sequences, from
#    x and g alone: `python -m jaxkit exercise 20` checks both (`--start` writes the file).
# 2. Hutchinson's estimate may take normal numbers in place of signs. Which variance does
#    it have then, and for which Hessians are signs much better?
