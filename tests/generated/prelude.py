"""What the code of a generated program may name.

`from tests.generated.prelude import *` is the first line of a script that shows a
difference. The dtypes are names of their own (`f32`), so that the same code with other
meanings of these is the copy in double precision that judges rounding.
"""

import os
from functools import partial

flags = os.environ.get("XLA_FLAGS", "")
if "host_platform_device_count" not in flags:  # before JAX counts its devices
    os.environ["XLA_FLAGS"] = f"{flags} --xla_force_host_platform_device_count=8"

import jax
import jax.custom_batching
import jax.numpy as jnp
import jax.scipy as jsp
import jax.scipy.linalg
import numpy as np
from jax import lax
from jax.custom_derivatives import linear_call
from jax.extend.core import primitives as p
from jax.sharding import PartitionSpec as P

DTYPES = {
    "f64": jnp.float64,
    "f32": jnp.float32,
    "f16": jnp.float16,
    "bf16": jnp.bfloat16,
    "c128": jnp.complex128,
    "c64": jnp.complex64,
    "i64": jnp.int64,
    "i32": jnp.int32,
    "u8": jnp.uint8,
    "b1": jnp.bool_,
}
f64, f32, f16, bf16, c128, c64, i64, i32, u8, b1 = DTYPES.values()
leaves = jax.tree.leaves


def inexact(x) -> bool:
    return jnp.issubdtype(jnp.result_type(x), jnp.inexact)


# ----------------------------------------------------------------------- in equations


def fit(x, dtype, shape):
    """x, cut or repeated to a shape, in a dtype."""
    if not jnp.issubdtype(dtype, jnp.complexfloating):
        x = jnp.real(x)
    if jnp.size(x) == 0:
        return jnp.zeros(shape, dtype)
    return lax.convert_element_type(jnp.resize(x, shape), dtype)


def inside(x):
    """x, brought to where |x| < 0.9, smoothly."""
    if not jnp.iscomplexobj(x):
        return lax.sin(x) * 0.875
    return 0.5 * x / lax.sqrt(1 + x.real**2 + x.imag**2)


def positive(x):
    """x, brought between 0.5 and 2.25, smoothly."""
    return 1.375 + inside(x)


def regular(x):
    """x, a matrix, or several, brought to where its inverse is small."""
    return inside(x) + 3 * jnp.eye(x.shape[-1], dtype=x.dtype)


def hermitian(x):
    return x + jnp.conj(jnp.swapaxes(x, -1, -2))


def spread_out(x):
    """A Hermitian matrix, or several, with eigenvalues that are far apart."""
    n = x.shape[-1]
    return hermitian(inside(x)) / 4 + jnp.diag(3.0 * jnp.arange(n)).astype(x.dtype)


def split(ys, n):
    return ys[:n], ys[n:]


def ruled_jvp(f, *partials):
    """f of arrays like its output, with a user's rule for the tangent."""
    f = jax.custom_jvp(f)

    @f.defjvp
    def rule(primals, tangents):
        terms = [d(*primals)[0] * t for d, t in zip(partials, tangents, strict=True)]
        return f(*primals), (sum(terms[1:], terms[0]),)

    return f


def ruled_vjp(f, *partials):
    """f of arrays like its output, with a user's rule for the cotangents."""
    ruled = jax.custom_vjp(f)
    ruled.defvjp(
        lambda *xs: (f(*xs), [d(*xs)[0] for d in partials]),
        lambda kept, ct: tuple(ct[0] * d for d in kept),
    )
    return ruled


@jax.custom_batching.custom_vmap
def by_vmap(x):
    """x sin(x), with a user's rule for `vmap`."""
    return lax.sin(x) * x


@by_vmap.def_vmap
def _(size, batched, x):
    return lax.sin(x) * x, True


def mesh(n=2):
    return jax.make_mesh((n,), ("i",), axis_types=(jax.sharding.AxisType.Auto,))


class Failure(Exception):
    """What a program raises by itself."""


def fail(x):
    raise Failure("a generated program fails")


# ------------------------------------------------------------- transforms, by a library


def direction(x, factor=1.0):
    """A tangent of x, or a cotangent: some numbers; of what doesn't move, no numbers.

    Of a number it is a number: whether the derivative by one in the direction of an
    array has a weak type depends, in JAX, on the order of the derivative.
    """
    if not inexact(x):
        return np.zeros(jnp.shape(x), jax.dtypes.float0)
    numbers = factor * (0.5 + 0.25 * (np.arange(jnp.size(x)) % 4))
    dtype = jnp.result_type(x)
    if jnp.issubdtype(dtype, jnp.complexfloating):
        numbers = numbers * (1 - 0.5j)
    if jnp.shape(x) == () and jax.typeof(x).weak_type:
        return numbers.item()
    return numbers.reshape(jnp.shape(x)).astype(dtype)


