"""jaxkit: functional transformations of traced JAX programs, in readable form.

    import jaxkit as jk

    jk.grad(f)(x)              # stands where jax.grad(f)(x) stood

One idea: the derivative of a program at a point is a linear program, one small linear
map for each primitive that ran.  Forward mode runs it from the inputs to the outputs,
reverse mode runs its transpose from the outputs to the inputs.
"""

from jaxkit import control as _control  # noqa: F401  (registers its rules)
from jaxkit import rules
from jaxkit.curvature import (
    Estimate,
    Kronecker,
    Moments,
    fisher_diagonal,
    gauss_newton_diagonal,
    gradient_moments,
    hessian_diagonal,
    hessian_trace,
    kronecker_factors,
    per_sample_grad,
    per_sample_norms,
)
from jaxkit.elimination import Elimination, eliminated
from jaxkit.explaining import Explanation, explain, stages
from jaxkit.gradients import (
    grad,
    hessian,
    hvp,
    jacfwd,
    jacrev,
    value_and_grad,
)
from jaxkit.jacobians import jacobian
from jaxkit.keeping import keeping
from jaxkit.maps import LinearMap
from jaxkit.operators import (
    gauss_newton_operator,
    hessian_operator,
    identity_operator,
    jacobian_operator,
)
from jaxkit.program import LinearProgram
from jaxkit.residuals import Residuals, residuals
from jaxkit.sparse import sparse_hessian, sparse_jacobian, sparsity
from jaxkit.transforms import jvp, linear_transpose, linearize, vjp
from jaxkit.version import __version__

__all__ = [
    "Elimination",
    "Estimate",
    "Explanation",
    "Kronecker",
    "LinearMap",
    "LinearProgram",
    "Moments",
    "Residuals",
    "__version__",
    "eliminated",
    "explain",
    "fisher_diagonal",
    "gauss_newton_diagonal",
    "gauss_newton_operator",
    "grad",
    "gradient_moments",
    "hessian",
    "hessian_diagonal",
    "hessian_operator",
    "hessian_trace",
    "hvp",
    "identity_operator",
    "jacfwd",
    "jacobian",
    "jacobian_operator",
    "jacrev",
    "jvp",
    "keeping",
    "kronecker_factors",
    "linear_transpose",
    "linearize",
    "per_sample_grad",
    "per_sample_norms",
    "residuals",
    "rules",
    "sparse_hessian",
    "sparse_jacobian",
    "sparsity",
    "stages",
    "value_and_grad",
    "vjp",
]
