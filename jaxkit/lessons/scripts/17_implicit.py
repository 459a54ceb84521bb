# %% [markdown]
# # 17. The derivative of a solution
#
# **How do you differentiate what a solver has found, without differentiating the
# solver?**
#
# The equation x = cos(a x) has one solution for a = 1, x = 0.739085. Move a a little, and
# the solution moves. How fast? A program that solves the equation is a program, and can
# be differentiated like any other (lesson 13).

# %%
import jax
import jax.numpy as jnp
from jax import lax

import jaxkit as jk
from jaxkit.lessons import picture


def solved(a, steps=60):
    return lax.fori_loop(0, steps, lambda _, x: jnp.cos(a * x), 0.5)


print("x =", solved(1.0), "  dx/da =", jk.grad(solved)(1.0))

# %% [markdown]
# It took 60 steps forward, and 60 back. But the answer needs no steps at all. Write the
# equation as f(x, a) = 0, and its slopes by x and by a as f_x and f_a. If a moves by da,
# x must move so that f stays 0:
#
#     f_x dx + f_a da = 0,    so    dx/da = - f_a / f_x
#
# This is the theorem of implicit functions. All that counts is the solution, however it
# was found.


# %%
def f(x, a):
    return x - jnp.cos(a * x)


x = solved(1.0)
by_x, by_a = jk.grad(f, argnums=(0, 1))(x, 1.0)
print("f_x =", by_x, " f_a =", by_a, " dx/da =", -by_a / by_x)

# %% [markdown]
# ## Unrolled, or implicit?
#
# Stop early, and x is a little wrong. How wrong is its derivative then? Differentiating
# the loop gives the derivative of an x that is still on its way, and lags behind. The
# formula at the same x is the better one.

# %%
exact = -0.297474341509832


def by_formula(steps):
    by_x, by_a = jk.grad(f, argnums=(0, 1))(solved(1.0, steps), 1.0)
    return -by_a / by_x


print("steps   error of x   of the loop's slope   of the formula's")
errors = []
for steps in (2, 5, 10, 20, 30):
    loop = jk.grad(lambda a, steps=steps: solved(a, steps))(1.0)
    wrong = (
        solved(1.0, steps) - 0.7390851332151607,
        loop - exact,
        by_formula(steps) - exact,
    )
    errors.append([steps, *(abs(float(e)) for e in wrong)])
    print("{:5} {:12.1e} {:21.1e} {:18.1e}".format(*errors[-1]))


def convergence(axes):
    names = {2: ("through the loop", "#d55e00"), 3: ("by the formula", "#0072b2")}
    for i, (name, colour) in names.items():
        points = [(row[0], row[i]) for row in errors]
        axes.semilogy(*zip(*points, strict=True), "o-", color=colour, label=name)
    axes.set(xlabel="steps of the solver", ylabel="error of dx/da")
    axes.legend()


picture("17-convergence", convergence)

# %% [markdown]
# ## In a program
#
# `jax.lax.custom_root` says that x is where a function is 0. It takes the function, a
# guess, a solver, and how to solve the linear equation for dx. The kit puts the theorem
# in place of the solver's derivative, so the solver may do what it likes: here a while
# loop, until it is good enough. In reverse mode too, and for second derivatives.


# %%
def root(a):
    def solve(f, x):
        return lax.while_loop(lambda x: jnp.abs(f(x)) > 1e-6, lambda x: x - f(x), x)

    def linear(g, y):  # g(dx) is a number times dx
        return y / g(1.0)

    return lax.custom_root(lambda x: f(x, a), 0.5, solve, linear)


print("forward:", jk.jvp(root, (1.0,), (1.0,))[1], " reverse:", jk.grad(root)(1.0))
print(
    "second: ",
    jk.grad(jk.grad(root))(1.0),
    " and compiled:",
    jax.jit(jk.grad(root))(1.0),
)

# %% [markdown]
# ## Linear equations
#
# `jnp.linalg.solve(A, b)` solves A x = b. If A and b move, dA x + A dx = db, so dx is
# the solution of the same equation with another right-hand side, and A needn't be taken
# apart again. Backwards it is the transposed equation (lesson 8): one more solve, for
# the derivatives by all entries of A and b.

# %%
A, b = jnp.array([[4.0, 1.0], [2.0, 3.0]]), jnp.array([1.0, 2.0])
x = jnp.linalg.solve(A, b)
weights = jnp.array([1.0, -1.0])
by_A, by_b = jk.grad(lambda A, b: weights @ jnp.linalg.solve(A, b), argnums=(0, 1))(
    A, b
)
ct = jnp.linalg.solve(A.T, weights)  # the transposed equation
print("by b:", by_b, " the transposed solution:", ct)
print("by A:", by_A, "minus its product with x:", -jnp.outer(ct, x), sep="\n")

# %% [markdown]
# ## The best value of a parameter
#
# An optimum is a solution, too: of gradient = 0. So one can ask how the best fit moves
# with what it was made to obey, and choose that by gradient descent. Below, *ridge
# regression*: weights w that fit the data, and are kept small by a number `lam`. Which
# `lam` is best for other data than those that were fitted? The inner problem is a linear
# equation, and its derivative comes along.

# %%
xs = jnp.linspace(-1.0, 1.0, 10)
inner = xs[:, None] ** jnp.arange(8)  # a polynomial of degree 7 at 10 points
noise = 0.3 * jnp.array([1.0, -1.0, 1.0, 1.0, -1.0, -1.0, 1.0, -1.0, 1.0, -1.0])
ts = jnp.linspace(-0.95, 0.95, 30)
outer = ts[:, None] ** jnp.arange(8)


def fitted(lam):
    return jnp.linalg.solve(
        inner.T @ inner + lam * jnp.eye(8), inner.T @ (xs**2 + noise)
    )


def other_loss(log_lam):
    return jnp.mean((outer @ fitted(jnp.exp(log_lam)) - ts**2) ** 2)


log_lam = -6.0
for step in range(201):
    loss, slope = jk.value_and_grad(other_loss)(log_lam)
    if step in (0, 10, 50, 200):
        print(
            f"step {step:3}: lam {jnp.exp(log_lam):.4f}  loss {loss:.4f}  slope {slope:.4f}"
        )
    log_lam = log_lam - 10.0 * slope

# %% [markdown]
# ## Exercises
#
# 1. Write the derivative of a solution, for one unknown and for several: `python -m
#    jaxkit exercise 17` checks it (`--start` writes the file).
# 2. Where does the formula fail for x² = a, and what happens to the solution there?
