# %% [markdown]
# # 14. One derivative becomes many
#
# **How are all derivatives of many outputs, or of many examples, had at once?**
#
# `jk.jvp` pushes one tangent, `jk.vjp` pulls one cotangent back. A whole Jacobian needs
# one for each input, or each output. A loop over them would run f again and again.
# `jax.vmap(g)` is g with an axis more: it takes a stack of arguments, and runs each
# operation of g once, for all of them.

# %%
import jax
import jax.numpy as jnp

import jaxkit as jk
from jaxkit.lessons import picture


def f(x):
    return jnp.stack([x[0] * x[1], jnp.sin(x[2])])


x = jnp.array([3.0, 4.0, 0.0])
unit_vectors = jnp.eye(3)
_, f_jvp = jk.linearize(f, x)
columns = jax.vmap(f_jvp)(unit_vectors)
_, f_vjp = jk.vjp(f, x)
(rows,) = jax.vmap(f_vjp)(jnp.eye(2))
print("a column for each input:", columns, "a row for each output:", rows, sep="\n")

# %% [markdown]
# Columns were stacked as rows: the first is that matrix turned over. `jk.jacfwd` and
# `jk.jacrev` do no more than this, and `jk.jacobian` takes the cheaper of the two. f ran once in each, since `linearize` and `vjp` keep
# what it left (lesson 8): below the sine and cosine are counted, in the program that is
# compiled.

# %%


def count(g, *args):
    text = str(jax.make_jaxpr(g)(*args))
    return {name: text.count(f" {name} ") for name in ("sin", "cos")}


def each(x):  # the same by a loop
    return [jk.jvp(f, (x,), (v,))[1] for v in unit_vectors]


print("jk.jacfwd:", jk.jacfwd(f)(x).tolist(), count(jk.jacfwd(f), x))
print("jk.jacrev:", jk.jacrev(f)(x).tolist(), count(jk.jacrev(f), x))
print("by a loop:", count(each, x))

# %% [markdown]
# ## Shapes
#
# The output's axes come first, then the input's: of f from an array of shape (2, 3) to
# one of shape (4,), the Jacobian has shape (4, 2, 3). Of dictionaries it is a
# dictionary of dictionaries, in the same order. And the Jacobian of a gradient, which
# has an axis for each axis of the input, is the Hessian (lesson 10).

# %%
p = {"w": jnp.ones((4, 2)), "b": jnp.zeros(4)}
found = jk.jacobian(lambda p, x: {"y": p["w"] @ x + p["b"]})(p, jnp.array([1.0, 2.0]))
print({key: array.shape for key, array in found["y"].items()})
print(jk.jacfwd(jk.grad(lambda x: jnp.sum(x**3)))(jnp.array([1.0, 2.0])).tolist())

# %% [markdown]
# ## A gradient for each example
#
# A batch of examples has one loss, their mean, and one gradient. But which example
# wants what? The gradient of each is a `vmap` of `grad`. `in_axes` says what is
# stacked: not the parameters, `None`, but the examples, along axis 0.


# %%
def loss(w, x, y):
    return (jnp.dot(w, x) - y) ** 2


w = jnp.array([1.0, -1.0])
xs = jnp.array([[1.0, 2.0], [0.5, 0.0], [3.0, 3.0], [-1.0, 1.0]])
ys = jnp.array([0.0, 0.5, 0.0, 2.0])
gradients = jax.vmap(jk.grad(loss), in_axes=(None, 0, 0))(w, xs, ys)
print("for each example:", *gradients.tolist())
mean = jk.grad(lambda w: jnp.mean(jax.vmap(loss, (None, 0, 0))(w, xs, ys)))(w)
print("their mean:", jnp.mean(gradients, 0).tolist(), " of the mean:", mean.tolist())

# %% [markdown]
# ## A trap: the Jacobian of a batch
#
# If f takes a batch to a batch, `jk.jacobian` of it asks how each example's output
# moves with each example's input. They don't meet, so nearly all of the answer is zeros,
# and the more so the larger the batch. Take the Jacobian of one example, and `vmap`
# that.


# %%
def squares(x):
    return jnp.stack([x[0] * x[1], x[0] ** 2])


batch = jnp.arange(1.0, 7.0).reshape(3, 2)
whole = jk.jacobian(jax.vmap(squares))(batch)
each_one = jax.vmap(jk.jacobian(squares))(batch)
print("of the batch:", whole.shape, "numbers that aren't 0:", int(jnp.sum(whole != 0)))
print("of each:     ", each_one.shape, "  ", int(jnp.sum(each_one != 0)))


def blocks(axes):
    matrix = whole.reshape(6, 6) != 0
    axes.imshow(matrix, cmap="Blues", vmin=0, vmax=1.5)
    axes.set(xlabel="inputs of the batch", ylabel="outputs of the batch")


picture("14-blocks", blocks, size=(3.2, 3.2))

# %% [markdown]
# ## Exercises
#
# 1. Write the Jacobian without a loop, and the lengths of each example's gradient:
#    `python -m jaxkit exercise 14` checks them (`--start` writes the file).
# 2. A function takes 3 numbers to 1,000. Which of the two modes gives its Jacobian with
#    fewer passes, how many are these, and which one does `jk.jacobian` take?
