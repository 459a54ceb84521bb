"""3. Count the operations of a program.

`jax.make_jaxpr(f)(x)` is the program that f runs: a list of equations, `jaxpr.eqns`.
The operation of an equation is `eqn.primitive.name`, a string.  An equation named "jit"
is a call: it does nothing itself, and the program it calls is `eqn.params["jaxpr"]`.

Example: count_operations(jax.make_jaxpr(lambda x: jax.jit(jnp.sin)(x) * x)(1.0)) is
{"sin": 1, "mul": 1}.
"""


def count_operations(jaxpr):
    """How often each operation occurs, by name, inside of calls too.

    The calls themselves are not counted.
    """
    raise NotImplementedError("your code here")
