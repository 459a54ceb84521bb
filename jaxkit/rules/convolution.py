"""Convolution, which is linear in each of its operands, the input and the kernel.

Along one spatial axis, of input x[n, c, .], kernel w[o, c, .] and output z[n, o, .],

    z[n, o, t] = sum over c, k of x[n, c, (s t + r k - l) / b] w[o, c, k]

for window stride s, input dilation b, kernel dilation r and l of padding before; terms
between the elements of x, or beyond them, are zero.  With cotangent Z, and k running
backwards as j = K - 1 - k, the cotangents are convolutions again (Dumoulin & Visin
2016):

    X[n, c, i] = sum over o, j of Z[n, o, (b i + r j - l') / s] w[o, c, K - 1 - j],
    W[o, c, k] = sum over n, t of x[n, c, (r k + s t - l) / b] Z[n, o, t]

where l' = r (K - 1) - l.  Each has as much padding after as its length requires.
"""

from __future__ import annotations

from jax import lax
from jax.extend.core import primitives as p

from jaxkit.rules.arith import cast
from jaxkit.rules.verbs import bilinear
from jaxkit.tracing import sharding_of


def dilated(n, by):
    """The length of n elements with `by - 1` gaps between any two."""
    return by * (n - 1) + 1 if n else 0


def padding_for(n, before, window, length, stride):
    """The padding before and after n elements, for `length` windows of a `stride`."""
    return before, stride * (length - 1) + window - before - n


def _regroup(x, source, target, groups):
    """Moves the group number, slowest in axis `source`, there in axis `target`."""
    if groups == 1:
        return x
    shape = list(x.shape)
    shape[source : source + 1] = [groups, shape[source] // groups]
    axes = [d + (d >= source) for d in range(x.ndim)]  # of what isn't the number
    axes.insert(target, source)
    x = lax.transpose(lax.reshape(x, shape), axes)
    shape = list(x.shape)
    shape[target : target + 2] = [groups * shape[target + 1]]
    return lax.reshape(x, shape)


def _swap(spec):
    """The layout of an array whose first two axes change roles."""
    return spec[1], spec[0], *spec[2:]


def _lengths(shape, spec):
    return [shape[d] for d in spec[2:]]


def _left(ct, x, w, *, dimension_numbers, padding, **params):
    # Of w, outputs become inputs, within each of the groups.  Output features and
    # input batches that are in groups together are together again in X.
    if 0 in x.aval.shape:
        return None
    x_spec, w_spec, z_spec = dimension_numbers
    strides, dilations = params["window_strides"], params["lhs_dilation"]
    batch_groups = params["batch_group_count"]
    groups = params["feature_group_count"] * batch_groups
    backwards = lax.rev(cast(w, ct.dtype), w_spec[2:])
    pads = []
    for (before, _), n, m, k, s, b, r in zip(
        padding,
        _lengths(x.aval.shape, x_spec),
        _lengths(ct.shape, z_spec),
        _lengths(w.shape, w_spec),
        strides,
        dilations,
        params["rhs_dilation"],
        strict=True,
    ):
        window = dilated(k, r)
        pads.append(padding_for(dilated(m, s), window - 1 - before, window, n, b))
    product = p.conv_general_dilated_p.bind(
        ct,
        _regroup(backwards, w_spec[0], w_spec[1], groups),
        **params
        | dict(
            window_strides=dilations,
            lhs_dilation=strides,
            padding=tuple(pads),
            dimension_numbers=lax.ConvDimensionNumbers(z_spec, _swap(w_spec), x_spec),
            feature_group_count=groups,
            batch_group_count=1,
            out_sharding=sharding_of(x.aval) if batch_groups == 1 else None,
        ),
    )
    return cast(_regroup(product, x_spec[1], x_spec[0], batch_groups), x.aval.dtype)


def _right(ct, x, w, *, dimension_numbers, padding, **params):
    # Batches are what is summed over, so that groups of features are now of batches,
    # and the other way round.
    if 0 in ct.shape:
        return None  # XLA knows no kernel of length 0, which ct would be
    x_spec, w_spec, z_spec = dimension_numbers
    strides, dilations = params["window_strides"], params["rhs_dilation"]
    pads = []
    for (before, _), n, m, k, s, b, r in zip(
        padding,
        _lengths(x.shape, x_spec),
        _lengths(ct.shape, z_spec),
        _lengths(w.aval.shape, w_spec),
        strides,
        params["lhs_dilation"],
        dilations,
        strict=True,
    ):
        pads.append(padding_for(dilated(n, b), before, dilated(m, s), k, r))
    product = p.conv_general_dilated_p.bind(
        cast(x, ct.dtype),
        ct,
        **params
        | dict(
            window_strides=dilations,
            rhs_dilation=strides,
            padding=tuple(pads),
            dimension_numbers=lax.ConvDimensionNumbers(
                _swap(x_spec), _swap(z_spec), _swap(w_spec)
            ),
            feature_group_count=params["batch_group_count"],
            batch_group_count=params["feature_group_count"],
            out_sharding=sharding_of(w.aval),
        ),
    )
    return cast(product, w.aval.dtype)


bilinear(p.conv_general_dilated_p, _left, _right)
