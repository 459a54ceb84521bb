"""Primitives without a derivative here: why, and what to do instead.

They run code that JAX can't see into, or don't map values to values.
"""

from __future__ import annotations

from functools import partial

from jaxkit.rules.verbs import refused

refused("pure_callback", "io_callback", why="it calls back into Python")
refused("ffi_call", why="it calls code of another language")
refused("composite", why="what it stands for may be run by other code")

_missing = partial(refused, error=NotImplementedError)

_missing(
    *("accum_grad_in_ref", "run_state"),
    why="references are arrays that change, and so would their tangents have to",
    instead="Compute with values: y = y.at[i].set(x), or the carry of a loop.",
    writes=True,
)
_missing(
    *("pallas_call", "mpmd_map", "masked_load", "masked_swap", "get_global"),
    "with_memory_space_constraint",
    why="it is of a Pallas kernel, which is written for one device",
    instead="Give the function that calls the kernel a jax.custom_vjp.",
)
_missing(
    *("bcoo_dot_general", "bcoo_dot_general_sampled", "bcoo_extract"),
    *("bcoo_fromdense", "bcoo_sort_indices", "bcoo_spdot_general"),
    *("bcoo_sum_duplicates", "bcoo_todense", "bcoo_transpose", "bcsr_dot_general"),
    *("bcsr_extract", "bcsr_fromdense", "bcsr_todense", "coo_fromdense"),
    *("coo_matmat", "coo_matvec", "coo_todense", "csr_fromdense", "csr_matmat"),
    *("csr_matvec", "csr_todense", "spsolve", "todense"),
    why="it is of jax.experimental.sparse, with its own kinds of arrays",
    instead="Compute with arrays: the dense matrix, or its entries, x[columns] and "
    "jax.ops.segment_sum.",
)
