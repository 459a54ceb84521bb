"""jaxkit beside JAX on the cases that JAX's own wheel ships.

`jax._src.internal_test_util.test_harnesses` holds thousands of calls of lax primitives,
written for JAX's exporters. Those that are differentiable on CPU are as many ready
cases for derivatives: `python -m tests.harnesses` runs them all.
"""
