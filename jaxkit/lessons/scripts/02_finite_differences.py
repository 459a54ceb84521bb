# %% [markdown]
# # 2. Finite differences
#
# **How well can a derivative be found from the values of a function alone, and which
# step is best?**
#
# A slope is a limit: (f(x + h) - f(x)) / h as the step h goes to 0. A computer can't
# take the limit, but it can take a small h. That is a *finite difference*, and this
# formula is Newton's quotient. `directional` computes it; `counted` counts the calls of
# f.

# %%
import numpy as np

from jaxkit.lessons import picture
from jaxkit.study import finite


@finite.counted
def f(x, y):
    return x * x * y + (y + 2)


dx = finite.directional(f, [3, 4], [1, 0], 1e-5)  # move x only
dy = finite.directional(f, [3, 4], [0, 1], 1e-5)  # move y only
print(f"df/dx = {dx:.8f}   df/dy = {dy:.8f}   calls of f: {f.calls}")

# %% [markdown]
# Exact are 24 and 10 (lesson 1). The first error is 0.00004 = 4 h: the curve bends by
# yh² = 4h², and the quotient divides that by h. One call was needless, as f(3, 4) was
# computed twice: `gradients` needs n + 1 calls for n inputs. Quotients of quotients
# give the Hessian.

# %%
f.calls = 0
first = finite.gradients(f, [3, 4], eps=1e-4)
print("gradient:", *(f"{d:.8f}" for d in first), " calls:", f.calls)
f.calls = 0
for row in finite.hessian(f, [3.0, 4.0], eps=1e-4):
    print("Hessian: ", *(f"{d:10.6f}" for d in row))
print("calls:", f.calls)

# %% [markdown]
# Three traps lie here. A step along both inputs is divided by its length once, not by
# the sum of its parts: the slope along (1, 1) is 24 + 10, and not the mean of the two. An
# array of NumPy, Python's library of arrays, must be copied before an entry is moved: a
# slice of it is a view, not a copy. And 32-bit numbers, with 7 digits, are too coarse for
# 1e-4.

# %%
h = 1e-5
print(f"along (1, 1):         {finite.directional(f, [3, 4], [1, 1], h):.5f}")
print(f"divided by h + h:     {(f(3 + h, 4 + h) - f(3, 4)) / (h + h):.5f}")
values = np.array([3.0, 4.0])
tweaked = values[:]  # of a list this would be a copy
tweaked[0] += 1e-4
print("the caller's array:  ", values)
single = finite.gradients(f, [np.float32(3), np.float32(4)])
print(f"with 32-bit numbers:  {single[0]:.4f}")

# %% [markdown]
# ## The U-shaped error
#
# Two errors compete. *Truncation*: the function bends within the step; this shrinks
# with h. *Rounding*: a value has about 16 digits, and subtracting nearly equal values
# leaves few of them; divided by h, this grows as h shrinks.
#
# The *central difference*, (f(x + h) - f(x - h)) / (2h), has a truncation error like h²
# instead of h. The *complex step* is the imaginary part of f(x + ih), divided by h. For
# a formula that is valid for complex numbers it is also good to h², and it subtracts
# nothing, so it has no such rounding error (Squire and Trapp, 1998). `best_step` gives
# a step at which the two errors are about equal. For g(x) = x³:


# %%
def g(x):
    return x * x * x


def error(method, h, x=0.7):
    return abs(finite.directional(g, [x], [1], h, method) - 3 * x * x)


print("    h    newton  central  complex")
for k in range(1, 16, 2):
    errors = [error(method, 10.0**-k) for method in finite.METHODS]
    print(f"1e-{k:02}", *(f"{e:8.0e}" for e in errors))
print("best steps:", *(f"{finite.best_step(0.7, m):.0e}" for m in finite.METHODS))

# %%


def errors_of_g(axes):
    steps = [10.0**-k for k in range(1, 16)]
    colours = {"newton": "#0072b2", "central": "#d55e00", "complex": "#009e73"}
    for method, colour in colours.items():
        errors = [max(error(method, h), 1e-17) for h in steps]  # 0 has no logarithm
        axes.loglog(steps, errors, "o-", color=colour, label=method, markersize=3)
    axes.set(xlabel="step h", ylabel="error of the derivative")
    axes.legend()


picture("02-errors", errors_of_g, size=(5.5, 3.4))

# %% [markdown]
# The first two curves are U-shaped, with a ragged left arm (errors of 0 are drawn at
# 1e-17; on the right the third curve hides the second). At the bottom Newton's quotient
# has about 8 right digits, the central difference about 10. Finite differences need to
# know nothing of f, so they are a good check of other methods. To find a million
# partials they are too slow: a million calls, and one.
#
# ## Exercises
#
# 1. Write a central difference: `python -m jaxkit exercise 2` checks it.
# 2. Why does the Hessian above have an error of 0.0001 in two places, but not in the
#    first? Work out the quotient of the quotient of x²y by hand.
