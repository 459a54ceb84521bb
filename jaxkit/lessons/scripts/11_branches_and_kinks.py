# %% [markdown]
# # 11. Branches, loops and kinks
#
# **What is the derivative of a program with branches and loops, and what happens where
# it has none?**
#
# At given inputs, a program with `if` and `for` performs a list of operations like any
# other. Its derivative is that of the list. The kit's tracers carry values along, so a
# branch may look at them (a jaxpr, lesson 3, could not record that). This program takes
# three steps, a sine and a square in turn.

# %%
import jax
import jax.numpy as jnp

import jaxkit as jk
from jaxkit.lessons import picture


def steps(x):
    for i in range(3):
        x = jnp.sin(x) if i % 2 == 0 else x * x
    return x


def branch(x):
    return x * x if x > 1 else 3 * x


print(f"three steps at 1: {jk.grad(steps)(1.0):.6f}")
print("branch, at 2, 1 and 0:", *(float(jk.grad(branch)(x)) for x in (2.0, 1.0, 0.0)))

# %% [markdown]
# Only the branch that was taken is differentiated. At x = 1 `branch` jumps from 3 to 1,
# and has no derivative; the rule says 3 there, for `x > 1` is false. It can't see the
# jump. Under `jax.jit` values are unknown, and a branch is written
# `jax.lax.cond(condition, function, function, x)`, which a jaxpr can hold.


# %%
squared, tripled = lambda x: x * x, lambda x: 3 * x
compiled = jax.jit(jk.grad(lambda x: jax.lax.cond(x > 1, squared, tripled, x)))
print("compiled, at 2, 1 and 0:", *(float(compiled(x)) for x in (2.0, 1.0, 0.0)))

# %% [markdown]
# ## Kinks
#
# |x| has slope -1 left of 0 and 1 right of it. At 0 it has no derivative, only two
# one-sided slopes. A library must return something: it follows a *convention*. Here are
# those of the kit beside JAX's (`relu` is the larger of x and 0).

# %%
kinks = {
    "abs at 0": (jnp.abs, 0.0),
    "relu at 0": (jax.nn.relu, 0.0),
    "sqrt at 0": (jnp.sqrt, 0.0),
    "max(x, 1) at 1": (lambda x: jnp.maximum(x, 1.0), 1.0),
    "norm at (0, 0)": (jnp.linalg.norm, jnp.zeros(2)),
    "where(x > 0, log x, 0) at 0": (lambda x: jnp.where(x > 0, jnp.log(x), 0.0), 0.0),
}
for name, (function, x) in kinks.items():
    print(f"{name:28} kit {jk.grad(function)(x)!s:10} JAX {jax.grad(function)(x)}")

# %%


def kink(axes):
    xs = [i / 10 for i in range(-20, 21)]
    axes.plot(xs, [abs(x) for x in xs], color="#0072b2", label="|x|")
    slopes = [float(jk.grad(jnp.abs)(x)) for x in xs]
    axes.plot(xs, slopes, ".", color="#d55e00", label="its derivative, by jk.grad")
    axes.plot([0], [slopes[20]], "o", color="#009e73", label="the convention at 0")
    axes.set(xlabel="x", ylabel="value, slope")
    axes.legend(loc="lower right")


picture("11-kink", kink, size=(5, 3))

# %% [markdown]
# Of a convex function of one number, which is nowhere above the line between two of its
# points, any slope between the one-sided ones says which way is not down: the way in
# which it points up. `nan` (not a number) won't: it spreads to all that it touches. The
# norm is sqrt(x² + y²). At 0 the slope of the root is infinite, that of the inside is
# 0, and infinity times 0 is `nan`.
#
# The last line is a trap of its own. `where(c, a, b)` computes both a and b and picks
# one. The branch not picked gets a cotangent of 0 (lesson 8), but 0 times the slope 1/0
# of the logarithm is `nan` too. So make its *argument* safe, in both:


# %%
def safe_log(x):
    inside = jnp.where(x > 0, x, 1.0)
    return jnp.where(x > 0, jnp.log(inside), 0.0)


print("safe_log, at 0 and 2:", *(float(jk.grad(safe_log)(x)) for x in (0.0, 2.0)))

# %% [markdown]
# ## A derivative of your own
#
# When the rules give a bad number where the mathematics has a good one, say what the
# derivative is, with `jax.custom_jvp`. Its rule gets primals and tangents (lesson 6).
# The logarithm of 1 + exp(x) has slope 1 / (1 + exp(-x)). But exp(100) is beyond the
# 32-bit numbers, infinite, and the rules divide it by itself.


# %%
def plain(x):
    return jnp.log(1 + jnp.exp(x))


@jax.custom_jvp
def softplus(x):
    return jnp.maximum(x, 0.0) + jnp.log(1 + jnp.exp(-jnp.abs(x)))


@softplus.defjvp
def softplus_jvp(primals, tangents):
    (x,), (dx,) = primals, tangents
    return softplus(x), dx / (1 + jnp.exp(-x))


for name, function in ("plain", plain), ("softplus", softplus):
    values = [float(jk.grad(function)(x)) for x in (0.0, 100.0)]
    print(f"{name:9} slope at 0 and at 100: {values}")

# %% [markdown]
# ## Exercises
#
# 1. Make a norm whose gradient at 0 is 0: `python -m jaxkit exercise 11` checks it.
# 2. What slope at 0 has `x * abs(x)`? What does `jk.grad` say, and why is it right?
