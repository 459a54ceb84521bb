# %% [markdown]
# # Appendix: what the notebook said
#
# **Where do the lessons differ from the notebook that they grew out of?**
#
# The kit began as a notebook, a short appendix on derivatives to a course on machine
# learning. The lessons follow its examples: f(x, y) = x²y + y + 2 at (3, 4) is its
# function. Who compares the two will find these differences. The numbers below are
# computed here.

# %%
import math

import numpy as np

from jaxkit.study import finite, symbolic
from jaxkit.study.dual import Dual


def f(x, y):
    return x * x * y + (y + 2)


# %% [markdown]
# **Lesson 1.** The slope of sin(x²) at 3 is given as -5.46. Rounded it is -5.47.

# %%
print(f"{math.cos(9) * 6:.4f}")

# %% [markdown]
# **Lesson 2.** The outputs shown for finite differences, (24, 10) and ([8, 6], [6, 0]),
# are left over from earlier cells: the code gives the numbers below. Of n variables it
# is said that they take n calls; they take n + 1. `derivative` divides by the sum of two
# steps: with both nonzero, the result is the mean of two slopes where it should be their
# sum, and with h and -h it divides by zero. `gradients` changes the caller's values if
# they are an array of NumPy.

# %%
print("gradient:", *(f"{d:.8f}" for d in finite.gradients(f, [3, 4], eps=1e-4)))
for row in finite.hessian(f, [3.0, 4.0], eps=1e-4):
    print("Hessian: ", *(f"{d:10.6f}" for d in row))
h = 1e-5
print(f"divided by the sum of the steps: {(f(3 + h, 4 + h) - f(3, 4)) / (h + h):.5f}")

# %% [markdown]
# **Lessons 3, 4 and 7.** The graph that is drawn is that of (x²y + y) + 2, and no node
# of it is y + 2 = 6. Both graphs print the same text, and both are 42.

# %%
graph, v = symbolic.build(f, x=3.0, y=4.0)
x, y = v["x"], v["y"]
other = (x * x * y + y) + 2
print(
    str(other) == str(graph), graph.operands[1].evaluate(), other.operands[1].evaluate()
)

# %% [markdown]
# **Lesson 5.** ε is called "positive but smaller than all real numbers". Its square is 0,
# and the square of a positive number isn't: ε is nilpotent. In the formula for division
# a sign is wrong; multiplied back, the notebook's quotient doesn't give what was divided.

# %%
right = Dual(3, 4) / Dual(5, 7)
print("right:   ", right, " times 5 + 7ε:", right * Dual(5, 7))
wrong = Dual(right.value, -right.eps)
print("notebook:", wrong, " times 5 + 7ε:", wrong * Dual(5, 7))

# %% [markdown]
# **Lesson 7.** The walk back hands on at once whatever arrives at a node, and so visits
# a node once for each way to it: the walk of a tree, which takes 2 to the n visits for n
# squarings in a row. Run once more, it adds to the adjoints of the first run.
#
# **Lesson 8.** Integers are passed, as in f(3, 4). JAX and the kit refuse them.
#
# **Lesson 9.** The chain rule is written dz/dx = ds/dx · dz/ds. For matrices the factors
# stand in the other order.

# %%
ds_dx, dz_ds = (
    np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]),
    np.array([[1.0, 0.0, 2.0]]),
)
print("dz/ds ds/dx =", dz_ds @ ds_dx)

# %% [markdown]
# **Lesson 10.** Dual numbers are said to be limited to first derivatives. They nest.

# %%
z = Dual(Dual(2.0, 1.0), Dual(1.0, 0.0))
print("second derivative of x³ at 2:", (z * z * z).eps.eps)
