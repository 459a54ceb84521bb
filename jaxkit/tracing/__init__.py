"""Tracing: a Python function, run on tracers, becomes a stream of primitives.

Every JAX operation ends in `primitive.bind(*operands, **params)`, and `bind` hands
the primitive to the *current trace*.  A transform is therefore a `Trace`: it becomes
the current trace while the user's function runs, sees each primitive that meets one
of its own tracers, and passes all others to the trace below (its *parent*).  The
parent may be plain evaluation, a `jax.jit` in the making, a `jax.vmap`, or another
transform; a trace neither knows nor asks, and that is why transforms nest.

A value belongs to the trace that made its tracer.  What a trace computes, it computes
under its parent, so an inner derivative never mistakes an outer tangent for its own
(no perturbation confusion; Siskind & Pearlmutter 2005).

traces.py       traces: the base of the transforms
evaluation.py   the equations of a jaxpr, run under whichever trace
primitives.py   which primitives there are, what their parameters say
jaxprs.py       programs as JAX traced them, walked through
shardings.py    how arrays are divided among devices
types.py        what tracers know of values, and what derivatives are of
lines.py        the user's lines

These know nothing of derivatives.  They are the only ones that touch `jax.core` and
`jax.extend.core`, and differences between JAX versions live here.
"""

# ruff: noqa: F401

from jaxkit.tracing.evaluation import (
    WRITES,
    noted,
    noting,
    run_again,
    run_equations,
    run_in_order,
    run_jaxpr_here,
)
from jaxkit.tracing.jaxprs import (
    environment,
    is_literal,
    needed,
    open_jaxpr,
    read,
    used,
    variables,
)
from jaxkit.tracing.lines import (
    NO_LINE,
    as_if_at,
    frames_are_hidden,
    here,
    is_internal,
    is_lesson,
    line_of,
    user_frames,
    user_line,
)
from jaxkit.tracing.primitives import (
    JAX_PRIMITIVES,
    belongs_to_jax,
    bind,
    default_params,
    is_jaxs,
    output_aval,
    output_avals,
    scan_layout,
    writes,
)
from jaxkit.tracing.shardings import (
    STAY,
    along,
    divided_like,
    is_divided_like,
    mesh_here,
    on_mesh_of,
    sharding_of,
    undivided,
    varying_axes,
    varying_like,
    with_axes,
)
from jaxkit.tracing.traces import (
    MAY_MOVE,
    Reference,
    Trace,
    Tracer,
    running,
    set_current_trace,
)
from jaxkit.tracing.types import (
    WIDE,
    ShapedArray,
    aval_of,
    concrete,
    cotangent_of,
    is_traced,
    none_if_zero,
    tangent_of,
    typeof,
    wide_enough,
    with_64_bits,
    x64_is_off,
)
