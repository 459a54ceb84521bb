# %% [markdown]
# # 15. Complex numbers
#
# **What is the derivative of a function of complex numbers, and which part of it does a
# program return?**
#
# A complex number z = x + iy is two real ones. So a function of z is a function of x and
# y, with two outputs, and its Jacobian has four numbers. Take the square: (x + iy)² is
# x² - y² and 2xy.

# %%
import jax.numpy as jnp

import jaxkit as jk
from jaxkit.lessons import picture


def jacobian(f, z):
    def parts(xy):
        w = f(xy[0] + 1j * xy[1])
        return jnp.stack([w.real, w.imag])

    return jk.jacfwd(parts)(jnp.array([z.real, z.imag])) + 0.0  # 0 for -0


def square(z):
    return z * z


z = 3 + 4j
print("of z²:     ", jacobian(square, z).tolist())
print("of conj(z):", jacobian(jnp.conj, z).tolist())

# %% [markdown]
# The first is [[6, -8], [8, 6]]. To multiply by 6 + 8i, which is 2z, is to multiply by
# just this matrix: so one complex number says all four, and it is the derivative that
# school promises, (z²)' = 2z. A function of which this holds is called *holomorphic*.
# The conjugate, x - iy, is smooth, too, but no complex number multiplies as its matrix
# does: that would be [[p, -q], [q, p]], with equal numbers on the diagonal.
#
# `jvp` needs no such thing. It pushes a complex tangent through the four numbers, for
# any function. Along 1 and along i the square moves by 2z and 2z i, the conjugate by 1
# and -i.

# %%
for name, f in ("square", square), ("conj", jnp.conj):
    moved = [complex(jk.jvp(f, (jnp.asarray(z),), (t,))[1]) for t in (1 + 0j, 1j)]
    print(f"{name:6} along 1 and i:", *moved)

# %% [markdown]
# ## A promise
#
# `jk.grad(f, holomorphic=True)` returns the one number. That f is holomorphic is a
# promise: nobody checks it. For the conjugate the answer is a number that is no
# derivative.

# %%
print("z² at 3+4i:      ", jk.grad(square, holomorphic=True)(z))
print("exp at 0:        ", jk.grad(jnp.exp, holomorphic=True)(0j))
print("a broken promise:", jk.grad(jnp.conj, holomorphic=True)(z))

# %% [markdown]
# ## A real loss
#
# More often, complex numbers lie inside: the loss is real, as |z|² = x² + y² is. Then
# there are two slopes, 2x and 2y. `jk.grad` returns 2x - 2yi, as JAX does. The sign
# seems odd, but follows from one choice: that a tangent dz moves the loss by the real
# part of gradient times dz, without a conjugate, as for real numbers.

# %%


def energy(z):
    return jnp.abs(z) ** 2


g, dz = jk.grad(energy)(z), 0.5 - 2j
print("gradient:", g)
print("along dz:", jk.jvp(energy, (jnp.asarray(z),), (dz,))[1], (g * dz).real)

# %% [markdown]
# The price: who wants to go downhill must take the conjugate. The way in which a loss
# grows fastest is 2x + 2yi, the conjugate of what `grad` returns. (PyTorch returns that
# one.) Against the gradient itself, x shrinks, and y grows: this is gradient descent
# (lesson 0) from 3 + 4i, without the conjugate and with it.

# %%
ways = {"without": lambda g: g, "conjugate": jnp.conj}
paths = {}
for name, turned in ways.items():
    points = [z]
    for _ in range(12):
        points.append(points[-1] - 0.1 * turned(jk.grad(energy)(points[-1])))
    paths[name] = [complex(w) for w in points]
    print(f"{name:9}", *(f"{w:.2f}" for w in paths[name][::4]))


def descents(axes):
    for (name, points), colour in zip(
        paths.items(), ("#d55e00", "#0072b2"), strict=True
    ):
        axes.plot([w.real for w in points], [w.imag for w in points], "o-", color=colour,
                  label=name, markersize=4)  # fmt: skip
    axes.plot([0], [0], "x", color="#009e73", label="least energy")
    axes.set(xlabel="x", ylabel="y")
    axes.legend()


picture("15-descent", descents)

# %% [markdown]
# ## The transpose has no conjugate
#
# Lesson 8's rule, cotangent · (A tangent) = (Aᵀ cotangent) · tangent, holds with complex
# numbers as it stands: the transpose of a multiplication by 6 + 8i is the same
# multiplication. Mathematics often asks for the *adjoint* in its other sense, the
# transpose with all numbers conjugated; conjugate before and after to have it.

# %%
_, square_jvp = jk.linearize(square, z)
print("forward of 1:  ", complex(square_jvp(1 + 0j)))
print("transpose of 1:", complex(square_jvp.T(1 + 0j)[0]))
print("adjoint of 1:  ", complex(jnp.conj(square_jvp.T(jnp.conj(1 + 0j))[0])))

# %% [markdown]
# ## Exercises
#
# 1. From two tangents, find how f moves with z and with its conjugate: `python -m jaxkit
#    exercise 15` checks it (`--start` writes the file).
# 2. Which of exp, z², 1/z, conj, abs and the real part are holomorphic? Why can't a
#    function be, whose values are all real?
