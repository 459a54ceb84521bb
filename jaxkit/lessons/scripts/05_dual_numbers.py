# %% [markdown]
# # 5. Dual numbers
#
# **Can a function compute its own derivative while it runs, without any formula for
# it?**
#
# A *dual number* is a + bε, where a and b are numbers, and ε is a new symbol with one
# rule: ε² = 0. Multiply two of them as in school, and drop ε²: (a + bε)(c + dε) = ac +
# (ad + bc)ε. Look at the right part: it is the product rule. So to run f on dual
# numbers, we need only say how pairs are added and multiplied.

# %%
import math

import numpy as np

from jaxkit.drawing import Box, Graph
from jaxkit.lessons import picture
from jaxkit.study import dual, finite, symbolic
from jaxkit.study.dual import Dual


def add(p, q):
    return p[0] + q[0], p[1] + q[1]


def mul(p, q):
    return p[0] * q[0], p[0] * q[1] + p[1] * q[0]


x, y, two = (3, 1), (4, 0), (2, 0)  # 3 + ε, 4, 2
print(add(mul(mul(x, x), y), add(y, two)))

# %% [markdown]
# The result is 42 + 24ε: the value of f and df/dx, in one run. This is *forward mode*:
# the derivative is computed along with the value, from the inputs to the output. `Dual`
# does the same with operators, so that f itself can be run. It is a tracer (lesson 3)
# that carries a value and a derivative.


# %%
def f(x, y):
    return x * x * y + (y + 2)


print("by x:", f(Dual(3, 1), 4), "  by y:", f(3, Dual(4, 1)))
print(3 + Dual(3, 4), "and", Dual(3, 4) * Dual(5, 7), "and", 2 * Dual(3, 4))
print("ε² =", Dual(0, 1) * Dual(0, 1))

# %% [markdown]
# Two inputs took two runs, one with ε on x and one with ε on y. The picture shows the
# first run, on the graph of lesson 4: below each node, its dual number.

# %%
graph, v = symbolic.build(f, x=Dual(3, 1), y=4)
drawn = symbolic.graph(graph)
boxes = [
    Box(box.name, box.title, (str(node.evaluate()),), box.kind)
    for box, node in zip(drawn.boxes, symbolic.nodes(graph), strict=True)
]
picture("05-dual", Graph(boxes, drawn.arrows))

# %% [markdown]
# ε is not a small number. The square of a positive number is positive, however small it
# is, and the square of ε is 0: ε is *nilpotent*. Nothing is neglected, and no step is
# chosen, so there is no truncation error.
#
# Division is (a + bε)/(c + dε) = a/c + (bc - ad)/c² ε. A sign is easily wrong in it. The
# check is to multiply back.

# %%
right = Dual(3, 4) / Dual(5, 7)
wrong = Dual(right.value, -right.eps)
for name, z in ("right", right), ("wrong", wrong):
    back = z * Dual(5, 7)
    print(f"{name:5}: {z.value:.2f} {z.eps:+.2f}ε;  times (5 + 7ε):", end=" ")
    print(f"{back.value:.2f} {back.eps:+.2f}ε")

# %% [markdown]
# ## Any function
#
# For a function h with derivative h', the rule is h(a + bε) = h(a) + b h'(a) ε. That is
# the chain rule: b is what the inside has brought along. Each elementary function needs
# this once. Programs made of them need nothing more, loops and branches included: a
# comparison looks at the value a. `dual.derivative(f)` hides the ε, and `dual.gradient`
# makes one run for each input.


# %%
def z(x):
    return np.sin(x * x)


def alternating(x):
    for step in range(3):
        x = np.sin(x) if step % 2 == 0 else x * x
    return x if x > 0 else -x


exact = math.cos(9) * 6
found = dual.derivative(z)(3.0)
print(f"sin(x²) at 3: {found:.10f}")
print("right to 14 digits:", math.isclose(found, exact, rel_tol=1e-14))
quotient = finite.directional(z, [3.0], [1.0], 1e-4, "central")
print(f"error of the central difference, h = 1e-4: {abs(quotient - exact):.0e}")
print(f"loop and branch, at 1: {dual.derivative(alternating)(1.0):.6f}")
print("gradient of f:", dual.gradient(f, [3.0, 4.0]))

# %% [markdown]
# The price: one run for each input. For a thousand inputs that is a thousand runs,
# where finite differences take a thousand and one. We have gained exactness, not speed.
#
# ## Exercises
#
# 1. Write the division of dual numbers: `python -m jaxkit exercise 5` checks it.
# 2. Find sqrt(a + bε) from (c + dε)² = a + bε, and compare it with `np.sqrt(Dual(4.0,
#    1.0))`.
