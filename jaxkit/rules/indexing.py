"""Indexing: a block at an offset, or many places, that a program computes.

Reading is linear in the array read from, writing in the array and what is written.
The transpose of reading is adding to those places, and the other way round.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from jax import lax
from jax.extend.core import primitives as p

from jaxkit.program import Var
from jaxkit.rules.verbs import adding, custom, linear, transposable
from jaxkit.tangents import full
from jaxkit.tracing import varying_axes


def _zeros(x):
    return full(x.aval, 0)


# XLA writes into an array in place if it is sure that all that is read of it is read
# before, or afterwards.  Else it copies the array, in each step of a loop.


def settled(x: Any) -> Any:
    """An array that is written before it is read."""
    return lax.optimization_barrier(x)


def in_order(read: Any, x: Any) -> tuple[Any, Any]:
    """What was read of an array, and the array, which is written to afterwards."""
    if varying_axes(read) != varying_axes(
        x
    ):  # until JAX 0.11 a barrier wants them equal
        return read, x
    return lax.optimization_barrier((read, x))


# --- One block at a computed offset -------------------------------------------------

# By the primitives, not by `lax.dynamic_slice`: that counts a negative offset from the
# end, and what is still negative after it (far outside) must not be counted so again.


def _write(x, update, start):
    return p.dynamic_update_slice_p.bind(x, update, *start)


def _read(x, start, sizes):
    return p.dynamic_slice_p.bind(x, *start, slice_sizes=sizes)


linear(p.dynamic_slice_p, lambda ct, x, *start, **params: _write(_zeros(x), ct, start))


@partial(adding, p.dynamic_slice_p)
def _(total, ct, x, *start, slice_sizes):
    total = settled(total)
    read, total = in_order(_read(total, start, slice_sizes), total)
    return _write(total, lax.add(read, ct), start)


def _update_slice_transpose(ct, x, update, *start):
    ct_x = ct_update = None
    if type(update) is Var:
        ct = settled(ct)
        ct_update = _read(ct, start, update.aval.shape)
    if type(x) is Var:
        if ct_update is not None:
            ct_update, ct = in_order(ct_update, ct)
        ct_x = _write(ct, _zeros(update), start)
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


def _add_gathered(
    total,
    ct,
    x,
    indices,
    *,
    dimension_numbers,
    indices_are_sorted,
    unique_indices,
    mode,
    **_,
):
    return lax.scatter_add(
        total,
        indices,
        ct,
        _scatter_numbers(dimension_numbers),
        indices_are_sorted=indices_are_sorted,
        unique_indices=unique_indices,
        mode=mode,
    )


def _gather_transpose(ct, x, indices, **params):
    return _add_gathered(_zeros(x), ct, x, indices, **params)


transposable(p.gather_p, _gather_transpose)


@partial(adding, p.gather_p)
def _(total, ct, x, indices, **params):
    return _add_gathered(settled(total), ct, x, indices, **params)
