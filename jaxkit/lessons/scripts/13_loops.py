# %% [markdown]
# # 13. Loops of unknown length
#
# **How can a loop be run backwards if nobody knows beforehand how often it runs?**
#
# This loop multiplies until it has passed 100. How often depends on the numbers. When it
# has run, it is known, and from there on the loop is a chain of so many steps: its
# derivative is a product of their derivatives, and reverse mode takes them from the
# last to the first.

# %%
import jax
import jax.numpy as jnp
from jax import lax

import jaxkit as jk
from jaxkit.control import schedules
from jaxkit.lessons import picture


def grows(a, x):
    return lax.while_loop(lambda x: x < 100, lambda x: x * a, x)


for a in 1.1, 1.3, 2.0:
    print(a, grows(a, 1.5), jk.grad(grows)(a, 1.5))

# %% [markdown]
# a = 1.3 takes 17 steps: the result is a to the 17th times x, and its derivative 17
# times a to the 16th times x. Of each step reverse mode needs what its derivative reads
# (here x, which the step multiplies by a). An array must have a size before the loop
# runs, so jaxkit makes one for up to 512 steps, and fills as much of it as is needed.
# `residuals` shows it: what reverse mode keeps, the operation whose derivative reads it,
# and the line. (In a longer loop it needs states, too, and notes of which these are, the
# bookkeeping.)

# %%
print(jk.residuals(grows)(1.3, 1.5))

# %% [markdown]
# ## Pebbles
#
# A longer loop writes over what it left, and then a step can be had only by running the
# loop again, from a state that was kept. With places for s states (the first one takes
# one), which shall be kept? It is a game: a pebble on a state keeps it, and a pebble
# that is no longer needed may be used again. Let m be where the second pebble goes. Then
# the n - m steps behind it are reversed with s - 1 pebbles, after which it is free, and
# the m steps before it are reversed with s. So the fewest runs of the step are
#
#     t(n, s) = the least of m + t(m, s) + t(n - m, s - 1) over m,
#     t(1, s) = 0,  t(n, 1) = 0 + 1 + ... + (n - 1)
#
# (a step that is reversed runs once more, which isn't counted). Griewank found the
# answer in closed form in 1992: if no step may run more than r times beforehand,
# s pebbles reverse as many as C(s + r, s) steps.


# %%
def play(start, stop, slots, kept, moves):
    """Reverse the steps from `start` to `stop`, of which the first state is kept."""
    if stop - start == 1:
        return
    if slots == 1:
        for end in range(stop, start + 1, -1):
            moves += [(start, end - 1, kept)]
        return
    m = start + int(schedules.split(jnp.int32(stop - start), jnp.int32(slots), slots))
    moves += [(start, m, kept)]
    play(m, stop, slots - 1, [*kept, m], moves)
    play(start, m, slots, kept, moves)


n, s = 12, 3
moves = []
play(0, n, s, [0], moves)
for start, stop, kept in moves:
    print(f"kept {kept!s:10} run on from {start:2} to {stop:2}")
runs = sum(stop - start for start, stop, _ in moves)
print(f"{runs} runs; the fewest: {schedules.fewest(n, s)}")

# %% [markdown]
# The picture shows the moves from left to right: a line is a run of steps, a dot a state
# that is kept meanwhile. The runs end ever lower: that is the way back.

# %%


def game(axes):
    for i, (start, stop, kept) in enumerate(moves):
        axes.plot([i, i + 0.8], [start, stop], color="#0072b2")
        axes.plot([i] * len(kept), kept, "o", color="#d55e00", markersize=4)
    axes.set(xlabel="move", ylabel="step", yticks=range(0, n + 1, 2))


picture("13-pebbles", game)

# %% [markdown]
# ## A price list
#
# Few pebbles go far. For 1,000 steps:

# %%
print("pebbles  runs, if the length is known  if it isn't")
for s in 2, 4, 8, 16, 32, 64:
    known, unknown = schedules.fewest(1000, s), schedules.unforeseen(1000, s)
    print(f"{s:7}  {known:28,}  {unknown:11,}")

# %% [markdown]
# If the length isn't known, a pebble goes to each new state, and if none is left, one is
# taken away from where it is missed least (Wang, Moin and Iaccarino, 2009). That costs
# little more. `keeping` says how many pebbles there are; the derivative is the same.


# %%
def logistic(r, n):
    return lax.fori_loop(0, n, lambda _, x: r * x * (1 - x), 0.2)


for f in logistic, jk.keeping(logistic, checkpoints=4), jk.keeping(logistic, bytes=64):
    print(jax.jit(jk.grad(f))(3.7, 20))

# %% [markdown]
# ## Exercises
#
# 1. Place the pebbles: `python -m jaxkit exercise 13` checks it.
# 2. How many steps can 3 pebbles reverse if no step may run more than twice beforehand?
