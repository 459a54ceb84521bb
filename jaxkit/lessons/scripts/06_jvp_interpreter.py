# %% [markdown]
# # 6. Forward mode as an interpreter
#
# **How do you differentiate a recorded program, one operation at a time?**
#
# Dual numbers (lesson 5) change the numbers that a program runs on. The same can be
# done to a recording (lesson 3): go through its equations, and carry two numbers for
# each name. They have names of their own. The value is the *primal*. What stood before
# the ε, how fast the value moves, is the *tangent*.

# %%
import jax
import jax.numpy as jnp
from jax.extend.core import Literal, Primitive

import jaxkit as jk
from jaxkit.lessons import picture


def f(x, y):
    return x * x * y + (y + 2)


print(jax.make_jaxpr(f)(3.0, 4.0))

# %% [markdown]
# A rule says, for one primitive, what the output and its tangent are. Below, `a` and
# `b` are primals, `da` and `db` their tangents. Each tangent is a sum of partial times
# tangent: the chain rule. The interpreter needs no more than these rules and a table
# `env` (environment) of what is known. A `Literal` is a number in the jaxpr: its
# tangent is 0.

# %%
RULES = {
    "add": lambda a, b, da, db: (a + b, da + db),
    "sub": lambda a, b, da, db: (a - b, da - db),
    "mul": lambda a, b, da, db: (a * b, da * b + a * db),
    "sin": lambda a, da: (jnp.sin(a), jnp.cos(a) * da),
    "exp": lambda a, da: (jnp.exp(a), jnp.exp(a) * da),
}


def jvp(f, primals, tangents, show=False):
    jaxpr = jax.make_jaxpr(f)(*primals)
    jaxpr = getattr(jaxpr, "jaxpr", jaxpr)  # without its wrapping, in JAX 0.10
    env = dict(zip(jaxpr.invars, zip(primals, tangents, strict=True), strict=True))

    def read(v):
        return (v.val, 0.0) if isinstance(v, Literal) else env[v]

    for equation in jaxpr.eqns:
        values, moved = zip(*[read(v) for v in equation.invars], strict=True)
        env[equation.outvars[0]] = out = RULES[equation.primitive.name](*values, *moved)
        if show:
            print(f"{equation.primitive.name:4} {out[0]:6.1f} {out[1]:6.1f}")
    return read(jaxpr.outvars[0])


print("     primal tangent")
jvp(f, (3.0, 4.0), (1.0, 0.0), show=True)

# %% [markdown]
# The last line is 42 and 24 again. The kit has the same function, with rules for nearly
# all primitives that JAX can differentiate. From here on `jaxkit` is imported as `jk`.
# Any direction will do: along (1, 1) the tangent is 24 + 10, the slope that lesson 2
# spoke of.

# %%
for v in (1.0, 0.0), (0.0, 1.0), (1.0, 1.0):
    ours, theirs = jvp(f, (3.0, 4.0), v), jk.jvp(f, (3.0, 4.0), v)
    print(v, [float(x) for x in ours], [float(x) for x in theirs])


def g(x):
    return jnp.exp(jnp.sin(x) * x) - x


x, v = jnp.array([0.5, 1.0, 1.5]), jnp.array([1.0, 2.0, -1.0])
ours, theirs = jvp(g, (x,), (v,)), jk.jvp(g, (x,), (v,))
print("the same on arrays:", jnp.allclose(ours[1], theirs[1]))

# %% [markdown]
# ## What it is called
#
# A function with n inputs and m outputs has m times n partials. As a matrix, a row for
# each output and a column for each input, they are the *Jacobian*. The tangent that
# comes out is the Jacobian times the tangent that goes in: hence `jvp`, Jacobian-vector
# product. The function from tangents in to tangents out is also called the
# *pushforward*. The matrix itself was never made. To get all of it, push each unit
# vector: n passes.
#
# `jk.explain(f, mode="forward")(3.0, 4.0)` runs f once, and notes at each node its
# value and a tangent for each unit vector, here `dx=1` and `dy=1`. Arrows bear the
# partials.

# %%
picture("06-forward", jk.explain(f, mode="forward")(3.0, 4.0))

# %% [markdown]
# ## A rule of your own
#
# The kit's rules for primitives that act on each element are made of partials:
# `jk.rules.elementwise(p, partial)`, where `partial(y, x)` is dy/dx; it may use the
# output y. Here is a new primitive, the cube, and its rule.

# %%
cube_p = Primitive("cube")
cube_p.def_impl(lambda x: x * x * x)  # how to compute it
try:
    jk.jvp(cube_p.bind, (2.0,), (1.0,))  # `bind` is how a primitive is called
except NotImplementedError as error:
    print(str(error).split(",")[0])
jk.rules.elementwise(cube_p, lambda y, x: 3 * x * x)
print("cube, and its slope:", [float(x) for x in jk.jvp(cube_p.bind, (2.0,), (1.0,))])

# %% [markdown]
# ## Exercises
#
# 1. Write a rule for tanh with `jaxkit.rules`: `python -m jaxkit exercise 6` checks it.
# 2. Add `cos` and `div` to `RULES`, and check them against `jk.jvp`.
