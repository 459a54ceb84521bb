# %% [markdown]
# # 0. What derivatives are for
#
# **What does one do with a derivative, and why should a program find it?**
#
# Here are five points, and a line a x + b that is to run through them as well as it
# can. How well it does is one number, the *loss*: the mean of the squared distances. It
# tells how bad a choice of a and b is, and not which choice is better. The derivative
# tells that: how fast the loss moves when a does, or b. There are two such slopes, and
# `jk.grad` finds them.

# %%
import jax
import jax.numpy as jnp

import jaxkit as jk
from jaxkit.lessons import picture

xs = jnp.array([0.0, 1.0, 2.0, 3.0, 4.0])
ys = jnp.array([1.1, 2.9, 5.2, 6.8, 9.1])


def loss(a, b):
    return jnp.mean((a * xs + b - ys) ** 2)


slopes = jk.grad(loss, argnums=(0, 1))  # by argument 0, a, and by argument 1, b
print("loss at a = 0, b = 0:  ", loss(0.0, 0.0))
print("its slopes by a and b: ", *slopes(0.0, 0.0))
print("loss at a = .01, b = 0:", loss(0.01, 0.0))

# %% [markdown]
# Both slopes are negative there: the loss falls as a and b grow. A hundredth more of a
# should lower it by a hundredth of 28, and nearly does. So take a step against the
# slopes, and another one from there. This is *gradient descent*. How long a step is, for
# a slope of one, is called the rate.

# %%
a, b, rate = 0.0, 0.0, 0.05
path = [(a, b)]
for step in range(1, 201):
    by_a, by_b = slopes(a, b)
    a, b = a - rate * by_a, b - rate * by_b
    path.append((a, b))
    if step in (1, 2, 5, 20, 200):
        print(f"step {step:3}: a {a:.4f}  b {b:.4f}  loss {loss(a, b):.4f}")
print("the best line:", *(f"{x:.4f}" for x in jnp.polyfit(xs, ys, 1)))


# %%
def lines(axes):
    for step, colour in (
        (0, "#bbbbbb"),
        (1, "#56b4e9"),
        (2, "#0072b2"),
        (200, "#d55e00"),
    ):
        a, b = path[step]
        axes.plot(xs, a * xs + b, color=colour, label=f"{step}")
    axes.plot(xs, ys, "o", color="#009e73")
    axes.set(xlabel="x", ylabel="y")
    axes.legend(title="steps")


picture("00-lines", lines)

# %% [markdown]
# ## A network, in the same way
#
# For a line there is a formula. For a *neural network* there is none, but there is a
# loss, and it has slopes. This one has a layer of eight numbers between x and y: 25
# numbers to be found, in a dictionary. `jk.grad` takes it as it is, and returns one of
# slopes. `jax.jit` compiles a step, so that two thousand of them take a moment.

# %%
x = jnp.linspace(-3.0, 3.0, 40)
y = jnp.sin(2 * x) + 0.3 * x


def network(p, x):
    hidden = jnp.tanh(jnp.outer(x, p["in"]) + p["shift"])
    return hidden @ p["out"] + p["level"]


def misfit(p):
    return jnp.mean((network(p, x) - y) ** 2)


@jax.jit
def improved(p):
    slopes = jk.grad(misfit)(p)
    return jax.tree.map(lambda p, slope: p - 0.1 * slope, p, slopes)


spread = jnp.linspace(-2.0, 2.0, 8)
begin = {"in": spread[::-1] + 0.1, "shift": spread, "out": 0.5 * spread, "level": 0.0}
p = begin
for step in range(2001):
    if step in (0, 1, 10, 100, 1000, 2000):
        print(f"step {step:4}: misfit {misfit(p):.5f}")
    p = improved(p)


# %%
def fits(axes):
    axes.plot(x, y, "o", color="#009e73", markersize=3, label="to be learned")
    axes.plot(x, network(begin, x), color="#bbbbbb", label="before")
    axes.plot(x, network(p, x), color="#d55e00", label="after 2000 steps")
    axes.set(xlabel="x", ylabel="y")
    axes.legend()


picture("00-network", fits)

# %% [markdown]
# Nothing here knew what the network is: only that its loss has slopes. Whatever can be
# written as a program with a number at its end can be improved so: a lens, a bridge, a
# forecast, a portfolio. And that is why the slopes should come from the program itself.
# By hand they are long and easily wrong (lesson 1). By trying, moving each of the 25
# numbers a little, a step takes 26 runs of the loss (lesson 2); `jk.grad` takes a few,
# for 25 numbers as for millions (lesson 9). How it does that is what the lessons are
# about. They build it, one system after the other, and open the one that is used here.
#
# You can look into it right away. `jk.explain` runs a function once, and shows each
# number that arises, and how fast the result moves with it (`df/dn`): here the loss, at
# two points instead of five. What the columns mean is said in lessons 6 and 7, and
# `jk.explain(f)(...).save("f.html")` writes a page on which you can step through them.


# %%
def small(a):
    return jnp.sum((a * xs[1:3] - ys[1:3]) ** 2)


print(jk.explain(small)(2.0))

# %% [markdown]
# ## Exercises
#
# 1. Write gradient descent: `python -m jaxkit exercise 0 --start` writes the file to
#    fill in, and `python -m jaxkit exercise 0` checks it.
# 2. Fit the line at the rate 0.2. What happens, and from which rate on does it happen?
