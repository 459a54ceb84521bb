"""Curvature, and what the samples' gradients tell, from one linear program.

factors   a gradient as products that aren't multiplied yet
samples   gradients of each sample, their norms and moments; the empirical Fisher matrix
blocks    the Gauss-Newton matrix of a model: its diagonal, its Kronecker factors
traces    the Hessian's diagonal and its trace, exact or estimated
"""

from jaxkit.curvature.blocks import (
    Kronecker,
    gauss_newton_diagonal,
    kronecker_factors,
)
from jaxkit.curvature.samples import (
    Moments,
    fisher_diagonal,
    gradient_moments,
    per_sample_grad,
    per_sample_norms,
)
from jaxkit.curvature.traces import Estimate, hessian_diagonal, hessian_trace

__all__ = [
    "Estimate",
    "Kronecker",
    "Moments",
    "fisher_diagonal",
    "gauss_newton_diagonal",
    "gradient_moments",
    "hessian_diagonal",
    "hessian_trace",
    "kronecker_factors",
    "per_sample_grad",
    "per_sample_norms",
]
