"""How arrays are divided among devices, as far as their types say it.

Where the axes of a mesh are explicit, how an array is divided is a part of its type.
Inside `jax.shard_map` each device has a part of its own, and the types say along which
axes of the mesh a value may differ from device to device (is *varying*).
"""

from __future__ import annotations

from collections.abc import Sequence, Set
from contextlib import nullcontext
from typing import Any

import jax
from jax import lax
from jax.sharding import AxisType

from jaxkit.tracing.types import aval_of, typeof


def varying_like(x: Any, aval: Any) -> Any:
    """x as a value that may differ from device to device where an `aval` may.

    Of values inside `jax.shard_map` it is known over which axes of the mesh they vary,
    and JAX's primitives want operands that vary over the same.
    """
    return varying_along(x, aval.manual_axis_type.varying)


def varying_along(x: Any, axes: Set[Any]) -> Any:
    """x as a value that may differ from device to device along these axes, too."""
    if not axes:
        return x
    axes = axes - varying_axes(x)
    return lax.pcast(x, tuple(sorted(axes, key=str)), to="varying") if axes else x


def varying_axes(x: Any) -> Any:
    """The axes of a mesh along which a value may differ from device to device."""
    return typeof(x).manual_axis_type.varying


def sharding_of(aval: Any, axes: Sequence[int | None] | None = None) -> Any:
    """How an array of this type is divided, or None where its type doesn't say.

    Given `axes`, it is of an array that has these axes of that one (None: another one,
    which isn't divided).
    """
    sharding = aval.sharding
    if AxisType.Explicit not in sharding.mesh.axis_types:
        return None
    if axes is None:
        return sharding
    parts = sharding.spec.partitions
    return along(sharding, [None if d is None else parts[d] for d in axes])


def along(sharding: Any, parts: Sequence[Any]) -> Any:
    """The sharding that divides axes along these axes of the mesh (None: not)."""
    return sharding.update(spec=sharding.spec.update(partitions=tuple(parts)))


def with_axes(aval: Any, before: Sequence[int], after: Sequence[int] = ()) -> Any:
    """The type of arrays that have more axes, which aren't divided."""
    own = aval.sharding.spec.partitions
    parts = [*[None] * len(before), *own, *[None] * len(after)]
    shape, sharding = (*before, *aval.shape, *after), along(aval.sharding, parts)
    return aval.update(shape=shape, sharding=sharding)


def is_divided_like(aval: Any, other: Any) -> bool:
    """Whether an array of this type is divided as one of another type has to be."""
    own = aval.sharding
    if own is other.sharding or sharding_of(other) is None:  # nearly always
        return True
    return own == other.sharding


def divided_like(x: Any, aval: Any) -> Any:
    """x, divided as an array of this type is."""
    if is_divided_like(aval_of(x), aval):
        return x
    return jax.sharding.reshard(x, sharding_of(aval))


def undivided(x: Any) -> Any:
    """x, with all of it on each device where its type says how it is divided."""
    aval = aval_of(x)
    sharding = sharding_of(aval, [None] * aval.ndim)
    return x if sharding is None else divided_like(x, aval.update(sharding=sharding))


mesh_here = jax.sharding.get_abstract_mesh  # the one that operations are on, or none
STAY = nullcontext()


def on_mesh_of(operands: Sequence[Any]) -> Any:
    """A context in which operations are on the mesh that these are on (by `.aval`).

    A part of a program may see the axes of its mesh as another kind, and what it
    computed is differentiated as it was computed.
    """
    here = mesh_here()
    if here.axis_names:
        for aval in [x.aval for x in operands if hasattr(x, "aval")]:
            mesh = aval.sharding.mesh
            if mesh is not here and mesh.shape_tuple == here.shape_tuple:
                return jax.sharding.use_abstract_mesh(mesh)
    return STAY
