# %% [markdown]
# # 8. Linearize and transpose
#
# **Why are forward and reverse mode the same program, run in two directions?**
#
# At a fixed point, the pushforward of lesson 6 is a *linear map*: twice the tangent
# gives twice the result, and a sum of tangents gives the sum of the results. So the
# derivative of a program at a point is itself a program, of linear steps only.
# `jk.linearize` runs f and returns its value and that program.

# %%
import jax.numpy as jnp

import jaxkit as jk
from jaxkit.drawing import Arrow, Box, Graph
from jaxkit.lessons import picture


def f(x, y):
    return x * x * y + (y + 2)


value, f_jvp = jk.linearize(f, 3.0, 4.0)
print(f_jvp)
print("f =", float(value), " along (1, 0):", float(f_jvp(1.0, 0.0)), end="")
print("  (0, 1):", float(f_jvp(0.0, 1.0)), "  (2, 3):", float(f_jvp(2.0, 3.0)))

# %% [markdown]
# `t0` and `t1` are the tangents of x and y. The `r`s are *residuals*: values that
# running f left behind, here 3 (once for each x in x * x), 4 and 9. They are numbers
# now; the program never looks at x again. Each step adds tangents, or multiplies one by a residual.
#
# ## Turn the arrows around
#
# Here are the steps as a graph, with the factor on each arrow: what leaves a node is
# multiplied, what arrives is added. Turn all arrows around and start with 1 at n7. Then
# adding is now done where there was a fork before, and that is the walk of lesson 7.

# %%
factors = [("n1", "n4", 3), ("n1", "n4", 3), ("n4", "n5", 4), ("n2", "n5", 9)]
factors += [("n2", "n6", 1), ("n5", "n7", 1), ("n6", "n7", 1)]


def drawn(letter, pairs):
    names = sorted({x for start, end, _ in pairs for x in (start, end)})
    kinds = {"n1": "input", "n2": "input", "n7": "output"}
    boxes = [Box(x, letter + x, kind=kinds.get(x, "operation")) for x in names]
    boxes = boxes if letter == "d" else boxes[::-1]  # operands come first
    return Graph(boxes, [Arrow(a, b, f"* {factor}") for a, b, factor in pairs])


def run(pairs, **values):
    for start, end, factor in pairs:
        values[end] = values.get(end, 0) + factor * values[start]
    return values


backwards = [(end, start, factor) for start, end, factor in reversed(factors)]
picture("08-linear", drawn("d", factors))
picture("08-transpose", drawn("c", backwards))
print("forward, along (1, 0):", run(factors, n1=1, n2=0))
print("backward, from 1:     ", run(backwards, n7=1))

# %% [markdown]
# A linear map with matrix A, run backwards, is the one with the *transpose* of A, rows
# and columns exchanged. `f_jvp.T` is that program, and `.matrix()` makes the matrix,
# the Jacobian, if you want to see it. What goes into the transpose, and comes out of
# it, is called a *cotangent*. The adjoint of a node is the cotangent that has arrived
# there. Together they satisfy: cotangent · (A tangent) = (Aᵀ cotangent) · tangent,
# where Aᵀ is the transpose.


# %%
def g(x):
    return jnp.stack([x[0] * x[1], jnp.sin(x[2])])


x, v, w = jnp.array([3.0, 4.0, 0.0]), jnp.array([1.0, 2.0, 3.0]), jnp.array([5.0, -1.0])
_, g_jvp = jk.linearize(g, x)
print(g_jvp.matrix(), "\n", g_jvp.T.matrix(), sep="")
print("w . (A v) =", float(w @ g_jvp(v)), "  (Aᵀ w) . v =", float(g_jvp.T(w)[0] @ v))

# %% [markdown]
# ## vjp and grad
#
# `jk.vjp(f, ...)` is these two steps, linearize and transpose. The name means
# vector-Jacobian product. Its second result, from cotangents out to cotangents in, is
# also called the *pullback*. `jk.grad` applies it to the number 1, for functions with
# one number as output. `argnums` says by which arguments.

# %%
value, f_vjp = jk.vjp(f, 3.0, 4.0)
print("vjp: ", [float(ct) for ct in f_vjp(1.0)])
print("grad:", [float(d) for d in jk.grad(f, argnums=(0, 1))(3.0, 4.0)])
print(jk.stages(f)(3.0, 4.0))

# %% [markdown]
# `jk.stages` shows all four programs, and which node of f each line belongs to: f
# itself, f with tangents (lesson 6), the tangents alone, and the transpose. `dn4` is the
# tangent of n4, and `cn4` its cotangent; `cn4 += ...` adds a share to what has arrived
# there from others, and what has no letter of n (`t2`) lives within a step.
#
# A trap: `f(3, 4)` passes integers. Derivatives are for numbers that can move a little.
# JAX and the kit refuse integers, and say what to do.

# %%
try:
    jk.grad(f)(3, 4)
except TypeError as error:
    print("TypeError:", str(error).split(". ")[0])

# %% [markdown]
# ## Exercises
#
# 1. Write the transpose for `mul`: `python -m jaxkit exercise 8` checks it.
# 2. What is the matrix of `jk.linearize(jnp.cumsum, jnp.ones(4))[1]`, and what does its
#    transpose do? (`jnp.cumsum` sums up to each entry.)
