# %% [markdown]
# # 3. Tracing
#
# **How can a program find out which operations a Python function performs?**
#
# To differentiate f by rules, we must know what f does. We could read its source. It is
# easier to run it, on an object that looks like a number and writes down whatever is
# done to it. Such an object is called a *tracer*, and running f on it is *tracing*.
# Python helps: `a * b` calls `a.__mul__(b)`, and if a is a plain number,
# `b.__rmul__(a)`.

# %%
import jax
import jax.numpy as jnp

from jaxkit.drawing import Arrow, Box, Graph
from jaxkit.lessons import picture


def f(x, y):
    return x * x * y + (y + 2)


class Recorder:
    """Stands for a number, and writes down what is done to it."""

    def __init__(self, name, program):
        self.name, self.program = name, program

    def record(self, operation, other):
        operands = [self.name, getattr(other, "name", other)]
        result = Recorder(f"n{len(self.program) + 1}", self.program)
        self.program.append((result.name, operation, operands))
        return result

    def __mul__(self, other):
        return self.record("mul", other)

    def __add__(self, other):
        return self.record("add", other)

    __rmul__, __radd__ = __mul__, __add__  # the order doesn't matter to these two


program = []
f(Recorder("x", program), Recorder("y", program))
for name, operation, operands in program:
    print(name, "=", operation, *operands)

# %% [markdown]
# That is all of f: four operations, in the order in which they ran. The recording is
# now data. We can draw it, as a graph in which each arrow says "is used by" (x is used
# twice by the first operation), or run it at any other point.

# %%
boxes = [Box(v, v, kind="input") for v in ("x", "y")] + [Box("2", "2", kind="const")]
arrows = []
for name, operation, operands in program:
    kind = "output" if name == program[-1][0] else "operation"
    boxes.append(Box(name, f"{name} = {operation}", kind=kind))
    arrows += [Arrow(str(operand), name) for operand in operands]
picture("03-recording", Graph(boxes, arrows))


# %%
def run(program, **values):
    for name, operation, operands in program:
        a, b = (values.get(x, x) for x in operands)
        values[name] = a * b if operation == "mul" else a + b
    return values[name]


print(run(program, x=3, y=4), run(program, x=10, y=1), f(10, 1))

# %% [markdown]
# ## JAX does the same
#
# JAX is a library for numerical programs. Its module `jax.numpy`, `jnp` for short, has
# the functions of NumPy; they accept arrays, numbers and JAX's tracers.
# `jax.make_jaxpr(f)(3.0, 4.0)` runs f on tracers and returns the recording, a *jaxpr*.
# Each line is an equation. Its operation is called a *primitive*: primitives are the
# basic operations of which all JAX programs are made. `f32[]` is the type, a 32-bit
# number without axes; `f32[3]` is an array of three.

# %%
print(jax.make_jaxpr(f)(3.0, 4.0))
print(jax.make_jaxpr(lambda x: jnp.sin(x) * x)(jnp.array([1.0, 2.0, 3.0])))

# %% [markdown]
# The tracers of `make_jaxpr` (and of `jax.jit`, which compiles what it records) know a
# type and a shape, but no value: the recording must hold for all values. So what
# depends on a value can't be recorded, such as `if x > 0`. What doesn't is done while
# tracing, and leaves no trace: a loop is written out, a `print` prints once.


# %%
def powers(x):
    print("tracing: is x a tracer?", isinstance(x, jax.core.Tracer), "shape", x.shape)
    for _ in range(3):
        x = x * x
    return x


print(jax.make_jaxpr(powers)(3.0))
try:
    jax.make_jaxpr(lambda x: x if x > 0 else -x)(3.0)
except jax.errors.TracerBoolConversionError as error:
    print("a branch on a value:", type(error).__name__)

# %% [markdown]
# Everything that follows rests on tracing. The lessons differ in what their tracers
# carry along: expressions (4), derivatives (5 and 6), or a place in a recording (7 and
# 8).
#
# ## Exercises
#
# 1. Count the operations in a jaxpr: `python -m jaxkit exercise 3` checks your interpreter.
# 2. Add subtraction to `Recorder`. Why can't `__rsub__` be the same as `__sub__`?
