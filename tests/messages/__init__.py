"""What users do wrong, what JAX says to it and what jaxkit says.

`python -m tests.messages` writes `docs/messages.md`; with `--check` it only compares.
"""
