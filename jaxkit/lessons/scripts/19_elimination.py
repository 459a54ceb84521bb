# %% [markdown]
# # 19. Bottlenecks and elimination
#
# **In which order should one multiply the derivatives of a program's steps, if neither
# forward nor backward is the best?**
#
# Lesson 9 had two orders: from the inputs on, forward mode, or from the outputs back,
# reverse mode. With as many outputs as inputs neither is cheap. But look at what lies
# between. The function below takes 500 numbers to 500, and all of them pass 3.

# %%
import jax
import jax.numpy as jnp
import numpy as np

import jaxkit as jk
from jaxkit.lessons import picture

into = jnp.sin(jnp.arange(1500.0)).reshape(3, 500) / 10
out = jnp.cos(jnp.arange(1500.0)).reshape(500, 3)


def narrow(x):
    three = jnp.tanh(into @ jnp.sin(x))
    return jnp.exp(out @ three / 10)


x = jnp.linspace(0.0, 1.0, 500)
print(jk.jacobian(narrow).choice(x))

# %% [markdown]
# This is a *bottleneck*. The derivative of the 3 numbers by all inputs takes 3 passes
# backward, that of all outputs by the 3 numbers takes 3 passes forward, and the
# Jacobian is the product of a (500, 3) by a (3, 500) matrix. `jk.jacobian` counts what
# each way costs, from the equations of the linear program (lesson 8), and takes the
# cheapest. The compiler counts, too:


# %%
def flops(f, *args):
    return jax.jit(f).lower(*args).compile().cost_analysis()["flops"]


found = {}
for mode in ("forward", "reverse", "mixed"):
    jacobian = jk.jacobian(narrow, mode=mode)
    found[mode] = jacobian(x)
    print(f"{mode:8} {flops(jacobian, x) / 1e6:5.1f} million operations")
print("the same:", bool(jnp.allclose(found["mixed"], found["reverse"], atol=1e-6)))

# %% [markdown]
# ## A graph of numbers
#
# A program has more places than one where it might be cut, and need not be cut straight
# through. To see them all, look at single numbers. Each is a vertex of a graph, the
# *computational graph*, and an edge leads to it from each number that it was computed
# from. The edge has the partial derivative.


# %%
def g(x, y):
    s = jnp.sin(x)
    t = s * y
    return t * s, jnp.exp(t)


jacobian = jk.eliminated(g, argnums=(0, 1))
plan = jacobian.plan(0.5, 2.0)
edges = enumerate(plan.graph.edges)
print("  ".join(f"v{a}->v{b}" for b, sources in edges for a in sources))

# %% [markdown]
# The derivative of an output by an input is a sum over all paths that lead from one to
# the other; of each path it is the product of its edges. That is the chain rule, all of
# it, at once (Bauer, 1974). Here it is as a program, of two lines:

# %%
partials = jacobian.partials(0.5, 2.0)


def derivative(v, i):
    if v <= 1:
        return float(v == i)  # v0 and v1 are the inputs
    edges = plan.graph.edges[v].items()
    return sum(partials[edge.number] * derivative(a, i) for a, edge in edges)


for v in plan.graph.outputs:
    print(f"v{v} by x: {derivative(v, 0):.4f}  by y: {derivative(v, 1):.4f}")
print("by jacfwd:", np.array(jk.jacfwd(g, (0, 1))(0.5, 2.0)).round(4), sep="\n")

# %% [markdown]
# But there can be very many paths, and paths share edges. So one takes vertices away.
# To *eliminate* a vertex, multiply each edge that leads to it by each that leads away;
# the product is an edge past the vertex, and is added to the one that may be there. Once
# all inner vertices are gone, the edges that are left are the Jacobian. What that
# computes is a program again:

# %%
print(plan)

# %% [markdown]
# ## The order decides
#
# Eliminating a vertex takes as many multiplications as it has edges in, times edges
# out: its *Markowitz degree*. First to last is forward mode, of tangents without their
# zeros; last to first is reverse mode. Below, three numbers meet in one, which goes to
# three, and so on for some rounds: an hourglass on an hourglass. The rule that takes
# the least degree next finds all the waists.


