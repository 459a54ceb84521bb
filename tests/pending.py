"""Primitives whose rules are being written; no test fails for want of these.

PENDING must become empty, and then this file goes.
"""

PENDING = set(
    # Collectives and sharding.
    "all_gather all_gather_invariant all_gather_reduced all_to_all pbroadcast "
    "pbroadcast_dynamic ppermute preduced psum psum_invariant pvary "
    "ragged_all_to_all reduce_scatter reduced_vary_cast reduced_vary_cast_p "
    "shard_map unreduced_psum unreduced_reduce_scatter vary_unreduced_cast "
    "vary_unreduced_cast_p "
    "device_put layout_constraint relayout reshard sharding_constraint".split()
)
