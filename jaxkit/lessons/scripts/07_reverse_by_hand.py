# %% [markdown]
# # 7. Reverse mode by hand
#
# **How can one pass backwards through a program give the derivatives by all inputs?**
#
# Forward mode asks of each node: how fast does it move with x? Reverse mode asks: how
# fast does the *output* move with this node? That number is the node's *adjoint*.
# Number the nodes of f: n1 = x, n2 = y, n3 = 2, and then the four operations.

# %%
from collections import Counter

import jaxkit as jk
from jaxkit.lessons import picture
from jaxkit.study import tape


def f(x, y):
    return x * x * y + (y + 2)


n1, n2, n3 = 3.0, 4.0, 2.0
n4 = n1 * n1
n5 = n4 * n2
n6 = n2 + n3
n7 = n5 + n6
print(n1, n2, n3, n4, n5, n6, n7)

# %% [markdown]
# Now walk back. The output moves with itself at rate 1. A node hands its adjoint, times
# the partial, to each of its operands. What arrives at a node is added up, since it
# moves the output on each of those ways. n1 gets two shares from n4 = n1 * n1, and n2
# gets one from n5 and one from n6.

# %%
a7 = 1.0
a5 = a6 = a7  # n7 = n5 + n6: both partials are 1
a3 = a6
a4 = a5 * n2  # n5 = n4 * n2: the partial by n4 is n2
a2 = a6 + a5 * n4
a1 = a4 * n1 + a4 * n1
print("df/dx, df/dy =", a1, a2, "  all adjoints:", a1, a2, a3, a4, a5, a6, a7)

# %% [markdown]
# One pass gave both derivatives. It would give a thousand just so. What it needs is the
# list of operations with their values. A *tape* is that list, written while f runs.

# %%
recorded = tape.Tape(f, [3.0, 4.0])
for node in recorded.backward(1.0):  # yields a node when its adjoint is complete
    numbers = f"value {node.value:4.1f}  adjoint {node.adjoint:4.1f}"
    print(f"{node} {node.operation:8}", numbers)

# %% [markdown]
# ## Walk the graph, not the tree
#
# When the walk comes to a node, all that use it have been visited, and its adjoint is
# complete. So each node is visited once. A walk that hands on at once whatever arrives
# visits a node once for each way to it: it is a walk of the tree (lesson 4). Fifteen
# squarings in a row have 16 nodes, and 2 to the 15th ways from the last to the first.


# %%
def squarings(x):
    for _ in range(15):
        x = x * x
    return x


def hasty_walk(node, gradient):
    visits[node.operation] += 1
    node.adjoint = (node.adjoint or 0) + gradient
    for operand, partial in zip(node.operands, node.partials, strict=True):
        hasty_walk(operand, gradient * partial)


recorded, visits = tape.Tape(squarings, [1.0]), Counter()
hasty_walk(recorded.output, 1.0)
print("the hasty walk:      ", dict(visits), "gradient", recorded.inputs[0].adjoint)
hasty_walk(recorded.output, 1.0)
print("once more, it adds up:", recorded.inputs[0].adjoint)
print(
    "the tape:            ",
    len(recorded.nodes),
    "nodes, gradient",
    recorded.gradient()[0],
)

# %% [markdown]
# ## Explain
#
# `jk.explain(f)(3.0, 4.0)` shows both modes for any JAX program. Columns `dx=1` and
# `dy=1` are tangents (lesson 6), `df/dn` is the adjoint. "Adjoint arrives from" is
# where it came from: `n4: 4*3 + 4*3` reads "from n4, its adjoint 4 times the partial 3,
# twice". Where the partial is 1 there is the adjoint alone, `n6: 1`, and where nothing
# else arrives not even that, `n6`. `seed` is the 1 at which the walk starts. Below the table stand the lines of
# code, the gradient beside that of JAX and of central differences (lesson 2), how many
# passes each mode takes, and which values had to be kept for the walk back.

# %%
explanation = jk.explain(f)(3.0, 4.0)
print(explanation)
picture("07-reverse", explanation)

# %% [markdown]
# With `step=True` it is computed one node at a time. What isn't known yet is a dot.
# After the seven nodes forward, and three backward, n2 holds what has arrived so far,
# and n4 waits to hand on:

# %%
for count, state in enumerate(jk.explain(f, step=True)(3.0, 4.0), 1):
    if count == 10:
        print(str(state).split("\n\n")[0])

# %% [markdown]
# ## Exercises
#
# 1. Walk a small tape backwards: `python -m jaxkit exercise 7` checks your adjoints.
# 2. For g(x, y) = (x + y) (x + y), find all adjoints by hand at (1, 2). Compare them
#    with `print(jk.explain(g)(1.0, 2.0))`.
