# %% [markdown]
# # 10. Second derivatives
#
# **How are derivatives of derivatives computed, and what goes wrong if nested
# derivatives are not kept apart?**
#
# A derivative is a function again, so differentiate it. The Hessian of f at (3, 4) is
# [[8, 6], [6, 0]] (lesson 1).

# %%
import jax
import jax.numpy as jnp
import numpy as np

import jaxkit as jk
from jaxkit.lessons import picture
from jaxkit.study import dual, finite
from jaxkit.study.dual import Dual


def f(x, y):
    return x * x * y + (y + 2)


exact = jk.hessian(f, argnums=(0, 1))(3.0, 4.0)
print("jk.hessian:        ", [[float(d) for d in row] for row in exact])
quotients = finite.hessian(f, [3.0, 4.0])
print("finite differences:", [[f"{d:.6f}" for d in row] for row in quotients])

# %% [markdown]
# The last 0, the derivative of df/dy = x² + 1 by y, is a number like any other.
# (PyTorch refuses there, since x² + 1 doesn't use y, or returns `None` if it is asked
# with `allow_unused=True`.)
#
# Dual numbers give second derivatives, too. They nest: both parts of a dual number may be
# dual numbers.

# %%
D = dual.derivative
print("second derivative of x³ at 2:  ", D(D(lambda x: x**3))(2.0))
print("third derivative of sin at 0: ", D(D(D(np.sin)))(0.0))

# %% [markdown]
# ## Perturbation confusion
#
# The real trap is another one. Take d/dx of x · (d/dy of (x + y) at y = 1), at x = 1.
# The inner derivative is 1 for every x. So the whole is x · 1, and its derivative is 1.
# And with xy for x + y, at x = 4, the whole is x², and its derivative 8. Below, `naive`
# uses one and the same ε for every derivative.


# %%
def naive(f):
    return lambda x: f(Dual(x, 1.0)).eps


def both(d):
    sums = d(lambda x: x * d(lambda y: x + y)(1.0))(1.0)
    return sums, d(lambda x: x * d(lambda y: x * y)(1.0))(4.0)


print("right: (1.0, 8.0)   one ε for all:", both(naive), "  an ε each:", both(D))

# %% [markdown]
# With one ε, x is 1 + ε when the inner derivative starts, and y is 1 + ε too. Then x +
# y is 2 + 2ε, and the inner derivative comes out as 2: it has taken the movement of x
# for that of y. This is *perturbation confusion* (Siskind and Pearlmutter, 2005). The
# remedy is to number the epsilons. To the inner derivative a number with only an outer
# ε is a constant. In the kit and in JAX, each derivative owns its tracers, to the same
# effect.

# %%
print("two epsilons:", Dual(1.0, 1.0, tag=1) + Dual(1.0, 1.0, tag=2))
nested = jk.grad(lambda x: x * jk.grad(lambda y: x * y)(1.0))(4.0)
print("jk.grad in jk.grad:", float(nested))

# %% [markdown]
# ## A Hessian times a vector
#
# Of n inputs the Hessian has n² numbers. Often its product with one vector v is enough:
# how the gradient moves along v. That is a directional derivative of the gradient, so
# one pass of forward mode over reverse mode, without the matrix. It is called an HVP.

# %%
gradient = jk.grad(f, argnums=(0, 1))
_, moved = jk.jvp(gradient, (3.0, 4.0), (1.0, 0.0))
print("jvp of grad, along (1, 0):", [float(d) for d in moved])
product = jk.hvp(f, (3.0, 4.0), (1.0, 0.0))
print("jk.hvp:                   ", [float(d) for d in product])


def rosenbrock(x):
    return jnp.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)


def flops(f, x):
    return jax.jit(f).lower(x).compile().cost_analysis()["flops"]


functions = {
    "gradient": jk.grad(rosenbrock),
    "hvp": lambda x: jk.hvp(rosenbrock, (x,), (x,)),
    "hessian": jk.hessian(rosenbrock),
}
sizes, costs = [4, 8, 16, 32, 64], {}
print("n        ", *(f"{n:6}" for n in sizes))
for name, g in functions.items():
    plain = [flops(rosenbrock, jnp.ones(n)) for n in sizes]
    costs[name] = [
        flops(g, jnp.ones(n)) / own for n, own in zip(sizes, plain, strict=True)
    ]
    print(f"{name:9}", *(f"{cost:6.1f}" for cost in costs[name]))


def growth(axes):
    colours = "#0072b2", "#009e73", "#d55e00"
    for (name, each), colour in zip(costs.items(), colours, strict=True):
        axes.loglog(sizes, each, "o-", color=colour, label=name, base=2, markersize=4)
    axes.set(xlabel="inputs n", ylabel="operations / those of the function")
    axes.legend()


picture("10-second-order", growth)

# %% [markdown]
# The Hessian takes an HVP for each input; one HVP costs a small multiple of the
# function, whatever n is (Pearlmutter, 1994).
#
# ## Exercises
#
# 1. Write an HVP without a Hessian: `python -m jaxkit exercise 10` checks it.
# 2. `naive(naive(lambda x: x**3))(2.0)` is right. Why is there no confusion?
