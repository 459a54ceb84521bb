# %% [markdown]
# # 18. Sparsity and colouring
#
# **Where is a derivative zero, how does one know before it is computed, and how few
# passes give the rest?**
#
# Lesson 12 took the zeros of a Jacobian from the Jacobian itself. That is the wrong way
# around: one wants to know them beforehand, to compute less. All that is needed is
# which inputs an output depends on. Each line of a program reads a few values, so it
# depends on whatever these depend on. Here are five lines, and their sets of inputs.

# %%
import jax
import jax.numpy as jnp
import numpy as np

import jaxkit as jk
from jaxkit.lessons import picture


def f(x):
    a = x[0] * x[1]
    b = jnp.sin(x[2])
    c = a + b
    d = b * x[3]
    e = d**2
    return jnp.stack([a, c, e])


reads = {"a": ["x0", "x1"], "b": ["x2"], "c": ["a", "b"], "d": ["b", "x3"], "e": ["d"]}
depends = {f"x{i}": {i} for i in range(4)}
for name, others in reads.items():
    depends[name] = set().union(*(depends[other] for other in others))
    print(name, "reads", " ".join(others).ljust(6), "and depends on", depends[name])

# %% [markdown]
# A set of inputs for each output: that is a row of the *pattern*, with a cross for each
# entry that may differ from zero. `jk.sparsity` does the same with arrays. It takes the
# linear program (lesson 8), and in place of a tangent it sends sets through it, one for
# each entry of the tangent: `mul` keeps them, `add` unites two, `reshape` moves them.

# %%
print(jk.sparsity(f)(jnp.ones(4)))

# %% [markdown]
# ## Columns that never meet
#
# Now the model of a flow of lesson 12, in which each output depends on three
# neighbours. Two columns meet if both have an entry in some row. Columns that never
# meet may share a pass: the tangent has a one for each of them, each output receives
# one entry at most, and the pattern says which (Curtis, Powell and Reid, 1974).
# `jk.sparse_jacobian` does this, and its `plan` says what it takes.


# %%
def flow(x):
    left, right = jnp.pad(x[:-1], (1, 0)), jnp.pad(x[1:], (0, 1))
    return x * (right - left) + 0.5 * (right - 2 * x + left)


jacobian = jk.sparse_jacobian(flow)
for n in 10, 1000:
    print(jacobian.plan(jnp.ones(n)), end="\n\n")

x = 1 + jnp.arange(10.0) / 10
print("the same numbers:", np.allclose(jacobian(x).todense(), jk.jacfwd(flow)(x)))

# %% [markdown]
# Three passes, however many inputs. To choose who shares is *colouring*: columns are
# the vertices of a graph, those that meet are joined, and joined ones must differ in
# colour. A row with three entries needs three colours, so three are the fewest. On a
# grid, where a cell has four neighbours, five are needed, and five do: take i + 2j
# modulo 5 in cell (i, j). To find the fewest of any graph is too hard (Coleman and
# Moré, 1983). The kit takes vertex by vertex, and for each the first colour that is
# allowed; it does so in several orders, and keeps the best. Here that is one more than
# the fewest. The picture has the entries in the colours of their passes.


# %%
def grid(x):
    a = jnp.pad(x.reshape(6, 6), 1)
    near = a[:-2, 1:-1] + a[2:, 1:-1] + a[1:-1, :-2] + a[1:-1, 2:]
    return (x.reshape(6, 6) ** 2 * near).ravel()


plan = jk.sparse_jacobian(grid).plan(jnp.ones(36))
print(plan)
i, j = np.indices((6, 6))
fewest = ((i + 2 * j) % 5).ravel()
pattern = plan.pattern.matrix.toarray()
shared = [pattern[:, fewest == k].sum(1).max() for k in range(5)]
print("by hand: 5 colours, and the most entries of a colour in a row:", max(shared))
picture("18-grid", plan)

# %% [markdown]
# ## Rows, and both
#
# A pass backward gives a row. So rows may be coloured in place of columns, and where
# outputs are few, that is better. But here the first output reads all inputs: all
# columns meet. And the first input reaches all outputs: all rows meet. One pass
# backward gives the full row; what is left are columns of which two colours do.


# %%
def arrow(x):
    return jnp.concatenate([jnp.sum(x**2)[None], x[0] * jnp.sin(x[1:])])


for mode in "forward", "reverse", "both":
    plan = jk.sparse_jacobian(arrow, mode=mode).plan(jnp.ones(12))
    print(f"{mode:8} passes: {plan.forward} forward, {plan.reverse} backward")
picture("18-arrow", plan)

