"""Reference for exercise 6.

"cos": lambda a, da: (jnp.cos(a), -jnp.sin(a) * da), and "div": lambda a, b, da, db: (a
/ b, da / b - a * db / b**2).
"""


def partial(y, x):
    return 1 - y * y
