"""Cases of `jaxkit.rules.indexing`, in its order."""

from __future__ import annotations

import jax
import numpy as np
from jax import lax
from jax.extend.core import primitives as p

from zoo.case import BOTH, DOUBLE, REAL, Case
from zoo.samplers import constant, distinct, integers, sampler, uniform

# --- One block at a computed offset ---------------------------------------------------


def _start(*values):
    return [constant(np.int32(value)) for value in values]


STARTS = {
    "inside": (1, 0),
    "clamped at the end": (3, 2),
    "counted from the end": (-2, 1),
    "clamped at 0": (-9, 1),
}

BLOCKS = [
    *(
        Case(
            p.dynamic_slice_p,
            f"dynamic_slice, {name}",
            lambda x, *start: lax.dynamic_slice(x, start, (2, 3)),
            sampler(uniform(4, 4), *_start(*start)),
            BOTH if name == "inside" else DOUBLE,
        )
        for name, start in STARTS.items()
    ),
    *(
        Case(
            p.dynamic_update_slice_p,
            f"dynamic_update_slice, {name}",
            lambda x, update, *start: lax.dynamic_update_slice(x, update, start),
            sampler(uniform(4, 4), uniform(2, 3), *_start(*start)),
            BOTH if name == "inside" else DOUBLE,
        )
        for name, start in STARTS.items()
    ),
    Case(
        p.dynamic_slice_p,
        "dynamic_slice, empty",
        lambda x, *start: lax.dynamic_slice(x, start, (0, 3)),
        sampler(uniform(4, 4), *_start(1, 0)),
    ),
    Case(
        p.dynamic_update_slice_p,
        "dynamic_update_slice of its own",
        lambda x, i: lax.dynamic_update_slice(x, lax.sin(x[1:3]), (i,)),
        sampler(uniform(5), *_start(2)),
    ),
]

# --- Reading from many places ---------------------------------------------------------

PLACES = {
    "inside": [3, 0, 2],
    "repeated": [1, 1, 0, 1],
    "outside": [1, 7, -9, 1],
}
# Promised in bounds must be so.
MODES = {
    "clip": PLACES,
    "fill": PLACES,
    "promise_in_bounds": {"inside": PLACES["inside"], "repeated": PLACES["repeated"]},
}


def _get(**params):
    return lambda x, i: x.at[i].get(**params)


# Windows of shape (2, 3), at rows and columns that may stick out.
WINDOWS = lax.GatherDimensionNumbers(
    offset_dims=(1, 2), collapsed_slice_dims=(), start_index_map=(0, 1)
)


def _windows(mode):
    return lambda x, i: lax.gather(x, i, WINDOWS, (2, 3), mode=mode, fill_value=5)


GATHER = [
    *(
        Case(
            p.gather_p,
            f"gather, {mode}, {name}",
            _get(mode=mode, wrap_negative_indices=False)
            if mode != "fill"
            else _get(mode=mode, fill_value=2, wrap_negative_indices=False),
            sampler(uniform(4, 2), constant(np.array(places, np.int32))),
            BOTH if (mode, name) == ("clip", "repeated") else DOUBLE,
        )
        for mode, named in MODES.items()
        for name, places in named.items()
    ),
    Case(
        p.gather_p,
        "gather, unique and sorted",
        _get(unique_indices=True, indices_are_sorted=True),
        sampler(uniform(4, 2), constant(np.array([0, 2, 3], np.int32))),
    ),
    *(
        Case(
            p.gather_p,
            f"gather of windows, {mode}",
            _windows(mode),
            sampler(
                uniform(4, 5), constant(np.array([[1, 2], [2, 0], [3, 4]], np.int32))
            ),
        )
        for mode in ("clip", "fill")
    ),
    Case(
        p.gather_p,
        "gather, batch dimensions",
        jax.vmap(lambda x, i: x[i]),
        sampler(uniform(3, 4), integers(3, 2, low=0, high=4)),
        BOTH,
    ),
    Case(
        p.gather_p,
        "gather at pairs",
        lambda x, i, j: x[i, :, j],
        sampler(
            uniform(3, 2, 4), integers(2, 3, low=0, high=3), integers(3, low=0, high=4)
        ),
    ),
    Case(
        p.gather_p,
        "gather at no place",
        _windows("clip"),
        sampler(uniform(4, 5), constant(np.zeros((0, 2), np.int32))),
    ),
]

# --- Writing to many places -----------------------------------------------------------

VERBS = {
    p.scatter_p: "set",
    p.scatter_add_p: "add",
    "scatter-sub": "subtract",
}


def _name(key):
    return key if isinstance(key, str) else key.name


def _write(verb, mode="clip", unique=False, **params):
    def function(x, i, update):
        return getattr(x.at[i], verb)(
            update,
            mode=mode,
            unique_indices=unique,
            wrap_negative_indices=False,
            **params,
        )

    return function


WRITTEN_WINDOWS = lax.ScatterDimensionNumbers(
    update_window_dims=(1, 2),
    inserted_window_dims=(),
    scatter_dims_to_operand_dims=(0, 1),
)


def _scatter_windows(key, mode):
    op = {"set": lax.scatter, "add": lax.scatter_add, "subtract": lax.scatter_sub}
    write = op[VERBS[key]]
    return lambda x, i, update: write(x, i, update, WRITTEN_WINDOWS, mode=mode)


def _batched(verb):
    return jax.vmap(lambda x, i, update: getattr(x.at[i], verb)(update))


