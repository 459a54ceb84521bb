# %% [markdown]
# # 12. Checkpoints and sparsity
#
# **How can derivatives be had with less memory, and with fewer passes?**
#
# Reverse mode needs the values of the forward pass in the opposite order (lesson 7), so
# all of them are kept. Of a chain s1, s2, ..., sn one may keep every other value
# instead: s1, s3, s5, ... When the walk back needs one that is missing, it is computed
# again from the one before. `chain.reverse` does this, for functions of one number.

# %%
import jax
import jax.numpy as jnp
import numpy as np

import jaxkit as jk
from jaxkit.lessons import picture
from jaxkit.study import chain

functions, slopes = [np.sin, np.exp] * 4 + [np.sin], [np.cos, np.exp] * 4 + [np.cos]
full = chain.reverse(functions, slopes, 0.3)
some = chain.reverse(functions, slopes, 0.3, keep=chain.every_other)
for name, result in ("all", full), ("every other", some):
    print(f"{name:12} {result.derivative:.6f} kept {result.kept}", end=" ")
    print(f"computed again {result.recomputed}")

# %% [markdown]
# The derivative is the same. Half of the memory costs half of a forward pass more,
# since each missing value is computed once. Fewer may be kept: of 100 values every
# tenth, then the stretch that is being walked is computed again, and at most 10 + 9 are
# held at a time. About 2 sqrt(n) values for one more forward pass is a good bargain
# (Chen and others, 2016). Taken further, the idea lets memory grow like log n, for extra
# work like n log n: some log n more forward passes (Griewank, 1992).

# %%
rules = {
    "all": lambda n: range(1, n + 1),
    "every other": chain.every_other,
    "every tenth": lambda n: range(10, n + 1, 10),
}
for name, keep in rules.items():
    result = chain.reverse([np.sin] * 100, [np.cos] * 100, 0.3, keep)
    again = len(result.recomputed)
    print(f"{name:12} kept {len(result.kept):3}  computed again {again:3}")

# %% [markdown]
# ## In a program
#
# `jax.checkpoint(f)` is f with a promise: keep its inputs, and compute the rest again.
# What is kept are the residuals (lesson 8) of the linear program. `jax.tree.leaves`
# lists them. For the price we count sines and cosines, in the program that goes to the
# compiler. `value_and_grad` returns f(x) and the gradient.


# %%
def waves(x):
    for _ in range(8):
        x = jnp.sin(x) * 1.5
    return jnp.sum(x)


x = jnp.linspace(0.0, 1.0, 1000)
for name, f in ("waves", waves), ("checkpointed", jax.checkpoint(waves)):
    _, f_jvp = jk.linearize(f, x)
    kilobytes = sum(r.nbytes for r in jax.tree.leaves(f_jvp)) / 1000
    program = jax.jit(jk.value_and_grad(f)).lower(x)
    sines = program.cost_analysis()["transcendentals"] / 1000
    print(f"{name:13} residuals: {kilobytes:3.0f} kB   sines: {sines:3.0f} thousand")

# %% [markdown]
# ## Sparsity
#
# Many Jacobians are mostly zeros. Here each output depends on an input and its
# neighbours, as in a model of heat or of a flow. `matrix()` shows which entries are not
# zero.

# %%
n = 9


def flow(x):
    left, right = jnp.roll(x, 1).at[0].set(0.0), jnp.roll(x, -1).at[-1].set(0.0)
    return x * (right - left) + 0.5 * (right - 2 * x + left)


x = 1 + jnp.arange(n) / 10
_, flow_jvp = jk.linearize(flow, x)
jacobian = np.array(flow_jvp.matrix())
pattern = jacobian != 0
for row in pattern:
    print(" ".join("x" if entry else "." for entry in row))

# %% [markdown]
# In each row, columns 0, 3, 6, ... have at most one entry that isn't zero. So one
# tangent with a 1 at all of these inputs gives all those columns at once, and we know
# from the pattern which is which. Columns that never meet in a row may share a pass;
# they are given one colour. Three colours, three passes, whatever n is (Curtis, Powell
# and Reid, 1974).

# %%
recovered = np.zeros((n, n))
colours = [np.arange(n) % 3 == k for k in range(3)]  # the columns of each
for seed in colours:
    pushed = flow_jvp(jnp.where(seed, 1.0, 0.0))
    rows, columns = np.nonzero(pattern & seed)
    recovered[rows, columns] = np.array(pushed)[rows]
print("all entries by 3 passes:", np.allclose(recovered, jacobian))


def coloured(axes):
    for k, shade in enumerate(("#0072b2", "#d55e00", "#009e73")):
        rows, columns = np.nonzero(pattern & colours[k])
        axes.plot(columns, rows, "s", color=shade, markersize=11, label=f"pass {k + 1}")
    axes.set(xlabel="input j", ylabel="output i")
    axes.invert_yaxis()
    axes.legend()


picture("12-colours", coloured, size=(3.4, 3.4))

# %% [markdown]
# We took the pattern from the full matrix, at one point, to show the idea. In use it
# must be known beforehand, from the program (lesson 18); a zero by accident would mislead us.
#
# ## Exercises
#
# 1. Write an every-other checkpoint policy: `python -m jaxkit exercise 12` checks it.
# 2. How many colours do you need if each output depends on two neighbours on each side?