# %% [markdown]
# ## Hessians
#
# A Hessian is symmetric, so an entry may be had from its column or from its row, and
# fewer colours do. In the arrow of a Hessian all columns meet, but column 0 alone gives
# row 0 as well; all others share a second pass, which gives the diagonal. That each
# entry stands alone in one of the passes is a *star colouring*. A chain, where a column
# meets its neighbours only, takes three passes so. It takes two if one computes a
# little afterwards: what stands alone is taken away from where it doesn't, and then
# something else stands alone.

# %%
matrix = jnp.array([[2.0, 5, 0, 0], [5, 3, 6, 0], [0, 6, 4, 7], [0, 0, 7, 1]])
even, odd = matrix @ jnp.array([1.0, 0, 1, 0]), matrix @ jnp.array([0.0, 1, 0, 1])
print("passes:", even, odd)
first = odd[0]  # stands alone
second = even[1] - first  # first + second is what the pass gave
third = odd[2] - second
print("beside the diagonal:", first, second, third)

# %% [markdown]
# This is *substitution*, and needs an *acyclic colouring*: the edges between any two
# colours make no circle, so that there is always an end to begin with. It takes the
# fewest passes, but rounding errors add up along the way (Gebremedhin and others,
# 2007). Each pass is a Hessian-vector product (lesson 10).


# %%
def surface(u):  # the area of a surface over a grid
    u = u.reshape(8, 8)
    down, along = u[1:, :-1] - u[:-1, :-1], u[:-1, 1:] - u[:-1, :-1]
    return jnp.sum(jnp.sqrt(1 + down**2 + along**2))


functions = {
    "arrow": lambda x: jnp.sum(x[0] * x[1:] ** 2),
    "chain": lambda x: jnp.sum(x[:-1] * x[1:] ** 2),
    "surface": surface,
}
print("         columns  star  acyclic")
for name, g in functions.items():
    columns = jk.sparse_jacobian(jk.grad(g), mode="forward").plan(jnp.ones(64))
    star, acyclic = (
        jk.sparse_hessian(g, recovery=how).plan(jnp.ones(64))
        for how in ("direct", "substitution")
    )
    print(f"{name:8} {columns.forward:7} {star.forward:5} {acyclic.forward:8}")

# %% [markdown]
# ## Everywhere, or here
#
# `jk.sparsity` looks at no numbers, so that its pattern holds at every input: it is
# *global*. What a comparison decides may then be anything. `where="local"` looks at the
# numbers, and sees less: but it holds at this input only. A pattern that is too small
# is worse than one that is too large: what it leaves out is lost, or added to other
# entries, and nobody says so.

# %%
x, other = jnp.array([3.0, 1.0, 2.0]), jnp.array([1.0, 2.0, 3.0])
print(jk.sparsity(jnp.sort)(x))
local = jk.sparsity(jnp.sort, where="local")(x)
print(local)
wrong = jk.sparse_jacobian(jnp.sort, pattern=local, format="dense")
print("at the same input:", wrong(x).tolist(), " at another:", wrong(other).tolist())
print("should be:        ", jk.jacfwd(jnp.sort)(other).tolist())

# %% [markdown]
# ## Of the function, or of its derivative?
#
# Rounding is flat, and its pattern is empty. But a *straight-through* rule (lesson 16)
# says that its derivative is one. Who reads the function, looks at `round` and finds
# zeros; who reads the linear program finds what is computed. The two differ wherever
# somebody has told the program what its derivative is.


# %%
@jax.custom_jvp
def straight(x):
    return jnp.round(x)


straight.defjvp(lambda primals, tangents: (straight(*primals), tangents[0]))

x = jnp.array([0.2, 1.4, 2.6])
print("2 * round:   ", jk.sparsity(lambda x: 2 * jnp.round(x))(x).nnz, "entries")
print("2 * straight:", jk.sparsity(lambda x: 2 * straight(x))(x).nnz, "entries")
print(jk.sparse_jacobian(lambda x: 2 * straight(x))(x).todense())

# %% [markdown]
# ## What it saves
#
# Of n outputs of n inputs, dense modes take n passes, and n times n numbers to write
# the result down. How much time that is, is measured in `experiments/pages/sparsity.md`.

# %%
print("of the flow:  passes  entries   dense: passes  entries")
for n in 100, 1000, 10_000:
    plan = jacobian.plan(jnp.ones(n))
    print(f"{n:11} {plan.forward:8} {plan.pattern.nnz:8} {n:15} {n * n:9}")

# %% [markdown]
# ## Exercises
#
# 1. Colour a pattern, and put the entries back into their places: `python -m jaxkit
#    exercise 18` checks both (`--start` writes the file).
# 2. Find a pattern of three rows and four columns for which the first allowed colours,
#    from left to right, are three, although two would do.