# %%
def hourglass(rounds):
    def f(a, b, c):
        for _ in range(rounds):
            s = jnp.sin(a * b * c)
            a, b, c = jnp.cos(2 * s), jnp.cos(3 * s), jnp.exp(s)
        return a, b, c

    return f


ORDERS = "forward", "reverse", "markowitz", "fill"
counts = []
print("rounds", *(f"{order:>10}" for order in ORDERS))
for rounds in (1, 2, 4, 8):
    plans = [
        jk.eliminated(hourglass(rounds), (0, 1, 2), order=order).plan(1.0, 1.0, 1.0)
        for order in ORDERS
    ]
    counts.append([rounds, *(plan.multiplications for plan in plans)])
    print(f"{rounds:6}", *(f"{count:10}" for count in counts[-1][1:]))


def by_rounds(axes):
    colours = "#0072b2", "#d55e00", "#009e73"
    for i, (order, colour) in enumerate(zip(ORDERS, colours, strict=False), 1):
        points = [(row[0], row[i]) for row in counts]
        axes.plot(*zip(*points, strict=True), "o-", color=colour, label=order)
    axes.set(xlabel="rounds", ylabel="multiplications")
    axes.legend()


picture("19-orders", by_rounds)

# %% [markdown]
# `fill` is another rule: next comes the vertex that adds the fewest edges where there
# were none, the least *fill-in*. Neither rule is always right. To find the best order
# is NP-complete (Naumann, 2008): nobody knows a quick way.
#
# ## A search
#
# What one can do is try. `order="search"` starts from the best rule, moves a vertex to
# another place in the order, and counts again, thousands of times a second. What is
# better is kept; what is a little worse, too, at first, lest it be stuck. Here are two
# steps of a double pendulum, of two angles and two speeds:


# %%
def slope(p, q, u, v):
    d = p - q
    low = 2 - jnp.cos(d) ** 2
    pull = jnp.sin(d) * (u * u * jnp.cos(d) + v * v)
    push = jnp.sin(d) * (2 * u * u + v * v * jnp.cos(d))
    du = (jnp.sin(q) * jnp.cos(d) - 2 * jnp.sin(p) - pull) / low
    dv = (2 * jnp.sin(p) * jnp.cos(d) - 2 * jnp.sin(q) + push) / low
    return u, v, du, dv


def pendulum(*state):
    h = 0.1
    for _ in range(2):
        half = [a + h / 2 * b for a, b in zip(state, slope(*state), strict=True)]
        state = [a + h * b for a, b in zip(state, slope(*half), strict=True)]
    return state


state, argnums = (0.3, 0.4, 0.5, 0.6), (0, 1, 2, 3)
for order in ORDERS:
    plan = jk.eliminated(pendulum, argnums, order=order).plan(*state)
    print(f"{order:10} {plan.multiplications} multiplications")
for tries in (100, 1000, 10_000):
    searched = jk.eliminated(pendulum, argnums, order="search", tries=tries)
    print(f"{tries:6} tries {searched.plan(*state).multiplications}")
difference = jnp.subtract(
    jnp.array(searched(*state)), jnp.array(jk.jacfwd(pendulum, argnums)(*state))
)
print("differs from jacfwd by", f"{float(jnp.max(jnp.abs(difference))):.0e}")

# %% [markdown]
# The order is found once, for arguments of given types, and serves all values. It pays
# where a Jacobian of a few numbers is needed very often: in each step of a solver, or in
# each cell of a simulation. For large arrays there are too many vertices, and the ways
# of lessons 14 and 18 are the right ones.
#
# ## Exercises
#
# 1. Find the bottleneck of a chain, and eliminate a vertex: `python -m jaxkit exercise
#    19` checks both (`--start` writes the file).
# 2. A graph is one path, from an input over n inner vertices to an output. How many
#    multiplications do the forward and the reverse order take, and any other? What must
#    a graph have for orders to differ?
