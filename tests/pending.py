"""Primitives whose rules are being written; no test fails for want of these.

PENDING must become empty, and then this file goes.
"""

PENDING = set(
    # Linear algebra.
    "cholesky custom_linear_solve eig eigh householder_product lu qr svd "
    "triangular_solve tridiagonal_solve "
    # Control flow, calls and callbacks.
    "scan while cond remat2 name composite custom_vmap_call linear_call "
    "pure_callback io_callback ffi_call optimization_barrier "
    # Collectives and sharding.
    "all_gather all_gather_invariant all_gather_reduced all_to_all pbroadcast "
    "pbroadcast_dynamic ppermute preduced psum psum_invariant pvary "
    "ragged_all_to_all reduce_scatter reduced_vary_cast reduced_vary_cast_p "
    "shard_map unreduced_psum unreduced_reduce_scatter vary_unreduced_cast "
    "vary_unreduced_cast_p "
    "device_put layout_constraint relayout reshard sharding_constraint "
    # The identity, under several names, and its like: one line each.
    "stage dce_sink inspect_sharding check".split()
)
