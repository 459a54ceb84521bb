"""Collectives: linear maps between the devices along an axis, named by `jax.shard_map`
or by `jax.vmap(axis_name=...)`.

With x_d the operand on device d and y_e the result on device e, each is a matrix whose
rows and columns are devices, and its transpose is another one of them:

    psum         y_e = sum_d x_d           psum             ct_d = sum_e ct_e
    all_gather   y_e = (x_0, x_1, ...)     reduce_scatter   ct_d = sum_e ct_e[d]
    ppermute     y_e = x_p(e)              ppermute         the inverse permutation
    all_to_all   y_e = (x_0[e], ...)       all_to_all       the same, axes exchanged
    pbroadcast   y_e = x_s                 psum             on device s, zero elsewhere

Where `jax.shard_map` checks which values vary from device to device, one that doesn't
is one value, not a copy on each device, and so is its cotangent.  Then the copying of
it, `pvary`, is a step of its own, and summing without copying, `psum_invariant`, is its
transpose.  A third kind are partial sums ("unreduced"), dual to copies of which each
takes a share of the cotangent ("reduced"); casts between kinds come in such pairs too.
"""

from __future__ import annotations

from functools import partial

from jax import lax
from jax.extend.core import primitives as p

from jaxkit.rules.arith import eq
from jaxkit.rules.extremes import mean_at_extreme
from jaxkit.rules.shapes import repeated, reshaped
from jaxkit.rules.verbs import custom, linear, zero
from jaxkit.tracing import aval_of

zero("axis_index", why="the number of a device doesn't move")

# --- Sums and copies ------------------------------------------------------------------


def _split(axes):
    """The axes by name, and those of the array itself: an inner `vmap` named them."""
    own = [axis for axis in axes if isinstance(axis, int)]
    return tuple(axis for axis in axes if axis not in own), own


def _psum_transpose(ct, x, *, axes, **params):
    named, own = _split(axes)
    total = p.psum_p.bind(ct, axes=named, **params) if named else ct
    return repeated(total, x.aval, own)


def _sum(ct, x, *, axes, **params):
    return lax.psum(ct, axes)


def _cast(kind):
    return lambda ct, x, *, axes, **params: lax.pcast(ct, axes, to=kind)


linear(p.psum_p, _psum_transpose)
linear("psum_invariant", _cast("varying"))
linear("pvary", _sum)
linear("unreduced_psum", _cast("reduced"))
linear("preduced", _sum)
linear("vary_unreduced_cast", _cast("varying"))
linear("reduced_vary_cast", _cast("unreduced"))


def _on_source(ct, axis_name, source):
    total = lax.psum(ct, axis_name)
    here = eq(lax.axis_index(axis_name), source)
    return lax.select(here, total, lax.full_like(total, 0))


linear(
    "pbroadcast", lambda ct, x, *, axis_name, source: _on_source(ct, axis_name, source)
)
linear(
    "pbroadcast_dynamic",
    lambda ct, x, source, *, axis_name: _on_source(ct, axis_name, source),
)

# --- Gathering and scattering ---------------------------------------------------------


def _gather(ct, x, *, scatter_dimension, axis_name, tiled, kind, **params):
    groups = params.get("axis_index_groups")
    return lax.all_gather(
        ct,
        axis_name,
        axis=scatter_dimension,
        axis_index_groups=groups,
        tiled=tiled,
        to=kind,
    )


def _scatter(ct, x, *, all_gather_dimension, axis_name, tiled, **params):
    return lax.psum_scatter(
        ct,
        axis_name,
        scatter_dimension=all_gather_dimension,
        axis_index_groups=params.get("axis_index_groups"),
        tiled=tiled,
    )


def _own_part(ct, x, *, all_gather_dimension, axis_name, tiled, **params):
    """Of a cotangent that is the same on all devices, each takes the part it gave."""
    size = x.aval.shape[all_gather_dimension] if tiled else 1
    start = lax.axis_index(axis_name) * size
    part = lax.dynamic_slice_in_dim(ct, start, size, all_gather_dimension)
    return reshaped(part, x.aval)


linear(p.all_gather_p, _scatter)
linear("all_gather_reduced", _scatter)
linear("all_gather_invariant", _own_part)
linear("reduce_scatter", partial(_gather, kind="varying"))
linear("unreduced_reduce_scatter", partial(_gather, kind="reduced"))

# --- Exchanges ------------------------------------------------------------------------


def _ppermute_transpose(ct, x, *, axis_name, perm):
    return lax.ppermute(ct, axis_name, [(end, start) for start, end in perm])


def _all_to_all_transpose(ct, x, *, split_axis, concat_axis, **params):
    return p.all_to_all_p.bind(
        ct, split_axis=concat_axis, concat_axis=split_axis, **params
    )


linear(p.ppermute_p, _ppermute_transpose)
linear(p.all_to_all_p, _all_to_all_transpose)

# --- Extrema --------------------------------------------------------------------------


def _extremum(dx, y, x, *, axes, axis_index_groups):
    named, own = _split(axes)

    def total(x):
        x = lax.reduce_sum(x, own)
        groups = {"axis_index_groups": axis_index_groups}
        return lax.psum(x, named, **groups) if named else x

    return mean_at_extreme(total, [dx], [eq(x, repeated(y, aval_of(x), own))])


custom(p.pmax_p, _extremum)
custom(p.pmin_p, _extremum)
