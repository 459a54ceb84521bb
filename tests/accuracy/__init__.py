"""How close the derivatives of elementwise primitives come to the exact ones.

`python -m tests.accuracy` writes `docs/accuracy.md`: the worst errors of jaxkit and of
JAX over the whole range of float32 and float64.
"""
