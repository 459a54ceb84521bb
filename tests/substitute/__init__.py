"""Others' tests, with jaxkit's transforms in the place of JAX's.

`python -m tests.substitute PATH` runs those of a checkout of JAX that reach a
transform, and writes docs/jax_tests.md: how many pass, and why the others don't. With
`--packages` it runs those of packages, of which PATH has the sources, and writes
docs/packages_tests.md.
"""
