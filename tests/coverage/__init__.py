"""Which of JAX's differentiable primitives have rules here, and why others haven't.

`python -m tests.coverage` writes `docs/coverage.md`; with `--check` it only compares.
"""