def directions(xs, factor=1.0):
    return jax.tree.map(partial(direction, factor=factor), xs)


def solid(tree):
    """Arrays with no numbers as false ones, so that transforms can go on with them."""

    def fill(x):
        empty = getattr(x, "dtype", None) == jax.dtypes.float0
        return jnp.zeros(x.shape, bool) if empty else x

    return jax.tree.map(fill, tree)


def parts(tree):
    """The real numbers in a tree that move, as a list of arrays."""
    moving = [x for x in leaves(tree) if inexact(x)]
    return [
        part
        for x in moving
        for part in ([jnp.real(x), jnp.imag(x)] if jnp.iscomplexobj(x) else [x])
    ]


def total(tree):
    """A number of a tree that moves with all of it."""
    sums = [jnp.sum(jnp.asarray(x, f64) * direction(f64(x))) for x in parts(tree)]
    return sum(sums, f64(0))


def reals(f, xs):
    """f as a function of those arguments, arrays in a list, that are real, and they."""
    flat, tree = jax.tree.flatten(xs)
    moving = [i for i, x in enumerate(flat) if inexact(x) and not jnp.iscomplexobj(x)]
    if not moving:
        raise Failure("no argument is real")

    def of_reals(ys):
        new = dict(zip(moving, ys, strict=True))
        whole = [new.get(i, x) for i, x in enumerate(flat)]
        return f(*jax.tree.unflatten(tree, whole))

    return of_reals, [flat[i] for i in moving]


def push(lib, f, *xs):
    return solid(lib.jvp(f, xs, directions(xs)))


def pull(lib, f, *xs):
    y, pullback = lib.vjp(f, *xs)
    return solid((y, pullback(directions(y))))


def linear(lib, f, *xs):
    y, pushforward = lib.linearize(f, *xs)
    return solid((y, pushforward(*directions(xs))))


def gradient(lib, f, *xs):
    whole = tuple(range(len(xs)))
    scalar = lambda *xs: total(f(*xs))  # noqa: E731
    return solid(lib.grad(scalar, argnums=whole, allow_int=True)(*xs))


def bare_gradient(lib, f, *xs):
    """Of what f returns, whatever that is."""
    return solid(lib.grad(f)(*xs))


def valued(lib, f, *xs):
    with_aux = lambda *xs: (total(y := f(*xs)), y)  # noqa: E731
    return solid(lib.value_and_grad(with_aux, has_aux=True, allow_int=True)(*xs))


def forward_jacobian(lib, f, *xs):
    f, xs = reals(f, xs)
    return solid(lib.jacfwd(lambda xs: parts(f(xs)))(xs))


def reverse_jacobian(lib, f, *xs):
    f, xs = reals(f, xs)
    return lib.jacrev(lambda xs: parts(f(xs)))(xs)


def hessian(lib, f, *xs):
    f, xs = reals(f, xs)
    return lib.hessian(lambda xs: total(f(xs)))(xs)


def hvp(lib, f, *xs):
    f, xs = reals(f, xs)
    scalar = lambda xs: total(f(xs))  # noqa: E731
    if hasattr(lib, "hvp"):
        return lib.hvp(scalar, (xs,), (directions(xs),))
    return lib.jvp(lib.grad(scalar), (xs,), (directions(xs),))[1]


def batched(f, *xs, which):
    """f by `vmap` over two of the arguments `which`, or of all where this is None."""

    def two(x):
        x = jnp.asarray(x)
        return jnp.stack([x, jnp.flip(x) if x.ndim else x])

    axes = tuple(0 if which in (None, i) else None for i in range(len(xs)))
    xs = [
        x if axis is None else jax.tree.map(two, x)
        for x, axis in zip(xs, axes, strict=True)
    ]
    return jax.vmap(f, in_axes=axes)(*xs)


def side_by_side(program, *args):
    """What a program returns by jaxkit and by JAX, printed."""
    import jaxkit

    for lib in (jaxkit, jax):
        print(f"--- {lib.__name__}")
        try:
            for x in leaves(program(lib)(*args)):
                print(jax.typeof(x), np.asarray(x).tolist())
        except Exception as error:
            print(f"{type(error).__name__}: {str(error)[:300]}")


jax.config.update("jax_enable_x64", True)
__all__ = [name for name in globals() if not name.startswith("_")]
