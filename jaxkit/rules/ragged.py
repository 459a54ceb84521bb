"""Matrix products of groups of rows, each with a matrix of its own (ragged_dot).

One axis of x, the ragged one, is cut into groups g.  It may be

    free         z[m, n] = sum over k of x[m, k] y[g of m, k, n]
    contracted   z[g, m, n] = sum over the k in g of x[m, k] y[k, n]
    batched      z[b, m, n] = sum over k of x[b, m, k] y[b, k, n], for b in the groups

A product is told by the axes of its operands and its result alone, as in an einsum,
where g is an axis of y or z.  So the cotangents are products of the same axes, in other
roles.
"""

from __future__ import annotations

from jax import lax

from jaxkit.rules.arith import cast
from jaxkit.rules.verbs import bilinear

GROUP = -1  # the axis of groups; other axes are numbered, first those that are shared


def _axes(x_ndim, y_ndim, numbers):
    """The axes of x, of y and of their product, and which one is ragged."""
    (xc, yc), (xb, yb) = numbers.dot_dimension_numbers
    number_x = {d: i for i, d in enumerate([*xb, *xc])}
    number_y = {d: i for i, d in enumerate([*yb, *yc])}
    number_y |= {d: GROUP for d in numbers.rhs_group_dimensions}
    shared = count = len(number_x)
    for ndim, number in (x_ndim, number_x), (y_ndim, number_y):
        for d in range(ndim):
            if d not in number:
                number[d] = count
                count += 1
    (ragged,) = (number_x[d] for d in numbers.lhs_ragged_dimensions)
    batch, summed = range(len(xb)), range(len(xb), shared)
    x = [number_x[d] for d in range(x_ndim)]
    y = [number_y[d] for d in range(y_ndim)]
    z = [*([GROUP] if ragged in summed else []), *batch, *range(shared, count)]
    return x, y, z, ragged


def _product(x, x_axes, y, y_axes, sizes, z_axes, ragged, params):
    """The product with these axes, where the groups are not an axis of x."""
    shared = sorted(set(x_axes) & set(y_axes))
    summed = [i for i in shared if i not in z_axes]
    batch = [i for i in shared if i in z_axes]
    numbers = lax.RaggedDotDimensionNumbers(
        [[[axes.index(i) for i in which] for axes in (x_axes, y_axes)]
         for which in (summed, batch)],
        lhs_ragged_dimensions=[x_axes.index(ragged)],
        rhs_group_dimensions=[y_axes.index(GROUP)] if GROUP in y_axes else [],
    )  # fmt: skip
    z = lax.ragged_dot_general(x, y, sizes, numbers, **params)
    free = [i for i in [*x_axes, *y_axes] if i not in shared and i != GROUP]
    has = [*([GROUP] if ragged in summed else []), *batch, *free]
    return lax.transpose(z, [has.index(i) for i in z_axes])


def _left(ct, x, y, sizes, *, ragged_dot_dimension_numbers, **params):
    x_axes, y_axes, z_axes, ragged = _axes(
        x.aval.ndim, y.ndim, ragged_dot_dimension_numbers
    )
    pair = (ct, z_axes), (cast(y, ct.dtype), y_axes)
    (a, a_axes), (b, b_axes) = reversed(pair) if GROUP in z_axes else pair
    product = _product(a, a_axes, b, b_axes, sizes, x_axes, ragged, params)
    return cast(product, x.aval.dtype)


def _right(ct, x, y, sizes, *, ragged_dot_dimension_numbers, **params):
    x_axes, y_axes, z_axes, ragged = _axes(
        x.ndim, y.aval.ndim, ragged_dot_dimension_numbers
    )
    x = cast(x, ct.dtype)
    product = _product(x, x_axes, ct, z_axes, sizes, y_axes, ragged, params)
    return cast(product, y.aval.dtype)


bilinear("ragged_dot_general", _left, _right)
