# %% [markdown]
# # 16. Rules of your own
#
# **When should you tell a program what its derivative is, and how do you know that you
# told it right?**
#
# There are three reasons. The rules give a bad number where the mathematics has a good
# one: lesson 11 has a case. The rules do needless work. Or you want something else than
# the derivative. This root is found by Newton's iteration, twenty times over, and so is
# its derivative: each step has one of its own. But what was computed is known to be a
# root, and (root x)' = 1 / (2 root x).

# %%
import jax
import jax.numpy as jnp

import jaxkit as jk
from jaxkit.lessons import picture


def newton(x):
    y = x
    for _ in range(20):
        y = (y + x / y) / 2
    return y


@jax.custom_jvp
def root(x):
    return newton(x)


@root.defjvp
def root_jvp(primals, tangents):
    (x,), (dx,) = primals, tangents
    y = root(x)
    return y, dx / (2 * y)


for name, f in ("newton", newton), ("root", root):
    y, f_jvp = jk.linearize(f, 9.0)
    lines = len(str(f_jvp).splitlines()) - 2  # without the first and the last
    print(f"{name:6} {y:.4f}, slope {jk.grad(f)(9.0):.6f}; its linear program: {lines}")

# %% [markdown]
# A rule gets the primals and the tangents, and returns the output and its tangent. In
# the tangent it must be linear, for it becomes a part of the linear program (lesson 8),
# and reverse mode runs it backwards:

# %%
_, root_vjp = jk.linearize(root, 9.0)
print(root_vjp, root_vjp.T, sep="\n\n")

# %% [markdown]
# `root` is called in its own rule. So the rule's `y` has a derivative, by the same rule,
# and second derivatives are right, too.

# %%
print("second derivatives:", jk.grad(jk.grad(root))(9.0), -1 / (4 * 9.0**1.5))

# %% [markdown]
# ## Something else than the derivative
#
# Rounding is flat, so its derivative is 0 nearly everywhere, and nothing can be learned
# through it. A *straight-through* rule pretends that it weren't there. And
# `jax.custom_vjp` gives only the backward pass: here the gradient of x is left as it is
# on the way forward, and turned around on the way back, as is done where one part of a
# network is to do well by what another does badly.


# %%
@jax.custom_jvp
def straight(x):
    return jnp.round(x)


straight.defjvp(lambda primals, tangents: (straight(*primals), tangents[0]))


@jax.custom_vjp
def turned(x):
    return x


turned.defvjp(lambda x: (x, None), lambda kept, ct: (-ct,))


def best(levels, rounding):
    """Levels so that, rounded, they sum to 10: by gradient descent."""
    for _ in range(60):
        slope = jk.grad(lambda w: (jnp.sum(rounding(w)) - 10.0) ** 2)(levels)
        levels = levels - 0.02 * slope
    return levels


start = jnp.array([0.2, 1.4, 2.6])
for name, rounding in ("jnp.round", jnp.round), ("straight", straight):
    found = best(start, rounding)
    print(f"{name:9} {found} rounded: {jnp.round(found)}")
print("turned:", jk.grad(lambda x: turned(x) ** 2)(3.0))

# %% [markdown]
# A `custom_vjp` function has no tangents in JAX: `jax.jvp` refuses it. Its backward pass
# is linear in the cotangent, though, so it is a linear program, and the transpose of
# that goes forward. The kit does this.

# %%
print("forward, by the kit:", jk.jvp(turned, (3.0,), (1.0,)))
try:
    jax.jvp(turned, (3.0,), (1.0,))
except TypeError as error:
    print("JAX:", str(error).split(".")[0])

# %% [markdown]
# ## How do you know?
#
# A rule is believed, whatever it says. Three checks find most faults. *Differences*
# (lesson 2) find a wrong number. *Transposing*: cotangent · (J tangent) must equal (Jᵀ
# cotangent) · tangent, for random ones, where both directions were written by hand. And
# *nesting*: the derivative of a derivative finds what a rule leaves out. Here is a rule
# that forgot the 2.


# %%
@jax.custom_jvp
def wrong(x):
    return newton(x)


wrong.defjvp(lambda p, t: (wrong(*p), t[0] / wrong(*p)))


def quotient(f, x, h):
    return (f(x + h) - f(x - h)) / (2 * h)


for name, f in ("root", root), ("wrong", wrong):
    print(f"{name:6} rule {jk.grad(f)(9.0):.4f}  quotient {quotient(f, 9.0, 0.01):.4f}")


def slopes(axes):
    xs = jnp.linspace(0.5, 9.0, 50)
    axes.plot(xs, quotient(newton, xs, 0.01), "k", label="differences")
    for name, f, colour in (("root", root, "#0072b2"), ("wrong", wrong, "#d55e00")):
        axes.plot(xs, jax.vmap(jk.grad(f))(xs), "--", color=colour, label=name)
    axes.set(xlabel="x", ylabel="slope of the root")
    axes.legend()


picture("16-rules", slopes)

# %% [markdown]
# A rule for a *primitive* (lesson 6) says how each operation moves, once for all
# programs; a rule for a function says it for a piece of a program. Where you can, give
# the first: everything else follows from it.
#
# ## Exercises
#
# 1. Round straight through, and clip a cotangent: `python -m jaxkit exercise 16` checks
#    both (`--start` writes the file).
# 2. Let `root_jvp` return dx * dx in place of its tangent. What do `jk.jvp` and
#    `jk.grad` do, and why don't they do the same?