SCATTER = [
    *(
        Case(
            key,
            f"{_name(key)}, {mode}, {name}",
            _write(verb, mode),
            sampler(
                uniform(4, 2),
                constant(np.array(places, np.int32)),
                uniform(len(places), 2),
            ),
            BOTH if (mode, name) == ("clip", "repeated") else DOUBLE,
        )
        for key, verb in VERBS.items()
        for mode, named in MODES.items()
        for name, places in named.items()
    ),
    *(
        Case(
            key,
            f"{_name(key)}, unique, {name}",
            _write(verb, mode, unique=True),
            sampler(uniform(4, 2), constant(np.array(places, np.int32)), uniform(3, 2)),
        )
        for key, verb in VERBS.items()
        for name, mode, places in [
            ("inside", "clip", [3, 0, 2]),
            ("outside", "drop", [3, 9, 2]),
        ]
    ),
    *(
        Case(
            key,
            f"{_name(key)} of windows, {mode}",
            _scatter_windows(key, mode),
            sampler(
                uniform(4, 5),
                constant(np.array([[1, 2], [2, 0], [3, 4], [1, 1]], np.int32)),
                uniform(4, 2, 3),
            ),
        )
        for key in VERBS
        for mode in ("clip", "fill")
    ),
    *(
        Case(
            key,
            f"{_name(key)}, batch dimensions",
            _batched(verb),
            sampler(uniform(3, 4), integers(3, 5, low=0, high=4), uniform(3, 5)),
        )
        for key, verb in VERBS.items()
    ),
    *(
        Case(
            key,
            f"{_name(key)} of a scalar",
            lambda x, update, verb=verb: getattr(x.at[1], verb)(update),
            sampler(uniform(3), uniform()),
        )
        for key, verb in VERBS.items()
    ),
    *(
        Case(
            key,
            f"{_name(key)} at no place",
            _scatter_windows(key, "clip"),
            sampler(
                uniform(4, 5), constant(np.zeros((0, 2), np.int32)), uniform(0, 2, 3)
            ),
        )
        for key in VERBS
    ),
]

# --- Combining with what is there -----------------------------------------------------

COMBINING = {
    p.scatter_max_p: "max",
    p.scatter_min_p: "min",
    p.scatter_mul_p: "multiply",
}


def _in_turn(verb, mode):
    """The same, one update after the other, which JAX differentiates."""

    def function(x, i, update):
        op = {"max": lax.max, "min": lax.min, "multiply": lax.mul}[verb]
        for k in range(i.shape[0]):
            there = x.at[i[k]].get(mode=mode, fill_value=1, wrap_negative_indices=False)
            combined = op(there, update[k])
            x = x.at[i[k]].set(combined, mode=mode, wrap_negative_indices=False)
        return x

    return function


def _drop_nan(mode):
    return "drop" if mode == "fill" else mode


COMBINED = [
    *(
        Case(
            key,
            f"{key.name}, {mode}, {name}",
            _write(verb, _drop_nan(mode)),
            sampler(
                distinct(4, 2),
                constant(np.array(places, np.int32)),
                uniform(len(places), 2),
            ),
            REAL if (mode, name) == ("clip", "repeated") else DOUBLE,
            reference=_in_turn(verb, mode),
        )
        for key, verb in COMBINING.items()
        for mode, named in MODES.items()
        for name, places in named.items()
    ),
    *(
        Case(
            key,
            f"{key.name}, unique, {name}",
            _write(verb, mode, unique=True),
            sampler(uniform(4, 2), constant(np.array(places, np.int32)), uniform(3, 2)),
        )
        for key, verb in COMBINING.items()
        for name, mode, places in [
            ("inside", "clip", [3, 0, 2]),
            ("outside", "drop", [3, 9, 2]),
        ]
    ),
    *(
        Case(
            p.scatter_mul_p,
            f"scatter_mul, {name}",
            _write("multiply"),
            sampler(
                uniform(3),
                constant(np.array([1, 0, 1, 1, 0], np.int32)),
                lambda rng, zeros=zeros: rng.uniform(1, 2, 5) * (1 - np.array(zeros)),
            ),
            BOTH if name == "one zero" else DOUBLE,
            orders=3,
            reference=_in_turn("multiply", "clip"),
        )
        for name, zeros in {
            "one zero": [0, 0, 1, 0, 0],
            "two zeros": [1, 0, 1, 0, 0],
        }.items()
    ),
    *(
        Case(
            key,
            f"{key.name}, batch dimensions",
            _batched(verb),
            sampler(uniform(3, 4), integers(3, 5, low=0, high=4), uniform(3, 5)),
            reference=jax.vmap(_in_turn(verb, "clip")),
        )
        for key, verb in COMBINING.items()
    ),
    *(
        Case(
            key,
            f"{key.name} of windows",
            lambda x, i, update, op=op: op(
                x, i, update, WRITTEN_WINDOWS, unique_indices=True, mode="clip"
            ),
            sampler(
                uniform(4, 6),
                constant(np.array([[1, 0], [2, 3]], np.int32)),
                uniform(2, 2, 3),
            ),
        )
        for key, op in [
            (p.scatter_max_p, lax.scatter_max),
            (p.scatter_min_p, lax.scatter_min),
            (p.scatter_mul_p, lax.scatter_mul),
        ]
    ),
]

CASES = [*BLOCKS, *GATHER, *SCATTER, *COMBINED]
