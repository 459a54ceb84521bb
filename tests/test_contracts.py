"""The parameters of JAX's structured primitives, as the rules know them.

A rule that gets a parameter it doesn't know, or misses one, gives a wrong derivative or
an unreadable error. So the names are pinned here, for each line of JAX, and a new JAX
fails with a message that says of which primitive, which are new and which are gone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax
from jax.ad_checkpoint import checkpoint_name
from jax.sharding import Mesh
from jax.sharding import PartitionSpec as P

X = jnp.ones(4)
A = jnp.eye(4)
INDICES = jnp.zeros((1, 1), int)

PROGRAMS: dict[str, Callable] = {}


def program(*primitives: str) -> Callable[[Callable], Callable]:
    """Decorator: a small function whose jaxpr has these primitives."""

    def enter(function):
        PROGRAMS.update(dict.fromkeys(primitives, function))
        return function

    return enter


# ------------------------------------------------------------------ calls and control


@program("jit")
def _():
    return jax.jit(jnp.sin, inline=False)(X)


@program("scan")
def _():
    return lax.scan(lambda c, x: (c * x, c), 1.0, X)


@program("while")
def _():
    return lax.while_loop(lambda x: x < 9, lambda x: x * 2, 1.0)


@program("cond")
def _():
    by_platform = lax.platform_dependent(X, cpu=jnp.sin, default=jnp.cos)
    return lax.cond(X[0] > 0, jnp.sin, jnp.cos, by_platform)


@program("remat2")
def _():
    return jax.checkpoint(jnp.sin)(X)


@program("name")
def _():
    return checkpoint_name(X, "x")


@program("custom_jvp_call")
def _():
    f = jax.custom_jvp(jnp.sin)
    f.defjvp(lambda x, dx: (f(*x), dx[0]))
    return f(X)


@program("custom_vjp_call")
def _():
    f = jax.custom_vjp(jnp.sin)
    f.defvjp(lambda x: (f(x), None), lambda _, ct: (ct,))
    return f(X)


@program("custom_linear_solve")
def _():
    return lax.custom_linear_solve(lambda x: 2 * x, X, lambda _, b: b / 2)


@program("pure_callback")
def _():
    return jax.pure_callback(np.sin, X, X)


@program("optimization_barrier")
def _():
    return lax.optimization_barrier(X)


@program("composite")
def _():
    return lax.composite(jnp.sin, "test.sin")(X)


# ----------------------------------------------------------------- arithmetic, shapes


@program("mul", "exp", "integer_pow", "conj", "convert_element_type", "reduce_sum",
         "reduce_max", "reduce_prod")  # fmt: skip
def _():
    z = lax.conj(lax.complex(X, X)) * 2
    real = lax.reduce_sum(X, (0,)), lax.reduce_max(X, (0,)), lax.reduce_prod(X, (0,))
    return z, *real, lax.exp(X), lax.integer_pow(X, 3), X.astype(jnp.float32)


@program("broadcast_in_dim", "reshape", "transpose", "concatenate", "pad", "slice",
         "squeeze", "rev", "split", "reduce_precision")  # fmt: skip
def _():
    y = lax.broadcast_in_dim(X, (2, 4), (1,)), X.reshape(2, 2), lax.transpose(A, (1, 0))
    z = (
        lax.concatenate([X, X], 0),
        lax.pad(X, 0.0, [(1, 1, 1)]),
        lax.slice(X, (1,), (3,)),
    )
    parts = lax.split(X, (2, 2)), lax.squeeze(X[None], (0,)), lax.rev(X, (0,))
    return y, z, parts, lax.reduce_precision(X, 5, 10)


@program("random_gamma")
def _():
    return jax.random.gamma(jax.random.key(0), X)


# ---------------------------------------------------------------- windows and indexing


@program("gather", "scatter-add", "scatter", "scatter-sub", "scatter-mul",
         "scatter-min", "scatter-max")  # fmt: skip
def _():
    at = X.at[jnp.array([0, 2])]
    return (
        at.get(),
        at.add(1),
        at.set(1),
        at.subtract(1),
        at.mul(1),
        at.min(1),
        at.max(1),
    )


@program("dynamic_slice", "dynamic_update_slice")
def _():
    return lax.dynamic_update_slice(X, lax.dynamic_slice(X, (1,), (2,)), (0,))


@program("reduce_window_sum", "reduce_window_max", "reduce_window_min")
def _():
    window = (2,), (1,), "VALID"
    reductions = (lax.add, 0.0), (lax.max, -jnp.inf), (lax.min, jnp.inf)
    return [lax.reduce_window(X, init, op, *window) for op, init in reductions]


@program("reduce_window")
def _():
    return lax.reduce_window(X, 1.0, lax.mul, (2,), (1,), "VALID")


@program("select_and_scatter_add", "select_and_gather_add")
def _():
    def largest(x):
        return lax.reduce_window(x, -jnp.inf, lax.max, (2,), (1,), "VALID")

    # JAX's own derivatives of reduce_window_max are where these come from.
    return jax.jvp(largest, (X,), (X,)), jax.vjp(largest, X)[1](X[1:])


@program("reduce")
def _():
    return lax.reduce(X, 1.0, lambda x, y: x * y + 1, (0,))


@program("conv_general_dilated")
def _():
    return lax.conv(X.reshape(1, 1, 4, 1), X.reshape(1, 1, 4, 1), (1, 1), "SAME")


@program("dot_general", "ragged_dot_general")
def _():
    return A @ X, lax.ragged_dot(A, A[None], jnp.array([4]))


@program("sort", "top_k", "approx_top_k")
def _():
    return lax.sort((X, X), num_keys=2), lax.top_k(X, 2), lax.approx_max_k(X, 2)


@program("cumsum", "cumprod", "cummax", "cummin", "cumlogsumexp")
def _():
    both = lax.cumsum(X), lax.cumprod(X), lax.cumlogsumexp(X)
    return *both, lax.cummax(X), lax.cummin(X)


# ---------------------------------------------------------------------- linear algebra


@program("cholesky", "lu", "qr", "eig", "eigh", "svd", "householder_product", "schur",
         "hessenberg", "tridiagonal")  # fmt: skip
def _():
    la = lax.linalg
    every = la.cholesky(A), la.lu(A), la.qr(A), la.eig(A), la.eigh(A), la.svd(A)
    more = la.schur(A), la.hessenberg(A), la.tridiagonal(A)
    return *every, *more, la.householder_product(A, X)


@program("triangular_solve", "tridiagonal_solve")
def _():
    solved = lax.linalg.tridiagonal_solve(X, X, X, A)
    return solved, lax.linalg.triangular_solve(A, A)


@program("fft")
def _():
    return jnp.fft.fft(X)


# ------------------------------------------------------------------------ many devices


def sharded(f, check=True):
    mesh = Mesh(np.array(jax.devices()[:1]), ("i",))
    spec = P("i")
    return jax.shard_map(f, mesh=mesh, in_specs=spec, out_specs=spec, check_vma=check)


# With and without the check of what varies over devices, the sum is another primitive.
@program("shard_map", "psum", "all_gather", "all_to_all", "ppermute", "reduce_scatter")
def _():
    def collectives(x):
        y = lax.psum(x, "i") + lax.ppermute(x, "i", [(0, 0)])
        y += lax.psum_scatter(x, "i", tiled=True) + lax.all_gather(x, "i", tiled=True)
        return y + lax.all_to_all(x, "i", 0, 0, tiled=True)

    return sharded(collectives, check=False)(X)


@program("psum_invariant", "pvary")
def _():
    return sharded(lambda x: x + lax.pcast(lax.psum(x, "i"), "i", to="varying"))(X)


@program("sharding_constraint")
def _():
    device = jax.sharding.SingleDeviceSharding(jax.devices()[0])
    return lax.with_sharding_constraint(X, device)


# ------------------------------------------------------------------------ what's pinned

# For each primitive its parameters: in every line of JAX, or since the lines named.
CONTRACTS: dict[str, str | dict[str, str]] = {
    "jit": (
        "compiler_options_kvs ctx_mesh donated_invars in_layouts in_shardings inline "
        "jaxpr keep_unused name out_layouts out_shardings"
    ),
    "scan": {
        "0.10": "jaxpr length num_carry num_consts reverse unroll",
        "0.11": "ft_in ft_out jaxpr length reverse unroll",
    },
    "while": "body_jaxpr body_nconsts cond_jaxpr cond_nconsts",
    "cond": "branches branches_platforms",
    "remat2": "differentiated jaxpr policy prevent_cse",
    "name": "name",
    "custom_jvp_call": "call_jaxpr jvp_jaxpr_fun num_consts symbolic_zeros",
    "custom_vjp_call": (
        "bwd call_jaxpr fwd_jaxpr_thunk num_consts out_trees symbolic_zeros"
    ),
    "custom_linear_solve": "const_lengths jaxprs",
    "pure_callback": "callback result_avals sharding vmap_method",
    "optimization_barrier": "",
    "composite": {
        "0.10": "attributes jaxpr name version",
        "0.11": "attributes call_jaxpr name version",
    },
    "mul": "out_dtype",
    "exp": "accuracy",
    "integer_pow": "y",
    "conj": "input_dtype",
    "convert_element_type": "new_dtype sharding weak_type",
    "reduce_sum": "axes out_sharding",
    "reduce_max": {
        "0.10": "axes",
        "0.11": "axes out_sharding",
    },
    "reduce_prod": "axes",
    "broadcast_in_dim": "broadcast_dimensions shape sharding",
    "reshape": "dimensions new_sizes sharding",
    "transpose": "permutation",
    "concatenate": "dimension",
    "pad": "padding_config",
    "slice": "limit_indices start_indices strides",
    "squeeze": "dimensions",
    "rev": "dimensions",
    "split": "axis sizes",
    "reduce_precision": "exponent_bits mantissa_bits",
    "random_gamma": "log_space",
    "gather": (
        "dimension_numbers fill_value indices_are_sorted mode slice_sizes "
        "unique_indices"
    ),
    "scatter-add": (
        "dimension_numbers indices_are_sorted mode unique_indices update_consts "
        "update_jaxpr"
    ),
    "scatter": (
        "dimension_numbers indices_are_sorted mode unique_indices update_consts "
        "update_jaxpr"
    ),
    "scatter-sub": (
        "dimension_numbers indices_are_sorted mode unique_indices update_consts "
        "update_jaxpr"
    ),
    "scatter-mul": (
        "dimension_numbers indices_are_sorted mode unique_indices update_consts "
        "update_jaxpr"
    ),
    "scatter-min": (
        "dimension_numbers indices_are_sorted mode unique_indices update_consts "
        "update_jaxpr"
    ),
    "scatter-max": (
        "dimension_numbers indices_are_sorted mode unique_indices update_consts "
        "update_jaxpr"
    ),
    "dynamic_slice": "slice_sizes",
    "dynamic_update_slice": "",
    "reduce_window_sum": (
        "base_dilation padding window_dilation window_dimensions window_strides"
    ),
    "reduce_window_max": (
        "base_dilation padding window_dilation window_dimensions window_strides"
    ),
    "reduce_window_min": (
        "base_dilation padding window_dilation window_dimensions window_strides"
    ),
    "reduce_window": (
        "base_dilation consts jaxpr padding window_dilation window_dimensions "
        "window_strides"
    ),
    "select_and_scatter_add": "padding select_prim window_dimensions window_strides",
    "select_and_gather_add": (
        "base_dilation padding select_prim window_dilation window_dimensions "
        "window_strides"
    ),
    "reduce": "computation dimensions jaxpr",
    "conv_general_dilated": (
        "batch_group_count dimension_numbers feature_group_count lhs_dilation "
        "out_sharding padding precision preferred_element_type rhs_dilation "
        "window_strides"
    ),
    "dot_general": "dimension_numbers out_sharding precision preferred_element_type",
    "ragged_dot_general": (
        "group_offset out_sharding precision preferred_element_type "
        "ragged_dot_dimension_numbers"
    ),
    "sort": "dimension is_stable num_keys",
    "top_k": {
        "0.10": "axis k",
        "0.11": "axis is_stable k",
    },
    "approx_top_k": (
        "aggregate_to_topk is_max_k k recall_target reduction_dimension "
        "reduction_input_size_override"
    ),
    "cumsum": "axis reverse",
    "cumprod": "axis reverse",
    "cummax": "axis reverse",
    "cummin": "axis reverse",
    "cumlogsumexp": "axis reverse",
    "cholesky": "",
    "lu": "",
    "qr": "full_matrices pivoting use_magma",
    "eig": (
        "compute_left_eigenvectors compute_right_eigenvectors enable_eigvec_derivs "
        "implementation"
    ),
    "eigh": "algorithm lower sort_eigenvalues subset_by_index",
    "svd": "algorithm compute_uv full_matrices subset_by_index",
    "householder_product": "",
    "schur": "compute_schur_vectors select_callable sort_eig_vals",
    "hessenberg": "",
    "tridiagonal": "lower",
    "triangular_solve": "conjugate_a left_side lower transpose_a unit_diagonal",
    "tridiagonal_solve": "perturb_singular",
    "fft": "fft_lengths fft_type",
    "shard_map": "check_vma in_specs jaxpr mesh newly_manual_axes out_specs",
    "psum": "axes axis_index_groups",
    "all_gather": "all_gather_dimension axis_index_groups axis_name axis_size tiled",
    "all_to_all": "axis_index_groups axis_name concat_axis split_axis tiled",
    "ppermute": "axis_name perm",
    "reduce_scatter": "axis_index_groups axis_name axis_size scatter_dimension tiled",
    "psum_invariant": "axes",
    "pvary": "axes",
    "sharding_constraint": "context_mesh layout sharding unconstrained_dims",
}


def parameters(name: str) -> set[str] | None:
    """The parameters of a primitive in this JAX; None if its program hasn't got it."""
    jaxpr = jax.make_jaxpr(PROGRAMS[name])()
    found = [set(e.params) for e in equations(jaxpr) if e.primitive.name == name]
    return set.union(*found) if found else None


