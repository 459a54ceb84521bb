# %% [markdown]
# # 1. Derivatives by hand
#
# **How do you find the derivatives of a formula with pencil and paper, and what do they
# tell you?**
#
# All lessons share one small function of two numbers, at the point x = 3, y = 4.

# %%
import math

from jaxkit.lessons import picture


def f(x, y):
    return x * x * y + (y + 2)


print("f(3, 4) =", f(3, 4))

# %% [markdown]
# The *derivative* of a function of one number is its slope: how fast the result moves
# when the number moves. With two inputs there are two slopes. Hold y fixed and move x:
# that is the *partial derivative* df/dx. Hold x fixed and move y: df/dy. Both together
# are the *gradient*. Four rules from school are enough here; u' is u's derivative:
#
# - a constant has derivative 0, and x itself has derivative 1;
# - sum: (u + v)' = u' + v';
# - product: (u v)' = u' v + u v';
# - chain: if z = v(s) and s = u(x), then dz/dx = dz/ds ds/dx.
#
# By x: the product rule gives (x·x)' = 1·x + x·1 = 2x. The factor y is a constant, and
# so is y + 2. Hence df/dx = 2xy. By y: df/dy = x² + 1.


# %%
def gradient(x, y):
    return 2 * x * y, x * x + 1


print("df/dx, df/dy at (3, 4):", gradient(3, 4))

# %% [markdown]
# What does the 24 say? If x grows by a small h, f grows by about 24 h. The table
# compares f with the straight line 42 + 24 h.

# %%
print("     h   f(3+h, 4)   42 + 24h  difference")
for h in (1, 0.1, 0.01):
    curve, line = f(3 + h, 4), 42 + 24 * h
    print(f"{h:6} {curve:11.4f} {line:10.4f} {curve - line:11.4f}")

# %% [markdown]
# A step ten times smaller leaves a difference a hundred times smaller: it is exactly
# yh² = 4h² here. Near x = 3 the line is nearly the function. Drawn (`picture` shows a
# drawing in a notebook, and gives it a name):

# %%
xs = [i / 20 for i in range(101)]


def slope(axes):
    axes.plot(xs, [f(x, 4) for x in xs], color="#0072b2", label="f(x, 4)")
    line = [42 + 24 * (x - 3) for x in xs]
    axes.plot(xs, line, "--", color="#d55e00", label="42 + 24 (x - 3)")
    axes.plot([3], [42], "o", color="#009e73", label="the point x = 3")
    axes.set(xlabel="x", ylabel="value")
    axes.legend()


picture("01-slope", slope)

# %% [markdown]
# ## Second derivatives
#
# The two partials are functions too, and have partials of their own: four numbers, the
# *Hessian*. Of 2xy these are 2y and 2x; of x² + 1 they are 2x and 0. The two that are
# not on the diagonal, by x and then y and by y and then x, are equal: for smooth
# functions the order of differentiation does not matter.


# %%
def hessian(x, y):
    return [[2 * y, 2 * x], [2 * x, 0]]


print("Hessian at (3, 4):", hessian(3, 4))

# %% [markdown]
# ## The chain rule
#
# For z = sin(x²) at x = 3, the inside is s = x² with slope 2x = 6. The outside has
# slope cos(s) = cos(9). The derivative is their product.

# %%
outer, inner = math.cos(9), 2 * 3
print(f"dz/ds = {outer:.4f}, ds/dx = {inner}, dz/dx = {outer * inner:.4f}")

# %% [markdown]
# Working by hand is exact, but slow, and it is easy to slip. Real programs have loops
# and millions of inputs. The next lessons let the computer do the work.
#
# ## Exercises
#
# 1. Find the derivatives of a product by hand: `python -m jaxkit exercise 1` checks them.
# 2. Change the point to x = 1, y = 4. What is the slope of the dashed line now?
