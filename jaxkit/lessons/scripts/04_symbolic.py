# %% [markdown]
# # 4. Symbolic differentiation
#
# **Can a program apply the rules of lesson 1 to a formula, and what becomes of the
# formula?**
#
# `symbolic.build` traces a function (lesson 3) on variables, and returns an
# *expression*: a graph of nodes `Const`, `Var`, `Add`, `Mul` and so on. It can be
# printed and evaluated.

# %%
import numpy as np

from jaxkit.lessons import picture
from jaxkit.study import symbolic


def f(x, y):
    return x * x * y + (y + 2)


graph, variables = symbolic.build(f, x=3.0, y=4.0)
x, y = variables["x"], variables["y"]
print(graph, "=", graph.evaluate())
tree, nodes = symbolic.size(graph), symbolic.nodes(graph)
print("nodes, as a tree:", tree, " as a graph:", len(nodes))
picture("04-f", symbolic.graph(graph))

# %% [markdown]
# As a *tree*, which is how it is printed, x and y stand there each time they are used.
# As a *graph*, each is one node with several arrows leaving it.
#
# A text can hide which graph it is. (x²y + y) + 2 prints the same, for `Add` prints no
# brackets, and both are 42. But they are not the same program: what is added last is
# y + 2 = 6 in one, and 2 in the other.

# %%
other = (x * x * y + y) + 2
print("same text:", str(other) == str(graph), end="  added last: ")
print(graph.operands[1].evaluate(), "and", other.operands[1].evaluate())

# %% [markdown]
# ## The derivative is an expression again
#
# `gradient` applies one rule for each class. For `Mul` it is the product rule: of a·b
# it makes `Add(Mul(a, db), Mul(da, b))`. A `Const` gives 0, the variable itself 1.

# %%
dx, dy = graph.gradient(x), graph.gradient(y)
print("df/dx raw:   ", dx, "=", dx.evaluate())
print("df/dx pruned:", dx.prune(), "=", dx.prune().evaluate())
print("df/dy pruned:", dy.prune(), "=", dy.prune().evaluate())
print("nodes raw:", symbolic.size(dx), " pruned:", symbolic.size(dx.prune()))
g = 5 + x * y
print("dg/dx of 5 + xy:", g.gradient(x), " pruned:", g.gradient(x).prune())

# %% [markdown]
# *Pruning* drops what needn't be computed: 0 times anything (finite), 1 times, 0 plus,
# and operations on constants alone, which it carries out.
# The rules stand in a table, and you can add to it. A rule is a function of the
# operands that returns an equal, smaller expression, or `None`.
#
# The result can be differentiated again. This gives the Hessian, exactly.

# %%
second = [[d.gradient(v) for v in (x, y)] for d in (dx, dy)]
print("Hessian:", [[d.evaluate() for d in row] for row in second])
print("nodes raw:   ", [[symbolic.size(d) for d in row] for row in second])
print("pruned:", [[str(d.prune()) for d in row] for row in second])


@symbolic.rule(symbolic.Sub)
def same_minus_same(a, b):
    return symbolic.Const(0) if a is b else None


u = x * y
print(f"a rule of our own: ({u}) - ({u}) + y becomes {((u - u) + y).prune()}")

# %% [markdown]
# ## Expression swell
#
# The product rule uses both factors twice. So each derivative is several times as large
# as the last, and pruning doesn't stop that: this is *expression swell*. Most of it is
# repetition. `share` finds equal parts and makes them one node of the graph.
#
# `np.sin` below is NumPy's sine. Given an expression it makes one, since NumPy asks what
# it is given for what to do; `math.sin` would want a plain number.

# %%
expression, v = symbolic.build(lambda x: np.sin(x * x) * np.cos(x * x), x=0.5)
print("order   tree   tree, pruned   graph, pruned and shared")
for order in range(6):
    pruned = expression.prune()
    trees = symbolic.size(expression), symbolic.size(pruned)
    shared = len(symbolic.nodes(symbolic.share(pruned)))
    print(f"{order:5} {trees[0]:6} {trees[1]:14} {shared:10}")
    expression = expression.gradient(v["x"])

# %% [markdown]
# The lesson of the last column: don't compute with the printed formula, compute with
# the graph, and each part once. The next methods go further. They build no formula for
# the derivative at all, only its value.
#
# An expression also has no `if`. One graph stands for all values of x and y, a branch
# holds for some of them; so a variable, though it has a value here, refuses to be tested.
#
# ## Exercises
#
# 1. Write a pruning rule: `python -m jaxkit exercise 4` checks it.
# 2. Differentiate x·x·x·x (three multiplications) by x. How many nodes has the raw
#    tree, and how many has the pruned one?
