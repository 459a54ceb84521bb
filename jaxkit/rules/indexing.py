"""Indexing: a block at an offset, or many places, that a program computes.

Reading is linear in the array read from, writing in the array and what is written.
The transpose of reading is adding to those places, and the other way round.
"""

from __future__ import annotations

from jax import lax
from jax.extend.core import primitives as p

from jaxkit.program import Var
from jaxkit.rules.verbs import custom, linear, transposable
from jaxkit.tangents import full


def _zeros(x):
    return full(x.aval, 0)


# --- One block at a computed offset -------------------------------------------------

# By the primitives, not by `lax.dynamic_slice`: that counts a negative offset from the
# end, and what is still negative after it (far outside) must not be counted so again.


def _write(x, update, start):
    return p.dynamic_update_slice_p.bind(x, update, *start)


linear(p.dynamic_slice_p, lambda ct, x, *start, **params: _write(_zeros(x), ct, start))


def _update_slice_transpose(ct, x, update, *start):
    ct_x = ct_update = None
    if type(x) is Var:
        ct_x = _write(ct, _zeros(update), start)
    if type(update) is Var:
        sizes = update.aval.shape
        ct_update = p.dynamic_slice_p.bind(ct, *start, slice_sizes=sizes)
    return ct_x, ct_update, *(None for _ in start)


linear(p.dynamic_update_slice_p, _update_slice_transpose, operands=(0, 1))

# --- Many places --------------------------------------------------------------------


def _scatter_numbers(numbers: lax.GatherDimensionNumbers):
    return lax.ScatterDimensionNumbers(
        update_window_dims=numbers.offset_dims,
        inserted_window_dims=numbers.collapsed_slice_dims,
        scatter_dims_to_operand_dims=numbers.start_index_map,
        operand_batching_dims=numbers.operand_batching_dims,
        scatter_indices_batching_dims=numbers.start_indices_batching_dims,
    )


def _gather(dx, y, x, indices, **params):
    # What is read outside the array is a constant, whatever `fill_value` says.
    return p.gather_p.bind(dx, indices, **dict(params, fill_value=0))


custom(p.gather_p, _gather, None)


def _gather_transpose(
    ct, x, indices, *, dimension_numbers, indices_are_sorted, unique_indices, mode, **_
):
    return lax.scatter_add(
        _zeros(x),
        indices,
        ct,
        _scatter_numbers(dimension_numbers),
        indices_are_sorted=indices_are_sorted,
        unique_indices=unique_indices,
        mode=mode,
    )


transposable(p.gather_p, _gather_transpose)