def equations(program) -> Iterator:
    """All equations of a jaxpr, those inside its equations too."""
    program = getattr(program, "jaxpr", program)
    for eqn in program.eqns:
        yield eqn
        for value in jax.tree.leaves(eqn.params, is_leaf=is_jaxpr):
            if is_jaxpr(value):
                yield from equations(value)


def is_jaxpr(x) -> bool:
    return hasattr(x, "eqns") or hasattr(x, "jaxpr")


def expected(name: str) -> set[str]:
    """The parameters that the rules know, in this line of JAX or the last before it."""
    contract = CONTRACTS[name]
    if isinstance(contract, dict):
        here = line(jax.__version__)
        contract = contract[max((x for x in contract if line(x) <= here), key=line)]
    return set(contract.split())


def line(version: str) -> tuple[int, ...]:
    """The line of a version: (0, 12) of 0.12.0.1."""
    return tuple(map(int, version.split(".")[:2]))


def broken(name: str, found: set[str] | None, known: set[str]) -> str:
    """What moved, in words; empty if nothing did."""
    if found is None:
        return f"JAX {jax.__version__}: '{name}' is gone, or has another name"
    if found == known:
        return ""
    new, gone = sorted(found - known), sorted(known - found)
    return f"JAX {jax.__version__}: parameters of '{name}': new {new}, gone {gone}"


@pytest.mark.parametrize("name", CONTRACTS)
def test_parameters(name):
    problem = broken(name, parameters(name), expected(name))
    assert not problem, f"{problem}; see its rule in jaxkit, then CONTRACTS"


def test_every_program_is_pinned():
    assert PROGRAMS.keys() == CONTRACTS.keys()


def test_the_message_names_what_moved():
    moved = broken("scan", {"jaxpr", "ft_in"}, {"jaxpr", "num_carry"})
    assert "'scan': new ['ft_in'], gone ['num_carry']" in moved
    assert "'scan' is gone" in broken("scan", None, {"jaxpr"})
    assert not broken("scan", {"jaxpr"}, {"jaxpr"})
