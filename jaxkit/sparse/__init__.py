"""Sparse derivatives: where they aren't zero, and how few passes give them.

patterns     where the matrix of a linear program isn't zero
colouring    which of its columns, or rows, may share a pass
recovery     its entries, from what the passes gave
plan         the three put together, and told beforehand
derivatives  `sparsity`, `sparse_jacobian`, `sparse_hessian`: what users call
"""

from jaxkit.sparse import solves as _solves  # noqa: F401  (says how solves spread)
from jaxkit.sparse.derivatives import sparse_hessian, sparse_jacobian, sparsity
from jaxkit.sparse.plan import Plan, Sparsity

__all__ = ["Plan", "Sparsity", "sparse_hessian", "sparse_jacobian", "sparsity"]
