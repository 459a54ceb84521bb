# %% [markdown]
# # 9. What forward and reverse mode cost
#
# **When is forward mode the cheaper one, and when reverse mode?**
#
# Take a chain of functions, x to s to z. Its Jacobian (lesson 6) is the product of
# those of its parts. For numbers the order of the factors doesn't matter. For matrices it
# does: dz/dx = dz/ds · ds/dx, each to the left of what ran before it.

# %%
from itertools import pairwise

import jax
import jax.numpy as jnp
import numpy as np

import jaxkit as jk
from jaxkit.lessons import picture
from jaxkit.study import chain

ds_dx = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])  # 2 numbers in, 3 out
dz_ds = np.array([[1.0, 0.0, 2.0]])  # 3 numbers in, 1 out
print("dz/ds ds/dx =", dz_ds @ ds_dx)
try:
    ds_dx @ dz_ds
except ValueError:
    print("ds/dx dz/ds: the shapes", ds_dx.shape, dz_ds.shape, "don't fit")

# %% [markdown]
# ## Two orders of one product
#
# A product of many matrices may be multiplied from either end, with the same result.
# From the right, beginning with ds/dx, is forward mode: the intermediate products have
# a column for each input. From the left is reverse mode: they have a row for each
# output. `forward_product` and `reverse_product` also count the multiplications.


# %%
def parts(n, m, width=50):
    sizes = [n, width, width, width, m]
    return [np.ones((b, a)) for a, b in pairwise(sizes)]


print("   n    m   forward   reverse")
for n, m in (1, 1), (100, 1), (1, 100), (100, 100):
    _, forward = chain.forward_product(parts(n, m))
    _, reverse = chain.reverse_product(parts(n, m))
    print(f"{n:4} {m:4} {forward:9} {reverse:9}")

# %%
inputs = [1, 2, 4, 8, 16, 32, 64, 128]


def orders(axes):
    for order, colour in (
        (chain.forward_product, "#0072b2"),
        (chain.reverse_product, "#d55e00"),
    ):
        counts = [order(parts(n, 8))[1] for n in inputs]
        name = order.__name__.removesuffix("_product")
        axes.loglog(
            inputs, counts, "o-", color=colour, label=name, base=2, markersize=4
        )
    axes.set(xlabel="inputs n (with 8 outputs)", ylabel="multiplications")
    axes.legend()


picture("09-orders", orders)

# %% [markdown]
# Few inputs: forward. Few outputs: reverse. The curves cross where there are as many of
# one as of the other. The loss of a neural network has millions of inputs and one
# output, so machine learning runs in reverse. In the middle of a chain other orders may
# be better still; to find the best one of a general program is a hard problem (Naumann,
# 2008).
#
# ## Programs, not matrices
#
# A program never makes these matrices: it multiplies them with vectors. `jk.jacfwd`
# gets the Jacobian by n passes forward, one for each unit vector, and `jk.jacrev` by m
# passes backward. `jax.jit(f)` traces f and compiles it, and the compiler says how many
# additions and multiplications the program takes (FLOPs, floating-point operations;
# tanh isn't among them). Below stand the multiples of what f itself takes.

# %%
W = 0.1 * jnp.ones((64, 64))


def flops(f, *args):
    return jax.jit(f).lower(*args).compile().cost_analysis()["flops"]


def network(n, m):
    first, last = jnp.ones((64, n)), jnp.ones((m, 64))
    return lambda x: last @ jnp.tanh(W @ jnp.tanh(W @ jnp.tanh(first @ x)))


print("   n    m   jacfwd / f   jacrev / f")
for n, m in (1, 1), (8, 1), (64, 1), (1, 64), (8, 8):
    f, x = network(n, m), jnp.ones(n)
    forward, reverse = (
        flops(jac(f), x) / flops(f, x) for jac in (jk.jacfwd, jk.jacrev)
    )
    print(f"{n:4} {m:4} {forward:12.0f} {reverse:12.0f}")

# %% [markdown]
# Theory says n + 1 and m + 1 here: once f itself, and a pass for each input or for each
# output. The rows with m = 1 are the point, in the last column: *a gradient costs a small
# multiple of f, however many inputs there are* (Baur and Strassen, 1983; Griewank and
# Walther, Evaluating Derivatives, 2008, chapter 4). Finite differences would take n + 1
# runs of f. What reverse mode pays instead is memory, for residuals: see lesson 12.
#
# Operations are not seconds: memory and threads matter too. In a clone of the kit,
# `python -m experiments scaling --quick` measures times over n and m.
#
# ## Exercises
#
# 1. Choose the cheaper order of a chain: `python -m jaxkit exercise 9` checks it.
# 2. A chain goes from 100 numbers to 2, and from these to 100. How many multiplications
#    does the product of its two parts take? And how many does it take to apply first
#    one part, then the other, to a vector?
